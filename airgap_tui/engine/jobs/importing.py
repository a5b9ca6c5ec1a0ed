"""Merge volumes, or whole bundles, into a bundle that is kept: in any order, one after the other.

Every byte is checked while it is copied. What is there is not read again, so an import that was
interrupted, or that waits for the next disc, goes on where it was.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.closure import sizes_below
from airgap_tui.engine.bundle.inventory import Item
from airgap_tui.engine.bundle.linking import is_whole_file
from airgap_tui.engine.bundle.media.extent import Extent, Place, open_place
from airgap_tui.engine.bundle.media.storage import DirectoryStorage
from airgap_tui.engine.bundle.names import present, root_of
from airgap_tui.engine.bundle.needs import Need, needs_of
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.bundle.volumes.piece_store import PieceStore
from airgap_tui.engine.bundle.volumes.volume_set import VolumeMedium, VolumeSet
from airgap_tui.engine.bundle.volumes.volumes_read import VolumesRead
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AirgapError,
    ContentError,
    ContentMismatch,
    EnvironmentFailure,
    NoRoom,
    NotFound,
    Stopped,
    TemporaryFailure,
    UsageError,
)
from airgap_tui.engine.events import (
    BlobDone,
    BlobDropped,
    BlobPlanned,
    BlobProgress,
    BlobStarted,
    ItemChanged,
    ItemSized,
    ItemState,
    JobFinished,
    JobStarted,
    Level,
    Note,
    Sink,
)
from airgap_tui.engine.jobs.in_parallel import in_parallel
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.sources import open_bundles
from airgap_tui.engine.jobs.trust import check_signatures
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.content import Reader
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest
from airgap_tui.engine.quantities import count as counted
from airgap_tui.engine.quantities import size as in_words
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
        copied=sum(one.copied for one in imports),
        linked=sum(one.linked for one in imports),
        seconds=time.monotonic() - started,
    )
    sink(JobFinished("import", result.exit_code))
    return result


def _check_apart(reader: BundleReader, bundle: Path) -> None:
    storage = reader.storage
    media = storage.media if isinstance(storage, VolumeSet) else (storage,)
    for medium in media:
        if medium.location.resolve() == bundle.resolve():
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
        self._lock = threading.Lock()
        self._pieces = PieceStore(spec.bundle)
        self._needs: Mapping[Digest, Need] = {}
        self._problems: dict[Digest, AirgapError] = {}
        self.volumes = reader.storage if isinstance(reader.storage, VolumeSet) else None
        self.read: frozenset[int] = frozenset()
        self.results: list[ItemResult] = []
        self.copied = 0
        self.linked = 0

    def run(self) -> None:
        if self._reader.inventory.saving:
            text = f"{self._reader.storage.location}: the last save did not come to its end"
            self._sink(Note(text, Level.WARNING))
        needs = self._needs = needs_of(self._reader, self._token)
        wanted = self._lacking(needs)
        pieces = self._lacking_pieces(frozenset(wanted))
        self._check_room(sum(wanted.values()) + sum(size for *_, size in pieces))
        self._announce(wanted, needs)
        order = sorted(wanted, key=lambda digest: (-wanted[digest], digest))
        threads = 1 if self._on_a_drive() else self._spec.settings.transfers
        in_parallel(lambda d: self._take(d, wanted[d]), order, threads, self._token)
        for medium, digest, offset, _size in pieces:
            self._take_piece(medium, digest, offset)
        self._join_pieces()
        self._record_layers()
        if self.volumes is not None:
            media = [medium for medium in self.volumes.media if not self._is_damaged(medium)]
            self.read = self._note.add(frozenset(medium.volume.number for medium in media))
        kept = BundleReader.open(self._spec.bundle)
        self.results = [self._settle(item, kept) for item in present(self._reader.inventory)]

    def finish(self) -> None:
        """When all that the set carries is here, nothing of it is waited for any more."""
        if self.volumes is None or any(r.state is ItemState.WAITING for r in self.results):
            return
        if all(result.succeeded for result in self.results):
            self._note.forget()
            for digest in self.volumes.cut:
                self._pieces.drop(digest)

    @property
    def _note(self) -> VolumesRead:
        assert self.volumes is not None  # noqa: S101 - asked for sets only
        return VolumesRead(self._spec.bundle, self.volumes.media[0].volume.set_id)

    # --- what to take

    def _lacking(self, needs: Mapping[Digest, Need]) -> dict[Digest, int]:
        """The content that is on the media and not in the kept bundle, with its sizes. While
        volumes are missing nobody can say what items need, so all that is listed is taken."""
        every = self.volumes is not None and bool(self.volumes.missing)
        found = {}
        for name, size in self._reader.storage.names(f"{layout.BLOBS}/"):
            digest = layout.digest_of_path(name)
            if digest is None or not (every or digest in needs):
                continue
            if not self._writer.holds(digest, size, self._token):
                found[digest] = size
        return found

    def _lacking_pieces(
        self, wanted: frozenset[Digest]
    ) -> list[tuple[VolumeMedium, Digest, int, int]]:
        """The pieces here of blobs whose other pieces are not."""
        found: dict[tuple[Digest, int], tuple[VolumeMedium, Digest, int, int]] = {}
        for medium in self.volumes.media if self.volumes is not None else ():
            for file in medium.volume.files:
                piece = layout.piece_of_path(file.path)
                if piece is None or piece[0] in wanted or self._is_stored(piece[0]):
                    continue
                if self._pieces.arrived(piece[0]).get(piece[1]) != file.size:
                    found.setdefault(piece, (medium, *piece, file.size))
        return list(found.values())

    def _is_stored(self, digest: Digest) -> bool:
        size = DirectoryStorage(self._spec.bundle).size(layout.blob_path(digest))
        return size is not None and self._writer.holds(digest, size, self._token)

    def _check_room(self, needed: int) -> None:
        room = Room.at(self._spec.bundle)
        if needed <= room.free or self._shares_a_disk():
            return
        problem = NoRoom(
            f"{self._spec.bundle}: {in_words(needed, up=True)} to be imported,"
            f" {in_words(room.free, down=True)} free",
            hint="Choose a larger disk with -b, or make room.",
        )
        if not self._spec.force:
            raise problem
        self._sink(Note(f"{problem.message}; started all the same", Level.WARNING))

    def _shares_a_disk(self) -> bool:
        """Whether files could be linked instead of copied."""
        storage = self._reader.storage
        media = storage.media if isinstance(storage, VolumeSet) else (storage,)
        here = os.stat(self._spec.bundle).st_dev
        return all(m.location.is_dir() and os.stat(m.location).st_dev == here for m in media)

    def _on_a_drive(self) -> bool:
        """Whether several files read at once would only move a disc's head about."""
        media = self.volumes.media if self.volumes is not None else ()
        return any(
            medium.location.is_block_device() or _is_disc(medium.location) for medium in media
        )

    # --- taking

    def _announce(self, wanted: Mapping[Digest, int], needs: Mapping[Digest, Need]) -> None:
        to_do: dict[str, int] = {}
        for digest, size in wanted.items():
            items = tuple(sorted(needs[digest].items)) if digest in needs else ()
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

    def _take(self, digest: Digest, size: int) -> None:
        """One blob, from the first medium that has it whole."""
        name, blob = str(digest), Descriptor("", digest, size)
        problem: AirgapError | None = None
        try:
            places = self._places(digest)
        except AirgapError as error:
            places, problem = (), error
        begun = (self._spec.bundle / layout.partial_path(digest)).exists()
        for place in (*places, *(places[:1] if begun else ())):
            try:
                self._take_from(place, blob)
            except (Stopped, NoRoom):
                raise
            except (ContentError, EnvironmentFailure) as error:
                problem = problem or self._told(place, error)
                continue
            self._sink(BlobDone(name))
            return
        problem = problem or NotFound(f"{digest} is not there")
        with self._lock:
            self._problems[digest] = problem
        self._sink(BlobDropped(name, problem.message))

    def _places(self, digest: Digest) -> tuple[Place, ...]:
        if self.volumes is not None:
            return self.volumes.copies(layout.blob_path(digest))
        place = self._reader.extent(digest)
        return () if place is None else (place,)

    def _take_from(self, place: Place, blob: Descriptor) -> None:
        name, taken = str(blob.digest), 0

        def report(count: int) -> None:
            nonlocal taken
            taken += count
            self._sink(BlobProgress(name, count))

        def opener(offset: int) -> Reader:
            self._sink(BlobStarted(name, offset))
            return open_place(place, offset)

        if place.size != blob.size:
            raise ContentMismatch(f"{blob.digest} has {place.size} bytes, not {blob.size}")
        if isinstance(place, Extent) and is_whole_file(place):
            self._sink(BlobStarted(name))
            if self._writer.link(blob, place.path, report, self._token):
                with self._lock:
                    self.linked += blob.size
                return
        try:
            self._writer.take(blob, opener, report, self._token)
        except TemporaryFailure as error:
            raise ContentMismatch(error.message) from None
        finally:
            with self._lock:
                self.copied += taken

    def _told(self, place: Place, error: AirgapError) -> AirgapError:
        """The error, with the volume that it was met on."""
        if self.volumes is not None:
            error.message = f"{self.volumes.label(place)}: {error.message}"
        self._sink(Note(error.message, Level.WARNING))
        return error

    def _take_piece(self, medium: VolumeMedium, digest: Digest, offset: int) -> None:
        path = layout.piece_path(digest, offset)
        file = medium.volume.by_path[path]
        blob = f"{digest}/{offset}"
        self._sink(BlobPlanned(blob, file.size, ()))
        self._sink(BlobStarted(blob))

        def report(count: int) -> None:
            self.copied += count
            self._sink(BlobProgress(blob, count))

        try:
            place = medium.place(path)
            if place is None:
                raise NotFound(f"{medium.label} has no {path}, and lists it")
            self._pieces.take(digest, offset, place, file.sha256, report, self._token)
        except (Stopped, NoRoom):
            raise
        except (ContentError, EnvironmentFailure) as error:
            self._sink(Note(f"{medium.label}: {error.message}", Level.WARNING))
            self._problems[digest] = error
            self._sink(BlobDropped(blob, error.message))
            return
        self._sink(BlobDone(blob))

    def _join_pieces(self) -> None:
        """Make blobs of pieces that have all arrived."""
        waiting = self._pieces.waiting()
        if not waiting:
            return
        kept = BundleReader.open(self._spec.bundle)
        roots = [root_of(item) for item in present(self._reader.inventory)]
        sizes = sizes_below(roots, lambda d: _document(kept, d))
        for digest in waiting:
            size = sizes.get(digest)
            if kept.size(digest) is not None:
                self._pieces.drop(digest)
            elif size is not None and self._pieces.is_complete(digest, size):
                try:
                    path = self._pieces.check(digest, size, self._token)
                except ContentMismatch as error:
                    self._problems[digest] = error
                    self._sink(Note(error.message, Level.WARNING))
                    continue
                self._writer.keep(path, digest)
                self._pieces.forget(digest)

    # --- what has come of it

    def _is_damaged(self, medium: VolumeMedium) -> bool:
        """Whether something that could not be taken is on this volume: it has to come again."""
        return any(
            layout.digest_of_path(file.path) in self._problems
            or (layout.piece_of_path(file.path) or (None,))[0] in self._problems
            for file in medium.volume.files
        )

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
                for digest, error in self._problems.items()
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
        """Why an item is not whole: one error for each file that is not here."""
        closure = kept.below(item.reference, root_of(item))
        return [
            self._problems.get(blob.digest) or NotFound(f"{blob.digest} is not there")
            for blob in closure.blobs
            if not media_types.is_foreign_layer(blob.media_type) and not kept.holds(blob)
        ]

    def _may_come(self) -> bool:
        return self.volumes is not None and len(self.read) < self.volumes.count

    def _missing_volumes(self) -> str:
        assert self.volumes is not None  # noqa: S101 - asked for sets only
        left = [n for n in range(1, self.volumes.count + 1) if n not in self.read]
        which = ", ".join(map(str, left[:20])) + (" ..." if len(left) > 20 else "")
        return f"{counted(len(left), 'volume')} of {self.volumes.name}: {which}"


def _document(kept: BundleReader, descriptor: Descriptor) -> Manifest | Index:
    return kept.document(descriptor.digest, descriptor.media_type)


def _is_disc(path: Path) -> bool:
    try:
        return Room.at(path).file_system in ("iso9660", "udf")
    except EnvironmentFailure:
        return False
