"""What an export has written: where each volume is, and how to burn it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.room import mount_point
from airgap_tui.engine.bundle.volumes.file_sums import read_file_sums
from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.bundle.volumes.transfer_sheet import SheetVolume
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.jobs.export import ExportResult
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.media import mount_points
from airgap_tui.engine.jobs.result import ItemResult


@dataclass(frozen=True, slots=True)
class WrittenVolume:
    """A volume of a result. `bytes` are those of its file as it is there now, or of all files of a
    directory; `sha256` in hex is the file's, empty for a directory. `burning` are the commands that
    burn it and that read the disc back, for an ISO image."""

    number: int
    path: Path
    item: ItemResult
    bytes: int
    sha256: str = ""
    burning: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """All volumes of a result. `checksums` is the file for `sha256sum -c` that covers what was
    written; `unmount` where the disk is mounted that is to be carried, None for one that stays, as
    for ISO images."""

    volumes: tuple[WrittenVolume, ...]
    checksums: Path
    unmount: Path | None = None


def look(spec: ExportSpec, result: ExportResult) -> Written:
    """See what is there; no volume is read."""
    sums: dict[str, str] = {} if spec.form is Form.DIRECTORY else _sums(spec.medium)
    volumes = tuple(
        _volume(spec, number, item, sums)
        for number, item in zip(result.numbers, result.items, strict=True)
    )
    checksums = spec.medium / layout.CHECKSUMS
    if spec.form is Form.DIRECTORY:
        name = volumes[0].path.name if len(volumes) == 1 else "*"
        checksums = spec.medium / name / layout.CHECKSUMS
    mounted = mount_point(spec.medium)
    carried = spec.form is not Form.ISO and mounted in mount_points()
    return Written(volumes, checksums, mounted if carried else None)


def _volume(spec: ExportSpec, number: int, item: ItemResult, sums: dict[str, str]) -> WrittenVolume:
    path = spec.medium / item.reference
    if spec.form is Form.DIRECTORY or item.state not in (ItemState.DONE, ItemState.HELD):
        return WrittenVolume(number, path, item, item.bytes)
    try:
        size = path.stat().st_size
    except OSError:
        size = item.bytes
    sha256 = item.digest.rpartition(":")[2] or sums.get(item.reference, "")
    burning = SheetVolume(number, spec.form.value, size, str(path), sha256).burning
    return WrittenVolume(number, path, item, size, sha256, burning)


def _sums(medium: Path) -> dict[str, str]:
    try:
        return read_file_sums(medium)
    except AirgapError:
        return {}
