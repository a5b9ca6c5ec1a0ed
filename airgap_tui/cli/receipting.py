"""`receipt`: what the offline side has, for the next bundle to leave out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from airgap_tui.cli.options import (
    DIRECTORY,
    FILE,
    images_of,
    keep_registry_option,
    map_option,
    network_options,
    settings_of,
    verb,
)
from airgap_tui.cli.output import Output
from airgap_tui.cli.results import show_items, tell_failures
from airgap_tui.cli.running import run_job
from airgap_tui.engine.errors import UsageError

_HERE = "-"


@verb(
    "airgap-tui receipt -b /data/kept -o receipt.json",
    "airgap-tui receipt -b /media/usb1/pod --registry harbor.lan/ngc -o r.json",
    "airgap-tui receipt -b /data/pod-2025-07 --code 7K3M-Q2ZD-X81A -o r.json",
)
@click.option(
    "-b", "--bundle", type=FILE, required=True, metavar="BUNDLE", help="The bundle that arrived."
)
@click.option("-o", "--output", "path", type=DIRECTORY, required=True, metavar="FILE",
              help="Where to write the receipt.")  # fmt: skip
@click.option(
    "--registry",
    metavar="REGISTRY[/PREFIX]",
    help="List what this registry really holds of the bundle.",
)
@keep_registry_option
@map_option
@click.option(
    "--code",
    metavar="CODE",
    help="List what arrived of the bundle according to this delivery code.",
)
@click.option(
    "--want", "wanted", multiple=True, metavar="IMAGE", help="Ask for this image next time."
)
@click.option(
    "--want-list", "lists", multiple=True, metavar="LIST", help="Ask for all images of this list."
)
@click.option(
    "--want-discovered",
    "discovered",
    type=FILE,
    is_flag=False,
    flag_value=_HERE,
    multiple=True,
    metavar="[PATH]",
    help="Ask for what is in use on this machine, or in this log or directory, but not in BUNDLE.",
)
@click.option("--site", metavar="NAME", help="What to call this side (default: the host's name).")
@click.option("--sign", "key", type=FILE, metavar="KEY", help="Sign it with this SSH key.")
@network_options
def receipt(
    output: Output,
    bundle: Path,
    path: Path,
    registry: str | None,
    keep_registry: bool,
    maps: tuple[str, ...],
    code: str | None,
    wanted: tuple[str, ...],
    lists: tuple[str, ...],
    discovered: tuple[Path, ...],
    site: str | None,
    key: Path | None,
    **network: Any,
) -> int:
    """Write a receipt of what this side has.

    On the online side, plan and save leave out what a receipt lists: --have receipt.json. load,
    push and import write one themselves. What is missing or damaged here is not listed. For other
    hosts: airgap-tui discover --host .. -o LIST, then --want-list LIST.
    """
    if registry is None and (keep_registry or maps):
        raise UsageError("--keep-registry and --map need --registry REGISTRY")
    if registry is not None and code is not None:
        raise UsageError("--registry and --code cannot be used together")
    settings = settings_of(**network)
    references = images_of(wanted, lists).references

    from airgap_tui.engine.jobs import receipts as job
    from airgap_tui.engine.oci.naming import Naming

    naming = Naming.parse(registry, keep_registry=keep_registry, maps=maps) if registry else None
    spec = job.ReceiptsSpec(
        *(bundle, path, naming, code or "", references, site or "", key, settings),
        discover=bool(discovered),
        in_use=tuple(one for one in discovered if str(one) != _HERE),
    )
    result = run_job(output, lambda sink, token: job.run(spec, sink, token))
    output.document(result.to_json())
    show_items(output, result.items, done="Here")
    tell_failures(output, result.items)
    if key is not None:
        output.say(f"Signature: {result.signature.sentence}")
    return result.exit_code
