"""Finding bundles on what is mounted: USB disks, DVDs, shares, and where bundles were before."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.inventory import SIGNATURE, Item
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count

_MEDIA = ("/media", "/run/media", "/mnt", "/cdrom")
_DEPTH = 2
_MOST_ENTRIES = 200
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class FoundBundle:
    """A bundle at a path. `bytes` is its content after deduplication; `updated` is when it was last
    saved, ISO 8601; `problem` says why it cannot be opened, and is empty where it can."""

    path: Path
    name: str
    images: int = 0
    waiting: int = 0
    bytes: int = 0
    updated: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Carried:
    """One image, or what is like one, of a bundle. `bytes` counts all of it, `files` are digests
    with sizes; `problem` says why it cannot be delivered, and is empty where every file of it is
    there with its size."""

    reference: Reference
    bytes: int
    platform: str = ""
    problem: str = ""
    files: frozenset[tuple[Digest, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Contents:
    """What is inside a bundle. `updated` is the day of the last save, ISO 8601; `saving` says that
    a save is under way or was cut short."""

    path: Path
    name: str
    images: tuple[Carried, ...]
    updated: str = ""
    saving: bool = False

    @property
    def whole(self) -> tuple[Carried, ...]:
        return tuple(image for image in self.images if not image.problem)

    @property
    def lacking(self) -> tuple[Carried, ...]:
        return tuple(image for image in self.images if image.problem)


def weight(images: Iterable[Carried]) -> tuple[int, int]:
    """How many files these images need, and their bytes: each file once."""
    files = frozenset[tuple[Digest, int]]().union(*(image.files for image in images))
    return len(files), sum(size for _digest, size in files)


def look_inside(path: Path, token: CancelToken) -> Contents:
    """What a bundle holds, and whether every file is there with its size. No layer is read.

    Raises what `BundleReader.open` raises, and `Stopped`.
    """
    bundle = BundleReader.open(path)
    images = []
    for item in bundle.items:
        token.check()
        if item.kind != SIGNATURE:
            images.append(_carried(bundle, item))
    inventory = bundle.inventory
    return Contents(
        path,
        bundle.name,
        tuple(images),
        inventory.updated[:10],
        inventory.saving,
    )


def _carried(bundle: BundleReader, item: Item) -> Carried:
    platform = "" if item.platform is None else str(item.platform)
    if item.state is not ItemState.DONE:
        problem = item.error or "was not saved to its end"
        return Carried(item.reference, item.bytes, platform, problem)
    try:
        closure = bundle.closure(item)
    except AirgapError as error:
        return Carried(item.reference, item.bytes, platform, error.message)
    absent = len(bundle.lacking(closure))
    if absent:
        verb = "is" if absent == 1 else "are"
        problem = f"{count(absent, 'file')} of it {verb} missing or cut short"
        return Carried(item.reference, item.bytes, platform, problem)
    documents = [d for one in (closure, *closure.signatures) for d in one.documents]
    files = frozenset(
        [
            *((document.digest, len(document.raw)) for document in documents),
            *((blob.digest, blob.size) for blob in closure.needed),
        ]
    )
    return Carried(item.reference, item.bytes, platform, files=files)


def mount_points(mounts: Path = Path("/proc/self/mountinfo")) -> tuple[Path, ...]:
    """Where removable media are mounted now; quick enough to ask every second."""
    return tuple(_mounted(mounts))


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
    updated = bundle.inventory.updated
    return FoundBundle(path, bundle.name, len(done), len(images) - len(done), size, updated)


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
