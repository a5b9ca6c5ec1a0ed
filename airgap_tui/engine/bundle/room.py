"""How much a disk can still take, and what its file system cannot hold."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine.bundle.media.extent import reading
from airgap_tui.engine.quantities import size

_FAT = frozenset({"vfat", "msdos", "fuse.fusefat"})
_FAT_LARGEST = 4 * 1024**3 - 1
_FAT_FOLDER = 2 * 1024**2 // 32 // 6
"""A directory of FAT has at most 2 MiB, and a name of 64 characters takes 6 entries of 32 bytes."""

_UNTOLD = 2**62
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Room:
    """`free` bytes for this user; `largest_file` in bytes and `largest_folder` in blobs are None
    where the limit does not matter."""

    free: int
    file_system: str = ""
    largest_file: int | None = None
    largest_folder: int | None = None

    @property
    def in_words(self) -> str:
        """`1.8 TB free`; some file systems in user space do not tell."""
        return (
            "free space unknown" if self.free == _UNTOLD else f"{size(self.free, down=True)} free"
        )

    @classmethod
    def at(cls, path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> Room:
        """The room at a path; where it does not exist yet, at its nearest directory above."""
        existing = path.absolute()
        with reading(path):
            while not existing.exists():
                existing = existing.parent
            existing = existing.resolve()
            status = os.statvfs(existing)
        file_system = _file_system(existing, mounts)
        free = status.f_bavail * status.f_frsize if status.f_blocks else _UNTOLD
        if file_system in _FAT:
            return cls(free, file_system, _FAT_LARGEST, _FAT_FOLDER)
        return cls(free, file_system)


def mount_point(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> Path:
    """Where the file system that holds a path is mounted; `/` if unknown."""
    return _mount(path.absolute().resolve(), mounts)[0]


def _file_system(path: Path, mounts: Path) -> str:
    """The type of the file system that holds a path; empty if unknown."""
    return _mount(path, mounts)[1]


def _mount(path: Path, mounts: Path) -> tuple[Path, str]:
    """Mount point and type of the file system that holds a path (proc(5), mountinfo)."""
    where = Path("/")
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return where, ""
    best, kind = -1, ""
    for line in lines:
        left, separator, right = line.partition(" - ")
        fields = left.split()
        if not separator or len(fields) < 5 or not right.split():
            continue
        point = Path(_OCTAL.sub(lambda octal: chr(int(octal[1], 8)), fields[4]))
        depth = len(point.parts)
        if depth >= best and (point == path or point in path.parents):
            best, where, kind = depth, point, right.split()[0]
    return where, kind
