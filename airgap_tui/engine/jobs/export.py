"""Write a finished bundle onto media: volumes of a chosen size, as directories, tars or ISO images.

Every byte is read once, and hashed and written from there; only a blob that is cut is read before,
to check it as a whole and to know its pieces. What is written stays: the same command goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.carried_tool import CarriedTool
from airgap_tui.engine.bundle.checksums import MAX_BYTES
from airgap_tui.engine.bundle.media.storage import DirectoryStorage
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.seal import sealing
from airgap_tui.engine.bundle.signatures.signature import Signature
from airgap_tui.engine.bundle.signatures.signed_bundle import signature_of
from airgap_tui.engine.bundle.volumes.arrangement import VolumeLayout
from airgap_tui.engine.bundle.volumes.file_sums import add_file_sums, read_file_sums
from airgap_tui.engine.bundle.volumes.iso_volume import find_xorriso
from airgap_tui.engine.bundle.volumes.medium import ANY_SIZE, Form, Medium
from airgap_tui.engine.bundle.volumes.plan import VolumePlan, plan_volumes
from airgap_tui.engine.bundle.volumes.room import check_room
from airgap_tui.engine.bundle.volumes.transfer_sheet import Sheet, SheetVolume
from airgap_tui.engine.bundle.volumes.writer import VolumeWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AirgapError,
    BundleLocked,
    ContentError,
    EnvironmentFailure,
    NotFound,
    Stopped,
    UsageError,
)
from airgap_tui.engine.events import (
    BlobDone,
    BlobPlanned,
    BlobProgress,
    BlobStarted,
    ItemChanged,
    ItemSized,
    ItemState,
    JobFinished,
    JobStarted,
    Level,
    Note,
    Sink,
)
from airgap_tui.engine.jobs.carried import record
from airgap_tui.engine.jobs.carry import ToolSpec, carried, leave_out, settle
from airgap_tui.engine.jobs.cut_blobs import hash_cut_blobs, plan_cut_blobs
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.sheets import forms_of, write_sheets
from airgap_tui.engine.jobs.sign import check_carried, signature_to_carry
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.quantities import count as counted
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
class ExportResult:
    """One item for each volume that was asked for, by its name on the medium: done, held where it
    was there, failed, or left out where one before it failed. `count` is how many volumes the set
    has; `bytes` is what was written, `left_out` what the offline side has; `following` are volumes
    that wait for further disks."""

    items: tuple[ItemResult, ...]
    set_id: str
    count: int
    numbers: tuple[int, ...]
    bytes: int
    seconds: float
    tool: CarriedTool | None = None
    left_out: int = 0
    following: tuple[int, ...] = ()

    @property
    def exit_code(self) -> int:
        return combined_exit_code(self.items)

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
    tool = _make_ready(spec, sink, token)
    with _to_carry(spec, sink, token) as carrying:
        result = _write(spec, medium, carrying, tool, sink, token)
    result = replace(result, seconds=time.monotonic() - started)
    sink(JobFinished("export", result.exit_code))
    return result


@dataclass(frozen=True, slots=True)
class _Carrying:
    """The bundle as it is carried, and the bytes that it leaves out for it."""

    bundle: BundleReader
    signature: Signature
    left_out: int = 0


@contextmanager
def _to_carry(spec: ExportSpec, sink: Sink, token: CancelToken) -> Iterator[_Carrying]:
    bundle = BundleReader.open(spec.bundle)
    _check_whole(bundle, spec.form)
    if not spec.have and not spec.codes:
        signature = signature_of(bundle, spec.settings.trust, token)
        check_carried(bundle, signature)
        yield _Carrying(bundle, signature)
        return
    # Few leave out what another side has, and the others need not import what that takes.
    from airgap_tui.engine.jobs.lean import without_known

    receipts = (spec.have, spec.codes, spec.key, spec.settings)
    with without_known(bundle, *receipts, sink, token) as lean:
        yield _Carrying(lean.bundle, lean.signature, lean.left_out)


def _write(
    spec: ExportSpec,
    medium: Medium,
    carrying: _Carrying,
    tool: CarriedTool | None,
    sink: Sink,
    token: CancelToken,
) -> ExportResult:
    bundle, signature = carrying.bundle, carrying.signature
    try:
        plan = plan_volumes(bundle, medium, spec.form, signature, token, with_tool=tool is not None)
    except UsageError as error:
        if tool is None or (spec.tool is not None and spec.tool.required):
            raise
        plan, tool = plan_volumes(bundle, medium, spec.form, signature, token), None
        leave_out(error.message, sink)
    numbers, following = numbers_of(spec, plan)
    check_place(spec, plan)
    sink(JobStarted("export", str(spec.medium), tuple(plan.name_of(n) for n in numbers)))
    export = _Export(spec, bundle, plan, sink, token)
    result = export.run(numbers)
    record(bundle, spec.settings.state_dir, sink, token)
    if spec.sheets:
        write_sheets(spec.sheets, Sheet(bundle.inventory, signature, export.sheet_volumes(), tool))
    return ExportResult(
        items=tuple(result),
        set_id=plan.identity.set_id,
        count=plan.count,
        numbers=numbers,
        bytes=export.written,
        seconds=0.0,
        tool=tool,
        left_out=carrying.left_out,
        following=following,
    )


def _make_ready(spec: ExportSpec, sink: Sink, token: CancelToken) -> CarriedTool | None:
    """Put the tool into the bundle, and sign that; the tool that goes onto the media."""
    changes = spec.tool is not None and not spec.again and spec.bundle.is_dir()
    if not changes and spec.key is None:
        return None if spec.tool is None else carried(BundleReader.open(spec.bundle))
    try:
        with sealing(spec.bundle, "export") as seal:
            tool = None
            if changes and spec.tool is not None:
                signing = spec.key is not None
                tool = settle(seal, spec.tool, spec.settings, sink, token, signing=signing)
            if spec.key is not None:
                signature_to_carry(seal, spec.key, spec.settings, sink, token)
            return tool if changes or spec.tool is None else carried(seal.bundle)
    except EnvironmentFailure as error:
        optional = spec.tool is not None and not spec.tool.required
        if spec.key is not None or not optional or isinstance(error, (BundleLocked, NotFound)):
            raise
        leave_out(error.message, sink)
        return None


def check(spec: ExportSpec) -> None:
    """Raise `UsageError` for a size or sheet that is none, and `NotFound` without xorriso where
    ISO images are wanted."""
    forms_of(spec.sheets)
    medium_of(spec)
    if spec.form is Form.ISO:
        find_xorriso()


def medium_of(spec: ExportSpec) -> Medium:
    return Medium.parse(spec.volume_size) if spec.volume_size else ANY_SIZE


def numbers_of(spec: ExportSpec, plan: VolumePlan) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The volumes to write now, and those that are left for further disks."""
    wrong = [number for number in spec.only if not 1 <= number <= plan.count]
    if wrong:
        raise UsageError(
            f"there is no volume {wrong[0]}: the bundle goes onto {counted(plan.count, 'volume')}"
        )
    numbers = tuple(sorted(set(spec.only))) or tuple(range(1, plan.count + 1))
    return (numbers[:1], numbers[1:]) if spec.one_per_disk else (numbers, ())


def _check_whole(bundle: BundleReader, form: Form) -> None:
    """xorriso takes a file from one place only: what lies in pieces cannot go into an image."""
    if form is Form.ISO and bundle.volumes is not None and bundle.volumes.cut:
        raise UsageError(
            f"{bundle.storage.location} holds layers in pieces, which an ISO image cannot take",
            hint="Import it into a bundle first, and export that; or choose --format dir or tar.",
        )


def check_place(spec: ExportSpec, plan: VolumePlan) -> None:
    """Raise `UsageError` where the volumes would lie in the bundle, or in its place."""
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


class _Export:
    def __init__(
        self,
        spec: ExportSpec,
        bundle: BundleReader,
        plan: VolumePlan,
        sink: Sink,
        token: CancelToken,
    ) -> None:
        self._spec = spec
        self._bundle = bundle
        self._plan = plan
        self._sink = sink
        self._token = token
        self._writer = VolumeWriter(spec.medium, bundle.storage, token, plan.epoch)
        self._sizes: dict[int, int] = {}
        self.written = 0

    def run(self, numbers: Sequence[int]) -> list[ItemResult]:
        spec, plan = self._spec, self._plan
        unfinished = sum(item.state is not ItemState.DONE for item in self._bundle.items)
        if unfinished:
            text = f"{counted(unfinished, 'image')} of the bundle failed and will not be carried"
            self._sink(Note(text, Level.WARNING))
        laid = {number: plan.lay_out(number, {}) for number in numbers}
        held = {
            number
            for number in numbers
            if not spec.again and self._writer.is_finished(laid[number])
        }
        wanted = [number for number in numbers if number not in held]
        check_room(spec.medium, [laid[number] for number in wanted])
        cut = plan_cut_blobs(plan, wanted, self._sink)
        self._sizes = {n: plan.lay_out(n, {}).size for n in range(1, plan.count + 1)}
        for number in numbers:
            self._announce(laid[number], held=number in held)
        pieces = hash_cut_blobs(self._bundle, cut, self._sink, self._token)
        self._writer.begin()
        results: list[ItemResult] = []
        stopped_by: AirgapError | None = None
        for number in numbers:
            name = plan.name_of(number)
            if number in held:
                self._remember(name)
                results.append(ItemResult(name, ItemState.HELD, bytes=laid[number].size))
                continue
            if stopped_by is not None:
                reason = "a volume before it failed"
                results.append(ItemResult(name, ItemState.LEFT_OUT, error=reason))
                self._sink(ItemChanged(name, ItemState.LEFT_OUT, reason))
                continue
            try:
                results.append(self._write(number, pieces))
            except Stopped:
                raise
            except AirgapError as error:
                results.append(ItemResult.failed(name, error))
                self._sink(ItemChanged(name, ItemState.FAILED, results[-1].error))
                if not isinstance(error, ContentError):
                    stopped_by = error
        return results

    def _announce(self, laid: VolumeLayout, *, held: bool) -> None:
        """Totals are known before the first byte."""
        self._sink(ItemSized(laid.name, laid.size, 0 if held else laid.size))
        if held:
            self._sink(ItemChanged(laid.name, ItemState.HELD, "it is there"))
            return
        for content in laid.contents:
            blob = _blob(laid.volume.number, content.path)
            self._sink(BlobPlanned(blob, content.size, (laid.name,)))

    def sheet_volumes(self) -> tuple[SheetVolume, ...]:
        """All volumes of the set, as a transfer sheet lists them."""
        return tuple(self._sheet_volume(number) for number in range(1, self._plan.count + 1))

    def _sheet_volume(self, number: int) -> SheetVolume:
        plan, medium = self._plan, self._spec.medium
        name, size = plan.name_of(number), self._sizes[number]
        if plan.form is not Form.DIRECTORY:
            sha256 = read_file_sums(medium).get(name, "")
            if sha256 and (medium / name).is_file():
                # An image is planned with some room; reading a disc back needs its very size.
                size = (medium / name).stat().st_size
            return SheetVolume(number, plan.form.value, size, name, sha256)
        try:
            sums = DirectoryStorage(medium / name).read(layout.CHECKSUMS, MAX_BYTES)
        except NotFound:  # it is on another disk
            return SheetVolume(number, plan.form.value, size, name)
        file = f"{name}/{layout.CHECKSUMS}"
        return SheetVolume(number, plan.form.value, size, file, Digest.of(sums).hex)

    def _write(self, number: int, pieces: dict[str, str]) -> ItemResult:
        laid = self._plan.lay_out(number, pieces)
        name = laid.name
        self._sink(ItemChanged(name, ItemState.EXPORTING))
        begun: set[str] = set()
        left = {content.path: content.size for content in laid.contents}

        def report(path: str, count: int) -> None:
            blob = _blob(number, path)
            if path not in begun:
                begun.add(path)
                self._sink(BlobStarted(blob))
            if count:
                self._sink(BlobProgress(blob, count))
            left[path] -= count
            if not left[path]:
                self._sink(BlobDone(blob))

        sha256 = self._writer.write(laid, report, again=self._spec.again)
        if sha256:
            add_file_sums(self._spec.medium, {name: sha256})
        self.written += laid.size
        self._sink(ItemChanged(name, ItemState.DONE, "", f"sha256:{sha256}" if sha256 else ""))
        return ItemResult(
            name, ItemState.DONE, f"sha256:{sha256}" if sha256 else "", bytes=laid.size
        )

    def _remember(self, name: str) -> None:
        """A volume that was finished just before an end still needs its line beside it."""
        if self._spec.form is Form.DIRECTORY or name in read_file_sums(self._spec.medium):
            return
        add_file_sums(self._spec.medium, {name: self._writer.sha256(name)})


def _blob(number: int, path: str) -> str:
    """What progress calls a file of a volume."""
    digest = layout.digest_of_path(path)
    return str(digest) if digest is not None else f"{number}: {path}"
