"""Which file of a bundle goes onto which volume: the same files and sizes give the same volumes.

Whole blobs first, the largest first, each onto the first volume with room. A blob that is larger
than a volume is cut, and its pieces fill what is left. What a file takes is estimated from above,
with all that a tar, a file system or an ISO 9660 image adds to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.volumes import tar_member
from airgap_tui.engine.bundle.volumes.medium import Form, Medium
from airgap_tui.engine.bundle.volumes.volume import MAX_COUNT
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.quantities import size as in_words

_LINES = 230
"""Bytes that a file's lines in `volume.json` and `SHA256SUMS` have beside its path, twice."""

_LEAST_PIECE = 16 * 1024 * 1024
_LEAST_SHARE = 8
"""A piece has at least `_LEAST_PIECE` bytes, or this part of a small volume; but for a blob's
last."""

_PIECE_STEP = 4096
_PLAIN_TAR_SIZE = 8 * 1024**3
_PLAIN_TAR_PATH = 100
_ISO_EXTENT = 4 * 1024**3 - 2048


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A file as it lies in the bundle."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a volume: `size` bytes of the bundle's file `source` from `start` on."""

    path: str
    size: int
    source: str
    start: int = 0

    @property
    def is_piece(self) -> bool:
        return self.path != self.source


def pack(
    shared: Iterable[BundleFile],
    first: Iterable[BundleFile],
    blobs: Iterable[BundleFile],
    medium: Medium,
    form: Form,
) -> tuple[tuple[Part, ...], ...]:
    """The parts of each volume, sorted by path.

    `shared` files are on every volume, `first` ones on the first. Raises `UsageError` where a
    volume is too small for these, or where there would be too many.
    """
    return _Packing(tuple(shared), tuple(first), medium, form).pack(tuple(blobs))


@dataclass(slots=True)
class _Bin:
    """A volume that is being filled; `room` None is endless."""

    room: int | None
    parts: list[Part] = field(default_factory=list)


class _Packing:
    def __init__(
        self,
        shared: Sequence[BundleFile],
        first: Sequence[BundleFile],
        medium: Medium,
        form: Form,
    ) -> None:
        self._medium = medium
        self._form = form
        self._shared = [Part(file.path, file.size, file.path) for file in shared]
        self._first = [Part(file.path, file.size, file.path) for file in first]
        limits = [medium.capacity, None if form is Form.DIRECTORY else medium.largest_file]
        self._capacity = min((limit for limit in limits if limit is not None), default=None)
        self._largest_file = medium.largest_file if form is Form.DIRECTORY else None
        self._bins: list[_Bin] = []

    def pack(self, blobs: Sequence[BundleFile]) -> tuple[tuple[Part, ...], ...]:
        order = sorted(blobs, key=lambda blob: (-blob.size, blob.path))
        empty = self._new_bin(self._shared)
        self._fill_first()
        whole = [blob for blob in order if self._fits_whole(blob, empty)]
        self._place_whole(whole)
        for blob in order:
            if not self._fits_whole(blob, empty):
                self._cut(blob)
        return tuple(tuple(sorted(one.parts, key=lambda part: part.path)) for one in self._bins)

    def _fill_first(self) -> None:
        self._bins.append(self._new_bin([*self._shared, *self._first]))

    def _place_whole(self, blobs: Sequence[BundleFile]) -> None:
        costs = [self._cost(blob.path, blob.size) for blob in blobs]
        smallest = min(costs, default=0)
        open_bins = list(self._bins)
        for blob, cost in zip(blobs, costs, strict=True):
            target = next((b for b in open_bins if b.room is None or b.room >= cost), None)
            if target is None:
                target = self._another()
                open_bins.append(target)
            self._put(target, Part(blob.path, blob.size, blob.path), cost)
            if target.room is not None and target.room < smallest:
                open_bins.remove(target)

    def _cut(self, blob: BundleFile) -> None:
        digest = layout.digest_of_path(blob.path)
        if digest is None:
            raise UsageError(f"{blob.path} is larger than a volume, and cannot be cut")
        bins, start = iter(list(self._bins)), 0
        while start < blob.size:
            current = next(bins, None) or self._another()
            # One volume of endless room takes all pieces, each as large as a file may be.
            start += self._put_piece(current, digest, blob, start)
            while current.room is None and start < blob.size:
                start += self._put_piece(current, digest, blob, start)

    def _put_piece(self, target: _Bin, digest: Digest, blob: BundleFile, start: int) -> int:
        """As much of the blob as fits; the bytes that were put."""
        path, left = layout.piece_path(digest, start), blob.size - start
        length = min(left, self._largest_piece(path, target))
        if length < left and length < self._least_piece:
            return 0
        self._put(target, Part(path, length, blob.path, start), self._cost(path, length))
        return length

    @property
    def _least_piece(self) -> int:
        if self._capacity is None:
            return _LEAST_PIECE
        return min(_LEAST_PIECE, self._capacity // _LEAST_SHARE)

    def _largest_piece(self, path: str, target: _Bin) -> int:
        """How many bytes of a blob the volume takes as one piece, in whole steps."""
        limits = []
        if self._largest_file is not None:
            limits.append(self._largest_file)
        if target.room is not None:
            # A piece costs at most what its size adds and what one of the largest size adds to it.
            most = max(0, target.room)
            limits.append(most - (self._cost(path, most) - most))
        return max(0, min(limits)) // _PIECE_STEP * _PIECE_STEP

    def _fits_whole(self, blob: BundleFile, empty: _Bin) -> bool:
        if self._largest_file is not None and blob.size > self._largest_file:
            return False
        return empty.room is None or self._cost(blob.path, blob.size) <= empty.room

    def _another(self) -> _Bin:
        self._bins.append(self._new_bin(self._shared))
        if len(self._bins) > MAX_COUNT:
            raise UsageError(
                f"that would be more than {MAX_COUNT} volumes",
                hint="Choose a larger volume size.",
            )
        return self._bins[-1]

    def _new_bin(self, parts: Sequence[Part]) -> _Bin:
        if self._capacity is None:
            return _Bin(None, list(parts))
        taken = _BASE[self._form] + sum(self._cost(part.path, part.size) for part in parts)
        least = self._least_piece + self._cost(_LONGEST_PIECE_PATH, 0) + 2 * _PIECE_STEP
        if taken + least > self._capacity:
            raise UsageError(
                f"a volume of {in_words(self._capacity)} is too small:"
                f" {in_words(taken + least, up=True)} are needed for what lies beside the layers",
                hint="Choose a larger volume size.",
            )
        return _Bin(self._capacity - taken, list(parts))

    def _put(self, target: _Bin, part: Part, cost: int) -> None:
        target.parts.append(part)
        if target.room is not None:
            target.room -= cost

    def _cost(self, path: str, size: int) -> int:
        """Bytes that a file takes on a volume, at most; grows with its size."""
        listed = 2 * len(path) + _LINES
        if self._form is Form.TAR:
            header = tar_member.BLOCK
            if size >= _PLAIN_TAR_SIZE or len(path) > _PLAIN_TAR_PATH:
                header = 3 * tar_member.BLOCK
            return header + size + tar_member.padding(size) + listed
        folder = _FOLDER if path.startswith(f"{layout.PIECES}/") else 0
        if path.startswith(f"{layout.TOOL}/"):
            folder = _FOLDER_SHARE
        if self._form is Form.DIRECTORY:
            return _rounded(size, 4096) + 512 + folder + listed
        records = 1024 * (1 + size // _ISO_EXTENT)
        return _rounded(size, 2048) + records + folder + listed


_BASE = {Form.DIRECTORY: 256 * 1024, Form.TAR: 16 * 1024, Form.ISO: 1024 * 1024}
"""What a volume takes with nothing in it: its directories, headers, and the file lists' heads."""

_FOLDER = 8192
"""A directory of its own, for the pieces of one blob."""

_FOLDER_SHARE = 2048
"""A file's share of the tool's directories, of which there is one for every few files."""

_LONGEST_PIECE_PATH = f"{layout.PIECES}/sha512/{'0' * 128}/{'0' * 18}"


def _rounded(size: int, step: int) -> int:
    return size + -size % step
