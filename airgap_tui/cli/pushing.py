"""`push`: from a bundle into a registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from airgap_tui.cli.background import detach_option, detached
from airgap_tui.cli.options import (
    DIRECTORY,
    keep_registry_option,
    map_option,
    media_argument,
    network_options,
    receipt_option,
    references_of,
    settings_of,
    transfers_option,
    trust_options,
    verb,
)
from airgap_tui.cli.outcomes import tell_outcome
from airgap_tui.cli.output import Output
from airgap_tui.cli.running import run_job
from airgap_tui.engine.errors import UsageError


@verb(
    "airgap-tui push /media/usb1/pod-2025-07 registry.lan:5000",
    "airgap-tui push /media/usb1/pod-2025-07 harbor.lan/ngc --ca pod-ca.pem",
)
@media_argument("bundles", "BUNDLE|VOLUME...", required=False)
@click.argument("registry", metavar="REGISTRY[/PREFIX]")
@click.option(
    "--image", "images", multiple=True, metavar="IMAGE", help="Only this image of the bundle."
)
@keep_registry_option
@map_option
@click.option(
    "--create-project",
    "create_projects",
    is_flag=True,
    help="In Harbor, first create missing projects, as private ones.",
)
@click.option("--work", type=DIRECTORY, help="Where to unpack archives (default: beside them).")
@receipt_option
@trust_options
@network_options
@transfers_option
@detach_option
def push(
    output: Output,
    bundles: tuple[Path, ...],
    registry: str,
    images: tuple[str, ...],
    keep_registry: bool,
    maps: tuple[str, ...],
    create_projects: bool,
    work: Path | None,
    receipt: Path | None,
    detach: bool,
    **network: Any,
) -> int:
    """Push a bundle, or docker save archives, into a registry.

    Several paths are the volumes of one set, opened where they are. nvcr.io/nvidia/pytorch:T
    becomes REGISTRY/PREFIX/nvidia/pytorch:T. Nothing is sent if two images would get the same name.
    What the registry already has is not sent again.
    """
    if not bundles:
        raise UsageError(
            f"a bundle and a registry are needed, and only {registry!r} is given",
            hint="airgap-tui push --help shows how it is used.",
        )
    settings = settings_of(**network)
    references = references_of(images)

    from airgap_tui.engine.jobs import push as job
    from airgap_tui.engine.oci.naming import Naming

    naming = Naming.parse(registry, keep_registry=keep_registry, maps=maps)
    spec = job.PushSpec(
        bundles[0], naming, settings, references, work, receipt, bundles[1:], create_projects
    )
    if detach:
        from airgap_tui.engine.jobs.chain import Step

        return detached(output, settings.state_dir, Step("push", spec))
    result = run_job(
        output,
        lambda sink, token: job.run(spec, sink, token),
        stopping="Stopping; what the registry has got it keeps. Ctrl-C once more ends at once.",
    )
    output.document(result.to_json())
    tell_outcome(output, "push", result)
    return result.exit_code
