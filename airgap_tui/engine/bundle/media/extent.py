"""Where bytes lie on a disk: a stretch of some file, or several that make one content together.

What is read in place is read through here: by `preadv` at an offset, never by a map, so that a
medium that fails is an error and no signal.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine.errors import REMEDIES, EnvironmentFailure, MalformedContent
from airgap_tui.engine.oci.content import Reader


@dataclass(frozen=True, slots=True)
class Extent:
    """`size` bytes of the file `path` from `offset` on."""

    path: Path
    offset: int
    size: int

    @property
    def parts(self) -> tuple[Extent, ...]:
        return (self,)


@dataclass(frozen=True, slots=True)
class JoinedExtent:
    """Content that lies in several places, one part after the other."""

    parts: tuple[Extent, ...]

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)


Place = Extent | JoinedExtent


class reading:
    """Turns the `OSError`s of the block into an `EnvironmentFailure` that names `path`."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        if isinstance(error, OSError):
            reason = (error.strerror or str(error)).lower()
            hint = REMEDIES.get(error.errno or 0, "The disk or medium may be failing.")
            raise EnvironmentFailure(f"{self._path} cannot be read: {reason}", hint=hint) from error


class FileReader:
    """A `Reader` over an extent, without a buffer of its own."""

    def __init__(self, extent: Extent, offset: int = 0) -> None:
        self._path = extent.path
        self._position = extent.offset + min(offset, extent.size)
        self._end = extent.offset + extent.size
        with reading(extent.path):
            self._descriptor = os.open(extent.path, os.O_RDONLY | os.O_CLOEXEC)
            # Read ahead further, so that the disk works while the last piece is hashed.
            os.posix_fadvise(
                self._descriptor,
                self._position,
                self._end - self._position,
                os.POSIX_FADV_SEQUENTIAL,
            )

    def readinto(self, buffer: memoryview, /) -> int:
        wanted = min(len(buffer), self._end - self._position)
        if wanted <= 0:
            return 0
        with reading(self._path):
            count = os.preadv(self._descriptor, [buffer[:wanted]], self._position)
        self._position += count
        return count

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class JoinedReader:
    """A `Reader` over parts, of which one is open at a time; a part that is shorter than it should
    be ends the whole, so that nothing is read as if it stood elsewhere."""

    def __init__(self, parts: Sequence[Extent], offset: int = 0) -> None:
        self._left = list(parts)
        self._skip = offset
        self._short = 0
        self._reader: FileReader | None = None

    def readinto(self, buffer: memoryview, /) -> int:
        while True:
            if self._reader is None and not self._open():
                return 0
            assert self._reader is not None  # noqa: S101 - just opened
            if count := self._reader.readinto(buffer):
                self._short -= count
                return count
            self._reader.close()
            self._reader = None
            if self._short and len(buffer):
                self._left.clear()

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _open(self) -> bool:
        while self._left:
            part = self._left.pop(0)
            if self._skip < part.size:
                self._reader = FileReader(part, self._skip)
                self._short = part.size - self._skip
                self._skip = 0
                return True
            self._skip -= part.size
        return False


def open_place(place: Place, offset: int = 0) -> Reader:
    """The bytes of a place from `offset` on."""
    if isinstance(place, Extent):
        return FileReader(place, offset)
    return JoinedReader(place.parts, offset)


def read_place(place: Place, what: str) -> bytes:
    """All bytes of a place, which `what` names. Raises `MalformedContent` where some are lacking.

    The caller has bounded its size.
    """
    data = bytearray(place.size)
    with closing(open_place(place)) as reader:
        view, filled = memoryview(data), 0
        while filled < len(data):
            count = reader.readinto(view[filled:])
            if not count:
                raise MalformedContent(f"{what} is cut off")
            filled += count
    return bytes(data)
