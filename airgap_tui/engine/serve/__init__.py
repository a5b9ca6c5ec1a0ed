"""The embedded registry: read-only, on the standard library's threads, over any `Catalogue`."""
