"""Options that several verbs share, and how their texts become the engine's values."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from airgap_tui.cli.output import PROGRESS_MODES, Output
from airgap_tui.engine.errors import UsageError

if TYPE_CHECKING:
    from airgap_tui.engine.images_list import ImagesList
    from airgap_tui.engine.oci.reference import Reference
    from airgap_tui.engine.settings import Settings

Function = TypeVar("Function", bound=Callable[..., Any])

DIRECTORY = click.Path(path_type=Path)
FILE = click.Path(path_type=Path)

_OUTPUT_OPTIONS = ("json_", "progress", "quiet", "verbose")


def output_options(function: Function) -> Function:
    """--json, --progress, --quiet and -v: before the verb or after it."""
    for decorate in reversed(
        (
            click.option(
                "--json", "json_", is_flag=True, help="Print one JSON document on stdout."
            ),
            click.option(
                "--progress",
                type=click.Choice(PROGRESS_MODES),
                help="How to show progress on stderr; auto: bars on a terminal, lines elsewhere.",
            ),
            click.option("-q", "--quiet", is_flag=True, help="Show only warnings and errors."),
            click.option("-v", "--verbose", is_flag=True, help="Show every step and every retry."),
        )
    ):
        function = decorate(function)
    return function


def output_of(context: click.Context) -> Output:
    """The output options of the verb, and of the commands before it."""
    given = []
    command: click.Context | None = context
    while command is not None:
        given.append(command.params)
        command = command.parent

    def flag(name: str) -> bool:
        return any(params.get(name) for params in given)

    progress = next((params["progress"] for params in given if params.get("progress")), "auto")
    verbosity = -1 if flag("quiet") else int(flag("verbose"))
    return Output(flag("json_"), progress, verbosity)


def verb(*examples: str) -> Callable[[Callable[..., int]], click.Command]:
    """Make a command of a function that takes an `Output` first and returns the exit code.

    The function's name is the verb and its docstring the help; `examples` close that.
    """

    def decorate(function: Callable[..., int]) -> click.Command:
        @functools.wraps(function)
        @click.pass_context
        def call(context: click.Context, /, **values: Any) -> int:
            for name in _OUTPUT_OPTIONS:
                values.pop(name)
            return function(output_of(context), **values)

        epilog = "\b\n" + "\n".join(["Example:", *(f"  {example}" for example in examples)])
        command = click.command(function.__name__.rstrip("_"), epilog=epilog)(output_options(call))
        # The verb's own options come first in its help.
        shared = [p for p in command.params if p.name in _OUTPUT_OPTIONS]
        command.params = [p for p in command.params if p not in shared] + shared
        return command

    return decorate


def network_options(function: Function) -> Function:
    """How hosts are contacted."""
    for decorate in reversed(
        (
            click.option(
                "--ca",
                type=FILE,
                metavar="FILE",
                help="PEM file of a certificate authority to trust in addition to the system's.",
            ),
            click.option(
                "--client-cert", type=FILE, metavar="FILE", help="Client certificate (PEM)."
            ),
            click.option("--client-key", type=FILE, metavar="FILE", help="Its private key (PEM)."),
            click.option(
                "--plain-http",
                multiple=True,
                metavar="HOST[:PORT]",
                help="Use HTTP without TLS for this registry; not needed for loopback.",
            ),
        )
    ):
        function = decorate(function)
    return function


def trust_options(function: Function) -> Function:
    """Whose signatures count, and whether there has to be one."""
    for decorate in reversed(
        (
            click.option(
                "--require-signature",
                is_flag=True,
                help="Refuse a bundle that is not signed by an allowed signer.",
            ),
            click.option(
                "--allowed-signers",
                type=FILE,
                metavar="FILE",
                help="Who may sign: a file as for ssh-keygen -Y, or exported GPG public keys"
                " (default: ~/.config/airgap-tui/allowed_signers).",
            ),
        )
    ):
        function = decorate(function)
    return function


def _media_alone(
    _context: click.Context, _parameter: click.Parameter, paths: tuple[Path, ...]
) -> tuple[Path, ...]:
    """Without the checksums that `export` leaves beside tars and ISO images, which a shell's
    `discs/*` names too."""
    return tuple(path for path in paths if path.name != "SHA256SUMS") or paths


def media_argument(
    name: str, metavar: str, *, required: bool = True
) -> Callable[[Function], Function]:
    """Bundles, volumes or archives, wherever they lie."""
    return click.argument(
        name, nargs=-1, required=required, type=FILE, metavar=metavar, callback=_media_alone
    )


sheet_option = click.option(
    "--sheet",
    "sheets",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="Also write a transfer sheet: .txt, .csv or .html.",
)

receipt_option = click.option(
    "--receipt",
    type=FILE,
    metavar="FILE",
    help="Also write the receipt for the online side to FILE.",
)

transfers_option = click.option(
    "--transfers",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Layers to transfer at the same time (default: 6, as in skopeo).",
)

platform_option = click.option(
    "--platform",
    metavar="OS/ARCH|all",
    help="linux/amd64 (default), linux/arm64, ..; all keeps every platform.",
)

map_option = click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="FROM=TO",
    help="Rename what is below FROM to be below TO: nvcr.io/nvidia=mirror/nv.",
)

keep_registry_option = click.option(
    "--keep-registry", is_flag=True, help="Keep the source registry, such as nvcr.io, in the path."
)

images_argument = click.argument("images", nargs=-1, metavar="[IMAGE]...")

lists_option = click.option(
    "-f",
    "--file",
    "lists",
    multiple=True,
    metavar="LIST",
    help="A list of images, one per line; - reads standard input.",
)


def settings_of(
    *,
    ca: Path | None = None,
    client_cert: Path | None = None,
    client_key: Path | None = None,
    plain_http: Sequence[str] = (),
    transfers: int | None = None,
    platform: str | None = None,
    allowed_signers: Path | None = None,
    require_signature: bool = False,
) -> Settings:
    """The settings file and the environment, and over them what was given here."""
    from airgap_tui.engine.settings import Settings, parse_platform

    settings = Settings.load()
    network = settings.network
    for option, path in (
        ("--ca", ca),
        ("--client-cert", client_cert),
        ("--client-key", client_key),
        ("--allowed-signers", allowed_signers),
    ):
        if path is not None and not path.is_file():
            raise UsageError(f"{option}: there is no file {path}")
    if client_key is not None and client_cert is None and network.client_certificate is None:
        raise UsageError("--client-key needs --client-cert, the certificate that it belongs to")
    network = replace(
        network,
        ca_file=ca or network.ca_file,
        client_certificate=client_cert or network.client_certificate,
        client_key=client_key or network.client_key,
        plain_http=network.plain_http | set(plain_http),
    )
    settings = replace(settings, network=network, transfers=transfers or settings.transfers)
    trust = replace(
        settings.trust,
        allowed_signers=allowed_signers or settings.trust.allowed_signers,
        required=require_signature or settings.trust.required,
    )
    settings = replace(settings, trust=trust)
    if platform is not None:
        settings = replace(settings, platform=parse_platform(platform))
    return settings


def images_of(images: Sequence[str], lists: Sequence[str]) -> ImagesList:
    """The references of the arguments and of all lists; every bad one is told at once."""
    from airgap_tui.engine import images_list

    texts = []
    for name in lists:
        if name == "-":
            content = sys.stdin.buffer.read(images_list.MAX_BYTES + 1)
            if len(content) > images_list.MAX_BYTES:
                raise UsageError("standard input is too long for a list of images")
            texts.append(images_list.Text("standard input", content))
        else:
            texts.append(images_list.read(Path(name)))
    return images_list.parse(texts, images)


def references_of(images: Sequence[str]) -> tuple[Reference, ...]:
    """The references of an option or argument that takes several."""
    return images_of(images, ()).references
