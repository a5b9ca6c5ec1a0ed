"""Merge volumes, or whole bundles, into a bundle that is kept: in any order, one after the other.

Every byte is checked while it is copied. What is there is not read again, so an import that was
interrupted, or that waits for the next disc, goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.inventory import Item
from airgap_tui.engine.bundle.names import present, root_of
from airgap_tui.engine.bundle.needs import Need
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.volumes.volume_set import VolumeSet
from airgap_tui.engine.bundle.volumes.volumes_read import VolumesRead
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AirgapError,
    ContentError,
    ContentMismatch,
    NotFound,
    UsageError,
)
from airgap_tui.engine.events import (
    BlobPlanned,
    ItemChanged,
    ItemSized,
    ItemState,
    JobFinished,
    JobStarted,
    Level,
    Note,
    Sink,
)
from airgap_tui.engine.jobs.lacking import Lacking, check_room, find_lacking, locations
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.sources import open_bundles
from airgap_tui.engine.jobs.taking import Taking
from airgap_tui.engine.jobs.trust import check_signatures
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.quantities import count as counted
from airgap_tui.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class ImportSpec:
    """`media` are volumes of one set, in any order and number, or whole bundles; `bundle` is the
    one that is kept. `force` starts although there is not enough room."""

    media: tuple[Path, ...]
    bundle: Path
    force: bool = False
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class ImportResult:
    """`copied` and `linked` are bytes that came now; `volumes` of `count` have been read by now,
    of a set that is named `set_name`; both are 0 where whole bundles came. An item that waits needs
    a volume that was not read yet."""

    items: tuple[ItemResult, ...]
    set_name: str
    volumes: int
    count: int
    copied: int
    linked: int
    seconds: float

    @property
    def waiting(self) -> bool:
        return any(item.state is ItemState.WAITING for item in self.items)

    @property
    def exit_code(self) -> int:
        """As of all jobs; 1 where only further volumes are waited for."""
        return combined_exit_code(self.items) or int(self.waiting)

    @property
    def standing(self) -> str:
        """How many volumes were read, as people say it; empty without volumes."""
        if not self.count:
            return ""
        if not self.waiting:
            return f"{self.volumes} of {self.count} read, and nothing more is needed"
        return f"{self.volumes} of {self.count} read, insert any other"

    def to_json(self) -> dict[str, Any]:
        return {
            "items": [item.to_json() for item in self.items],
            "volumes": {"set": self.set_name, "read": self.volumes, "count": self.count},
            "bytes": {"copied": self.copied, "linked": self.linked},
            "seconds": round(self.seconds, 3),
        }


def run(spec: ImportSpec, sink: Sink, token: CancelToken) -> ImportResult:
    """Take everything from the media that the kept bundle lacks.

    Raises what opening them raises, `NoRoom` before anything is copied and when the disk fills up,
    `BundleLocked`, `SignatureRefused` and `UsageError`; what is wrong with an image is in the
    result.
    """
    started = time.monotonic()
    readers = open_bundles(spec.media)
    for reader in readers:
        _check_apart(reader, spec.bundle)
    check_signatures(readers, spec.settings.trust, sink, token)
    names = tuple(item.name for reader in readers for item in present(reader.inventory))
    sink(JobStarted("import", str(spec.bundle), tuple(dict.fromkeys(names))))
    platform = readers[0].inventory.platform
    with BundleWriter.open(spec.bundle, "import", platform, None, sink) as writer:
        imports = [_Import(spec, reader, writer, sink, token) for reader in readers]
        for one in imports:
            one.run()
        writer.finish(token)
        for one in imports:
            one.finish()
    results = {item.reference: item for one in imports for item in one.results}
    of_set = next((one for one in imports if one.volumes is not None), None)
    result = ImportResult(
        items=tuple(results.values()),
        set_name=of_set.volumes.name if of_set and of_set.volumes else "",
        volumes=len(of_set.read) if of_set else 0,
        count=of_set.volumes.count if of_set and of_set.volumes else 0,
        copied=sum(one.taking.copied for one in imports),
        linked=sum(one.taking.linked for one in imports),
        seconds=time.monotonic() - started,
    )
    sink(JobFinished("import", result.exit_code))
    return result


def _check_apart(reader: BundleReader, bundle: Path) -> None:
    if any(location.resolve() == bundle.resolve() for location in locations(reader)):
        raise UsageError(
            f"{bundle} is one of the media, and cannot be the bundle that is kept",
            hint="Name another directory with -b.",
        )
    if (bundle / layout.VOLUME).exists():
        raise UsageError(
            f"{bundle} is a volume, and cannot be the bundle that is kept",
            hint="Name another directory with -b.",
        )


class _Import:
    """One bundle, or one set of volumes, into the kept one."""

    def __init__(
        self,
        spec: ImportSpec,
        reader: BundleReader,
        writer: BundleWriter,
        sink: Sink,
        token: CancelToken,
    ) -> None:
        self._spec = spec
        self._reader = reader
        self._writer = writer
        self._sink = sink
        self._token = token
        self._needs: Mapping[Digest, Need] = {}
        self.volumes = reader.storage if isinstance(reader.storage, VolumeSet) else None
        self.taking = Taking(reader, self.volumes, writer, sink, token)
        self.read: frozenset[int] = frozenset()
        self.results: list[ItemResult] = []

    def run(self) -> None:
        spec, reader, writer, sink = self._spec, self._reader, self._writer, self._sink
        if reader.inventory.saving:
            text = f"{reader.storage.location}: the last save did not come to its end"
            sink(Note(text, Level.WARNING))
        lacking = find_lacking(reader, self.volumes, writer, self._token)
        check_room(lacking.bytes, reader, spec.bundle, sink, force=spec.force)
        self._announce(lacking)
        self.taking.take(lacking, spec.settings.transfers)
        self._record_layers()
        if self.volumes is not None:
            whole = (m for m in self.volumes.media if not self.taking.is_damaged(m))
            self.read = self._note.add(frozenset(medium.volume.number for medium in whole))
        self._needs, kept = lacking.needs, BundleReader.open(spec.bundle)
        self.results = [self._settle(item, kept) for item in present(reader.inventory)]

    def finish(self) -> None:
        """When all that the set carries is here, nothing of it is waited for any more."""
        if self.volumes is None or any(r.state is ItemState.WAITING for r in self.results):
            return
        if all(result.succeeded for result in self.results):
            self._note.forget()
            self.taking.drop_pieces(self.volumes.cut)

    @property
    def _note(self) -> VolumesRead:
        assert self.volumes is not None  # noqa: S101 - asked for sets only
        return VolumesRead(self._spec.bundle, self.volumes.media[0].volume.set_id)

    def _announce(self, lacking: Lacking) -> None:
        to_do: dict[str, int] = {}
        for digest, size in lacking.blobs.items():
            need = lacking.needs.get(digest)
            items = tuple(sorted(need.items)) if need is not None else ()
            for name in items:
                to_do[name] = to_do.get(name, 0) + size
            self._sink(BlobPlanned(str(digest), size, items))
        for item in present(self._reader.inventory):
            self._sink(ItemSized(item.name, item.bytes, to_do.get(item.name, 0)))
            if item.name in to_do:
                self._sink(ItemChanged(item.name, ItemState.IMPORTING))
            if self._writer.find(item.reference) is None:
                waiting = replace(item, state=ItemState.WAITING, error="is being imported")
                self._writer.record(waiting)

    def _record_layers(self) -> None:
        for digest, record in self._reader.inventory.layers.items():
            if digest not in self._writer.inventory.layers:
                self._writer.record_layer(digest, record)

    def _settle(self, item: Item, kept: BundleReader) -> ItemResult:
        """Record an item as done once all of it is here; what it replaces stays until then."""
        digest, there = str(item.digest or ""), self._writer.find(item.reference)
        held = there is not None and there.state is ItemState.DONE and there.digest == item.digest
        try:
            absent = self._absent(item, kept)
        except (NotFound, ContentError) as problem:
            damaged = [
                error
                for digest, error in self.taking.problems.items()
                if digest in self._needs and item.name in self._needs[digest].items
            ]
            absent = damaged or [problem]
        if not absent:
            state = ItemState.HELD if held else ItemState.DONE
            if not held:
                if there is not None and there.state is ItemState.DONE:
                    self._sink(Note(f"{item.name} was {there.digest}, and is {digest} now"))
                self._writer.record(item)
            self._sink(ItemChanged(item.name, state, digest=digest))
            return ItemResult(item.name, state, digest, item.bytes)
        error = next((e for e in absent if not isinstance(e, NotFound)), absent[0])
        if self._may_come() and isinstance(error, NotFound):
            reason = f"waits for {self._missing_volumes()}"
            self._note_unfinished(item, ItemState.WAITING, reason)
            self._sink(ItemChanged(item.name, ItemState.WAITING, reason))
            return ItemResult(item.name, ItemState.WAITING, digest, item.bytes)
        self._note_unfinished(item, ItemState.FAILED, error.message)
        self._sink(ItemChanged(item.name, ItemState.FAILED, error.message))
        return replace(ItemResult.failed(item.name, error), digest=digest, bytes=item.bytes)

    def _note_unfinished(self, item: Item, state: ItemState, reason: str) -> None:
        there = self._writer.find(item.reference)
        if there is None or there.state is not ItemState.DONE:
            self._writer.record(replace(item, state=state, error=reason))

    def _absent(self, item: Item, kept: BundleReader) -> list[AirgapError]:
        """Why an item is not whole: one error for each file that is not here or not right.

        Raises `ContentError` where its documents cannot be those of an image."""
        closure = kept.below(item.reference, root_of(item))
        found = [
            self._why_absent(blob, kept)
            for blob in closure.blobs
            if not media_types.is_foreign_layer(blob.media_type) and not kept.holds(blob)
        ]
        for image in closure.images:
            if kept.holds(image.config):
                kept.check_config(image)
        return found

    def _why_absent(self, blob: Descriptor, kept: BundleReader) -> AirgapError:
        problem = self.taking.problems.get(blob.digest)
        size = kept.size(blob.digest)
        if problem is not None or size is None or size == blob.size:
            return problem or NotFound(f"{blob.digest} is not there")
        return ContentMismatch(f"{blob.digest} has {size} bytes, and its manifest says {blob.size}")

    def _may_come(self) -> bool:
        return self.volumes is not None and len(self.read) < self.volumes.count

    def _missing_volumes(self) -> str:
        assert self.volumes is not None  # noqa: S101 - asked for sets only
        left = [n for n in range(1, self.volumes.count + 1) if n not in self.read]
        which = ", ".join(map(str, left[:20])) + (" ..." if len(left) > 20 else "")
        return f"{counted(len(left), 'volume')} of {self.volumes.name}: {which}"
