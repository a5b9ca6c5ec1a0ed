"""`import`: from carried media into a bundle that is kept."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airgap_tui.cli.background import detach_option, detached
from airgap_tui.cli.options import (
    DIRECTORY,
    media_argument,
    receipt_option,
    settings_of,
    transfers_option,
    trust_options,
    verb,
)
from airgap_tui.cli.outcomes import tell_outcome
from airgap_tui.cli.output import Output, narrate
from airgap_tui.cli.running import run_job, this_command
from airgap_tui.cli.typed import line_from
from airgap_tui.engine.errors import AirgapError, Stopped, UsageError

if TYPE_CHECKING:
    from airgap_tui.engine.jobs.importing import ImportResult, ImportSpec

_STOPPING = "Stopping; what is imported is kept. Press Ctrl-C once more to end at once."


@verb(
    "airgap-tui import /media/usb1/pod-1-of-3 -b /data/pod",
    "airgap-tui import /data/discs/*.iso -b /data/pod",
    "airgap-tui import /dev/sr0 -b /data/pod --change-disks",
)
@media_argument("media", "MEDIUM...")
@click.option("-b", "--bundle", required=True, type=DIRECTORY, help="The bundle to keep.")
@click.option("--force", is_flag=True, help="Start even if there seems to be too little room.")
@click.option(
    "--change-disks",
    is_flag=True,
    help="Read one volume after the other: asks for the next one at MEDIUM in between.",
)
@receipt_option
@trust_options
@transfers_option
@detach_option
def import_(
    output: Output,
    media: tuple[Path, ...],
    bundle: Path,
    force: bool,
    change_disks: bool,
    receipt: Path | None,
    transfers: int | None,
    detach: bool,
    **trust: Any,
) -> int:
    """Merge volumes or bundles into a bundle that is kept.

    A medium is a directory, a tar file, an ISO image or a drive. Volumes may come in any order,
    together or one at a time: import says how many are still to be read and, with a drive and a
    terminal, asks for the next. Every byte is checked while it is copied; on the same file system,
    files are linked instead of copied.
    """
    from airgap_tui.engine.jobs import importing as job

    if change_disks and detach:
        raise UsageError("--change-disks and --detach cannot be used together")
    settings = settings_of(transfers=transfers, **trust)
    spec = job.ImportSpec(media, bundle, force, settings, receipt)
    if detach:
        from airgap_tui.engine.jobs.chain import Step

        return detached(output, spec.settings.state_dir, Step("import", spec))
    asks = sys.stdin.isatty() and sys.stderr.isatty()
    if change_disks or (asks and any(map(_is_drive, media))):
        return _one_disk_after_the_other(output, spec, asks=asks)
    result = _run(output, spec)
    output.document(result.to_json())
    tell_outcome(output, "import", result)
    return result.exit_code


def _run(output: Output, spec: ImportSpec) -> ImportResult:
    from airgap_tui.engine.jobs import importing as job

    return run_job(output, lambda sink, token: job.run(spec, sink, token), stopping=_STOPPING)


def _one_disk_after_the_other(output: Output, spec: ImportSpec, *, asks: bool) -> int:
    """Each volume as it comes to the media; on a terminal the next one is asked for, elsewhere the
    command that goes on is told."""
    done = _run(output, spec)
    while done.waiting:
        if not asks:
            output.document(done.to_json())
            tell_outcome(output, "import", done)
            narrate(f"! {done.standing}\n  Change the disk; then: {this_command()}")
            return Stopped.exit_code
        try:
            media = _next_disk(spec, done)
        except KeyboardInterrupt:
            hint = f"What is imported is kept. To go on: {this_command()}"
            raise Stopped("stopped before the next disk", hint=hint) from None
        done = _joined(done, _run(output, replace(spec, media=media)))
    output.document(done.to_json())
    tell_outcome(output, "import", done)
    return done.exit_code


def _next_disk(spec: ImportSpec, done: ImportResult) -> tuple[Path, ...]:
    """The media with a volume that was not read yet, once there is one. Raises `KeyboardInterrupt`,
    also where nobody answers."""
    from airgap_tui.engine.cancel import CancelToken
    from airgap_tui.engine.jobs.outlook import outlook

    places = ", ".join(map(str, spec.media))
    if done.damage:
        narrate(f"! {done.damage}")
    narrate(f"{done.standing}.")
    while True:
        narrate(f"Insert the next disk at {places}, and press Enter. Ctrl-C stops.")
        if not line_from(sys.stdin):
            raise KeyboardInterrupt
        try:
            seen = outlook(spec.media, spec.bundle, CancelToken())
        except AirgapError as error:
            narrate(f"! {error.message}")
            continue
        if seen.volumes is None or seen.volumes.set_id != done.set_id:
            name = done.set_name
            other = f", but one of another export of {name}"
            same = seen.volumes is not None and seen.volumes.name == name
            narrate(f"! there is no volume of {name}{other if same else ''}")
        elif not seen.unread:
            numbers = ", ".join(map(str, seen.volumes.numbers))
            narrate(f"! volume {numbers} was read before")
        else:
            return seen.unread


def _is_drive(path: Path) -> bool:
    """Whether discs may be changed there."""
    from airgap_tui.engine.bundle.media.drive import is_drive

    return is_drive(path)


def _joined(before: ImportResult, after: ImportResult) -> ImportResult:
    return replace(
        after,
        copied=before.copied + after.copied,
        linked=before.linked + after.linked,
        seconds=before.seconds + after.seconds,
    )
