"""The volumes of one set as one bundle, wherever each lies: in a directory, a tar, an ISO, a drive.

Only what a volume's `volume.json` lists is read from it, with the size that it tells. Where the
same content is on two media, the one that has its digest is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

from airgap_tui.engine.buffer import buffer
from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.media.extent import (
    Extent,
    JoinedExtent,
    Place,
    open_place,
    read_place,
)
from airgap_tui.engine.bundle.media.stored_files import Storage, StoredFiles
from airgap_tui.engine.bundle.volumes.volume import VolumeFile
from airgap_tui.engine.bundle.volumes.volume_medium import VolumeMedium, check_belongs, check_same
from airgap_tui.engine.errors import (
    AirgapError,
    EnvironmentFailure,
    MalformedContent,
    NotFound,
    UnsafeContent,
    UsageError,
)
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.quantities import count as counted

_OWN = frozenset({layout.VOLUME, layout.CHECKSUMS})
"""Files that every volume has of its own."""


class VolumeSet(StoredFiles):
    """A `Storage` over the volumes that are here; `missing` are the numbers of the others."""

    def __init__(self, media: Sequence[VolumeMedium]) -> None:
        """Raises `UsageError` for a volume of another set, and `MalformedContent` for volumes that
        say different things of one set."""
        self.media = tuple(sorted(media, key=lambda m: (m.volume.number, str(m.location))))
        first = self.media[0].volume
        self.location = media[0].location
        self.name = first.bundle_name or first.set_id[:12]
        self.count = first.count
        numbers: dict[int, VolumeMedium] = {}
        for medium in self.media:
            check_belongs(medium, self.media[0])
            check_same(medium, numbers.setdefault(medium.volume.number, medium))
        self.missing = tuple(n for n in range(1, self.count + 1) if n not in numbers)
        self._pieces = _pieces(self.media)
        self._left_out: frozenset[Digest] = frozenset()
        self._good: dict[str, Place] = {}

    @classmethod
    def of(cls, storages: Sequence[Storage]) -> VolumeSet:
        """The set that the opened media are of. Raises as the set itself and `Volume.parse` do, and
        `UsageError` for one that is not a volume."""
        for storage in storages:
            if storage.extent(layout.VOLUME) is None:
                raise UsageError(
                    f"{storage.location} is not a volume of a set",
                    hint="Name the volumes of one set, or one bundle.",
                )
        return cls([VolumeMedium(storage) for storage in storages])

    @property
    def standing(self) -> str:
        """Which volumes are here, as a sentence."""
        here = self.count - len(self.missing)
        if not self.missing:
            if here == 1:
                return f"The one volume of {self.name} is here."
            return f"All {counted(here, 'volume')} of {self.name} are here."
        are = "is" if here == 1 else "are"
        which = ", ".join(map(str, self.missing[:20]))
        which += f" and {len(self.missing) - 20} more" if len(self.missing) > 20 else ""
        numbers, verb = ("number", "is") if len(self.missing) == 1 else ("numbers", "are")
        return (
            f"{here} of {counted(self.count, 'volume')} {are} here;"
            f" {numbers} {which} of {self.name} {verb} missing."
        )

    def standing_with(self, whole: int, images: int) -> str:
        """As `standing`, and how many of the images are whole without what is missing."""
        if not self.missing:
            return self.standing
        them = "it" if len(self.missing) == 1 else "them"
        are = "is" if images == 1 else "are"
        of = counted(images, "image")
        return f"{self.standing} {whole} of {of} {are} whole without {them}."

    @property
    def cut(self) -> frozenset[Digest]:
        """The blobs that lie in pieces."""
        return frozenset(self._pieces)

    @property
    def joined(self) -> frozenset[Digest]:
        """The blobs that lie in pieces, all of which are here."""
        return frozenset(digest for digest in self._pieces if self._joined(digest))

    def settle(self, sizes: Mapping[Digest, int]) -> None:
        """Treat a blob in pieces as absent unless it has its size: the last piece may lie on a
        volume that is not here."""
        absent = set()
        for digest in self._pieces:
            pieces = self._joined(digest)
            if sizes.get(digest) != sum(file.size for _medium, file in pieces):
                absent.add(digest)
        self._left_out = frozenset(absent)

    def copies(self, name: str) -> tuple[Place, ...]:
        """Every place of a file, in the order of the volumes, those that cannot be read left out.

        Raises what is wrong with the first where none can be read."""
        found: list[Place] = []
        problem: AirgapError | None = None
        for medium in self.media:
            try:
                place = medium.place(name)
            except AirgapError as error:
                problem = problem or error
                continue
            if place is not None:
                found.append(place)
        digest = layout.digest_of_path(name)
        if digest is not None and self._joined(digest):
            try:
                if parts := self._parts(digest):
                    found.append(JoinedExtent(parts))
            except AirgapError as error:
                problem = problem or error
        if not found and problem is not None:
            raise problem
        return tuple(found)

    def label(self, place: Place) -> str:
        """Which volume holds a place, for messages."""
        paths = {part.path for part in place.parts}
        for medium in self.media:
            root = medium.location
            if any(path == root or root in path.parents for path in paths):
                return medium.label
        return str(self.location)

    def extent(self, name: str) -> Place | None:
        if name in _OWN:
            return None
        known = self._good.get(name)
        if known is not None:
            return known
        copies = self.copies(name)
        if not copies:
            return None
        if layout.digest_of_path(name) is None:
            return copies[0]
        if len(copies) > 1 or isinstance(copies[0], JoinedExtent):
            # Finding the good one has read them all: once is enough.
            self._good[name] = _whole_one(name, copies) if len(copies) > 1 else copies[0]
            return self._good[name]
        return copies[0]

    def size(self, name: str) -> int | None:
        if name in _OWN:
            return None
        problem: AirgapError | None = None
        for medium in self.media:
            try:
                size = medium.size(name)
            except AirgapError as error:
                problem = problem or error
                continue
            if size is not None:
                return size
        digest = layout.digest_of_path(name)
        pieces = self._joined(digest) if digest is not None else []
        if pieces:
            return sum(file.size for _medium, file in pieces)
        if problem is not None:
            raise problem
        return None

    def read(self, name: str, limit: int) -> bytes:
        """A whole file of at most `limit` bytes, from a volume that has it as it lists it."""
        problem: AirgapError | None = None
        for medium in self.media:
            file = medium.volume.by_path.get(name)
            if file is None or name in _OWN:
                continue
            if file.size > limit:
                raise UnsafeContent(
                    f"{medium.label}: {name} has {file.size} bytes; more than {limit} are refused"
                )
            try:
                place = medium.place(name)
                if place is None:
                    raise NotFound(f"{medium.label} has no file {name}, and lists it")
                raw = read_place(place, f"{medium.label}: {name}")
            except AirgapError as error:
                problem = problem or error
                continue
            if Digest.of(raw).hex == file.sha256:
                return raw
            problem = problem or MalformedContent(
                f"{medium.label}: {name} is not what {layout.VOLUME} says",
                hint="Somebody changed it after it was exported, or it is damaged."
                " Copy the volume again.",
            )
        if problem is not None:
            raise problem
        return super().read(name, limit)

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        told = set()
        for medium in self.media:
            for file in medium.volume.files:
                name = file.path
                if name in _OWN or not name.startswith(prefix) or name in told:
                    continue
                if layout.piece_of_path(name) is None and medium.storage.size(name) is not None:
                    told.add(name)
                    yield name, file.size
        for digest in sorted(self._pieces):
            name = layout.blob_path(digest)
            pieces = self._joined(digest)
            if pieces and name.startswith(prefix) and name not in told:
                yield name, sum(file.size for _medium, file in pieces)

    def _joined(self, digest: Digest) -> list[tuple[VolumeMedium, VolumeFile]]:
        """The pieces of a blob that follow each other from its first byte on; none where one in
        between is missing."""
        if digest not in self._pieces or digest in self._left_out:
            return []
        pieces = self._pieces[digest]
        chain, position = [], 0
        while position in pieces:
            medium, file = pieces[position][0]
            chain.append((medium, file))
            position += file.size
            if not file.size:
                break
        last = max(pieces)
        return chain if chain and chain[-1][1] is pieces[last][0][1] else []

    def _parts(self, digest: Digest) -> tuple[Extent, ...]:
        """The places of the pieces, each of the good one where several media hold it."""
        parts = []
        for _medium, file in self._joined(digest):
            offset = layout.piece_of_path(file.path)
            assert offset is not None  # noqa: S101 - it is one of the pieces
            place = self._piece(self._pieces[digest][offset[1]])
            if place is None:
                return ()
            parts.append(place)
        return tuple(parts)

    def _piece(self, copies: list[tuple[VolumeMedium, VolumeFile]]) -> Extent | None:
        problem: AirgapError | None = None
        found = None
        for medium, file in copies:
            try:
                place = medium.place(file.path)
            except AirgapError as error:
                problem = problem or error
                continue
            if place is None:
                continue
            if len(copies) == 1 or sha256_of(place) == file.sha256:
                return place
            found = found or place
        if found is None and problem is not None:
            raise problem
        return found


def sha256_of(place: Place) -> str:
    """The SHA-256 in hex of a place; empty where it cannot be read."""
    return _hash(place, "sha256")


def _hash(place: Place, algorithm: str) -> str:
    hasher = Digest(algorithm, "").hasher()
    try:
        with closing(open_place(place)) as reader:
            while count := reader.readinto(buffer()):
                hasher.update(buffer()[:count])
    except EnvironmentFailure:
        return ""
    return hasher.hexdigest()


def _whole_one(name: str, copies: Sequence[Place]) -> Place:
    """The first of several copies that has its digest; the first of all where none has."""
    digest = layout.digest_of_path(name)
    assert digest is not None  # noqa: S101 - asked for blobs only
    whole = (place for place in copies if _hash(place, digest.algorithm) == digest.hex)
    return next(whole, copies[0])


def _pieces(
    media: Sequence[VolumeMedium],
) -> dict[Digest, dict[int, list[tuple[VolumeMedium, VolumeFile]]]]:
    """By digest and offset, the media that hold that piece."""
    found: dict[Digest, dict[int, list[tuple[VolumeMedium, VolumeFile]]]] = {}
    for medium in media:
        for file in medium.volume.files:
            piece = layout.piece_of_path(file.path)
            if piece is not None:
                at = found.setdefault(piece[0], {})
                at.setdefault(piece[1], []).append((medium, file))
    return found
