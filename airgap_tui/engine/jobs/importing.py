"""Merge volumes, or whole bundles, into a bundle that is kept: in any order, one after the other.

Every byte is checked while it is copied. What is there is not read again, so an import that was
interrupted, or that waits for the next disc, goes on where it was.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle.inventory import SIGNATURE
from airgap_tui.engine.bundle.names import present
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.receipts.receipt import Holder, Received
from airgap_tui.engine.bundle.volumes.asked import Asked, export_again
from airgap_tui.engine.bundle.volumes.volumes_read import VolumesRead
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
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
from airgap_tui.engine.jobs.assuming import take_over
from airgap_tui.engine.jobs.delivered import Left, Place, leave_receipt
from airgap_tui.engine.jobs.lacking import Lacking, as_it_is, check_apart, check_room, find_lacking
from airgap_tui.engine.jobs.left_out import LeftOut
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.settling import Settling
from airgap_tui.engine.jobs.sources import open_bundles
from airgap_tui.engine.jobs.taking import Taking
from airgap_tui.engine.jobs.trust import check_signatures
from airgap_tui.engine.settings import Settings

_WHOLE = (ItemState.DONE, ItemState.HELD)


@dataclass(frozen=True, slots=True)
class ImportSpec:
    """`media` are volumes of one set, in any order and number, or whole bundles; `bundle` is the
    one that is kept. `force` starts although there is not enough room. `receipt` is where the
    receipt for the online side is written besides the state directory."""

    media: tuple[Path, ...]
    bundle: Path
    force: bool = False
    settings: Settings = field(default_factory=Settings)
    receipt: Path | None = None


@dataclass(frozen=True, slots=True)
class ImportResult:
    """`copied` and `linked` are bytes that came now; `volumes` of `count` have been read by now, of
    the set `set_id` that is named `set_name`; both are 0 where whole bundles came. An item that
    waits needs a volume that was not read yet. `damaged` are the numbers of volumes that were read
    and are not right, so that they have to come again. `left_out` is what updates assume and the
    kept bundle lacks, `codes` are the delivery codes of the bundles that are here whole, `receipts`
    where the receipts lie of what is. `asked` is what the export of the volumes was asked for."""

    items: tuple[ItemResult, ...]
    set_name: str
    volumes: int
    count: int
    copied: int
    linked: int
    seconds: float
    left_out: tuple[LeftOut, ...] = ()
    codes: tuple[str, ...] = ()
    receipts: tuple[Path, ...] = ()
    damaged: tuple[int, ...] = ()
    asked: Asked | None = None
    set_id: str = ""

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
        read = f"{self.volumes} of {self.count} read"
        if self.waiting:
            return f"{read}, insert any other"
        if self.damaged or not all(item.succeeded for item in self.items):
            return read
        return f"{read}, and nothing more is needed"

    @property
    def damage(self) -> str:
        """Which volumes have to come again and what helps, as people say it; often empty."""
        if not self.damaged:
            return ""
        numbers = ", ".join(map(str, self.damaged))
        which = f"Volume {numbers} is" if len(self.damaged) == 1 else f"Volumes {numbers} are"
        command = export_again(self.set_name, self.asked, self.damaged)
        same = "" if self.asked else ", with the same options as before"
        return (
            f"{which} damaged; what is right there is kept. Clean the disc or copy it again. Made"
            f" anew on the online side{same}: {command}"
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "items": [item.to_json() for item in self.items],
            "volumes": {
                "set": self.set_name,
                "read": self.volumes,
                "count": self.count,
                "damaged": list(self.damaged),
            },
            "bytes": {"copied": self.copied, "linked": self.linked},
            "leftOut": [one.to_json() for one in self.left_out],
            "deliveryCodes": list(self.codes),
            "receipts": [str(path) for path in self.receipts],
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
        check_apart(reader, spec.bundle)
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
    volume = of_set.volumes.media[0].volume if of_set and of_set.volumes else None
    result = ImportResult(
        items=tuple(results.values()),
        set_name=of_set.volumes.name if of_set and of_set.volumes else "",
        volumes=len(of_set.read) if of_set else 0,
        count=of_set.volumes.count if of_set and of_set.volumes else 0,
        copied=sum(one.taking.copied for one in imports),
        linked=sum(one.taking.linked for one in imports),
        seconds=time.monotonic() - started,
        left_out=tuple(left_out for one in imports for left_out in one.left_out),
        codes=tuple(one.left.code for one in imports if one.left.code),
        receipts=tuple(one.left.receipt for one in imports if one.left.receipt),
        damaged=tuple(sorted(number for one in imports for number in one.damaged)),
        asked=volume.asked if volume else None,
        set_id=volume.set_id if volume else "",
    )
    sink(JobFinished("import", result.exit_code))
    return result


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
        self.volumes = reader.volumes
        self.taking = Taking(reader, self.volumes, writer, sink, token)
        self.read: frozenset[int] = frozenset()
        self.damaged: frozenset[int] = frozenset()
        self.results: list[ItemResult] = []
        self.left_out: tuple[LeftOut, ...] = ()
        self.left = Left()

    def run(self) -> None:
        spec, reader, writer, sink = self._spec, self._reader, self._writer, self._sink
        if reader.inventory.saving:
            text = f"{reader.storage.location}: the last save did not finish"
            sink(Note(text, Level.WARNING))
        self.left_out = take_over(reader, writer, sink, self._token)
        lacking = find_lacking(reader, self.volumes, writer, self._token)
        check_room(lacking.room, reader, spec.bundle, sink, force=spec.force)
        self._announce(lacking)
        self.taking.take(lacking, spec.settings.transfers)
        self._record_layers()
        if self.volumes is not None:
            here = {medium.volume.number for medium in self.volumes.media}
            whole = {m.volume.number for m in self.volumes.media if not self.taking.is_damaged(m)}
            self.read, self.damaged = self._note.add(frozenset(whole)), frozenset(here - whole)
        settling = Settling(
            *(writer, self.volumes, reader.inventory.assumed, self.read),
            *(lacking.needs, self.taking.problems, sink),
        )
        self.results = [settling.settle(item) for item in present(reader.inventory)]
        self._leave_receipt()

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

    def _leave_receipt(self) -> None:
        """A receipt of what is whole by now; the code for the online side once that is all."""
        kept = as_it_is(self._writer)
        whole = {result.reference for result in self.results if result.state in _WHOLE}
        images = []
        for item in present(self._reader.inventory):
            if item.name in whole and item.digest is not None and item.kind != SIGNATURE:
                needs = kept.closure(item).digests
                there = tuple(digest for digest in needs if kept.size(digest) is not None)
                images.append(Received(item.name, item.digest, there))
        settings, waiting = self._spec.settings, len(whole) < len(self.results)
        place = Place(Holder.BUNDLE, f"the bundle {kept.name}", settings, self._spec.receipt)
        self.left = leave_receipt(self._reader, images, place, self._sink, code=not waiting)

    def _record_layers(self) -> None:
        for digest, record in self._reader.inventory.layers.items():
            if digest not in self._writer.inventory.layers:
                self._writer.record_layer(digest, record)
