"""`import`: from media that were carried into a bundle that is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from airgap_tui.cli.background import detach_option, detached
from airgap_tui.cli.options import (
    DIRECTORY,
    FILE,
    settings_of,
    transfers_option,
    trust_options,
    verb,
)
from airgap_tui.cli.outcomes import tell_outcome
from airgap_tui.cli.output import Output
from airgap_tui.cli.running import run_job

_STOPPING = "Stopping; what is imported is kept. Press Ctrl-C once more to end at once."


@verb(
    "airgap-tui import /media/usb1/pod-1-of-3 -b /data/pod",
    "airgap-tui import /data/discs/*.iso -b /data/pod",
    "airgap-tui import /dev/sr0 -b /data/pod",
)
@click.argument("media", nargs=-1, required=True, type=FILE, metavar="MEDIUM...")
@click.option("-b", "--bundle", required=True, type=DIRECTORY, help="The bundle that is kept.")
@click.option("--force", is_flag=True, help="Start although there seems to be too little room.")
@trust_options
@transfers_option
@detach_option
def import_(
    output: Output,
    media: tuple[Path, ...],
    bundle: Path,
    force: bool,
    transfers: int | None,
    detach: bool,
    **trust: Any,
) -> int:
    """Merge volumes or bundles into a bundle that is kept.

    A medium is a directory, a tar file, an ISO image or a drive. Volumes come in any order, at once
    or one by one: it tells how many are still to be read. Every byte is checked while it is copied;
    on the same file system files are taken over without copying.
    """
    from airgap_tui.engine.jobs import importing as job

    spec = job.ImportSpec(media, bundle, force, settings_of(transfers=transfers, **trust))
    if detach:
        from airgap_tui.engine.jobs.chain import Step

        return detached(output, spec.settings.state_dir, Step("import", spec))
    result = run_job(output, lambda sink, token: job.run(spec, sink, token), stopping=_STOPPING)
    output.document(result.to_json())
    tell_outcome(output, "import", result)
    return result.exit_code
