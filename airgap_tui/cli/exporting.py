"""`export`: a bundle onto disks or discs."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airgap_tui.cli.background import detach_option, detached
from airgap_tui.cli.carrying import tool_options, tool_spec
from airgap_tui.cli.options import DIRECTORY, FILE, settings_of, sheet_option, verb
from airgap_tui.cli.outcomes import tell_outcome
from airgap_tui.cli.output import Output, narrate
from airgap_tui.cli.running import run_job, this_command
from airgap_tui.cli.typed import line_from
from airgap_tui.engine.errors import Stopped, UsageError

if TYPE_CHECKING:
    from airgap_tui.engine.jobs.export import ExportResult
    from airgap_tui.engine.jobs.export_spec import ExportSpec
    from airgap_tui.engine.jobs.next_disk import DiskChange

_STOPPING = "Stopping; what is written is kept. Press Ctrl-C once more to end at once."


@verb(
    "airgap-tui export /data/pod /media/usb1 --volume-size fat32",
    "airgap-tui export /data/pod /data/discs --format iso --volume-size dvd",
    "airgap-tui export /data/pod /media/usb1 --volume-size 60GB --change-disks",
    "airgap-tui export /data/pod /media/usb1 --tool-for 3.11/x86_64",
)
@click.argument("bundle", type=FILE, metavar="BUNDLE")
@click.argument("medium", type=DIRECTORY, metavar="MEDIUM")
@click.option(
    "--format",
    "form",
    type=click.Choice(("dir", "tar", "iso")),
    default="dir",
    help="Write each volume as a directory (default), a tar file or an ISO image.",
)
@click.option(
    "--volume-size",
    metavar="NAME|SIZE",
    help="cd, dvd, dvd-dl, bd25, bd50, bd100, fat32 (no file over 4 GiB) or a size like 4.7GB;"
    " without it, one volume of any size.",
)
@click.option(
    "--only-volume",
    "only",
    type=click.IntRange(1),
    multiple=True,
    metavar="N",
    help="Write only this volume: replaces a lost or bad one, byte for byte.",
)
@click.option(
    "--change-disks",
    is_flag=True,
    help="Write one volume to each disk: asks for the next disk at MEDIUM in between.",
)
@click.option("--sign", "key", type=FILE, metavar="KEY", help="Sign the bundle first; see sign.")
@click.option(
    "--have",
    multiple=True,
    metavar="RECEIPT|CODE",
    help="Leave out what the offline side has by its receipt or delivery code.",
)
@sheet_option
@tool_options
@click.option(
    "--dry-run",
    is_flag=True,
    help="Show the volumes, the room they need and what zstd would save; write nothing.",
)
@detach_option
def export(
    output: Output,
    bundle: Path,
    medium: Path,
    form: str,
    volume_size: str | None,
    only: tuple[int, ...],
    change_disks: bool,
    key: Path | None,
    have: tuple[str, ...],
    sheets: tuple[Path, ...],
    tool_files: tuple[Path, ...],
    tool_for: str | None,
    no_tool: bool,
    dry_run: bool,
    detach: bool,
) -> int:
    """Write a bundle onto disks or discs, as volumes of a chosen size.

    MEDIUM is a directory, usually where a disk is mounted. The same bundle and size always give the
    same volumes. The same command again resumes an export that was stopped; an ISO image is begun
    anew. airgap-tui itself goes onto the first volume, and runs from there without being installed.
    """
    from airgap_tui.engine.bundle.receipts.delivery_code import is_code
    from airgap_tui.engine.bundle.volumes.medium import Form, Medium
    from airgap_tui.engine.jobs.export_spec import ExportSpec

    if volume_size:
        Medium.parse(volume_size)
    if key is not None and detach:
        raise UsageError("--sign and --detach cannot be used together", hint="Sign it before.")
    if change_disks and detach:
        raise UsageError("--change-disks and --detach cannot be used together")
    settings = settings_of()
    spec = ExportSpec(
        *(bundle, medium, Form(form), volume_size or "", only, bool(only), key),
        settings=settings,
        sheets=sheets,
        tool=tool_spec(settings, tool_files, tool_for, no_tool),
        have=tuple(Path(text) for text in have if not is_code(text) or Path(text).exists()),
        codes=tuple(text for text in have if is_code(text) and not Path(text).exists()),
    )
    if dry_run:
        return _plan(output, replace(spec, one_per_disk=change_disks))
    if detach:
        from airgap_tui.engine.jobs.chain import Step

        return detached(output, spec.settings.state_dir, Step("export", spec))
    if change_disks:
        return _one_disk_after_the_other(output, spec)
    result = _run(output, spec)
    output.document(result.to_json())
    tell_outcome(output, "export", result)
    return result.exit_code


def _plan(output: Output, spec: ExportSpec) -> int:
    """What would be written, and what a smaller bundle would need."""
    from airgap_tui.engine.cancel import CancelToken
    from airgap_tui.engine.events import Sink
    from airgap_tui.engine.guide import departure
    from airgap_tui.engine.jobs import export_plan, zstd_gain
    from airgap_tui.engine.jobs.export_plan import ExportPlan
    from airgap_tui.engine.jobs.zstd_gain import Gain

    def work(sink: Sink, token: CancelToken) -> tuple[ExportPlan, tuple[Gain, ...]]:
        return export_plan.run(spec, sink, token), zstd_gain.of_bundle(spec.bundle, token)

    planned, gains = run_job(output, work, stopping="Stopping; nothing was written.")
    output.document({**planned.to_json(), "gains": [gain.to_json() for gain in gains]})
    for line in departure.each(planned):
        output.data(line)
    output.say(f"{departure.room(planned)}. Nothing is written yet.")
    output.say(departure.gain(gains, saved=True))
    if planned.problem is not None:
        narrate(f"! {planned.problem.message}\n  {planned.problem.hint}")
    return planned.exit_code


def _run(output: Output, spec: ExportSpec) -> ExportResult:
    from airgap_tui.engine.jobs import export as job

    return run_job(output, lambda sink, token: job.run(spec, sink, token), stopping=_STOPPING)


def _one_disk_after_the_other(output: Output, spec: ExportSpec) -> int:
    """Each volume onto the disk that is at the medium then; on a terminal the next disk is asked
    for, elsewhere the command that goes on is told."""
    from airgap_tui.engine.jobs.next_disk import DiskChange, mounted_at

    done: ExportResult | None = None
    mounted = mounted_at(spec.medium)
    wanted = list(spec.only)
    number = wanted.pop(0) if wanted else 1
    while True:
        result = _run(output, replace(spec, only=(number,)))
        if not spec.only and done is None:
            wanted = list(range(2, result.count + 1))
        done = result if done is None else _joined(done, result)
        if not result.items[0].succeeded or not wanted:
            output.document(done.to_json())
            tell_outcome(output, "export", done)
            return done.exit_code
        name, number = result.items[0].reference, wanted.pop(0)
        output.say(f"{name} is written and may be taken out.")
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            output.document(done.to_json())
            tell_outcome(output, "export", done)
            narrate(
                f"! volume {number} of {done.count} is to be written onto the next disk\n"
                f"  Change the disk at {spec.medium}; then: {_command_for(number, *wanted)}"
            )
            return Stopped.exit_code
        try:
            _next_disk(DiskChange(spec.medium, mounted, name, number, done.count))
        except KeyboardInterrupt:
            hint = f"To go on: {_command_for(number, *wanted)}"
            raise Stopped("stopped before the next disk", hint=hint) from None


def _next_disk(change: DiskChange) -> None:
    """Return when another disk is there. Raises `KeyboardInterrupt`, also where nobody answers."""
    while True:
        narrate(
            f"Volume {change.number} of {change.count}: insert the next disk at {change.place}, and"
            " press Enter. Ctrl-C stops."
        )
        if not line_from(sys.stdin):
            raise KeyboardInterrupt
        in_the_way = change.in_the_way
        if not in_the_way:
            return
        narrate(f"! {in_the_way}")


def _command_for(*numbers: int) -> str:
    """The command line that was typed, for these volumes."""
    words = shlex.split(this_command())
    kept, skip = [], False
    for word in words:
        if not skip and word != "--only-volume" and not word.startswith("--only-volume="):
            kept.append(word)
        skip = not skip and word == "--only-volume"
    return shlex.join(kept + [word for n in numbers for word in ("--only-volume", str(n))])


def _joined(before: ExportResult, after: ExportResult) -> ExportResult:
    return replace(
        after,
        items=(*before.items, *after.items),
        numbers=(*before.numbers, *after.numbers),
        bytes=before.bytes + after.bytes,
        seconds=before.seconds + after.seconds,
    )
