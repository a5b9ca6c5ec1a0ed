"""`load`: from a bundle or from archives into Docker or Podman."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airgap_tui.cli.background import detach_option, detached
from airgap_tui.cli.options import (
    keep_registry_option,
    map_option,
    media_argument,
    platform_option,
    receipt_option,
    references_of,
    settings_of,
    trust_options,
    verb,
)
from airgap_tui.cli.outcomes import tell_outcome
from airgap_tui.cli.output import Output
from airgap_tui.cli.running import run_job
from airgap_tui.engine.errors import UsageError

if TYPE_CHECKING:
    from airgap_tui.engine.docker.hosts import Kind


@verb(
    "airgap-tui load /media/usb1/pod-2025-07",
    "airgap-tui load nvcr.io_nvidia_cuda-12.4.1-base-ubuntu22.04.tar.xz",
    "airgap-tui load /media/usb1/pod-2025-07 --retag registry.lan:5000",
)
@media_argument("paths", "BUNDLE|VOLUME|TAR...")
@click.option(
    "--into",
    type=click.Choice(("docker", "podman")),
    default="docker",
    help="The engine to load into (default: docker).",
)
@click.option(
    "--host",
    metavar="ADDRESS",
    help="The engine's address, if not the default: unix:///.., ssh://..",
)
@click.option(
    "--image", "images", multiple=True, metavar="IMAGE", help="Only this image of the bundle."
)
@click.option(
    "--retag",
    metavar="REGISTRY[/PREFIX]",
    help="Also tag each image for this registry, ready for docker push.",
)
@keep_registry_option
@map_option
@platform_option
@receipt_option
@trust_options
@click.option("--force", is_flag=True, help="Start even if the engine's disk seems too full.")
@detach_option
def load(
    output: Output,
    paths: tuple[Path, ...],
    into: Kind,
    host: str | None,
    images: tuple[str, ...],
    retag: str | None,
    keep_registry: bool,
    maps: tuple[str, ...],
    platform: str | None,
    receipt: Path | None,
    force: bool,
    detach: bool,
    **trust: Any,
) -> int:
    """Load a bundle or docker save archives into Docker or Podman.

    Layers shared by several images are sent once. Afterwards the engine is asked for each image and
    its ID. Archives may be plain or compressed (gzip, xz, zstd, bzip2).
    """
    if retag is None and (keep_registry or maps):
        raise UsageError("--keep-registry and --map need --retag REGISTRY")
    settings = settings_of(platform=platform, **trust)
    references = references_of(images)

    from airgap_tui.engine.jobs import load as job
    from airgap_tui.engine.oci.naming import Naming

    naming = Naming.parse(retag, keep_registry=keep_registry, maps=maps) if retag else None
    spec = job.LoadSpec(
        paths=paths,
        into=into,
        host=host,
        naming=naming,
        references=references,
        force=force,
        settings=settings,
        receipt=receipt,
    )
    if detach:
        from airgap_tui.engine.jobs.chain import Step

        return detached(output, settings.state_dir, Step("load", spec))
    result = run_job(
        output,
        lambda sink, token: job.run(spec, sink, token),
        stopping="Stopping; what the engine has taken it keeps. Ctrl-C once more ends at once.",
    )
    output.document(result.to_json())
    tell_outcome(output, "load", result)
    return result.exit_code
