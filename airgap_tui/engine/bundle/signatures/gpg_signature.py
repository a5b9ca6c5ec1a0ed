"""Detached GPG signatures, for sites that sign everything that way: made with `gpg --armor
--detach-sign bundle.json`, and accepted here besides those of SSH.

Trusted are the keys of a file that is named, or those that the user's own keyring trusts fully.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from airgap_tui.engine.bundle.signatures import program
from airgap_tui.engine.bundle.signatures.signature import Signature, Standing, weightiest
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import EnvironmentFailure
from airgap_tui.engine.plain_text import harmless

HEAD = b"-----BEGIN PGP SIGNATURE-----"
_KEYS = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_STATUS = re.compile(r"^\[GNUPG:\] ([A-Z_]+)(?: (.*))?$", re.MULTILINE)
_TRUSTED = frozenset({"TRUST_FULLY", "TRUST_ULTIMATE"})
_NOT_COUNTED = {
    "EXPKEYSIG": "the key has expired",
    "EXPSIG": "the signature has expired",
    "REVKEYSIG": "the key was revoked",
}


def is_signature(content: bytes) -> bool:
    """Whether content looks like a detached signature, armoured or not (RFC 9580, 4.2)."""
    return content.lstrip().startswith(HEAD) or (bool(content) and content[0] & 0x80 != 0)


def holds_keys(content: bytes) -> bool:
    """Whether a file of allowed signers holds keys that GPG exported."""
    return content.lstrip().startswith(_KEYS) or (bool(content) and content[0] & 0x80 != 0)


def check(
    content: bytes, signature: bytes, allowed_signers: Path | None, token: CancelToken
) -> Signature:
    """What a signature says of some content. `allowed_signers` counts where it holds GPG's keys;
    else the user's keyring does. Raises `NotFound` where `gpg` is not installed."""
    keys = allowed_signers.read_bytes() if allowed_signers is not None else b""
    with ExitStack() as stack:
        home: Sequence[str] = ()
        if holds_keys(keys):
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="airgap-tui-"))
            home = ("--homedir", directory)
            imported = _gpg(home, "--import", stdin=keys, token=token)
            if imported.code != 0:
                raise EnvironmentFailure(
                    f"{allowed_signers}: gpg cannot read the keys in it",
                    hint="Write it with  gpg --armor --export KEY.",
                )
        file = program.Memory(signature, stack)
        ran = _gpg(home, "--verify", file.path, "-", stdin=content, files=[file], token=token)
    # A file may hold several signatures; each is told after its own NEWSIG.
    _, *each = ran.stdout.decode("utf-8", "replace").split("[GNUPG:] NEWSIG")
    outcomes = (_outcome(dict(_STATUS.findall(text)), trusted=bool(home)) for text in each or [""])
    return weightiest(tuple(outcomes))


def _gpg(
    home: Sequence[str],
    *arguments: str,
    stdin: bytes,
    token: CancelToken,
    files: Sequence[program.Memory] = (),
) -> program.Ran:
    # Nothing is to be asked, fetched or started: keys are here, or they are unknown.
    quiet = ("--batch", "--no-tty", "--no-autostart", "--no-auto-key-retrieve", "--status-fd", "1")
    return program.run(["gpg", *home, *quiet, *arguments], stdin, token, files=files)


def _outcome(status: dict[str, str], *, trusted: bool) -> Signature:
    if "BADSIG" in status:
        key, _, name = status["BADSIG"].partition(" ")
        return Signature(Standing.ALTERED, "gpg", harmless(name), key)
    if "GOODSIG" in status and "VALIDSIG" in status:
        name = harmless(status["GOODSIG"].partition(" ")[2])
        fingerprint = status["VALIDSIG"].partition(" ")[0]
        if trusted or _TRUSTED & status.keys():
            return Signature(Standing.GOOD, "gpg", name, fingerprint)
        reason = f"{name} is in your keyring and not trusted there"
        return Signature(Standing.UNKNOWN_KEY, "gpg", "", fingerprint, reason)
    for word, reason in _NOT_COUNTED.items():
        if word in status:
            fingerprint = status.get("VALIDSIG", status[word]).partition(" ")[0]
            return Signature(Standing.UNKNOWN_KEY, "gpg", "", fingerprint, reason)
    if "ERRSIG" in status and "NO_PUBKEY" in status:
        # The last field of ERRSIG is the fingerprint, where the signature tells it.
        fields = status["ERRSIG"].split()
        fingerprint = fields[-1] if len(fields[-1]) >= 40 else status["NO_PUBKEY"].split()[0]
        return Signature(Standing.UNKNOWN_KEY, "gpg", "", fingerprint)
    return Signature(Standing.ALTERED, "gpg", reason="the signature itself is damaged")
