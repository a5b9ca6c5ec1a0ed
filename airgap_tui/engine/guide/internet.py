"""Which registries are on the internet, so that nothing may go there from the offline side."""

from __future__ import annotations

_INTERNET = (
    "docker.io",
    "docker.com",
    "nvcr.io",
    "quay.io",
    "ghcr.io",
    "gcr.io",
    "pkg.dev",
    "registry.k8s.io",
    "public.ecr.aws",
    "mcr.microsoft.com",
    "registry.gitlab.com",
)


def of_the_internet(registry: str) -> bool:
    """Whether a registry is known to be one of the internet, where nothing may go from here."""
    host = registry.partition(":")[0].lower()
    return any(host == known or host.endswith(f".{known}") for known in _INTERNET)
