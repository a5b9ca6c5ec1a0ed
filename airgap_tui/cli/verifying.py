"""`verify`: is every byte of a bundle what its digest says?"""

from __future__ import annotations

from pathlib import Path

import click

from airgap_tui.cli.options import FILE, settings_of, verb
from airgap_tui.cli.output import Output
from airgap_tui.cli.results import of_all, show_items, tell_failures
from airgap_tui.cli.running import run_job


@verb(
    "airgap-tui verify /media/usb1/pod-2025-07",
)
@click.argument("path", type=FILE, metavar="BUNDLE")
@click.option("--threads", type=click.IntRange(1, 256), metavar="N", help="Usually all cores.")
def verify(output: Output, path: Path, threads: int | None) -> int:
    """Read every byte of a bundle and compare it with its digest.

    A bundle is a directory, a tar file or an ISO image.
    """
    settings = settings_of()

    from airgap_tui.engine.jobs import verify as job
    from airgap_tui.engine.quantities import count, elapsed, rate, size

    spec = job.VerifySpec(path, settings, threads)
    result = run_job(
        output,
        lambda sink, token: job.run(spec, sink, token),
        stopping="Stopping; nothing was changed. Press Ctrl-C once more to end at once.",
    )
    output.document(result.to_json())
    show_items(output, result.items, done="Whole")
    tell_failures(output, result.items)
    speed = rate(result.bytes / result.seconds) if result.seconds > 0 else "-"
    output.say(
        f"{of_all(result.items, 'whole')}. {count(result.blobs, 'file')}, {size(result.bytes)},"
        f" every byte read in {elapsed(result.seconds)}, {speed}."
    )
    return result.exit_code
