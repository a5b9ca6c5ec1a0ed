"""Sign a finished bundle: its inventory, which covers everything else by digest."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.inventory import MAX_BYTES
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.seal import Seal, sealing
from airgap_tui.engine.bundle.signatures import ssh_signature
from airgap_tui.engine.bundle.signatures.signature import Signature, Standing
from airgap_tui.engine.bundle.signatures.signed_bundle import allowed_signers, check, signature_of
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ContentMismatch, SignatureRefused
from airgap_tui.engine.events import JobFinished, JobStarted, Note, Sink
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class SignSpec:
    """`key` is a private key, or the public one of a key in the agent or on a hardware token."""

    bundle: Path
    key: Path
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class SignResult:
    """`signature` is as this machine sees it: good, or by a key that is not in its own list."""

    signature: Signature
    seconds: float
    items: tuple[ItemResult, ...] = ()

    @property
    def exit_code(self) -> int:
        return 0

    def to_json(self) -> dict[str, Any]:
        return {"signature": self.signature.to_json(), "seconds": round(self.seconds, 3)}


def run(spec: SignSpec, sink: Sink, token: CancelToken) -> SignResult:
    """Sign, or sign anew. Raises as `sealing` and `ssh_signature.sign` do."""
    started = time.monotonic()
    sink(JobStarted("sign", str(spec.bundle), ()))
    with sealing(spec.bundle, "sign") as seal:
        signature = sign(seal, spec.key, spec.settings, sink, token)
    sink(JobFinished("sign", 0))
    return SignResult(signature, time.monotonic() - started)


def sign(seal: Seal, key: Path, settings: Settings, sink: Sink, token: CancelToken) -> Signature:
    """Sign a bundle that is held, and see that the signature is one of it."""
    allowed = allowed_signers(settings.trust)
    content = seal.read(layout.INVENTORY, MAX_BYTES) or b""
    made = ssh_signature.sign(content, key, token, lambda line: sink(Note(line)))
    signature = check(content, made, allowed, token)
    if signature.standing not in (Standing.GOOD, Standing.UNKNOWN_KEY):
        raise ContentMismatch(f"{key} made a signature that is not one: {signature.sentence}")
    seal.write(layout.SSH_SIGNATURE, made)
    return signature


def signature_to_carry(
    seal: Seal, key: Path | None, settings: Settings, sink: Sink, token: CancelToken
) -> Signature:
    """The signature that the bundle has afterwards. A key that has signed is not asked again.

    Raises `SignatureRefused` where one is there that is not of it, and no key to sign anew."""
    found = signature_of(seal.bundle, settings.trust, token)
    if key is not None:
        broken = found.standing in (Standing.UNSIGNED, Standing.ALTERED, Standing.UNCHECKED)
        if broken or found.fingerprint != ssh_signature.fingerprint_of_key(key, token):
            return sign(seal, key, settings, sink, token)
    check_carried(seal.bundle, found)
    return found


def check_carried(bundle: BundleReader, found: Signature) -> None:
    """Raise `SignatureRefused` for a signature that is not of the bundle beside it."""
    if found.standing is Standing.ALTERED:
        raise SignatureRefused(
            f"{bundle.storage.location}: there is a signature that is not of this bundle",
            hint="Sign it again with --sign KEY, or remove the signature.",
        )
