"""Writes a bundle: one writer at a time, and however it ends, the next one can continue.

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

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.beginning import begun_inventory, lay_out
from airgap_tui.engine.bundle.blob_store import BlobFile, BlobStore
from airgap_tui.engine.bundle.checksums import format_checksums
from airgap_tui.engine.bundle.completion import checksums_of, name_files
from airgap_tui.engine.bundle.durable import replace_file, writing
from airgap_tui.engine.bundle.encoding.codec import Codec, Compression
from airgap_tui.engine.bundle.inventory import SIGNATURE, Inventory, Item, LayerRecord, now
from airgap_tui.engine.bundle.inventory_file import InventoryFile
from airgap_tui.engine.bundle.lock import BundleLock, check_place
from airgap_tui.engine.bundle.media.storage import DirectoryStorage
from airgap_tui.engine.bundle.saved_items import item_of, signature_of
from airgap_tui.engine.bundle.stored_content import StoredContent
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
    """A bundle that is being written; implements `content.Target`.

    Use as a context manager. Leaving it without `finish` keeps what is complete, and the
    partial files, for the next writer.
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
        self._sink = sink
        self._storage = DirectoryStorage(path)
        store = BlobStore(path)  # it sweeps `.partial`, which the inventory's file uses
        self._file = InventoryFile(path, inventory)
        self._content = StoredContent(path, store, self._file, compression, sink, threads)
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
            inventory = begun_inventory(path, job, platform, sink)
            writer = cls(path, lock, inventory, compression, sink, threads or os.cpu_count() or 1)
        except BaseException:
            lock.release()
            raise
        try:
            lay_out(path)
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
        """Release the bundle. What was recorded is on the disk afterwards."""
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
        """To be read only; `record`, `record_layer` and `forget` change it."""
        return self._file.inventory

    # --- items

    def record(self, item: Item) -> None:
        """Add an item or replace the one of its name; `bundle.json` follows within moments."""
        pinned = item.reference
        if pinned.tag and pinned.digest:
            item = replace(item, reference=replace(pinned, digest=None))
        self._file.change(lambda inventory: inventory.put(item))

    def forget(self, reference: Reference) -> None:
        """Drop an item and its signatures; their content stays until it is pruned."""

        def change(inventory: Inventory) -> None:
            gone = inventory.remove(reference)
            if gone is None or gone.digest is None:
                return
            for item in inventory.items:
                if item.kind == SIGNATURE and item.subject == gone.digest:
                    inventory.remove(item.reference)

        self._file.change(change)

    def assume(self, assumptions: tuple[Assumption, ...]) -> None:
        """Leave these layers out from now on; stored ones stay."""

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
        """Whether the bundle has the whole blob or its re-encoded replacement, or leaves it out
        because the offline side has it."""
        return blob.digest in self._assumed or self._content.has(blob, token)

    def receive(
        self,
        reference: Reference,
        blob: Descriptor,
        opener: OpenAt,
        report: Report,
        token: CancelToken,
    ) -> None:
        """Store a blob; a layer is re-encoded where compression asks for another codec."""
        self._content.receive(blob, opener, report, token)

    def take(self, blob: Descriptor, opener: OpenAt, report: Report, token: CancelToken) -> None:
        """Store a blob as it is. Raises as `BlobStore.download` does."""
        self._content.take(blob, opener, report, token)

    def link(self, blob: Descriptor, source: Path, report: Report, token: CancelToken) -> bool:
        """Link a file as a blob instead of copying it, and verify it; False where it cannot be.

        Raises `ContentMismatch`."""
        return self._content.link(blob, source, report, token)

    def keep(self, path: Path, digest: Digest) -> None:
        """Give a whole and checked file its place among the blobs."""
        self._content.keep(path, digest)

    def is_stored(self, digest: Digest) -> bool:
        """Whether there is a file for this content, whatever its size."""
        return self._content.store.size(digest) is not None

    def holds(self, digest: Digest, size: int, token: CancelToken) -> bool:
        """Whether content is there with its size; what was noted as damaged is read again."""
        return self._content.holds(digest, size, token)

    def remove_content(self, digests: Iterable[Digest]) -> None:
        """Remove stored content that no item needs, with what is known of it."""
        self._content.remove(digests)

    def tag(self, reference: Reference, closure: Closure, token: CancelToken) -> Digest:
        """Store the manifests and record the item as done, with the signatures that came along.

        Where layers were re-encoded, the manifests are rewritten: signatures are then lost."""
        token.check()
        ours = self._content.rewritten(closure)
        self._content.put_documents(ours)
        known = self._file.look(lambda inventory: inventory.named(reference))
        origin = known.origin if known else "registry"
        item = item_of(reference, closure, ours, origin)
        self.record(item)
        if item.signatures_lost:
            lost = count(len(item.signatures_lost), "signature")
            text = f"{reference} is compressed anew, which leaves out {lost} of the old digest"
            self._sink(Note(text, Level.WARNING))
        for signature in ours.signatures:
            self._content.put_documents(signature)
            self.record(signature_of(signature, ours.root.digest))
        return ours.root.digest

    # --- content that is made here

    def store(self, data: bytes, media_type: str, algorithm: str = "sha256") -> Descriptor:
        """Store small content at once: a config, a manifest."""
        digest = Digest.of(data, algorithm)
        self._content.put(data, digest)
        return Descriptor(media_type, digest, len(data))

    def begin_blob(self, algorithm: str = "sha256") -> BlobFile:
        """Content whose digest is known only at its end; a context manager."""
        return self._content.begin_blob(algorithm)

    def layer_for(self, diff_id: Digest, codec: Codec) -> Descriptor | None:
        """A stored layer with this unpacked content and codec, whatever image it came with."""
        return self._content.layer_for(diff_id, codec)

    def record_layer(self, digest: Digest, record: LayerRecord) -> None:
        """Note what is known of a stored layer."""
        self._content.record_layer(digest, record)

    def add_image(self, item: Item, documents: Iterable[Manifest | Index]) -> None:
        """Record an item whose blobs are stored, with its manifests, children first."""
        for document in documents:
            self._content.put(document.raw, document.digest)
        self.record(replace(item, saved_at=item.saved_at or now()))

    # --- the end

    def finish(self, token: CancelToken) -> None:
        """Write the names and checksums; afterwards the bundle can be carried."""
        token.check()
        self._write_names()
        self._drop_partial_files()

        def change(inventory: Inventory) -> None:
            inventory.saving = False
            # What has come is not left out any more: on media, too, it is one or the other.
            inventory.assumes = tuple(
                replace(one, layers=absent)
                for one in inventory.assumes
                if (
                    absent := {d: known for d, known in one.layers.items() if not self.is_stored(d)}
                )
            )

        self._file.change(change)
        self._file.flush()
        sums = checksums_of(self._storage, self._content.store, token)
        self._replace(layout.CHECKSUMS, format_checksums(sums))
        self._finished = True

    # --- parts

    def _replace(self, name: str, data: bytes) -> None:
        temporary = self.path / layout.PARTIAL / f"{name}.new"
        replace_file(self.path / name, data, temporary)

    def _write_names(self) -> None:
        inventory = self._file.look(lambda current: current.snapshot())
        for name, content in name_files(inventory, self._storage):
            self._replace(name, content)

    def _drop_partial_files(self) -> None:
        """Drop partial files that no item waits for, and notes of damage that was repaired."""
        self._content.note_damage()
        if all(item.state is ItemState.DONE for item in self.inventory.items):
            self._content.store.drop_partial_files()
