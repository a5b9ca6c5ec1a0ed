"""The bundle: an OCI image layout with an inventory, and the archives that lead into it."""
