"""Walking from a root to everything below it, in content whose shape nobody vouches for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from airgap_tui.engine.errors import AirgapError, UnsafeContent
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.content import Closure
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest
from airgap_tui.engine.oci.reference import Reference

Load = Callable[[Descriptor], "Manifest | Index"]

_DEEPEST = 8
_MOST = 10_000
_MOST_SIZES = 1_000_000


def closure_below(reference: Reference, root: Descriptor, load: Load) -> Closure:
    """The closure of a root; `load` reads one document and raises where it is not there.

    Raises `UnsafeContent` for indexes that are nested too deeply or too wide.
    """
    documents: dict[Digest, Manifest | Index] = {}
    blobs: dict[Digest, Descriptor] = {}
    document = _walk(root, load, documents, blobs, 0)
    platforms = document.platforms if isinstance(document, Index) else ()
    return Closure(reference, document, tuple(documents.values()), tuple(blobs.values()), platforms)


def _walk(
    descriptor: Descriptor,
    load: Load,
    documents: dict[Digest, Manifest | Index],
    blobs: dict[Digest, Descriptor],
    depth: int,
) -> Manifest | Index:
    if depth > _DEEPEST or len(documents) > _MOST:
        raise UnsafeContent(f"{descriptor.digest}: indexes are nested too deeply or too wide")
    if descriptor.digest in documents:
        return documents[descriptor.digest]
    document = load(descriptor)
    if isinstance(document, Index):
        for child in document.manifests:
            if is_document(child):
                _walk(child, load, documents, blobs, depth + 1)
            else:
                blobs.setdefault(child.digest, child)
    else:
        for blob in document.blobs:
            blobs.setdefault(blob.digest, blob)
    documents[descriptor.digest] = document
    return document


def sizes_below(roots: Iterable[Descriptor], load: Load) -> dict[Digest, int]:
    """The sizes of all content below roots, as far as documents can be read."""
    sizes: dict[Digest, int] = {}
    pending = [(root, 0) for root in roots]
    while pending:
        descriptor, depth = pending.pop()
        try:
            document = load(descriptor)
        except AirgapError:
            continue
        sizes[document.digest] = len(document.raw)
        for child in document.manifests if isinstance(document, Index) else document.blobs:
            known = child.digest in sizes
            sizes.setdefault(child.digest, child.size)
            deeper = isinstance(document, Index) and is_document(child) and not known
            if deeper and depth < _DEEPEST and len(sizes) < _MOST_SIZES:
                pending.append((child, depth + 1))
    return sizes


def is_document(child: Descriptor) -> bool:
    """Whether an index entry is itself a manifest or an index."""
    return child.media_type in media_types.INDEXES | media_types.MANIFESTS or not child.media_type
