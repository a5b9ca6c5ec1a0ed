"""`save`: from registries, engines and archives into a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airgap_tui.cli.background import detach_option, detached, in_a_row
from airgap_tui.cli.options import DIRECTORY, verb
from airgap_tui.cli.outcomes import tell_outcome
from airgap_tui.cli.output import Output
from airgap_tui.cli.results import tell_next
from airgap_tui.cli.running import run_job, this_command
from airgap_tui.cli.save_options import save_options, save_spec

if TYPE_CHECKING:
    from airgap_tui.engine.jobs.chain import Step
    from airgap_tui.engine.jobs.save_spec import SaveSpec


@verb(
    "airgap-tui save -f images_list.txt -b /media/usb1/pod-2025-07",
    "airgap-tui save --from docker mylab/solver:1.3 -b /data/pod-2025-07",
    "airgap-tui save --from-archive old.tar.xz -b /data/pod-2025-07",
)
@save_options
@click.option("--force", is_flag=True, help="Start even if the disk seems too full.")
@click.option("--dry-run", is_flag=True, help="The same as plan: show numbers, write nothing.")
@click.option(
    "--archive",
    "archive_dir",
    type=DIRECTORY,
    metavar="DIR",
    help="Also write one docker load archive per image into DIR.",
)
@click.option(
    "--codec",
    type=click.Choice(("xz", "zstd", "gzip", "none")),
    default="xz",
    help="How to compress the files of --archive (default: xz).",
)
@click.option(
    "--then",
    type=click.Choice(("verify", "seal")),
    multiple=True,
    help="What to do with the bundle once it is saved.",
)
@detach_option
def save(output: Output, dry_run: bool, then: tuple[str, ...], detach: bool, **values: Any) -> int:
    """Save images from registries, engines or archives into a bundle.

    The same command again resumes a save that was stopped. Layers are stored as the registry sent
    them, each only once however many images share it.
    """
    spec = save_spec(**values)
    if dry_run:
        from airgap_tui.cli.planning import show_plan

        return show_plan(output, spec)

    stopping = "Stopping; what is saved is kept. Press Ctrl-C once more to end at once."
    if then or detach:
        from airgap_tui.engine.jobs.chain import Step

        steps = (Step("save", spec), *(_after(verb, spec) for verb in dict.fromkeys(then)))
        if detach:
            return detached(output, spec.settings.state_dir, *steps)
        return in_a_row(output, *steps, stopping=stopping)

    from airgap_tui.engine.jobs import save as job

    result = run_job(output, lambda sink, token: job.run(spec, sink, token), stopping=stopping)
    output.document(result.to_json())
    tell_outcome(output, "save", result)
    if result.exit_code in (0, 1):
        tell_next(output, "verify", spec.bundle)
    if result.exit_code:
        what = " the others" if any(item.succeeded for item in result.items) else ""
        output.say(f"To try{what} again: {this_command()}")
    return result.exit_code


def _after(verb: str, spec: SaveSpec) -> Step:
    """What is done with the bundle when it is saved."""
    from airgap_tui.engine.jobs.chain import Step
    from airgap_tui.engine.jobs.seal import SealSpec
    from airgap_tui.engine.jobs.verify import VerifySpec

    if verb == "seal":
        return Step("seal", SealSpec(spec.bundle, settings=spec.settings))
    return Step("verify", VerifySpec(spec.bundle, spec.settings))
