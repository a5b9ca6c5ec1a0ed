"""What an export is asked for, whether that is possible, and the bundle as it is then carried."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.signatures.signature import Signature
from airgap_tui.engine.bundle.volumes.file_sums import read_file_sums
from airgap_tui.engine.bundle.volumes.iso_volume import find_xorriso
from airgap_tui.engine.bundle.volumes.medium import ANY_SIZE, Form, Medium
from airgap_tui.engine.bundle.volumes.plan import VolumePlan
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.jobs.carry import ToolSpec
from airgap_tui.engine.jobs.sheets import check_sheets
from airgap_tui.engine.quantities import count
from airgap_tui.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class ExportSpec:
    """`medium` is the directory that the volumes are written into; `volume_size` is a name or size
    as `Medium.parse` reads it, empty for one volume. `only` are the numbers of the volumes to
    write, empty for all; `again` reads those that are there and replaces what is wrong in them.
    `key` signs the bundle before, as `SignSpec` says. `sheets` are transfer sheets to write, as
    `SealSpec` says: of all volumes, with the checksums of those that are there. `tool` None leaves
    the tool out, also where it is in the bundle; `again` takes it as it is there. `have` are
    receipts of the offline side and `codes` delivery codes from there: layers that it has are left
    out. `one_per_disk` writes the first of `only`, or of all, and leaves the next ones for other
    disks."""

    bundle: Path
    medium: Path
    form: Form = Form.DIRECTORY
    volume_size: str = ""
    only: tuple[int, ...] = ()
    again: bool = False
    key: Path | None = None
    settings: Settings = field(default_factory=Settings)
    sheets: tuple[Path, ...] = ()
    tool: ToolSpec | None = None
    have: tuple[Path, ...] = ()
    codes: tuple[str, ...] = ()
    one_per_disk: bool = False


@dataclass(frozen=True, slots=True)
class Carrying:
    """The bundle as it is carried, and the bytes that it leaves out for it."""

    bundle: BundleReader
    signature: Signature
    left_out: int = 0


def check(spec: ExportSpec) -> None:
    """Raise `UsageError` for a size or sheet that is none, and `NotFound` without xorriso where
    ISO images are wanted."""
    check_sheets(spec.sheets, spec.medium)
    medium_of(spec)
    if spec.form is Form.ISO:
        find_xorriso()


def is_update(spec: ExportSpec) -> bool:
    """Whether something is left out because the offline side has it."""
    return bool(spec.have or spec.codes)


def medium_of(spec: ExportSpec) -> Medium:
    return Medium.parse(spec.volume_size) if spec.volume_size else ANY_SIZE


def numbers_of(spec: ExportSpec, plan: VolumePlan) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The volumes to write now, and those that are left for further disks."""
    wrong = [number for number in spec.only if not 1 <= number <= plan.count]
    if wrong:
        raise UsageError(
            f"there is no volume {wrong[0]}: the bundle goes onto {count(plan.count, 'volume')}",
            hint="Give the --format and --volume-size that the other volumes were written with.",
        )
    numbers = tuple(sorted(set(spec.only))) or tuple(range(1, plan.count + 1))
    return (numbers[:1], numbers[1:]) if spec.one_per_disk else (numbers, ())


def check_place(spec: ExportSpec, plan: VolumePlan) -> None:
    """Raise `UsageError` where the volumes would lie in the bundle, or in its place, and where what
    should list their checksums is something else."""
    bundle, medium = spec.bundle.resolve(), spec.medium.resolve()
    if bundle == medium or bundle in medium.parents:
        raise UsageError(
            f"{spec.medium} lies in the bundle",
            hint="Choose another directory. A bundle that is on the disk to be carried needs no"
            " export.",
        )
    if any(medium / plan.name_of(number) == bundle for number in range(1, plan.count + 1)):
        raise UsageError(
            f"{spec.medium} holds the bundle itself, and a volume would have its name",
            hint="Choose another directory for the volumes.",
        )
    if spec.form is not Form.DIRECTORY:
        read_file_sums(spec.medium)
