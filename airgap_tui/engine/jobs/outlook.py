"""What an import would bring, shown before it begins: how much, whether there is room, and which
volumes have been read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.media.storage import DirectoryStorage
from airgap_tui.engine.bundle.names import present
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.bundle.volumes.piece_store import PieceStore
from airgap_tui.engine.bundle.volumes.volume_set import VolumeSet
from airgap_tui.engine.bundle.volumes.volumes_read import VolumesRead
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.jobs.lacking import (
    begun_in_pieces,
    check_apart,
    pieces_of,
    room_for,
    shares_a_disk,
)
from airgap_tui.engine.jobs.media import find_bundles
from airgap_tui.engine.jobs.sources import open_bundles
from airgap_tui.engine.jobs.volumes_found import VolumesHere, volume_at


@dataclass(frozen=True, slots=True)
class Outlook:
    """`needed` are the bytes that are still to come from the media; `linked`: they
    need no room, as files are taken over on the same disk. `read` are the volumes that were read
    before, `complete` says that all images of the media are in the kept bundle, whole."""

    needed: int
    free: int
    linked: bool = False
    volumes: VolumesHere | None = None
    read: tuple[int, ...] = ()
    complete: bool = False

    @property
    def lacking(self) -> int:
        """Bytes of room that are missing."""
        return 0 if self.linked else max(0, self.needed - self.free)

    @property
    def unread(self) -> tuple[Path, ...]:
        """Where the volumes are that were not read yet; empty without volumes."""
        here = () if self.volumes is None else self.volumes.here
        return tuple(dict.fromkeys(one.path for one in here if one.number not in self.read))


@dataclass(frozen=True, slots=True)
class Sought:
    """Where volumes of a set are now; `foreign` names those of other sets that lie where one was
    expected."""

    places: tuple[Path, ...]
    foreign: tuple[str, ...] = ()


def outlook(media: Sequence[Path], bundle: Path, token: CancelToken) -> Outlook:
    """Look at the media, and at what the bundle has. Nothing is written.

    Raises as `open_bundles` and `check_apart` do, `EnvironmentFailure`, and `Stopped`.
    """
    readers = open_bundles(media)
    kept = DirectoryStorage(bundle)
    needed, volumes = 0, None  # of several bundles one at most is a set
    for reader in readers:
        check_apart(reader, bundle)
        token.check()
        needed += _needed(reader, kept, bundle)
        volumes = reader.volumes or volumes
    return Outlook(
        needed,
        Room.at(bundle).free,
        all(shares_a_disk(reader, bundle) for reader in readers),
        None if volumes is None else VolumesHere.of(volumes),
        () if volumes is None else _read(volumes, bundle),
        _complete(readers, bundle),
    )


def seek_volumes(set_id: str, known: Iterable[Path]) -> Sought:
    """Look for volumes of a set: where some were before, beside those, and on what is mounted."""
    places: list[Path] = []
    foreign: list[str] = []
    known = tuple(known)
    for place in known:
        for medium in volume_at(place):
            volume = medium.volume
            if volume.set_id == set_id:
                places.append(place)
            else:
                name = volume.bundle_name or volume.set_id[:12]
                foreign.append(f"{place} holds volume {volume.number} of {name}, another set")
    beside = {place.parent for place in known} - {Path("/"), Path("/dev")}
    for found in find_bundles(sorted(beside)):
        if found.volumes is not None and found.volumes.set_id == set_id:
            places += found.places
    return Sought(tuple(dict.fromkeys(places)), tuple(foreign))


def _read(volumes: VolumeSet, bundle: Path) -> tuple[int, ...]:
    note = VolumesRead(bundle, volumes.media[0].volume.set_id)
    return tuple(sorted(n for n in note.numbers() if n <= volumes.count))


def _needed(reader: BundleReader, kept: DirectoryStorage, bundle: Path) -> int:
    """Bytes that the import would still write, as it counts them itself."""
    volumes, store = reader.volumes, PieceStore(bundle)
    begun = begun_in_pieces(volumes, store)
    blobs = {
        digest: size
        for name, size in reader.storage.names(f"{layout.BLOBS}/")
        if kept.size(name) != size
        and (digest := layout.digest_of_path(name)) is not None
        and digest not in begun
    }
    if volumes is None:
        return room_for(bundle, blobs, ())
    cut = volumes.cut - blobs.keys()
    wanted = {digest for digest in cut if kept.size(layout.blob_path(digest)) is None}
    return room_for(bundle, blobs, pieces_of(volumes, wanted, store))


def _complete(readers: Sequence[BundleReader], bundle: Path) -> bool:
    try:
        kept = BundleReader.open(bundle).inventory
    except AirgapError:
        return False
    wanted = [item for reader in readers for item in present(reader.inventory)]
    there = [(item, kept.find(item.reference)) for item in wanted]
    return bool(there) and all(
        found is not None and found.state is ItemState.DONE and found.digest == item.digest
        for item, found in there
    )
