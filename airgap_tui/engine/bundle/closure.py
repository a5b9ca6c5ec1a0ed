"""Walks from a root to everything below it, in content that is not trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

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
_MOST_BYTES = 64 * 1024 * 1024
"""Of all manifests and indexes below one root: they are kept in memory."""

_MOST_SIZES = 1_000_000


def closure_below(reference: Reference, root: Descriptor, load: Load) -> Closure:
    """The closure of a root; `load` reads one document and raises where it is not there.

    Raises `UnsafeContent` for indexes that are nested too deeply, too wide or too large.
    """
    walk = _Walk(load)
    document = walk.add(root)
    platforms = document.platforms if isinstance(document, Index) else ()
    documents, blobs = tuple(walk.documents.values()), tuple(walk.blobs.values())
    return Closure(reference, document, documents, blobs, platforms)


@dataclass(slots=True)
class _Walk:
    """Collects what lies below a root; documents children first."""

    load: Load
    documents: dict[Digest, Manifest | Index] = field(default_factory=dict)
    blobs: dict[Digest, Descriptor] = field(default_factory=dict)
    size: int = 0

    def add(self, descriptor: Descriptor, depth: int = 0) -> Manifest | Index:
        if depth > _DEEPEST or len(self.documents) > _MOST or self.size > _MOST_BYTES:
            raise UnsafeContent(
                f"{descriptor.digest}: indexes are nested too deeply, too wide or too large"
            )
        if descriptor.digest in self.documents:
            return self.documents[descriptor.digest]
        document = self.load(descriptor)
        self.size += len(document.raw)
        if isinstance(document, Index):
            for child in document.manifests:
                if is_document(child):
                    self.add(child, depth + 1)
                else:
                    self.blobs.setdefault(child.digest, child)
        else:
            for blob in document.blobs:
                self.blobs.setdefault(blob.digest, blob)
        self.documents[descriptor.digest] = document
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
