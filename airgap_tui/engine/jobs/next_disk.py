"""One drive for several disks: whether the next disk is inserted, before it is written to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class DiskChange:
    """Between two volumes: `last` is the name of the one that was written, `number` of `count` the
    one that comes; `mounted` is where the disk was mounted, `/` where that is not known."""

    medium: Path
    mounted: Path
    last: str
    number: int
    count: int

    @property
    def place(self) -> Path:
        """Where the next disk is to be mounted."""
        return self.medium if self.mounted == _ROOT else self.mounted

    @property
    def in_the_way(self) -> str:
        """Why the next volume cannot be written yet; empty where another disk is there."""
        if self.mounted != _ROOT and not os.path.ismount(self.mounted):
            return f"nothing is mounted at {self.mounted}"
        if (self.medium / self.last).exists():
            return f"this disk still holds {self.last}"
        return ""


def mounted_at(path: Path) -> Path:
    """The mount point that a path lies below."""
    path = path.absolute()
    while not os.path.ismount(path):
        path = path.parent
    return path
