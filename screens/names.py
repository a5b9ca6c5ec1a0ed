"""Image names in tables: the registry that most of them share stands once, in the heading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from airgap_tui.engine.oci.reference import Reference


def common_registry(references: Iterable[str]) -> str:
    """The registry that most images are of, where there are several of it."""
    registries = Counter(reference.partition("/")[0] for reference in references)
    for registry, number in registries.most_common(1):
        if number > 1 and ("." in registry or ":" in registry):
            return registry
    return ""


def heading(common: str) -> str:
    """What stands above a column of names: `Image, on nvcr.io unless named`."""
    return f"Image, on {common} unless named" if common else "Image"


def short(reference: str, common: str) -> str:
    """The name without what the heading says already."""
    return reference.removeprefix(f"{common}/") if common else reference


def tag(reference: Reference) -> str:
    """What stands in the column Tag: with the beginning of the digest where there is one."""
    if reference.digest is None:
        return str(reference.tag)
    return f"{reference.tag or ''}@{reference.digest.algorithm}:{reference.digest.short}.."
