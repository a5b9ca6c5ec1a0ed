"""`plan` and `save`: from registries, engines and archives into a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airgap_tui.cli.background import detach_option, detached, in_a_row
from airgap_tui.cli.options import (
    DIRECTORY,
    FILE,
    images_argument,
    images_of,
    lists_option,
    network_options,
    platform_option,
    references_of,
    settings_of,
    transfers_option,
    verb,
)
from airgap_tui.cli.outcomes import tell_outcome
from airgap_tui.cli.output import Output, narrate
from airgap_tui.cli.results import tell_failures, tell_next
from airgap_tui.cli.running import run_job, this_command
from airgap_tui.cli.text import Column, table
from airgap_tui.engine.errors import UsageError

if TYPE_CHECKING:
    from airgap_tui.engine.jobs.chain import Step
    from airgap_tui.engine.jobs.plan import PlanResult
    from airgap_tui.engine.jobs.save_spec import SaveSpec
    from airgap_tui.engine.jobs.zstd_gain import Gain

_ORIGINS = ("registry", "docker", "podman")


def _save_options(function: Any) -> Any:
    """What `plan` and `save` are asked alike."""
    for decorate in reversed(
        (
            images_argument,
            lists_option,
            click.option(
                "-b",
                "--bundle",
                type=DIRECTORY,
                required=True,
                metavar="BUNDLE",
                help="The bundle's directory; begun if it is not there yet.",
            ),
            platform_option,
            click.option(
                "--from",
                "origin",
                type=click.Choice(_ORIGINS),
                default="registry",
                help="Take the images from their registries (usual) or from an engine here.",
            ),
            click.option(
                "--from-archive",
                "archives",
                type=FILE,
                multiple=True,
                metavar="FILE",
                help="Take the images of a docker save archive, plain or compressed.",
            ),
            click.option(
                "--host",
                metavar="ADDRESS",
                help="The engine's address, if not the usual one: unix:///.., ssh://..",
            ),
            click.option(
                "--compress",
                metavar="CODEC[:LEVEL]",
                help="keep (usual for registries), gzip or zstd: compress the layers anew."
                " Digests change then, image IDs do not.",
            ),
            click.option(
                "--with-signatures",
                is_flag=True,
                help="Also signatures and attestations that registries hold for the images.",
            ),
            click.option(
                "--refresh",
                multiple=True,
                metavar="IMAGE",
                help="Forget what the bundle has of this image and look its tag up again.",
            ),
            click.option(
                "--have",
                multiple=True,
                metavar="RECEIPT|CODE",
                help="Leave out what the offline side has, by its receipt or delivery code.",
            ),
            network_options,
            transfers_option,
        )
    ):
        function = decorate(function)
    return function


def _spec(
    images: tuple[str, ...],
    lists: tuple[str, ...],
    bundle: Path,
    platform: str | None,
    origin: str,
    archives: tuple[Path, ...],
    host: str | None,
    compress: str | None,
    with_signatures: bool,
    refresh: tuple[str, ...],
    have: tuple[str, ...],
    force: bool = False,
    archive_dir: Path | None = None,
    codec: str = "xz",
    **network: Any,
) -> SaveSpec:
    if archives and (origin != "registry" or host):
        raise UsageError("--from-archive cannot be used with --from or --host")
    if host and origin == "registry":
        raise UsageError("--host needs --from docker or --from podman")
    if have and (archives or origin != "registry"):
        raise UsageError("--have needs images from registries: only they tell digests beforehand")
    if have and compress and compress != "keep":
        raise UsageError("--have and --compress cannot be used together: digests change under it")
    settings = settings_of(platform=platform, **network)
    listed = images_of(images, lists)
    refreshed = references_of(refresh)
    if not (listed.references or refreshed or archives):
        raise UsageError(
            f"{' and '.join(lists)}: no image is named there" if lists else "no image is named",
            hint="Name images, or a list of them: -f images_list.txt",
        )

    from airgap_tui.engine.bundle.encoding.codec import Codec, Compression
    from airgap_tui.engine.bundle.receipts.delivery_code import is_code
    from airgap_tui.engine.jobs.save_spec import Origin, SaveSpec

    return SaveSpec(
        references=tuple(dict.fromkeys((*listed.references, *refreshed))),
        bundle=bundle,
        settings=settings,
        compression=Compression.parse(compress) if compress else None,
        origin=Origin.ARCHIVE if archives else Origin(origin),
        archives=archives,
        host=host,
        with_signatures=with_signatures,
        refresh=refreshed,
        force=force,
        archive_dir=archive_dir,
        archive_codec=Codec(codec),
        have=tuple(Path(text) for text in have if not is_code(text) or Path(text).exists()),
        codes=tuple(text for text in have if is_code(text) and not Path(text).exists()),
    )


@verb(
    "airgap-tui plan -f images_list.txt -b /data/pod-2025-07",
    "airgap-tui plan nvcr.io/nvidia/pytorch:25.06-py3 -b /data/pod --json",
)
@_save_options
@click.option(
    "--sample",
    is_flag=True,
    help="Also read the first megabyte of the largest layers, and say what zstd would gain.",
)
def plan(output: Output, sample: bool, **values: Any) -> int:
    """Tell what save would do, in numbers; write nothing.

    Per image its platform, digest and size, what is shared with the images above it, what the
    bundle already holds and what is to be fetched; then whether the disk has room for it, and on
    how many media of the usual sizes it would fit.
    """
    return _plan(output, _spec(**values), sample=sample)


def _plan(output: Output, spec: SaveSpec, *, sample: bool = False) -> int:
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
    _show_plan(output, result)
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


def _show_plan(output: Output, result: PlanResult) -> None:
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
    if result.left_out:
        output.say(f"{size(result.left_out)} are left out: the offline side has them.")
    for limit in result.rate_limits:
        window = f" in {elapsed(limit.window_seconds)}" if limit.window_seconds else ""
        output.say(f"{limit.registry}: {limit.remaining} of {limit.limit} downloads left{window}.")


@verb(
    "airgap-tui save -f images_list.txt -b /media/usb1/pod-2025-07",
    "airgap-tui save --from docker mylab/solver:1.3 -b /data/pod-2025-07",
    "airgap-tui save --from-archive old.tar.xz -b /data/pod-2025-07",
)
@_save_options
@click.option("--force", is_flag=True, help="Start although the disk seems to lack room.")
@click.option("--dry-run", is_flag=True, help="The same as plan: numbers, nothing written.")
@click.option(
    "--archive",
    "archive_dir",
    type=DIRECTORY,
    metavar="DIR",
    help="Also write one docker load file per image into DIR.",
)
@click.option(
    "--codec",
    type=click.Choice(("xz", "zstd", "gzip", "none")),
    default="xz",
    help="How the files of --archive are compressed; usually xz.",
)
@click.option(
    "--then",
    type=click.Choice(("verify", "seal")),
    multiple=True,
    help="What to do with the bundle when it is saved.",
)
@detach_option
def save(output: Output, dry_run: bool, then: tuple[str, ...], detach: bool, **values: Any) -> int:
    """Save images from registries, engines or archives into a bundle.

    A save that was stopped goes on where it was when the same command is given again. Layers are
    stored as the registry sent them, each once however many images share it.
    """
    spec = _spec(**values)
    if dry_run:
        return _plan(output, spec)

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
