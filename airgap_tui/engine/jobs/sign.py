"""Sign a finished bundle: its inventory, which covers everything else by digest."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
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
from airgap_tui.engine.bundle.signatures.ssh_signer import Signer
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
    """Sign, or sign anew. Raises as `sealing` and `Signer` do."""
    started = time.monotonic()
    sink(JobStarted("sign", str(spec.bundle), ()))
    signer = Signer(spec.key, token, lambda line: sink(Note(line)))
    with signer, sealing(spec.bundle, "sign") as seal:
        signature = sign(seal, signer, spec.settings, token)
    sink(JobFinished("sign", 0))
    return SignResult(signature, time.monotonic() - started)


def sign(seal: Seal, signer: Signer, settings: Settings, token: CancelToken) -> Signature:
    """Sign a bundle that is held, and see that the signature is one of it."""
    allowed = allowed_signers(settings.trust)
    content = seal.read(layout.INVENTORY, MAX_BYTES) or b""
    made = signer.sign(content)
    signature = check(content, made, allowed, token)
    if signature.standing not in (Standing.GOOD, Standing.UNKNOWN_KEY):
        raise ContentMismatch(
            f"{signer.key} made a signature that is not one: {signature.sentence}"
        )
    seal.write(layout.SSH_SIGNATURE, made)
    return signature


@contextmanager
def signing(
    key: Path | None, sink: Sink, token: CancelToken, *, most: int = 1
) -> Iterator[Signer | None]:
    """The key that is to sign what is carried, if any: to be made ready before anything that takes
    time, while somebody is there to type its passphrase."""
    if key is None:
        yield None
        return
    with Signer(key, token, lambda line: sink(Note(line)), most=most) as signer:
        yield signer


def signature_to_carry(
    seal: Seal, signer: Signer | None, settings: Settings, token: CancelToken
) -> Signature:
    """The signature that the bundle has afterwards. A key that has signed is not asked again.

    Raises `SignatureRefused` where one is there that is not of it, and no key to sign anew."""
    found = signature_of(seal.bundle, settings.trust, token)
    if signer is not None and not _is_by(found, signer, token):
        return sign(seal, signer, settings, token)
    check_carried(seal.bundle, found)
    return found


def make_ready(seal: Seal, signer: Signer, settings: Settings, token: CancelToken) -> None:
    """Ask for the key now where the bundle as it is has no signature by it."""
    if not _is_by(signature_of(seal.bundle, settings.trust, token), signer, token):
        signer.make_ready()


def _is_by(found: Signature, signer: Signer, token: CancelToken) -> bool:
    if found.standing not in (Standing.GOOD, Standing.UNKNOWN_KEY):
        return False
    return found.fingerprint == ssh_signature.fingerprint_of_key(signer.key, token)


def check_carried(bundle: BundleReader, found: Signature) -> None:
    """Raise `SignatureRefused` for a signature that is not of the bundle beside it."""
    if found.standing is Standing.ALTERED:
        raise SignatureRefused(
            f"{bundle.storage.location}: there is a signature that is not of this bundle",
            hint="Sign it again with --sign KEY, or remove the signature.",
        )
