"""Finding bundles on what is mounted: USB disks, DVDs, shares, and where bundles were before. What
is inside one, whole or in the volumes that are here, without reading a layer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.inventory import SIGNATURE, Item
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.signatures.signature import Signature
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.jobs.volumes_found import VolumesHere, is_image_name, sets_of, volume_at
from airgap_tui.engine.oci.content import Closure
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count
from airgap_tui.engine.settings import Trust

if TYPE_CHECKING:  # most bundles lie in one directory, and importing what sets need takes time
    from airgap_tui.engine.bundle.volumes.volume_medium import VolumeMedium

_MEDIA = ("/media", "/run/media", "/mnt", "/cdrom")
_DEPTH = 2
_MOST_ENTRIES = 200
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class FoundBundle:
    """A bundle at a path, or the volumes of one, the first of which is there. `bytes` is its
    content after deduplication; `updated` is when it was last saved, ISO 8601; `problem` says why
    it cannot be opened, and is empty where it can."""

    path: Path
    name: str
    images: int = 0
    waiting: int = 0
    bytes: int = 0
    updated: str = ""
    problem: str = ""
    volumes: VolumesHere | None = None

    @property
    def key(self) -> str:
        """What stays the same while further volumes come."""
        return str(self.path) if self.volumes is None else self.volumes.set_id

    @property
    def places(self) -> tuple[Path, ...]:
        """Everything that has to be opened."""
        return (self.path,) if self.volumes is None else self.volumes.places


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
    """What is inside a bundle, or in the volumes of one that are here. `updated` is the day of the
    last save, ISO 8601; `saving` says that a save is under way or was cut short. `bases` says of
    each bundle that this one is an update of what is needed of it."""

    path: Path
    name: str
    images: tuple[Carried, ...]
    updated: str = ""
    saving: bool = False
    volumes: VolumesHere | None = None
    signature: Signature = field(default_factory=Signature)
    bases: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """As of the `FoundBundle`."""
        return str(self.path) if self.volumes is None else self.volumes.set_id

    @property
    def places(self) -> tuple[Path, ...]:
        """Everything that was opened."""
        return (self.path,) if self.volumes is None else self.volumes.places

    @property
    def others(self) -> tuple[Path, ...]:
        """The places beside `path`."""
        return tuple(place for place in self.places if place != self.path)

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


def look_inside(
    path: Path, token: CancelToken, others: Sequence[Path] = (), trust: Trust | None = None
) -> Contents:
    """What a bundle holds, and whether every file is there with its size; `others` are further
    volumes of its set. No layer is read.

    Raises what `BundleReader.open` and `signature_of` raise, and `Stopped`.
    """
    # The first screen looks for bundles without looking into one.
    from airgap_tui.engine.bundle.signatures.signed_bundle import signature_of
    from airgap_tui.engine.jobs.left_out import absent_of

    bundle = BundleReader.open(path, *others)
    images, closures = [], []
    for item in bundle.items:
        token.check()
        if item.kind != SIGNATURE:
            image, closure = _carried(bundle, item)
            images.append(image)
            closures += [closure] if closure is not None else []
    inventory = bundle.inventory
    return Contents(
        path,
        bundle.name,
        tuple(images),
        inventory.updated[:10],
        inventory.saving,
        None if bundle.volumes is None else VolumesHere.of(bundle.volumes),
        signature_of(bundle, trust or Trust(), token),
        tuple(base.sentence for base in absent_of(bundle, closures)),
    )


def look_further(
    path: Path, opened: Contents | None, token: CancelToken, trust: Trust | None = None
) -> Contents:
    """What is at a path that was named: a bundle, or volumes. With those of the same set that are
    open already, or that lie beside it, as one. Raises as `look_inside` does."""
    from airgap_tui.engine.jobs.sources import volumes_in

    found = volumes_in(path) or (path,)
    contents = look_inside(found[0], token, found[1:], trust)
    if contents.volumes is None:
        return contents
    first = opened if opened is not None and opened.key == contents.key else contents
    here = {*first.places, *contents.places}
    if len({*contents.volumes.numbers, *(first.volumes or contents.volumes).numbers}) < (
        contents.volumes.count
    ):
        here |= {m.location for m in _beside(path) if m.volume.set_id == contents.key}
    others = tuple(sorted(here - {first.path}))
    if set(others) == set(contents.others) and first is contents:
        return contents
    return look_inside(first.path, token, others, trust)


def _beside(path: Path) -> Iterator[VolumeMedium]:
    """The volumes in the directory where one was named."""
    parent = path.parent
    if path.is_block_device() or parent == Path("/"):
        return
    for child in (*_images(parent), *_below(parent, 1)):
        yield from volume_at(child)


def _carried(bundle: BundleReader, item: Item) -> tuple[Carried, Closure | None]:
    platform = "" if item.platform is None else str(item.platform)
    if item.state is not ItemState.DONE:
        problem = item.error or "was not saved completely"
        return Carried(item.reference, item.bytes, platform, problem), None
    elsewhere = bundle.volumes is not None and bool(bundle.volumes.missing)
    try:
        closure = bundle.closure(item)
    except AirgapError as error:
        problem = "its manifest is on a volume that is not here" if elsewhere else error.message
        return Carried(item.reference, item.bytes, platform, problem), None
    absent = len(bundle.lacking(closure))
    if absent:
        verb = "is" if absent == 1 else "are"
        where = "not on the volumes that are here" if elsewhere else "missing or cut short"
        problem = f"{count(absent, 'file')} of it {verb} {where}"
        return Carried(item.reference, item.bytes, platform, problem), closure
    documents = [d for one in (closure, *closure.signatures) for d in one.documents]
    files = frozenset(
        [
            *((document.digest, len(document.raw)) for document in documents),
            *((blob.digest, blob.size) for blob in closure.needed),
        ]
    )
    return Carried(item.reference, item.bytes, platform, files=files), closure


def mount_points(mounts: Path = Path("/proc/self/mountinfo")) -> tuple[Path, ...]:
    """Where removable media are mounted now; quick enough to ask every second."""
    return tuple(_mounted(mounts))


def find_bundles(
    further: Iterable[Path] = (),
    mounts: Path = Path("/proc/self/mountinfo"),
    blocks: Path = Path("/sys/class/block"),
) -> tuple[FoundBundle, ...]:
    """The bundles on removable media, up to two levels deep, and below the `further` paths; volumes
    of one set are one bundle, also as tar and ISO files and in drives that are not mounted."""
    places = dict.fromkeys((*further, *_mounted(mounts)))
    directories = dict.fromkeys(found for place in places for found in _below(place, _DEPTH))
    bundles: list[Path] = []
    media = []
    for directory in directories:
        if (directory / layout.VOLUME).is_file():
            media += volume_at(directory)
        elif (directory / layout.INVENTORY).is_file():
            bundles.append(directory)
        else:
            for image in _images(directory):
                media += volume_at(image)
    for drive in _drives(blocks):
        there = {(medium.volume.set_id, medium.volume.number) for medium in media}
        media += [m for m in volume_at(drive) if (m.volume.set_id, m.volume.number) not in there]
    found = [look_into(path) for path in bundles]
    found += [look_into(*(medium.location for medium in one)) for one in sets_of(media)]
    return tuple(sorted(found, key=lambda one: one.path))


def look_into(path: Path, *others: Path) -> FoundBundle:
    """What is inside a bundle, or the volumes of one, from its inventory alone."""
    try:
        bundle = BundleReader.open(path, *others)
    except AirgapError as error:
        return FoundBundle(path, path.name, problem=error.message)
    images = [item for item in bundle.items if item.kind == "image"]
    done = [item for item in images if item.state is ItemState.DONE]
    size = sum(size for _name, size in bundle.storage.names(layout.BLOBS))
    volumes = None if bundle.volumes is None else VolumesHere.of(bundle.volumes)
    return FoundBundle(
        path,
        bundle.name,
        len(done),
        len(images) - len(done),
        size,
        bundle.inventory.updated,
        volumes=volumes,
    )


def _images(directory: Path) -> list[Path]:
    """The files of a directory that may be volumes, going by their names."""
    try:
        with os.scandir(directory) as entries:
            return sorted(
                Path(entry.path)
                for _number, entry in zip(range(_MOST_ENTRIES), entries, strict=False)
                if is_image_name(entry.name) and entry.is_file(follow_symlinks=False)
            )
    except OSError:
        return []


def _drives(blocks: Path) -> list[Path]:
    """The drives for discs."""
    try:
        return sorted(Path("/dev") / entry.name for entry in blocks.glob("sr[0-9]*"))
    except OSError:
        return []


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
