"""The outcome of an import: which items are whole now, which wait for a volume, which failed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from airgap_tui.engine.bundle.inventory import Item
from airgap_tui.engine.bundle.names import root_of
from airgap_tui.engine.bundle.needs import Need
from airgap_tui.engine.bundle.volumes.volume_set import VolumeSet
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.errors import AirgapError, ContentError, ContentMismatch, NotFound
from airgap_tui.engine.events import ItemState, Note, Sink
from airgap_tui.engine.jobs.lacking import as_it_is
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.quantities import count


class Settling:
    """Records each item in the kept bundle as it is now. `assumed` is what the media themselves
    leave out, `read` are the volumes of the set that were read by now, `problems` why a blob could
    not be taken."""

    def __init__(
        self,
        writer: BundleWriter,
        volumes: VolumeSet | None,
        assumed: Collection[Digest],
        read: frozenset[int],
        needs: Mapping[Digest, Need],
        problems: Mapping[Digest, AirgapError],
        sink: Sink,
    ) -> None:
        self._writer = writer
        self._kept = as_it_is(writer)
        self._volumes = volumes
        self._assumed = assumed
        self._read = read
        self._needs = needs
        self._problems = problems
        self._sink = sink

    def settle(self, item: Item) -> ItemResult:
        """An item is done once all of it is here; what it replaces stays until then."""
        digest, there = str(item.digest or ""), self._writer.find(item.reference)
        held = there is not None and there.state is ItemState.DONE and there.digest == item.digest
        absent = self._absent(item)
        if not absent:
            if not held:
                if there is not None and there.state is ItemState.DONE:
                    self._sink(Note(f"{item.name} was {there.digest}, and is {digest} now"))
                self._writer.record(item)
            state = ItemState.HELD if held else ItemState.DONE
            return ItemResult(item.name, state, digest, item.bytes).told(self._sink)
        error = next((e for e in absent if not isinstance(e, NotFound)), absent[0])
        if self._may_come() and isinstance(error, NotFound):
            reason = f"waits for {self._missing_volumes()}"
            self._note_unfinished(item, ItemState.WAITING, reason)
            waiting = ItemResult(item.name, ItemState.WAITING, digest, item.bytes)
            replace(waiting, error=reason).told(self._sink)
            return waiting
        self._note_unfinished(item, ItemState.FAILED, error.message)
        failed = ItemResult.failed(item.name, error)
        return replace(failed, digest=digest, bytes=item.bytes).told(self._sink)

    def _note_unfinished(self, item: Item, state: ItemState, reason: str) -> None:
        there = self._writer.find(item.reference)
        if there is None or there.state is not ItemState.DONE:
            self._writer.record(replace(item, state=state, error=reason))

    def _absent(self, item: Item) -> list[AirgapError]:
        """Why an item is not whole: one error for each file that is not here and should be, or is
        not what its manifest says."""
        try:
            closure = self._kept.below(item.reference, root_of(item))
            for image in closure.images:
                if self._kept.holds(image.config):
                    self._kept.check_config(image)
        except (NotFound, ContentError) as problem:
            damaged = [
                error
                for digest, error in self._problems.items()
                if digest in self._needs and item.name in self._needs[digest].items
            ]
            return damaged or [problem]
        return [
            self._why_absent(blob)
            for blob in closure.blobs
            if not media_types.is_foreign_layer(blob.media_type)
            and not self._kept.holds(blob)
            and blob.digest not in self._assumed
        ]

    def _why_absent(self, blob: Descriptor) -> AirgapError:
        problem, size = self._problems.get(blob.digest), self._kept.size(blob.digest)
        if problem is not None or size is None or size == blob.size:
            return problem or NotFound(f"{blob.digest} is not there")
        return ContentMismatch(f"{blob.digest} has {size} bytes, and its manifest says {blob.size}")

    def _may_come(self) -> bool:
        return self._volumes is not None and len(self._read) < self._volumes.count

    def _missing_volumes(self) -> str:
        assert self._volumes is not None  # noqa: S101 - asked for sets only
        left = [n for n in range(1, self._volumes.count + 1) if n not in self._read]
        which = ", ".join(map(str, left[:20])) + (" ..." if len(left) > 20 else "")
        return f"{count(len(left), 'volume')} of {self._volumes.name}: {which}"
