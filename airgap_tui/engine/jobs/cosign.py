"""Cosign signatures that a bundle carries, checked with the `cosign` program against a given key.

Cosign reads images from registries, so the bundle is served to it on loopback, in place; nothing
else is asked. The transparency log of the internet is left out: it cannot be reached from here, and
a given key vouches without it.

A signature is an image under a tag `sha256-….sig`, as cosign 2 makes them, or a sigstore bundle
that refers to the image, as cosign 3 does. Cosign 2.5 reads the first only. Later ones look
at the tag only where no bundle refers to the image, be that the attestation of somebody else, until
they are told which of the two to take.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from airgap_tui.engine.bundle.inventory import SIGNATURE, Item
from airgap_tui.engine.bundle.names import present
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.signatures import program
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, EnvironmentFailure, NotFound
from airgap_tui.engine.events import ItemState, Note, Sink
from airgap_tui.engine.jobs.cosign_check import CosignCheck
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.naming import as_path
from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.quantities import count
from airgap_tui.engine.redaction import redact

_PROGRAM = "cosign"
_LONGEST = 300
_BUNDLE = "dev.sigstore.bundle"
_PREDICATE = "dev.sigstore.bundle.predicateType"
_SIGNS = ("", "https://sigstore.dev/cosign/sign/v1")
_NONE = "no signatures found"
_NONE_READ = "it finds no signature that it can read: this is a sigstore bundle, for cosign 3"
_UNABLE = {
    "unknown flag": "Install cosign 2.0 or later, or leave out --cosign-key.",
    "loading public key": "Name the public key, cosign.pub.",
}
"""What cosign says where it could not even begin, and what to do about it."""


class _Form(Enum):
    """How a signature hangs on its image, and what has cosign take just that."""

    TAG = "--new-bundle-format=false"
    BUNDLE = "--new-bundle-format=true"


def check_images(
    places: tuple[Path, ...], key: Path, sink: Sink, token: CancelToken
) -> tuple[CosignCheck, ...]:
    """Check every image that is here with its signatures; those without are told as such.

    Raises `NotFound` without cosign or key, `EnvironmentFailure` where cosign takes not the key or
    not these options, what serving raises, and `Stopped`.
    """
    if not key.is_file():
        raise NotFound(f"there is no cosign key {key}", hint="Name the public key, cosign.pub.")
    bundle = BundleReader.open(*places)
    images = [item for item in present(bundle.inventory) if item.kind != SIGNATURE]
    forms = _forms(bundle)
    wanted = [item for item in images if item.digest in forms]
    found = {item.name: CosignCheck(item.name, str(item.digest), False) for item in images}
    if wanted:
        sink(Note(f"Asking cosign about {count(len(wanted), 'image')}"))
        found.update(_checked(places, wanted, forms, key, token))
    return tuple(found.values())


def _checked(
    places: tuple[Path, ...],
    items: list[Item],
    forms: dict[Digest, set[_Form]],
    key: Path,
    token: CancelToken,
) -> dict[str, CosignCheck]:
    from airgap_tui.engine.jobs.serve import ServeSpec, serving

    found = {}
    with serving(ServeSpec(places, "127.0.0.1", 0)) as served:
        for item in items:
            assert item.digest is not None  # noqa: S101 - it has a signature
            name = f"{as_path(item.reference.registry)}/{item.reference.repository}"
            image = f"{served.address}/{name}@{item.digest}"
            carried = forms[item.digest]
            reason = _refusal(image, carried, key, token)
            unread = reason == _NONE and carried == {_Form.BUNDLE}
            if unread:
                reason = _NONE_READ
            found[item.name] = CosignCheck(item.name, str(item.digest), True, reason, not unread)
    return found


def _forms(bundle: BundleReader) -> dict[Digest, set[_Form]]:
    """How each image that is signed was signed."""
    found: dict[Digest, set[_Form]] = {}
    for item in bundle.items:
        form = _form(bundle, item)
        if form is not None and item.subject is not None:
            found.setdefault(item.subject, set()).add(form)
    return found


def _form(bundle: BundleReader, item: Item) -> _Form | None:
    """None for what is no signature that cosign made: lists of contents, attestations."""
    if item.kind != SIGNATURE or item.state is not ItemState.DONE or item.digest is None:
        return None
    if (item.reference.tag or "").endswith(".sig"):
        return _Form.TAG
    if _BUNDLE not in item.artifact_type:
        return None
    try:
        annotations = bundle.document(item.digest, item.media_type).annotations
    except AirgapError:
        return _Form.BUNDLE  # damaged, as the reading of its bytes tells
    return _Form.BUNDLE if annotations.get(_PREDICATE, "") in _SIGNS else None


def _refusal(image: str, carried: set[_Form], key: Path, token: CancelToken) -> str:
    """Why cosign does not accept an image; empty where it does.

    Raises `EnvironmentFailure` where it could not begin."""
    reason = _asked(image, key, token)
    for text, hint in _UNABLE.items():
        if text in reason:
            raise EnvironmentFailure(f"cosign cannot check with {key}: {reason}", hint=hint)
    for form in _Form:
        if not reason or form not in carried:
            continue
        again = _asked(image, key, token, form.value)
        if not again or (reason == _NONE and "unknown flag" not in again):
            reason = again
    return reason


def _asked(image: str, key: Path, token: CancelToken, *more: str) -> str:
    options = ["--key", str(key.absolute()), "--insecure-ignore-tlog=true", *more]
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
