"""What the items of a bundle need, found by walking from every root and past what is broken.

A closure is all or nothing; here a damaged manifest is a finding, and the rest is still looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from airgap_tui.engine.bundle.closure import is_document
from airgap_tui.engine.bundle.names import root_of
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, ContentMismatch, NotFound, UnsafeContent
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.oci import manifest, media_types
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest

_DEEPEST = 8
_MOST = 1_000_000
_MOST_BYTES = 512 * 1024 * 1024
"""Of all manifests together, which are kept in memory: thousands of images have some 100 MB."""


@dataclass(slots=True)
class Need:
    """One file that items need; `problems` are what is wrong with it, apart from its bytes.

    `longest` is the largest size that anything says of it: what is longer need not be read.
    A layer that its publisher does not allow to be passed on is `optional`; one that is left out
    because the offline side has it is `assumed`.
    """

    digest: Digest
    size: int
    items: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    present: bool = False
    optional: bool = False
    assumed: bool = False
    longest: int = 0

    @property
    def missing(self) -> bool:
        """Whether it should be there and is not."""
        return not (self.present or self.optional or self.assumed)


def needs_of(reader: BundleReader, token: CancelToken) -> dict[Digest, Need]:
    """Every file that a finished item needs, whether it is there or not. Raises `UnsafeContent`
    where manifests name files without end."""
    walk = _Walk(reader, token)
    for item in reader.items:
        if item.digest is not None and item.state is ItemState.DONE:
            walk.add(root_of(item), item.name, 0, known_size=bool(item.size))
    return walk.needs


class _Walk:
    def __init__(self, reader: BundleReader, token: CancelToken) -> None:
        self._reader = reader
        self._token = token
        self.needs: dict[Digest, Need] = {}
        self._documents: dict[Digest, Manifest | Index | None] = {}
        self._walked: set[tuple[Digest, str]] = set()
        self._bytes = 0
        self._assumed = reader.inventory.assumed

    def add(
        self, descriptor: Descriptor, item: str, depth: int, *, known_size: bool = True
    ) -> None:
        """A root or an index's child, and everything below it, is needed by an item."""
        self._token.check()
        if len(self.needs) > _MOST or self._bytes > _MOST_BYTES:
            raise UnsafeContent(
                f"{self._reader.storage.location}: its manifests are too many or too large"
            )
        need = self._need(descriptor, item, known_size)
        if depth > _DEEPEST:
            _problem(need, "indexes are nested too deeply")
            return
        if (descriptor.digest, item) in self._walked:
            return  # indexes that name each other's children again and again have no end
        self._walked.add((descriptor.digest, item))
        document = self._document(descriptor, need)
        if isinstance(document, Index):
            for child in document.manifests:
                if is_document(child):
                    self.add(child, item, depth + 1)
                else:
                    self._need(child, item)
        elif document is not None:
            for blob in document.blobs:
                self._need(blob, item).optional |= media_types.is_foreign_layer(blob.media_type)

    def _need(self, blob: Descriptor, item: str, known_size: bool = True) -> Need:
        need = self.needs.setdefault(blob.digest, Need(blob.digest, blob.size))
        need.items.add(item)
        need.longest = max(need.longest, blob.size if known_size else manifest.MAX_BYTES)
        try:
            size = self._reader.size(blob.digest)
        except AirgapError as error:
            need.present = True
            _problem(need, error.message)
            return need
        need.present = size is not None
        need.assumed = size is None and blob.digest in self._assumed
        if size is not None and known_size and size != blob.size:
            _problem(need, f"it has {size} bytes, not {blob.size}")
        return need

    def _document(self, descriptor: Descriptor, need: Need) -> Manifest | Index | None:
        """A manifest, read and checked the first time that it is needed."""
        digest = descriptor.digest
        if digest not in self._documents:
            self._documents[digest] = None
            try:
                document = self._reader.document(digest, descriptor.media_type)
                self._documents[digest] = document
                self._bytes += len(document.raw)
                if isinstance(document, Manifest) and document.is_image:
                    self._check_config(document, need)
            except (NotFound, ContentMismatch):
                pass  # told as missing, or when its bytes are read
            except AirgapError as error:
                _problem(need, error.message)
        return self._documents[digest]

    def _check_config(self, image: Manifest, need: Need) -> None:
        try:
            self._reader.check_config(image)
        except (NotFound, ContentMismatch):
            return


def _problem(need: Need, text: str) -> None:
    if text not in need.problems:
        need.problems.append(text)
