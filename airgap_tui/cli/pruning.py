"""`remove` and `prune`: what a kept bundle no longer needs."""

from __future__ import annotations

from pathlib import Path

import click

from airgap_tui.cli.options import DIRECTORY, references_of, verb
from airgap_tui.cli.output import Output
from airgap_tui.cli.results import show_items, tell_next
from airgap_tui.cli.running import run_job
from airgap_tui.engine.quantities import count, size


@verb("airgap-tui remove nvcr.io/nvidia/pytorch:24.05-py3 -b /data/pod")
@click.argument("items", nargs=-1, required=True, metavar="ITEM...")
@click.option("-b", "--bundle", required=True, type=DIRECTORY, help="The bundle.")
def remove(output: Output, items: tuple[str, ...], bundle: Path) -> int:
    """Remove images from a bundle; prune then frees their space.

    The signatures of an image are removed with it.
    """
    references = references_of(items)

    from airgap_tui.engine.jobs import prune as job

    spec = job.RemoveSpec(bundle, references)
    result = run_job(output, lambda sink, token: job.remove(spec, sink, token))
    output.document(result.to_json())
    show_items(output, result.items, done="Removed")
    if result.blobs:
        output.say(f"{count(result.blobs, 'file')} not needed now ({size(result.bytes)}).")
        tell_next(output, "prune", bundle)
    return result.exit_code


@verb("airgap-tui prune /data/pod", "airgap-tui prune /data/pod --dry-run")
@click.argument("bundle", type=DIRECTORY)
@click.option("--dry-run", is_flag=True, help="Only show how much would be removed.")
def prune(output: Output, bundle: Path, dry_run: bool) -> int:
    """Remove what no image of a bundle needs.

    Nothing is removed while images are still incomplete.
    """
    from airgap_tui.engine.jobs import prune as job

    spec = job.PruneSpec(bundle, dry_run)
    result = run_job(output, lambda sink, token: job.prune(spec, sink, token))
    output.document(result.to_json())
    gone = "would go" if dry_run else "removed"
    output.say(f"{count(result.blobs, 'file')}, {size(result.bytes)} {gone}.")
    return result.exit_code
