"""Writing a bundle: one writer at a time, and whatever ends it leaves a bundle that continues.

Content comes first, names last: a blob is whole and durable before a manifest needs it, and an item
is recorded when all of it is there. `index.json`, `manifest.json` and `SHA256SUMS` follow at the
end.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from airgap_tui.engine.bundle import layout, names
from airgap_tui.engine.bundle.archives.known_layers import KnownLayers
from airgap_tui.engine.bundle.blob_store import BlobFile, BlobStore
from airgap_tui.engine.bundle.checksums import format_checksums
from airgap_tui.engine.bundle.completion import checksums_of, name_files
from airgap_tui.engine.bundle.damage import read_damaged, write_damaged
from airgap_tui.engine.bundle.durable import replace_file, writing
from airgap_tui.engine.bundle.encoding.codec import Codec, Compression
from airgap_tui.engine.bundle.encoding.reencode import reencode, wants_reencoding
from airgap_tui.engine.bundle.encoding.rewrite import rewrite
from airgap_tui.engine.bundle.inventory import (
    MAX_BYTES,
    SIGNATURE,
    Inventory,
    Item,
    LayerRecord,
    now,
)
from airgap_tui.engine.bundle.inventory_file import InventoryFile
from airgap_tui.engine.bundle.lock import BundleLock, check_place
from airgap_tui.engine.bundle.media.storage import DirectoryStorage
from airgap_tui.engine.bundle.saved_items import item_of, signature_of
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import ItemState, Level, Note, Sink, discard
from airgap_tui.engine.oci.content import Closure, OpenAt, Report
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest
from airgap_tui.engine.oci.platform import DEFAULT_PLATFORM, Platform
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count

if TYPE_CHECKING:
    from airgap_tui.engine.bundle.receipts.assumption import Assumption


class BundleWriter:
    """A bundle that is being filled; implements `content.Target`.

    Use as a context manager. Leaving it without `finish` keeps all that is whole, and the partial
    files, for the next writer.
    """

    def __init__(
        self,
        path: Path,
        lock: BundleLock,
        inventory: Inventory,
        compression: Compression | None,
        sink: Sink,
        threads: int,
    ) -> None:
        self.path = path
        self._lock = lock
        self._compression = compression
        self._sink = sink
        self._threads = threads
        self._storage = DirectoryStorage(path)
        self._store = BlobStore(path)
        self._file = InventoryFile(path, inventory)
        self._suspects = set(read_damaged(path))
        self._layers = KnownLayers(self._file, self._store)
        self._assumed = frozenset(inventory.assumed)
        self._finished = False

    @classmethod
    def open(
        cls,
        path: Path,
        job: str,
        platform: Platform | None = DEFAULT_PLATFORM,
        compression: Compression | None = None,
        sink: Sink = discard,
        threads: int | None = None,
    ) -> BundleWriter:
        """Begin or continue the bundle at a path; `job` is what its lock says.

        `platform` None stands for all platforms; a bundle that exists keeps its own. `threads` are
        for compression. Raises `BundleLocked`, `UsageError` where something else is at the path,
        `UnsupportedBundle`, `MalformedContent`, `NoRoom` and `EnvironmentFailure`.
        """
        check_place(path)
        with writing(path):
            path.mkdir(parents=True, exist_ok=True)
        lock = BundleLock(path, job)
        try:
            storage = DirectoryStorage(path)
            if storage.extent(layout.INVENTORY) is not None:
                inventory = Inventory.parse(storage.read(layout.INVENTORY, MAX_BYTES), str(path))
            else:
                inventory = Inventory.new(path.absolute().name, platform)
                inventory.imported = job == "import"
            inventory.saving = True
            if _unseal(path):
                text = f"{path} changes, so its signature is gone; sign it when it is finished"
                sink(Note(text, Level.WARNING))
            writer = cls(path, lock, inventory, compression, sink, threads or os.cpu_count() or 1)
        except BaseException:
            lock.release()
            raise
        try:
            writer._begin()
        except BaseException:
            with suppress(AirgapError, OSError):
                writer.close()
            raise
        return writer

    def __enter__(self) -> BundleWriter:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            # What ended the work is what is told; closing may fail for the same reason.
            with suppress(AirgapError, OSError):
                self.close()

    def close(self) -> None:
        """Give the bundle free. What was recorded is on the disk afterwards."""
        try:
            try:
                if not self._finished:
                    self._write_names()
            finally:
                self._file.close()
        finally:
            self._lock.release()
            with suppress(OSError):  # partial files are there: they are for the next writer
                (self.path / layout.PARTIAL).rmdir()

    @property
    def inventory(self) -> Inventory:
        """For looking only; `record`, `record_layer` and `forget` change it."""
        return self._file.inventory

    # --- items

    def record(self, item: Item) -> None:
        """Add an item or replace the one of its name; `bundle.json` follows within moments."""
        pinned = item.reference
        if pinned.tag and pinned.digest:
            item = replace(item, reference=replace(pinned, digest=None))
        self._file.change(lambda inventory: inventory.put(item))

    def forget(self, reference: Reference) -> None:
        """Take an item and the signatures of it out; its content stays until it is pruned."""

        def change(inventory: Inventory) -> None:
            gone = inventory.remove(reference)
            if gone is None or gone.digest is None:
                return
            for item in inventory.items:
                if item.kind == SIGNATURE and item.subject == gone.digest:
                    inventory.remove(item.reference)

        self._file.change(change)

    def assume(self, assumptions: tuple[Assumption, ...]) -> None:
        """Leave these layers out from now on; what is stored stays."""

        def change(inventory: Inventory) -> None:
            inventory.assumes = assumptions
            self._assumed = frozenset(inventory.assumed)

        self._file.change(change)

    def find(self, reference: Reference) -> Item | None:
        return self._file.look(lambda inventory: inventory.find(reference))

    # --- content.Target

    def scope(self, reference: Reference) -> str:
        return ""

    def has(self, reference: Reference, blob: Descriptor, token: CancelToken) -> bool:
        """Whether the blob, or what replaces it under compression, is there whole; or is left out
        because the offline side has it."""
        if blob.digest in self._assumed:
            return True
        if self._holds(blob.digest, blob.size, token):
            return True
        if not wants_reencoding(blob, self._compression):
            return False
        return self._replacement(blob) is not None

    def receive(
        self,
        reference: Reference,
        blob: Descriptor,
        opener: OpenAt,
        report: Report,
        token: CancelToken,
    ) -> None:
        """Take a blob; a layer is re-encoded where compression asks for another codec."""
        if blob.data is not None and Digest.of(blob.data, blob.digest.algorithm) == blob.digest:
            self._put(blob.data, blob.digest)
            report(blob.size)
            return
        path = self._store.download(blob, opener, report, token)
        if self._compression is not None and wants_reencoding(blob, self._compression):
            new, record = reencode(path, blob, self._compression, self._store, self._threads, token)
            self.record_layer(new.digest, record)
            # The original is gone after this, so the record has to be durable before.
            self._file.flush()
            with writing(path):
                path.unlink()
            return
        self._store.keep(path, blob.digest)
        self._suspects.discard(blob.digest)

    def take(self, blob: Descriptor, opener: OpenAt, report: Report, token: CancelToken) -> None:
        """Take a blob as it is. Raises as `BlobStore.download` does."""
        self._store.keep(self._store.download(blob, opener, report, token), blob.digest)
        self._suspects.discard(blob.digest)

    def link(self, blob: Descriptor, source: Path, report: Report, token: CancelToken) -> bool:
        """Take a blob over from a file without copying it, checked; False where that cannot be.

        Raises `ContentMismatch`."""
        if not self._store.link(blob, source, report, token):
            return False
        self._suspects.discard(blob.digest)
        return True

    def keep(self, path: Path, digest: Digest) -> None:
        """Give a whole and checked file its place among the blobs."""
        self._store.keep(path, digest)
        self._suspects.discard(digest)

    def holds(self, digest: Digest, size: int, token: CancelToken) -> bool:
        """Whether content is there whole; what was noted as damaged is read again."""
        return self._holds(digest, size, token)

    def remove_content(self, digests: Iterable[Digest]) -> None:
        """Remove stored content that no item needs, with what is known of it."""
        gone = frozenset(digests)
        for digest in sorted(gone):
            self._store.drop(digest)
        self._suspects -= gone

        def change(inventory: Inventory) -> None:
            for digest in gone & inventory.layers.keys():
                del inventory.layers[digest]

        self._file.change(change)

    def tag(self, reference: Reference, closure: Closure, token: CancelToken) -> Digest:
        """Store the manifests and record the item as done, with the signatures that came along.

        Where layers were re-encoded, the manifests are rewritten: signatures are then lost."""
        token.check()
        ours = rewrite(closure, self._replacement) if self._compression else closure
        self._put_documents(ours)
        known = self._file.look(lambda inventory: inventory.named(reference))
        origin = known.origin if known else "registry"
        item = item_of(reference, closure, ours, origin)
        self.record(item)
        if item.signatures_lost:
            lost = count(len(item.signatures_lost), "signature")
            text = f"{reference} is compressed anew, which leaves out {lost} of the old digest"
            self._sink(Note(text, Level.WARNING))
        for signature in ours.signatures:
            self._put_documents(signature)
            self.record(signature_of(signature, ours.root.digest))
        return ours.root.digest

    # --- content that is made here

    def store(self, data: bytes, media_type: str, algorithm: str = "sha256") -> Descriptor:
        """Store small content at once: a config, a manifest."""
        digest = Digest.of(data, algorithm)
        self._put(data, digest)
        return Descriptor(media_type, digest, len(data))

    def begin_blob(self, algorithm: str = "sha256") -> BlobFile:
        """Content whose digest is known only at its end; a context manager."""
        return self._store.begin(algorithm)

    def layer_for(self, diff_id: Digest, codec: Codec) -> Descriptor | None:
        """A stored layer with this unpacked content and codec, whatever image it came with."""
        found = self._layers.with_content(diff_id, codec)
        return None if found is None or found.digest in self._suspects else found

    def record_layer(self, digest: Digest, record: LayerRecord) -> None:
        """Note what is known of a stored layer."""
        self._layers.record(digest, record)

    def add_image(self, item: Item, documents: Iterable[Manifest | Index]) -> None:
        """Record an item whose blobs were stored here, with its manifests, children first."""
        for document in documents:
            self._put(document.raw, document.digest)
        self.record(replace(item, saved_at=item.saved_at or now()))

    # --- the end

    def finish(self, token: CancelToken) -> None:
        """Write the names and checksums; afterwards the bundle can be carried."""
        token.check()
        self._write_names()
        self._drop_partial_files()

        def change(inventory: Inventory) -> None:
            inventory.saving = False

        self._file.change(change)
        self._file.flush()
        sums = checksums_of(self._storage, self._store, token)
        self._replace(layout.CHECKSUMS, format_checksums(sums))
        self._finished = True

    # --- parts

    def _begin(self) -> None:
        with writing(self.path):
            (self.path / layout.BLOBS / "sha256").mkdir(parents=True, exist_ok=True)
        if self._storage.extent(layout.INDEX) is None:
            self._replace(layout.INDEX, names.index_json(Inventory.new("", None)))
        if self._storage.extent(layout.OCI_LAYOUT) is None:
            self._replace(layout.OCI_LAYOUT, layout.OCI_LAYOUT_CONTENT)

    def _replace(self, name: str, data: bytes) -> None:
        temporary = self.path / layout.PARTIAL / f"{name}.new"
        replace_file(self.path / name, data, temporary)

    def _write_names(self) -> None:
        inventory = self._file.look(lambda current: current.snapshot())
        for name, content in name_files(inventory, self._storage):
            self._replace(name, content)

    def _drop_partial_files(self) -> None:
        """What no item waits for any more: partial files, and notes of damage that is mended."""
        write_damaged(self.path, self._suspects)
        if all(item.state is ItemState.DONE for item in self.inventory.items):
            self._store.drop_partial_files()

    def _put_documents(self, closure: Closure) -> None:
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
            self._put(document.raw, document.digest)
            for algorithm in {digest.algorithm for digest in others}:
                digest = Digest.of(document.raw, algorithm)
                if digest in others:
                    self._put(document.raw, digest)

    def _put(self, data: bytes, digest: Digest) -> None:
        self._store.put(data, digest)
        self._suspects.discard(digest)

    def _holds(self, digest: Digest, size: int, token: CancelToken) -> bool:
        there = self._store.size(digest)
        if there is None:
            return False
        if there == size and digest not in self._suspects:
            return True
        if there == size and self._store.is_whole(digest, token):
            self._suspects.discard(digest)
            return True
        self._store.drop(digest)
        self._suspects.discard(digest)
        self._sink(Note(f"{self.path}: the file {digest.short} was damaged and is fetched anew"))
        return False

    def _replacement(self, blob: Descriptor) -> Descriptor | None:
        """What stands for a layer under the present compression, if that is stored whole."""
        if self._compression is None or not wants_reencoding(blob, self._compression):
            return None
        found = self._layers.replacing(blob.digest, self._compression.codec)
        if found is None or not self._holds(found.digest, found.size, CancelToken()):
            return None
        return found


def _unseal(path: Path) -> bool:
    """Take away what speaks of the bundle as it was, before it changes; whether it was signed."""
    signed = any(os.path.lexists(path / name) for name in layout.SIGNATURES)
    with writing(path):
        for name in layout.SEALED:
            (path / name).unlink(missing_ok=True)
    return signed
