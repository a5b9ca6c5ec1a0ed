"""NGC as it can be used: the catalogue's descriptions joined with the registry's truth."""
