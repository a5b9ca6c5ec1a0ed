"""What an import takes from its media: all that they carry and that the kept bundle lacks.

Decided before the first byte, so that totals are known and the disk is known to have room.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.media.storage import DirectoryStorage
from airgap_tui.engine.bundle.needs import Need, needs_of
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.bundle.volumes.piece_store import PieceStore
from airgap_tui.engine.bundle.volumes.volume_medium import VolumeMedium
from airgap_tui.engine.bundle.volumes.volume_set import VolumeSet
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AirgapError,
    ContentMismatch,
    MalformedContent,
    NoRoom,
    UsageError,
)
from airgap_tui.engine.events import Level, Note, Sink
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.quantities import size as in_words


@dataclass(frozen=True, slots=True)
class LackingPiece:
    """A piece of a blob whose other pieces are not all here, with every medium that lists it;
    `size` in bytes."""

    media: tuple[VolumeMedium, ...]
    digest: Digest
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Lacking:
    """`needs` is what the items on the media need; `blobs` are the sizes of what is taken whole.
    `room` in bytes is what that takes besides what is on the disk of it by now. `refused` is what
    cannot be taken, and why: a link, or more bytes than anything says of it."""

    needs: Mapping[Digest, Need]
    blobs: Mapping[Digest, int]
    pieces: tuple[LackingPiece, ...]
    refused: Mapping[Digest, AirgapError]
    room: int


def as_it_is(writer: BundleWriter) -> BundleReader:
    """The kept bundle while it is written. Its inventory is the writer's: the file follows later,
    and may be replaced while it is read."""
    return BundleReader(DirectoryStorage(writer.path), writer.inventory)


def find_lacking(
    reader: BundleReader, volumes: VolumeSet | None, writer: BundleWriter, token: CancelToken
) -> Lacking:
    """What is on the media and not in the kept bundle. While volumes are missing nobody can say
    what items need, so all that is listed is taken."""
    needs = needs_of(reader, token)
    every = volumes is not None and bool(volumes.missing)
    store = PieceStore(writer.path)
    begun = begun_in_pieces(volumes, store)
    blobs: dict[Digest, int] = {}
    refused: dict[Digest, AirgapError] = {}
    for name, size in reader.storage.names(f"{layout.BLOBS}/"):
        digest = layout.digest_of_path(name)
        if digest is None or not (every or digest in needs):
            continue
        need = needs.get(digest)
        if need is not None and size > need.longest:
            text = f"{digest} has {size} bytes, and nothing says more than {need.longest}"
            refused[digest] = ContentMismatch(text)
        elif digest not in begun and not writer.holds(digest, size, token):
            blobs[digest] = size
    for digest, need in needs.items():
        if need.present and need.problems and digest not in blobs:
            refused.setdefault(digest, MalformedContent(f"{digest}: {'; '.join(need.problems)}"))
    pieces = () if volumes is None else _pieces(volumes, blobs, writer, store, token)
    for piece in pieces:
        need = needs.get(piece.digest)
        if need is not None and piece.offset + piece.size > need.longest:
            text = f"{piece.media[0].label}: a piece of {piece.digest} lies beyond its end"
            refused[piece.digest] = ContentMismatch(text)
    pieces = tuple(piece for piece in pieces if piece.digest not in refused)
    return Lacking(needs, blobs, pieces, refused, room_for(writer.path, blobs, pieces))


def begun_in_pieces(volumes: VolumeSet | None, store: PieceStore) -> frozenset[Digest]:
    """The blobs that are on the media in pieces, some of which have come before: they go on so, and
    only the other pieces take time and room."""
    return frozenset() if volumes is None else volumes.joined.intersection(store.waiting())


def room_for(bundle: Path, blobs: Mapping[Digest, int], pieces: Collection[LackingPiece]) -> int:
    """Bytes that blobs and pieces still take on the disk of the kept bundle."""
    store, to_come = PieceStore(bundle), dict.fromkeys((piece.digest for piece in pieces), 0)
    for piece in pieces:
        to_come[piece.digest] += piece.size
    whole = (size - _begun(bundle / layout.partial_path(d)) for d, size in blobs.items())
    cut = (size - store.begun(digest) for digest, size in to_come.items())
    return sum(max(0, size) for size in (*whole, *cut))


def _begun(partial: Path) -> int:
    try:
        return partial.lstat().st_size
    except OSError:
        return 0


def _pieces(
    volumes: VolumeSet,
    blobs: Mapping[Digest, int],
    writer: BundleWriter,
    store: PieceStore,
    token: CancelToken,
) -> tuple[LackingPiece, ...]:
    wanted = {d for d in volumes.cut if d not in blobs and not _is_stored(d, writer, token)}
    return pieces_of(volumes, wanted, store)


def pieces_of(
    volumes: VolumeSet, wanted: Collection[Digest], store: PieceStore
) -> tuple[LackingPiece, ...]:
    """The pieces of these blobs that are on the media and have not arrived."""
    arrived = {digest: store.arrived(digest) for digest in wanted}
    found: dict[tuple[Digest, int, int], list[VolumeMedium]] = {}
    for medium in volumes.media:
        for file in medium.volume.files:
            piece = layout.piece_of_path(file.path)
            if piece is not None and piece[0] in arrived:
                digest, offset = piece
                if arrived[digest].get(offset) != file.size:
                    found.setdefault((digest, offset, file.size), []).append(medium)
    return tuple(LackingPiece(tuple(media), *piece) for piece, media in found.items())


def _is_stored(digest: Digest, writer: BundleWriter, token: CancelToken) -> bool:
    size = DirectoryStorage(writer.path).size(layout.blob_path(digest))
    return size is not None and writer.holds(digest, size, token)


def check_apart(reader: BundleReader, bundle: Path) -> None:
    """Raises `UsageError` where the bundle that is to be kept is itself what is read."""
    if any(location.resolve() == bundle.resolve() for location in reader.locations):
        raise UsageError(
            f"{bundle} is one of the media, and cannot be the bundle that is kept",
            hint="Name another directory with -b.",
        )
    if (bundle / layout.VOLUME).exists():
        raise UsageError(
            f"{bundle} is a volume, and cannot be the bundle that is kept",
            hint="Name another directory with -b.",
        )


def check_room(
    needed: int, reader: BundleReader, bundle: Path, sink: Sink, *, force: bool = False
) -> None:
    """Raises `NoRoom` where the disk of the kept bundle cannot take that many bytes; with `force`
    that is only told."""
    room = Room.at(bundle)
    if needed <= room.free or shares_a_disk(reader, bundle):
        return
    problem = NoRoom(
        f"{bundle}: {in_words(needed, up=True)} to be imported,"
        f" {in_words(room.free, down=True)} free",
        hint="Choose a larger disk with -b, or make room.",
    )
    if not force:
        raise problem
    sink(Note(f"{problem.message}; started all the same", Level.WARNING))


def shares_a_disk(reader: BundleReader, bundle: Path) -> bool:
    """Whether files could be linked instead of copied."""
    here = os.stat(next(path for path in (bundle, *bundle.parents) if path.exists())).st_dev
    return all(path.is_dir() and os.stat(path).st_dev == here for path in reader.locations)
