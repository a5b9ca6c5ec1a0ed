"""The signature beside a bundle's inventory, checked against the inventory that was read."""

from __future__ import annotations

from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.inventory import MAX_BYTES
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.signatures.signature import Signature, Standing, weightiest
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ContentMismatch, NotFound, UsageError
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.settings import Trust, allowed_signers_file

MAX_SIGNATURE_BYTES = 64 * 1024


def signature_of(bundle: BundleReader, trust: Trust, token: CancelToken) -> Signature:
    """How a bundle stands with its signature; it covers the inventory that `bundle` works with.

    Where both forms are there, a broken one decides, else the better one. Raises `UsageError` for a
    list of allowed signers that is not there, `ContentMismatch` where the inventory was exchanged
    since it was opened.
    """
    allowed = allowed_signers(trust)
    storage = bundle.storage
    there = [name for name in layout.SIGNATURES if storage.extent(name) is not None]
    if not there or storage.extent(layout.INVENTORY) is None:
        return Signature()
    content = storage.read(layout.INVENTORY, MAX_BYTES)
    if bundle.inventory_digest != Digest.of(content):
        raise ContentMismatch(
            f"{storage.location}: {layout.INVENTORY} changed while it was read",
            hint="Another job writes the bundle; wait until that is finished.",
        )
    read = (storage.read(name, MAX_SIGNATURE_BYTES) for name in there)
    return weightiest(tuple(check(content, signature, allowed, token) for signature in read))


def check(content: bytes, signature: bytes, allowed: Path | None, token: CancelToken) -> Signature:
    """What a signature of either form says of some content."""
    # Most bundles are not signed, and importing what runs programs takes time.
    from airgap_tui.engine.bundle.signatures import gpg_signature, ssh_signature

    gpg = gpg_signature.is_signature(signature)
    by = gpg_signature.check if gpg else ssh_signature.check
    try:
        return by(content, signature, allowed, token)
    except NotFound as error:
        return Signature(Standing.UNCHECKED, "gpg" if gpg else "ssh", reason=error.message)


def allowed_signers(trust: Trust) -> Path | None:
    """The list of who is trusted, or None. Raises `UsageError` where one is named and not there."""
    named = trust.allowed_signers
    path = named or allowed_signers_file()
    if path.is_file():
        return path
    if named is not None:
        raise UsageError(
            f"there is no list of allowed signers at {named}",
            hint="Each line of it is a name and a public key: ops@example.org ssh-ed25519 AAAA..",
        )
    return None
