"""Whether a bundle may be used, judged by its signature before anything is done with it."""

from __future__ import annotations

from collections.abc import Iterable

from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.signatures.signature import Signature, Standing
from airgap_tui.engine.bundle.signatures.signed_bundle import signature_of
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import EnvironmentFailure, SignatureRefused
from airgap_tui.engine.events import Level, Note, Sink
from airgap_tui.engine.settings import Trust, allowed_signers_file

_HINTS = {
    Standing.UNSIGNED: "Sign it on the online side: airgap-tui sign BUNDLE --key KEY.",
    Standing.UNKNOWN_KEY: "Compare the fingerprint with the signer, then add a line with a name and"
    " the public key to {signers}: ops@example.org ssh-ed25519 AAAA..",
    Standing.ALTERED: "Get it again from who signed it, and tell them.",
}


def check_signatures(
    bundles: Iterable[BundleReader], trust: Trust, sink: Sink, token: CancelToken
) -> tuple[Signature, ...]:
    """How each bundle stands. One that was altered is always refused, and where `trust` requires
    it, each that nobody trusted has signed: raises `SignatureRefused`, or `EnvironmentFailure`
    where it cannot be checked here."""
    found = []
    for bundle in bundles:
        signature = signature_of(bundle, trust, token)
        refuse(signature, trust, str(bundle.storage.location))
        if signature.standing is not Standing.UNSIGNED:
            good = signature.standing is Standing.GOOD
            level = Level.INFO if good else Level.WARNING
            sink(Note(f"{bundle.storage.location}: {signature.sentence}", level))
        found.append(signature)
    return tuple(found)


def refuse(signature: Signature, trust: Trust, where: str) -> None:
    """Raise what `check_signatures` does."""
    standing = signature.standing
    if standing is Standing.ALTERED or (
        trust.required and standing in (Standing.UNSIGNED, Standing.UNKNOWN_KEY)
    ):
        sentence = signature.sentence[0].lower() + signature.sentence[1:]
        signers = trust.allowed_signers or allowed_signers_file()
        hint = _HINTS[standing].format(signers=signers)
        raise SignatureRefused(f"{where} is refused: {sentence}", hint=hint)
    if trust.required and standing is Standing.UNCHECKED:
        raise EnvironmentFailure(
            f"{where} is refused: its signature cannot be checked: {signature.reason}",
            hint="Install it, or check the signature on another machine.",
        )


def refuse_archives(archives: Iterable[object], trust: Trust) -> None:
    """An archive that an engine saved carries no signature: raise `SignatureRefused` for one."""
    first = next(iter(archives), None)
    if trust.required and first is not None:
        raise SignatureRefused(
            f"{first} is refused: docker save archives cannot be signed",
            hint="Save it into a bundle, and sign that.",
        )
