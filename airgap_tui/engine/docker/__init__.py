"""Docker Engine and Podman through the API that both speak."""
