"""The bundle: an OCI image layout with an inventory, and the archives it is converted into."""
