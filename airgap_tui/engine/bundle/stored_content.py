"""The content of a bundle that is being filled: what is stored whole, what is re-encoded on the way
in, and what an earlier verify found damaged, which is read again before it counts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from airgap_tui.engine.bundle.archives.known_layers import KnownLayers
from airgap_tui.engine.bundle.blob_store import BlobFile, BlobStore
from airgap_tui.engine.bundle.damage import read_damaged, write_damaged
from airgap_tui.engine.bundle.durable import writing
from airgap_tui.engine.bundle.encoding.codec import Codec, Compression
from airgap_tui.engine.bundle.encoding.reencode import reencode, wants_reencoding
from airgap_tui.engine.bundle.encoding.rewrite import rewrite
from airgap_tui.engine.bundle.inventory import Inventory, LayerRecord
from airgap_tui.engine.bundle.inventory_file import InventoryFile
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.events import Note, Sink
from airgap_tui.engine.oci.content import Closure, OpenAt, Report
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index


class StoredContent:
    """The blobs of one writer, with what the inventory knows of them; for many threads."""

    def __init__(
        self,
        path: Path,
        store: BlobStore,
        file: InventoryFile,
        compression: Compression | None,
        sink: Sink,
        threads: int,
    ) -> None:
        self.store = store
        self._path = path
        self._file = file
        self._compression = compression
        self._sink = sink
        self._threads = threads
        self._suspects = set(read_damaged(path))
        self._layers = KnownLayers(file, store)

    def has(self, blob: Descriptor, token: CancelToken) -> bool:
        """Whether the blob, or what replaces it under compression, is there whole."""
        return self.holds(blob.digest, blob.size, token) or self.replacement(blob) is not None

    def holds(self, digest: Digest, size: int, token: CancelToken) -> bool:
        """Whether content is there whole; what was noted as damaged is read again."""
        there = self.store.size(digest)
        if there is None:
            return False
        if there == size and digest not in self._suspects:
            return True
        if there == size and self.store.is_whole(digest, token):
            self._suspects.discard(digest)
            return True
        self.store.drop(digest)
        self._suspects.discard(digest)
        self._sink(Note(f"{self._path}: the file {digest.short} was damaged and is fetched again"))
        return False

    # --- taking

    def receive(self, blob: Descriptor, opener: OpenAt, report: Report, token: CancelToken) -> None:
        """Take a blob; a layer is re-encoded where compression asks for another codec."""
        if blob.data is not None and Digest.of(blob.data, blob.digest.algorithm) == blob.digest:
            self.put(blob.data, blob.digest)
            report(blob.size)
            return
        path = self.store.download(blob, opener, report, token)
        if self._compression is not None and wants_reencoding(blob, self._compression):
            new, record = reencode(path, blob, self._compression, self.store, self._threads, token)
            self.record_layer(new.digest, record)
            # The original is gone after this, so the record has to be durable before.
            self._file.flush()
            with writing(path):
                path.unlink()
            return
        self.keep(path, blob.digest)

    def take(self, blob: Descriptor, opener: OpenAt, report: Report, token: CancelToken) -> None:
        """Take a blob as it is. Raises as `BlobStore.download` does."""
        self.keep(self.store.download(blob, opener, report, token), blob.digest)

    def link(self, blob: Descriptor, source: Path, report: Report, token: CancelToken) -> bool:
        """Take a blob over from a file without copying it, checked; False where that cannot be.

        Raises `ContentMismatch`."""
        if not self.store.link(blob, source, report, token):
            return False
        self._suspects.discard(blob.digest)
        return True

    def keep(self, path: Path, digest: Digest) -> None:
        """Give a whole and checked file its place among the blobs."""
        self.store.keep(path, digest)
        self._suspects.discard(digest)

    def put(self, data: bytes, digest: Digest) -> None:
        """Store small content at once."""
        self.store.put(data, digest)
        self._suspects.discard(digest)

    def put_documents(self, closure: Closure) -> None:
        """Store manifests and indexes, also under the other digests that they are asked by."""
        wanted = {
            child.digest
            for document in closure.documents
            if isinstance(document, Index)
            for child in document.manifests
        }
        if closure.reference.digest is not None:
            wanted.add(closure.reference.digest)
        others = {digest for digest in wanted if digest.algorithm != "sha256"}
        for document in closure.documents:
            self.put(document.raw, document.digest)
            for algorithm in {digest.algorithm for digest in others}:
                digest = Digest.of(document.raw, algorithm)
                if digest in others:
                    self.put(document.raw, digest)

    def begin_blob(self, algorithm: str) -> BlobFile:
        """Content whose digest is known only at its end; a context manager."""
        return self.store.begin(algorithm)

    # --- layers under compression

    def rewritten(self, closure: Closure) -> Closure:
        """The closure as it is stored: with the re-encoded layers in place of their originals."""
        return rewrite(closure, self.replacement) if self._compression else closure

    def replacement(self, blob: Descriptor) -> Descriptor | None:
        """What stands for a layer under the present compression, if that is stored whole."""
        if self._compression is None or not wants_reencoding(blob, self._compression):
            return None
        found = self._layers.replacing(blob.digest, self._compression.codec)
        if found is None or not self.holds(found.digest, found.size, CancelToken()):
            return None
        return found

    def layer_for(self, diff_id: Digest, codec: Codec) -> Descriptor | None:
        """A stored layer with this unpacked content and codec, whatever image it came with."""
        found = self._layers.with_content(diff_id, codec)
        return None if found is None or found.digest in self._suspects else found

    def record_layer(self, digest: Digest, record: LayerRecord) -> None:
        """Note what is known of a stored layer."""
        self._layers.record(digest, record)

    # --- dropping

    def remove(self, digests: Iterable[Digest]) -> None:
        """Remove stored content that no item needs, with what is known of it."""
        gone = frozenset(digests)
        for digest in sorted(gone):
            self.store.drop(digest)
        self._suspects -= gone

        def change(inventory: Inventory) -> None:
            for digest in gone & inventory.layers.keys():
                del inventory.layers[digest]

        self._file.change(change)

    def note_damage(self) -> None:
        """Write down what is still in doubt; damage that was repaired is no longer noted."""
        write_damaged(self._path, self._suspects)
