"""Logins for registries: found wherever hosts keep them, and stored where `docker login` would."""
