"""Which volumes of which sets are here: what the offline side says while media come one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airgap_tui.engine.bundle.media.storage import is_image, open_storage
from airgap_tui.engine.bundle.media.stored_files import Storage
from airgap_tui.engine.bundle.volumes.asked import Asked
from airgap_tui.engine.errors import AirgapError

if TYPE_CHECKING:  # most bundles lie in one directory, and importing what sets need takes time
    from airgap_tui.engine.bundle.volumes.volume_medium import VolumeMedium
    from airgap_tui.engine.bundle.volumes.volume_set import VolumeSet

_IMAGES = (".iso", ".tar")


@dataclass(frozen=True, slots=True)
class VolumeHere:
    """One volume, and where it is."""

    number: int
    path: Path


@dataclass(frozen=True, slots=True)
class VolumesHere:
    """The volumes of a set that are here, sorted by number; one may be here twice. `standing` says
    as a sentence which are, and which are missing; `asked` is what the export was asked for."""

    set_id: str
    name: str
    count: int
    here: tuple[VolumeHere, ...]
    standing: str = ""
    asked: Asked | None = None

    @classmethod
    def of(cls, volumes: VolumeSet) -> VolumesHere:
        media = volumes.media
        here = tuple(VolumeHere(medium.volume.number, medium.location) for medium in media)
        first = media[0].volume
        return cls(first.set_id, volumes.name, volumes.count, here, volumes.standing, first.asked)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The volumes that are here, each once."""
        return tuple(sorted({volume.number for volume in self.here}))

    @property
    def missing(self) -> tuple[int, ...]:
        return tuple(n for n in range(1, self.count + 1) if n not in self.numbers)

    @property
    def places(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(volume.path for volume in self.here))

    def to_json(self) -> dict[str, Any]:
        return {
            "set": self.name,
            "count": self.count,
            "here": [{"number": one.number, "path": str(one.path)} for one in self.here],
            "missing": list(self.missing),
        }


def is_image_name(name: str) -> bool:
    """Whether a file may be a volume, going by its name."""
    return name.lower().endswith(_IMAGES)


def volume_at(path: Path) -> list[VolumeMedium]:
    """The volume at a path, if one can be read there: in a directory, a tar, an ISO or a drive. A
    tar that does not begin as a volume does is not looked through."""
    from airgap_tui.engine.bundle.volumes.in_tar import open_tar_volume
    from airgap_tui.engine.bundle.volumes.volume_medium import VolumeMedium

    try:
        storage: Storage | None = None
        if path.suffix.lower() == ".tar":
            storage = open_tar_volume(path)
        elif path.is_dir() or is_image(path):
            storage = open_storage(path)
        return [] if storage is None else [VolumeMedium(storage)]
    except (AirgapError, OSError):
        return []


def sets_of(media: Iterable[VolumeMedium]) -> list[list[VolumeMedium]]:
    """The volumes of each set, sorted by number."""
    sets: dict[str, list[VolumeMedium]] = {}
    for medium in sorted(media, key=lambda m: (m.volume.number, str(m.location))):
        sets.setdefault(medium.volume.set_id, []).append(medium)
    return list(sets.values())
