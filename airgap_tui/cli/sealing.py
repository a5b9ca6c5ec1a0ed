"""`sign` and `seal`: a finished bundle signed, and made ready to carry."""

from __future__ import annotations

from pathlib import Path

import click

from airgap_tui.cli.carrying import tool_options, tool_spec
from airgap_tui.cli.options import DIRECTORY, FILE, settings_of, sheet_option, verb
from airgap_tui.cli.output import Output, narrate
from airgap_tui.cli.results import tell_failures
from airgap_tui.cli.running import run_job

_KEY = "An SSH private key, or the .pub file of one in the agent or in hardware."


@verb(
    "airgap-tui sign /media/usb1/pod-2025-07 --key ~/.ssh/id_ed25519",
    "airgap-tui sign /media/usb1/pod-2025-07 --key ~/.ssh/id_ed25519_sk.pub",
)
@click.argument("bundle", type=DIRECTORY)
@click.option("--key", type=FILE, required=True, metavar="KEY", help=_KEY)
def sign(output: Output, bundle: Path, key: Path) -> int:
    """Sign a bundle with an SSH key.

    The signature is of bundle.json, which covers all content by digest, and is stored beside it.
    The offline side checks it against its list of allowed signers. Changing the bundle invalidates
    it.
    """
    settings = settings_of()

    from airgap_tui.engine.jobs import sign as job

    spec = job.SignSpec(bundle, key, settings)
    result = run_job(output, lambda sink, token: job.run(spec, sink, token))
    output.document(result.to_json())
    output.data(f"Signed with {result.signature.fingerprint}")
    output.say(_by(result.signature.signer))
    return result.exit_code


@verb(
    "airgap-tui seal /media/usb1/pod-2025-07",
    "airgap-tui seal /media/usb1/pod-2025-07 --sign ~/.ssh/id_ed25519",
)
@click.argument("bundle", type=DIRECTORY)
@click.option("--sign", "key", type=FILE, metavar="KEY", help=f"Sign it as well. {_KEY}")
@sheet_option
@tool_options
def seal(
    output: Output,
    bundle: Path,
    key: Path | None,
    sheets: tuple[Path, ...],
    tool_files: tuple[Path, ...],
    tool_for: str | None,
    no_tool: bool,
) -> int:
    """Make a bundle ready to carry, on the disk where it is.

    Adds checksums, the signature, airgap-tui itself and START-HERE.txt for whoever opens it, and
    flushes everything to the disk. No image is copied. The same command again leaves alone what is
    right.
    """
    settings = settings_of()

    from airgap_tui.engine.jobs import seal as job
    from airgap_tui.engine.quantities import count, size

    tool = tool_spec(settings, tool_files, tool_for, no_tool)
    spec = job.SealSpec(bundle, key, settings, sheets, tool)
    result = run_job(output, lambda sink, token: job.run(spec, sink, token))
    output.document(result.to_json())
    tell_failures(output, result.items)
    whole = sum(item.succeeded for item in result.items)
    output.data(f"{count(whole, 'image')}, {size(result.bytes)}, ready to carry")
    output.data(f"Signature: {result.signature.sentence}")
    output.say("Everything is on the disk. You may unplug it now.")
    if str(result.mounted) != "/":
        narrate(f"  umount {result.mounted}")
    return result.exit_code


def _by(signer: str) -> str:
    if signer:
        return f"This machine knows the key as {signer}."
    return (
        "The offline side needs a line with a name and the public key in its list of allowed"
        " signers, usually ~/.config/airgap-tui/allowed_signers."
    )
