"""Whose signatures count on this machine, and whether a bundle has to have one."""

from __future__ import annotations

import os
from dataclasses import replace

from airgap_tui.cli.guide.guide import Guide
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.signatures.signature import Signature
from airgap_tui.engine.bundle.signatures.signed_bundle import signature_of
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.jobs.verify import VerifyResult
from airgap_tui.engine.settings import Trust, allowed_signers_file
from airgap_tui.engine.typed_path import typed_path

SIGNERS = "signers"
_EXPLAINED = (
    "A list has a name and a public key in each line, as ssh-keygen takes it, or is public keys"
    " that GPG exported. Get the key from the signer another way than with the bundle, and compare"
    " its fingerprint."
)


def standing(guide: Guide) -> str:
    """What was decided so far, for the choice."""
    trust = guide.crossing.delivery.settings.trust
    usual = allowed_signers_file()
    named = trust.allowed_signers or (usual if usual.is_file() else None)
    required = "; a signature of one of them is required" if trust.required else ""
    return f"the list is {named}{required}" if named else f"there is no list yet{required}"


def ask(guide: Guide) -> None:
    """Ask, and keep the answers for the rest of the way. Raises `Back`."""
    dialogue, crossing = guide.dialogue, guide.crossing
    trust, usual = crossing.delivery.settings.trust, allowed_signers_file()
    before = trust.allowed_signers or (usual if usual.is_file() else None)
    while True:
        text = dialogue.optional("List of who may sign", str(before or ""), explanation=_EXPLAINED)
        named = typed_path(text).absolute() if text else None
        if named is None or os.path.isfile(named):
            break
        dialogue.say(f"There is no file {named}.")
    required = dialogue.confirm(
        "Refuse what nobody on it signed", trust.required, explanation=_EXPLAINED
    )
    own = None if named == usual else named
    crossing.delivery = crossing.delivery.trusting(Trust(own, required))


def checked_anew(guide: Guide, result: VerifyResult) -> VerifyResult:
    """Ask, and check the signature of what was verified against that, without reading all again.

    Raises as `signature_of` does, and `Back`."""
    ask(guide)
    delivery = guide.crossing.delivery

    def work(token: CancelToken) -> Signature:
        bundle = BundleReader.open(*delivery.places)
        return signature_of(bundle, delivery.settings.trust, token)

    return replace(result, signature=guide.wait("Checking the signature.", work))
