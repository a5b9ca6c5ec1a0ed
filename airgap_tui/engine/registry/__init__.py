"""A client of the OCI distribution specification 1.1: pull, push and tags, with known quirks."""
