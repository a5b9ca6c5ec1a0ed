"""`plan`: what a save would do, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from airgap_tui.cli.options import verb
from airgap_tui.cli.output import Output, narrate
from airgap_tui.cli.results import tell_failures
from airgap_tui.cli.running import run_job
from airgap_tui.cli.save_options import save_options, save_spec
from airgap_tui.cli.text import Column, table

if TYPE_CHECKING:
    from airgap_tui.engine.jobs.plan import PlanResult
    from airgap_tui.engine.jobs.save_spec import SaveSpec
    from airgap_tui.engine.jobs.zstd_gain import Gain


@verb(
    "airgap-tui plan -f images_list.txt -b /data/pod-2025-07",
    "airgap-tui plan nvcr.io/nvidia/pytorch:25.06-py3 -b /data/pod --json",
)
@save_options
@click.option(
    "--sample",
    is_flag=True,
    help="Also read the first megabyte of the largest layers, and estimate what zstd would save.",
)
def plan(output: Output, sample: bool, **values: Any) -> int:
    """Show what save would do, in numbers; write nothing.

    For each image its platform, digest and size, what it shares with the images above it, what the
    bundle already holds and what would be fetched; then whether it fits on the disk, and how many
    media of the usual sizes it would take.
    """
    return show_plan(output, save_spec(**values), sample=sample)


def show_plan(output: Output, spec: SaveSpec, *, sample: bool = False) -> int:
    """Plan it and tell the numbers; the exit code."""
    from airgap_tui.engine.jobs import plan as job

    result = run_job(
        output,
        lambda sink, token: job.run(spec, sink, token),
        stopping="Stopping; nothing was written.",
    )
    media = _media(result)
    gains = _sampled(output, spec, result) if sample else ()
    document = {**result.to_json(), "media": media}
    if sample:
        document["gains"] = [gain.to_json() for gain in gains]
    output.document(document)
    _show_numbers(output, result)
    if media:
        from airgap_tui.engine.guide import sentences

        output.say(f"{sentences.media(result.carried, media.get('dvd', 0))}.")
    if sample:
        from airgap_tui.engine.guide import departure

        output.say(departure.gain(gains, saved=False) or "No layer could be tried.")
    tell_failures(output, [image.result for image in result.images])
    for problem in result.problems:
        narrate(f"! {problem.message}\n  {problem.hint}")
    return result.exit_code


def _media(result: PlanResult) -> dict[str, int]:
    """How many ISO images of each usual size the bundle would fill."""
    if not result.blobs:
        return {}
    from airgap_tui.engine.bundle.volumes.medium import Form
    from airgap_tui.engine.jobs import media_needed

    counted = media_needed.counts(media_needed.files_of_plan(result.blobs), Form.ISO)
    return {name: number for name, number in counted.items() if name}


def _sampled(output: Output, spec: SaveSpec, result: PlanResult) -> tuple[Gain, ...]:
    from airgap_tui.engine.credentials.store import CredentialStore
    from airgap_tui.engine.jobs import zstd_gain

    network, logins = spec.settings.network, CredentialStore.load()
    return run_job(
        output, lambda _sink, token: zstd_gain.of_plan(result.blobs, network, logins, token)
    )


def _show_numbers(output: Output, result: PlanResult) -> None:
    from airgap_tui.engine.quantities import elapsed, size

    held = any(image.held for image in result.images)
    left_out = any(image.left_out for image in result.images)
    columns = [
        Column("Image", flexible=True),
        Column("Platform"),
        Column("Digest"),
        Column("Size", right=True),
        Column("Shared", right=True),
        *([Column("Held", right=True)] if held else []),
        *([Column("Left out", right=True)] if left_out else []),
        Column("To fetch", right=True),
    ]

    def cell(number: int) -> str:
        return size(number) if number else "-"

    def row(name: str, platform: str, digest: str, numbers: tuple[int, ...]) -> list[str]:
        whole, shared, kept, out, fetch = map(cell, numbers)
        optional = [*([kept] if held else []), *([out] if left_out else [])]
        return [name, platform, digest, whole, shared, *optional, fetch]

    rows = []
    for image in result.images:
        platforms = f"{len(image.platforms)} platforms"
        if len(image.platforms) == 1:
            platforms = image.platforms[0].removeprefix("linux/")
        rows.append(
            row(
                image.reference,
                platforms if image.platforms else "-",
                image.digest.partition(":")[2][:12] or "-",
                (image.size, image.shared, image.held, image.left_out, image.to_fetch),
            )
        )
    sums = (
        sum(image.size for image in result.images),
        sum(image.shared for image in result.images),
        sum(image.held for image in result.images),
        result.left_out,
        result.to_fetch,
    )
    rows.append(row("All", "", "", sums))
    output.data(table(columns, rows, output.width))
    output.say(
        f"{size(result.needed, up=True)} needed,"
        f" {size(result.room.free, down=True)} free. Nothing is written yet."
    )
    if result.begun:
        output.say(
            f"{size(result.begun, down=True)} of what is to fetch are here already: an interrupted"
            " save goes on there."
        )
    if result.left_out:
        output.say(f"{size(result.left_out)} are left out: the offline side has them.")
    for limit in result.rate_limits:
        window = f" in {elapsed(limit.window_seconds)}" if limit.window_seconds else ""
        output.say(f"{limit.registry}: {limit.remaining} of {limit.limit} downloads left{window}.")
