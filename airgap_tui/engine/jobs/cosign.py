"""Cosign signatures that a bundle carries, checked with the `cosign` program against a given key.

Cosign reads images from registries, so the bundle is served to it on loopback, in place; nothing
else is asked. The transparency log of the internet is left out: it cannot be reached from here, and
a given key vouches without it. Written for cosign 2.0 and later.
"""

from __future__ import annotations

from pathlib import Path

from airgap_tui.engine.bundle.inventory import SIGNATURE, Item
from airgap_tui.engine.bundle.names import present
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.signatures import program
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import NotFound
from airgap_tui.engine.events import Level, Note, Sink
from airgap_tui.engine.jobs.cosign_check import CosignCheck
from airgap_tui.engine.oci.naming import as_path
from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.redaction import redact

_PROGRAM = "cosign"
_LONGEST = 300


def check_images(
    places: tuple[Path, ...], key: Path, sink: Sink, token: CancelToken
) -> tuple[CosignCheck, ...]:
    """Check every image that is here with its signatures; those without are told as such.

    Raises `NotFound` without cosign or key, what serving raises, and `Stopped`.
    """
    if not key.is_file():
        raise NotFound(f"there is no cosign key {key}", hint="Name the public key, cosign.pub.")
    bundle = BundleReader.open(*places)
    images = [item for item in present(bundle.inventory) if item.kind != SIGNATURE]
    signed = {item.subject for item in bundle.items if _is_cosigns(item)}
    wanted = [item for item in images if item.digest in signed]
    found = {item.name: CosignCheck(item.name, str(item.digest), False) for item in images}
    if wanted:
        found.update(_checked(places, wanted, key, sink, token))
    good = sum(check.good for check in found.values())
    lacking = len(found) - len(wanted)
    sink(Note(f"Cosign: {good} signed with {key}, {len(wanted) - good} not, {lacking} unsigned"))
    return tuple(found.values())


def _checked(
    places: tuple[Path, ...], items: list[Item], key: Path, sink: Sink, token: CancelToken
) -> dict[str, CosignCheck]:
    from airgap_tui.engine.jobs.serve import ServeSpec, serving

    found = {}
    with serving(ServeSpec(places, "127.0.0.1", 0)) as served:
        for item in items:
            name = f"{as_path(item.reference.registry)}/{item.reference.repository}"
            reason = _verify(f"{served.address}/{name}@{item.digest}", key, token)
            found[item.name] = CosignCheck(item.name, str(item.digest), True, reason)
            if reason:
                sink(Note(f"{item.name}: cosign does not accept it: {reason}", Level.ERROR))
    return found


def _is_cosigns(item: Item) -> bool:
    """Whether it is a signature that cosign made, and no list of contents or the like."""
    if item.kind != SIGNATURE:
        return False
    kind = item.artifact_type or ""
    return (item.reference.tag or "").endswith(".sig") or "cosign" in kind or "sigstore" in kind


def _verify(image: str, key: Path, token: CancelToken) -> str:
    """Why cosign does not accept an image; empty where it does."""
    options = ["--key", str(key.absolute()), "--insecure-ignore-tlog=true"]
    command = [_PROGRAM, "verify", *options, image]
    try:
        ran = program.run(command, b"", token, seconds=180.0)
    except NotFound:
        raise NotFound(
            "cosign is not installed, and checks the signatures of images",
            hint="Install cosign 2.0 or later, or leave out --cosign-key.",
        ) from None
    if ran.code == 0:
        return ""
    lines = [line for line in ran.stderr.splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith("Error:")), lines[-1] if lines else "")
    text = redact(harmless(said.removeprefix("Error:").strip()))[:_LONGEST]
    return text or f"it ended with {ran.code}"
