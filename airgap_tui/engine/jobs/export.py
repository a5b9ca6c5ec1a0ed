"""Write a finished bundle onto media: volumes of a chosen size, as directories, tars or ISO images.

Every byte is read once, and hashed and written from there; only a blob that is cut is read before,
to check it as a whole and to know its pieces. What is written stays: the same command goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from airgap_tui.engine.bundle.carried_tool import CarriedTool
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.seal import sealing
from airgap_tui.engine.bundle.signatures.signed_bundle import signature_of
from airgap_tui.engine.bundle.signatures.ssh_signer import Signer
from airgap_tui.engine.bundle.volumes.medium import Form, Medium
from airgap_tui.engine.bundle.volumes.plan import VolumePlan, plan_volumes
from airgap_tui.engine.bundle.volumes.transfer_sheet import Sheet
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    BundleLocked,
    EnvironmentFailure,
    NotFound,
    UsageError,
)
from airgap_tui.engine.events import (
    ItemState,
    JobFinished,
    JobStarted,
    Sink,
)
from airgap_tui.engine.jobs.carried import record
from airgap_tui.engine.jobs.carry import carried, leave_out, settle
from airgap_tui.engine.jobs.export_spec import (
    Carrying,
    ExportSpec,
    check,
    check_place,
    is_update,
    medium_of,
    numbers_of,
)
from airgap_tui.engine.jobs.exporting import Exporting
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.sheets import write_sheets
from airgap_tui.engine.jobs.sign import check_carried, make_ready, signature_to_carry, signing
from airgap_tui.engine.jobs.unfinished import not_carried


@dataclass(frozen=True, slots=True)
class ExportResult:
    """One item for each volume that was asked for, by its name on the medium: done, held where it
    was there, failed, or left out where one before it failed. `count` is how many volumes the set
    has; `bytes` is what was written, `left_out` what the offline side has; `following` are volumes
    that wait for further disks; `not_carried` are images whose save did not finish."""

    items: tuple[ItemResult, ...]
    set_id: str
    count: int
    numbers: tuple[int, ...]
    bytes: int
    seconds: float
    tool: CarriedTool | None = None
    left_out: int = 0
    following: tuple[int, ...] = ()
    not_carried: tuple[ItemResult, ...] = ()

    @property
    def exit_code(self) -> int:
        return combined_exit_code((*self.items, *self.not_carried))

    def to_json(self) -> dict[str, Any]:
        volumes = [
            {"number": number, **item.to_json()}
            for number, item in zip(self.numbers, self.items, strict=True)
        ]
        return {
            "set": self.set_id,
            "count": self.count,
            "volumes": volumes,
            "bytes": self.bytes,
            "leftOut": self.left_out,
            "notCarried": [item.to_json() for item in self.not_carried],
            "tool": self.tool.to_json() if self.tool else None,
            "seconds": round(self.seconds, 3),
        }


def run(spec: ExportSpec, sink: Sink, token: CancelToken) -> ExportResult:
    """Write the volumes; what is wrong with one of them is in the result.

    Raises as `BundleReader.open`, `plan_volumes` and `without_known` do, `NoRoom` before anything
    is written, `NotFound` without xorriso where ISO images are wanted, `SignatureRefused`, and
    `UsageError`.
    """
    started = time.monotonic()
    check(spec)
    medium = medium_of(spec)
    # What is left out makes another bundle of it, which is signed besides.
    with signing(spec.key, sink, token, most=2 if is_update(spec) else 1) as signer:
        tool = _make_ready(spec, signer, sink, token)
        with to_carry(spec, signer, sink, token) as carrying:
            result = _write(spec, medium, carrying, tool, started, sink, token)
    sink(JobFinished("export", result.exit_code))
    return result


@contextmanager
def to_carry(
    spec: ExportSpec, signer: Signer | None, sink: Sink, token: CancelToken
) -> Iterator[Carrying]:
    """The bundle, less what the offline side has; signed anew then, where there is a `signer`.

    Raises as `without_known` does, `UsageError` and `SignatureRefused`."""
    bundle = BundleReader.open(spec.bundle)
    _check_whole(bundle, spec.form)
    if not is_update(spec):
        signature = signature_of(bundle, spec.settings.trust, token)
        check_carried(bundle, signature)
        yield Carrying(bundle, signature)
        return
    # Few leave out what another side has, and the others need not import what that takes.
    from airgap_tui.engine.jobs.lean import without_known

    with without_known(bundle, spec, signer, sink, token) as lean:
        yield lean


def _write(
    spec: ExportSpec,
    medium: Medium,
    carrying: Carrying,
    tool: CarriedTool | None,
    started: float,
    sink: Sink,
    token: CancelToken,
) -> ExportResult:
    bundle, signature = carrying.bundle, carrying.signature

    def planned(*, with_tool: bool) -> VolumePlan:
        arguments = (bundle, medium, spec.form, signature, token)
        return plan_volumes(*arguments, with_tool=with_tool, update=is_update(spec))

    try:
        plan = planned(with_tool=tool is not None)
    except UsageError as error:
        if tool is None or (spec.tool is not None and spec.tool.required):
            raise
        plan, tool = planned(with_tool=False), None
        leave_out(error.message, sink)
    numbers, following = numbers_of(spec, plan)
    check_place(spec, plan)
    sink(JobStarted("export", str(spec.medium), tuple(plan.name_of(n) for n in numbers)))
    lost = not_carried(bundle, sink)
    export = Exporting(spec, bundle, plan, sink, token)
    result = export.run(numbers)
    if all(item.state in (ItemState.DONE, ItemState.HELD) for item in result):
        record(bundle, spec.settings.state_dir, sink, token)
    if spec.sheets:
        write_sheets(spec.sheets, Sheet(bundle.inventory, signature, export.sheet_volumes(), tool))
    return ExportResult(
        items=tuple(result),
        set_id=plan.identity.set_id,
        count=plan.count,
        numbers=numbers,
        bytes=export.written,
        seconds=time.monotonic() - started,
        tool=tool,
        left_out=carrying.left_out,
        following=following,
        not_carried=lost,
    )


def _make_ready(
    spec: ExportSpec, signer: Signer | None, sink: Sink, token: CancelToken
) -> CarriedTool | None:
    """Put the tool into the bundle, and sign that; the tool that goes onto the media."""
    changes = spec.tool is not None and not spec.again and spec.bundle.is_dir()
    if not changes and signer is None:
        return None if spec.tool is None else carried(BundleReader.open(spec.bundle))
    try:
        with sealing(spec.bundle, "export") as seal:
            tool = None
            if signer is not None:
                make_ready(seal, signer, spec.settings, token)
            if changes and spec.tool is not None:
                tool = settle(seal, spec.tool, spec.settings, sink, token, signer=signer)
            if signer is not None:
                signature_to_carry(seal, signer, spec.settings, token)
            return tool if changes or spec.tool is None else carried(seal.bundle)
    except EnvironmentFailure as error:
        optional = spec.tool is not None and not spec.tool.required
        if signer is not None or not optional or isinstance(error, (BundleLocked, NotFound)):
            raise
        leave_out(error.message, sink)
        return None


def _check_whole(bundle: BundleReader, form: Form) -> None:
    """xorriso takes a file from one place only: what lies in pieces cannot go into an image."""
    if form is Form.ISO and bundle.volumes is not None and bundle.volumes.cut:
        raise UsageError(
            f"{bundle.storage.location} holds layers in pieces, which an ISO image cannot take",
            hint="Import it into a bundle first, and export that; or choose --format dir or tar.",
        )
