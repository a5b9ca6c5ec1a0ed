"""What an export would write, in numbers, before it begins: the volumes, and the room for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.bundle.signatures.signature import Signature
from airgap_tui.engine.bundle.volumes.arrangement import VolumeLayout
from airgap_tui.engine.bundle.volumes.plan import VolumePlan, plan_volumes
from airgap_tui.engine.bundle.volumes.room import check_room, room_needed, room_of_largest
from airgap_tui.engine.bundle.volumes.writer import VolumeWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import NoRoom
from airgap_tui.engine.events import Sink
from airgap_tui.engine.jobs.carry import carried
from airgap_tui.engine.jobs.export import to_carry
from airgap_tui.engine.jobs.export_spec import (
    Carrying,
    ExportSpec,
    check,
    check_place,
    is_update,
    medium_of,
    numbers_of,
)


@dataclass(frozen=True, slots=True)
class PlannedVolume:
    """A volume as it would be: `pieces` are parts of layers that are cut; `held` says that it is
    there already; `wanted` that the export is asked for it."""

    number: int
    name: str
    bytes: int
    files: int
    pieces: int = 0
    held: bool = False
    wanted: bool = True

    def to_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "name": self.name,
            "bytes": self.bytes,
            "files": self.files,
            "pieces": self.pieces,
            "held": self.held,
            "wanted": self.wanted,
        }


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """All volumes of the set. `needed` are the bytes that those still to be written take at the
    medium; one after the other onto disks of its own, the largest of them. `left_out` are bytes
    that the offline side has. `problem` is why the export would refuse to start."""

    volumes: tuple[PlannedVolume, ...]
    room: Room
    needed: int
    signature: Signature
    left_out: int = 0
    problem: NoRoom | None = None

    @property
    def bytes(self) -> int:
        return sum(volume.bytes for volume in self.volumes)

    @property
    def to_write(self) -> tuple[PlannedVolume, ...]:
        return tuple(volume for volume in self.volumes if volume.wanted and not volume.held)

    @property
    def exit_code(self) -> int:
        return 0 if self.problem is None else self.problem.exit_code

    def to_json(self) -> dict[str, Any]:
        return {
            "count": len(self.volumes),
            "volumes": [volume.to_json() for volume in self.volumes],
            "bytes": self.bytes,
            "room": {
                "free": self.room.free,
                "needed": self.needed,
                "fileSystem": self.room.file_system,
                "largestFile": self.room.largest_file,
            },
            "signature": self.signature.to_json(),
            "leftOut": self.left_out,
            "problem": None if self.problem is None else self.problem.message,
        }


def run(spec: ExportSpec, sink: Sink, token: CancelToken) -> ExportPlan:
    """Plan an export as it would begin now. Nothing is written, no layer is read.

    Raises as `export.run` does before it writes, but for `NoRoom`, which is in the plan. A key that
    is to sign is not asked: its signature is some bytes more on every volume. The tool counts where
    it is in the bundle; else it comes on top."""
    check(spec)
    with to_carry(spec, None, sink, token) as carrying:
        return _plan(spec, carrying, token)


def _plan(spec: ExportSpec, carrying: Carrying, token: CancelToken) -> ExportPlan:
    bundle, signature = carrying.bundle, carrying.signature
    with_tool = spec.tool is not None and carried(bundle) is not None
    medium = medium_of(spec)
    plan = plan_volumes(
        *(bundle, medium, spec.form, signature, token),
        with_tool=with_tool,
        update=is_update(spec),
    )
    now, later = numbers_of(spec, plan)
    check_place(spec, plan)
    writer = VolumeWriter(spec.medium, bundle.storage, token, plan.epoch)
    volumes, laid = [], []
    for number in range(1, plan.count + 1):
        token.check()
        one = plan.lay_out(number, {})
        held = not spec.again and writer.is_finished(one)
        wanted = number in (*now, *later)
        volumes.append(_volume(plan, number, one, held=held, wanted=wanted))
        if wanted and not held:
            laid.append(one)
    if spec.one_per_disk:
        laid = sorted(laid, key=lambda one: -one.size)[:1]
    return ExportPlan(
        tuple(volumes),
        Room.at(spec.medium),
        room_of_largest(laid) if spec.one_per_disk else room_needed(spec.medium, laid),
        signature,
        carrying.left_out,
        _problem(spec, laid),
    )


def _volume(
    plan: VolumePlan, number: int, laid: VolumeLayout, *, held: bool, wanted: bool
) -> PlannedVolume:
    parts = plan.volumes[number - 1]
    pieces = sum(part.is_piece for part in parts)
    return PlannedVolume(
        number, laid.name, laid.size, len(laid.contents), pieces, held=held, wanted=wanted
    )


def _problem(spec: ExportSpec, laid: Sequence[VolumeLayout]) -> NoRoom | None:
    try:
        check_room(spec.medium, laid)
    except NoRoom as error:
        return error
    return None
