"""Finding bundles on what is mounted: USB disks, DVDs, shares, and where bundles were before."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import ItemState

_MEDIA = ("/media", "/run/media", "/mnt", "/cdrom")
_DEPTH = 2
_MOST_ENTRIES = 200
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class FoundBundle:
    """A bundle at a path. `bytes` is its content after deduplication; `problem` says why it cannot
    be opened, and is empty where it can."""

    path: Path
    name: str
    images: int = 0
    waiting: int = 0
    bytes: int = 0
    problem: str = ""


def find_bundles(
    further: Iterable[Path] = (), mounts: Path = Path("/proc/self/mountinfo")
) -> tuple[FoundBundle, ...]:
    """The bundles on removable media, up to two levels deep, and below the `further` paths."""
    places = dict.fromkeys((*further, *_mounted(mounts)))
    found: dict[Path, FoundBundle] = {}
    for place in places:
        for directory in _below(place, _DEPTH):
            if directory not in found and (directory / layout.INVENTORY).is_file():
                found[directory] = look_into(directory)
    return tuple(found[path] for path in sorted(found))


def look_into(path: Path) -> FoundBundle:
    """What is inside a bundle, from its inventory alone."""
    try:
        bundle = BundleReader.open(path)
    except AirgapError as error:
        return FoundBundle(path, path.name, problem=error.message)
    images = [item for item in bundle.items if item.kind == "image"]
    done = [item for item in images if item.state is ItemState.DONE]
    size = sum(size for _name, size in bundle.storage.names(layout.BLOBS))
    return FoundBundle(path, bundle.name, len(done), len(images) - len(done), size)


def _mounted(mounts: Path) -> Iterator[Path]:
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        fields = line.split(" ")
        point = _ESCAPED.sub(lambda code: chr(int(code[1], 8)), fields[4]) if fields[4:] else ""
        if any(point == place or point.startswith(f"{place}/") for place in _MEDIA):
            yield Path(point)


def _below(place: Path, depth: int) -> Iterator[Path]:
    """A directory and those below it, as far as they can be read; links are not followed."""
    yield place
    if depth == 0:
        return
    try:
        with os.scandir(place) as entries:
            directories = [
                Path(entry.path)
                for _number, entry in zip(range(_MOST_ENTRIES), entries, strict=False)
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            ]
    except OSError:
        return
    for directory in sorted(directories):
        if directory.name != layout.BLOBS:
            yield from _below(directory, depth - 1)
