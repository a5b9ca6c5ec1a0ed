"""`doctor`: what this machine has and lacks."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any

import click

from airgap_tui.cli.options import DIRECTORY, network_options, settings_of, verb
from airgap_tui.cli.output import Output, marks
from airgap_tui.cli.running import run_job
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.plain_text import harmless

_NAME_WIDTH = 14


@verb("airgap-tui doctor -b /media/usb1", "airgap-tui doctor --online --registry nvcr.io")
@click.option(
    "-b",
    "--bundle",
    type=DIRECTORY,
    default=Path(),
    metavar="PATH",
    help="The bundle, or the directory for it (default: the current directory).",
)
@click.option("--online", is_flag=True, help="Also ask whether registries answer.")
@click.option(
    "--registry",
    "registries",
    multiple=True,
    metavar="HOST[:PORT]",
    help="Which registry to ask with --online (default: nvcr.io and docker.io).",
)
@network_options
def doctor(
    output: Output, bundle: Path, online: bool, registries: tuple[str, ...], **network: Any
) -> int:
    """Check what this machine has and lacks for each step.

    Whatever is missing comes with a remedy. Local only: without --online no name is looked up and
    no host is contacted.
    """
    if registries and not online:
        raise UsageError("--registry needs --online, which allows the network to be used")
    settings = settings_of(**network)

    from airgap_tui.engine.jobs import doctor as job
    from airgap_tui.engine.jobs.check import Standing

    spec = job.DoctorSpec(bundle.absolute(), settings, online, registries)
    result = run_job(
        output,
        lambda sink, token: job.run(spec, sink, token),
        stopping="Stopping; nothing was changed.",
    )
    output.document(result.to_json())
    symbols = marks(sys.stdout)
    shown = {
        Standing.GOOD: symbols["done"],
        Standing.ABSENT: symbols["waiting"],
        Standing.WARNING: symbols["bad"],
        Standing.FAILED: symbols["bad"],
    }
    for check in result.checks:
        quiet = check.standing is Standing.GOOD
        text = check.finding if quiet else f"{check.finding}; for: {check.purpose}"
        output.data(_row(f"{shown[check.standing]} {check.name}", text, output.width))
        if check.remedy:
            output.data(_row("", check.remedy, output.width))
    return result.exit_code


def _row(name: str, text: str, width: int | None) -> str:
    """The text beside its name, wrapped under itself on a terminal."""
    head = harmless(name).ljust(_NAME_WIDTH)
    if width is None:
        return f"{head}  {harmless(text)}".rstrip()
    lines = textwrap.wrap(harmless(text), max(20, width - _NAME_WIDTH - 2)) or [""]
    blank = " " * _NAME_WIDTH
    return "\n".join(f"{head if n == 0 else blank}  {line}" for n, line in enumerate(lines))
