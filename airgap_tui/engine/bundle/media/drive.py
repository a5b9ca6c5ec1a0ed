"""The kind of drive below a bundle, which decides how many files are read at once."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.errors import EnvironmentFailure

_AT_LEAST = 4
_AT_MOST = 32
"""Each file under way takes a buffer of 2 MiB."""

_DEVICES = Path("/sys/dev/block")


def is_drive(path: Path) -> bool:
    """Whether a disc lies there, in a drive or mounted: it is read well one file at a time."""
    if path.is_block_device():
        return True
    try:
        return Room.at(path).file_system in ("iso9660", "udf")
    except EnvironmentFailure:
        return False


def readers(paths: Iterable[Path], devices: Path = _DEVICES) -> int:
    """How many files to read at once: one of a disc, few of a disk that turns, and of all else more
    than there are processors for this process, so that some hash while others wait."""
    places = list(paths)
    if any(map(is_drive, places)):
        return 1
    if any(_turns(path, devices) for path in places):
        return _AT_LEAST
    return min(_AT_MOST, max(_AT_LEAST, 2 * len(os.sched_getaffinity(0))))


def _turns(path: Path, devices: Path) -> bool:
    """What the kernel says of the disk (sysfs, queue/rotational); False where there is none, as
    over a network. Virtual disks say so too, and lose little."""
    try:
        status = path.stat()
        number = status.st_rdev if stat.S_ISBLK(status.st_mode) else status.st_dev
        device = (devices / f"{os.major(number)}:{os.minor(number)}").resolve(strict=True)
    except OSError:
        return False
    for place in (device, device.parent):  # a partition's disk is above it
        try:
            return (place / "queue" / "rotational").read_text("ascii").strip() == "1"
        except OSError:
            continue
    return False
