"""`verify`: does every byte match its digest, and does an engine hold the same images?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airgap_tui.cli.background import detach_option, detached
from airgap_tui.cli.options import (
    FILE,
    media_argument,
    platform_option,
    settings_of,
    trust_options,
    verb,
)
from airgap_tui.cli.outcomes import tell_outcome
from airgap_tui.cli.output import Output
from airgap_tui.cli.results import of_all, show_items, tell_failures
from airgap_tui.cli.running import run_job
from airgap_tui.engine.errors import UsageError

if TYPE_CHECKING:
    from airgap_tui.engine.docker.hosts import Kind
    from airgap_tui.engine.jobs.verify import VerifySpec
    from airgap_tui.engine.settings import Settings

_STOPPING = "Stopping; nothing was changed. Press Ctrl-C once more to end at once."


@verb(
    "airgap-tui verify /media/usb1/pod-2025-07",
    "airgap-tui verify /media/usb1/pod-2025-07 --against-engine docker",
    "airgap-tui verify /data/old-archives",
)
@media_argument("paths", "BUNDLE|VOLUME|TAR...")
@click.option(
    "--against-engine",
    "kind",
    type=click.Choice(("docker", "podman")),
    is_flag=False,
    flag_value="docker",
    help="Compare the image IDs with those of the engine on this machine.",
)
@click.option("--host", metavar="ADDRESS", help="The engine's address, if not the default.")
@click.option(
    "--cosign-key",
    type=FILE,
    metavar="FILE",
    help="Check the images' cosign signatures in the bundle against this public key; needs cosign"
    " 2.0 or later (3 for what cosign 3 signed), but no network.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Files to read at once (default: by the kind of disk).",
)
@click.option(
    "--report",
    "reports",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="Also write a report, as .txt or .json.",
)
@platform_option
@trust_options
@detach_option
def verify(
    output: Output,
    paths: tuple[Path, ...],
    kind: Kind | None,
    host: str | None,
    cosign_key: Path | None,
    threads: int | None,
    reports: tuple[Path, ...],
    platform: str | None,
    detach: bool,
    **trust: Any,
) -> int:
    """Read every byte of a bundle and compare it with its digest.

    A bundle is a directory, a tar file or an ISO image; several paths are the volumes of one set.
    In docker save archives, or a directory of them, each layer is compared with its image, and the
    contents with the checksum beside the file.
    """
    if reports and kind is not None:
        raise UsageError("--report and --against-engine cannot be used together")
    if host and kind is None:
        raise UsageError("--host needs --against-engine")
    settings = settings_of(platform=platform, **trust)
    if kind is not None and detach:
        raise UsageError("--detach and --against-engine cannot be used together")
    if kind is not None:
        return _against_engine(output, paths, kind, host, settings)

    from airgap_tui.engine.jobs.sources import archives_in, volumes_in

    archives = [path for path in paths if not volumes_in(path) and archives_in(path)]
    if archives and detach:
        raise UsageError("--detach verifies a bundle, not archives")
    if archives:
        from airgap_tui.engine.jobs.trust import refuse_archives

        refuse_archives(archives, settings.trust)
    if archives and reports:
        raise UsageError("--report is of a bundle, not of archives")
    if archives and cosign_key is not None:
        raise UsageError("--cosign-key needs a bundle: archives carry no signatures")
    if len(archives) == len(paths):
        return _archives(output, paths, settings)
    paths = tuple(place for path in paths for place in volumes_in(path) or (path,))
    from airgap_tui.engine.jobs.verify import VerifySpec

    spec = VerifySpec(paths[0], settings, threads, paths[1:], reports, cosign_key)
    return _bundle(output, spec, detach=detach)


def _bundle(output: Output, spec: VerifySpec, *, detach: bool) -> int:
    from airgap_tui.engine.jobs import verify as job

    if detach:
        from airgap_tui.engine.jobs.chain import Step

        return detached(output, spec.settings.state_dir, Step("verify", spec))
    result = run_job(output, lambda sink, token: job.run(spec, sink, token), stopping=_STOPPING)
    output.document(result.to_json())
    tell_outcome(output, "verify", result)
    return result.exit_code


def _archives(output: Output, paths: tuple[Path, ...], settings: Settings) -> int:
    from airgap_tui.engine.jobs import verify_archives as job
    from airgap_tui.engine.quantities import elapsed, size

    spec = job.VerifyArchivesSpec(paths, settings)
    result = run_job(output, lambda sink, token: job.run(spec, sink, token), stopping=_STOPPING)
    _report(
        output, result, "whole", f"{size(result.bytes)} read in {elapsed(result.seconds)}.",
        noun="archive",
    )  # fmt: skip
    return result.exit_code


def _against_engine(
    output: Output, paths: tuple[Path, ...], kind: Kind, host: str | None, settings: Settings
) -> int:
    from airgap_tui.engine.jobs import against_engine as job
    from airgap_tui.engine.quantities import elapsed

    spec = job.AgainstEngineSpec(paths, kind, host, settings)
    result = run_job(output, lambda sink, token: job.run(spec, sink, token), stopping=_STOPPING)
    _report(output, result, f"the same in {result.engine}", f"{elapsed(result.seconds)}.")
    return result.exit_code


def _report(
    output: Output, result: Any, outcome: str, numbers: str, *, noun: str = "image"
) -> None:
    output.document(result.to_json())
    done = "Whole" if outcome == "whole" else "The same"
    show_items(output, result.items, done=done, noun=noun, target="Images")
    tell_failures(output, result.items, noun=noun)
    output.say(f"{of_all(result.items, outcome, noun)}. {numbers}")
