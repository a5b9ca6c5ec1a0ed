"""Values of the OCI specifications: parsed once at the edge, frozen, without any I/O."""
