"""What common media hold: the names that `--volume-size` takes, and the limits behind them.

Sizes are what every disc of a kind holds, also the smaller make: DVD+R has fewer bytes than DVD-R,
DVD-R DL fewer than DVD+R DL, and Blu-ray discs lose some to their spare areas.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.quantities import exact_size, parse_size, size

SMALLEST = 1_000_000
"""Bytes below which a volume would mostly hold what every volume repeats."""

FAT32_LARGEST = 4 * 1024**3 - 1


class Form(str, Enum):
    """What a volume is on its medium."""

    DIRECTORY = "dir"
    TAR = "tar"
    ISO = "iso"


@dataclass(frozen=True, slots=True)
class Medium:
    """A kind of medium. `capacity` in bytes is what one of it holds, None where that is the disk's
    own matter; `largest_file` in bytes is the largest file on it, None where any fits."""

    name: str
    capacity: int | None = None
    largest_file: int | None = None

    @classmethod
    def parse(cls, text: str) -> Medium:
        """Read a name or a size such as `dvd`, `fat32`, `4.7GB`. Raises `UsageError`."""
        name = text.strip().lower()
        if name in MEDIA:
            return MEDIA[name]
        try:
            capacity = parse_size(name)
        except UsageError:
            raise UsageError(
                f"not a volume size: {text!r}",
                hint=f"Write {', '.join(MEDIA)} or a size like 4.7GB or 2GiB.",
            ) from None
        if capacity < SMALLEST:
            raise UsageError(
                f"a volume of {text} is too small",
                hint=f"Every volume repeats the names of all images: begin at {size(SMALLEST)}.",
            )
        return cls(name, capacity)

    @property
    def option(self) -> str:
        """What `--volume-size` takes for it: the same for the same limits, empty for any size."""
        for medium in MEDIA.values():
            if (medium.capacity, medium.largest_file) == (self.capacity, self.largest_file):
                return medium.name
        return "" if self.capacity is None else exact_size(self.capacity)


MEDIA = {
    medium.name: medium
    for medium in (
        Medium("cd", 736_960_512),
        Medium("dvd", 4_700_372_992),
        Medium("dvd-dl", 8_543_666_176),
        Medium("bd25", 24_220_008_448),
        Medium("bd50", 48_440_016_896),
        Medium("bd100", 96_882_130_944),
        Medium("fat32", None, FAT32_LARGEST),
    )
}
ANY_SIZE = Medium("any")
"""One volume, however large."""
