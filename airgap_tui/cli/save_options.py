"""The options that `plan` and `save` share: which images, from where, into which bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

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
)
from airgap_tui.engine.errors import UsageError

if TYPE_CHECKING:
    from airgap_tui.engine.jobs.save_spec import SaveSpec

_ORIGINS = ("registry", "docker", "podman")


def save_options(function: Any) -> Any:
    """The options that `save_spec` takes."""
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
                help="The bundle's directory; created if it does not exist.",
            ),
            platform_option,
            click.option(
                "--from",
                "origin",
                type=click.Choice(_ORIGINS),
                default="registry",
                help="Take the images from their registries (default) or from an engine here.",
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
                help="The engine's address, if not the default: unix:///.., ssh://..",
            ),
            click.option(
                "--compress",
                metavar="CODEC[:LEVEL]",
                help="Recompress layers with gzip or zstd, or keep them (default for registries)."
                " Recompressing changes digests, but not image IDs.",
            ),
            click.option(
                "--with-signatures",
                is_flag=True,
                help="Also save signatures and attestations that registries hold for the images.",
            ),
            click.option(
                "--refresh",
                multiple=True,
                metavar="IMAGE",
                help="Look up the tag of this image again, in place of what the bundle has.",
            ),
            click.option(
                "--have",
                multiple=True,
                metavar="RECEIPT|CODE",
                help="Leave out what the offline side has by its receipt or delivery code.",
            ),
            network_options,
            transfers_option,
        )
    ):
        function = decorate(function)
    return function


def save_spec(
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
    """What is to be saved. Raises `UsageError`."""
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
