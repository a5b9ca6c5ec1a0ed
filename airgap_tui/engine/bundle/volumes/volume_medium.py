"""One volume of a set at a path, and whether it belongs to the others."""

from __future__ import annotations

from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.media.extent import Extent
from airgap_tui.engine.bundle.media.stored_files import Storage
from airgap_tui.engine.bundle.volumes.asked import export_again
from airgap_tui.engine.bundle.volumes.in_tar import TarVolume
from airgap_tui.engine.bundle.volumes.volume import MAX_BYTES, Volume, VolumeFile
from airgap_tui.engine.errors import MalformedContent, UsageError

_SHARED = frozenset({layout.OCI_LAYOUT, layout.INDEX, layout.DOCKER_MANIFEST, layout.INVENTORY})
"""Files that are the same in all volumes of a set."""


class VolumeMedium:
    """One volume at a path."""

    def __init__(self, storage: Storage) -> None:
        """Raises as `Volume.parse` does."""
        self.storage = storage
        if isinstance(storage, TarVolume):
            self.volume = storage.volume
        else:
            raw = storage.read(layout.VOLUME, MAX_BYTES)
            self.volume = Volume.parse(raw, str(storage.location))

    @property
    def location(self) -> Path:
        return self.storage.location

    @property
    def label(self) -> str:
        """How messages name it: its number, and where it is."""
        return f"volume {self.volume.number} ({self.location})"

    @property
    def made_anew(self) -> str:
        """The command for that."""
        volume = self.volume
        return export_again(volume.bundle_name or "BUNDLE", volume.asked, [volume.number])

    def place(self, name: str) -> Extent | None:
        """Where a file of the volume lies; None where it lists none of that name, or lacks it.

        Raises `MalformedContent` where its size is another than the volume tells, `UnsafeContent`.
        """
        file = self.volume.by_path.get(name)
        if file is None:
            return None
        place = self.storage.extent(name)
        if place is None:
            return None
        self._check(file, place.size)
        return place.parts[0]

    def size(self, name: str) -> int | None:
        """As `place`, told without reading from a tar or an image."""
        file = self.volume.by_path.get(name)
        size = None if file is None else self.storage.size(name)
        if file is not None and size is not None:
            self._check(file, size)
        return size

    def _check(self, file: VolumeFile, size: int) -> None:
        if size != file.size:
            raise MalformedContent(
                f"{self.label}: {file.path} has {size} bytes, and {layout.VOLUME} says {file.size}",
                hint=f"Copy the volume again, or make it anew: {self.made_anew}",
            )


def check_belongs(medium: VolumeMedium, first: VolumeMedium) -> None:
    """Raise `UsageError` for a volume of another set, and `MalformedContent` where two of one set
    say different things of it."""
    ours, other = first.volume, medium.volume
    if other.set_id != ours.set_id:
        raise UsageError(
            f"{medium.location} is volume {other.number} of {_set_name(other)}, and"
            f" {first.location} is volume {ours.number} of {_set_name(ours)}: two different sets",
            hint="Name the volumes of one set only.",
        )
    if other.count != ours.count or other.bundle_id != ours.bundle_id:
        raise MalformedContent(
            f"{medium.label} and {first.label} say different things of their set",
            hint=f"One of them was changed. Make it anew: {medium.made_anew}",
        )
    for name in sorted(_SHARED):
        mine, theirs = ours.by_path.get(name), other.by_path.get(name)
        if mine is not None and theirs is not None and mine.sha256 != theirs.sha256:
            raise MalformedContent(
                f"{medium.label} and {first.label} have a different {name}",
                hint=f"One of them was changed. Make it anew: {medium.made_anew}",
            )


def check_same(medium: VolumeMedium, other: VolumeMedium) -> None:
    """Raise `MalformedContent` where two with one number list different files."""
    if _listed(medium.volume) != _listed(other.volume):
        raise MalformedContent(
            f"{medium.location} and {other.location} are both volume {medium.volume.number} of"
            f" {_set_name(medium.volume)}, and list different files",
            hint=f"One of them was changed. Make it anew: {medium.made_anew}",
        )


def _listed(volume: Volume) -> list[tuple[str, int, str]]:
    return [(file.path, file.size, file.sha256) for file in volume.files]


def _set_name(volume: Volume) -> str:
    name = volume.bundle_name or "a bundle without a name"
    return f"{name} (set {volume.set_id[:12]})"
