"""SSH signatures (OpenSSH's PROTOCOL.sshsig) through `ssh-keygen -Y`: keys in files, in an agent
and in hardware, made and checked alike.

`ssh-keygen` exits with 255 for every kind of failure, so what is wrong is found by asking it three
times: is the signature one of this content, whose key is it, and does that key count here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from airgap_tui.engine.bundle.signatures import program
from airgap_tui.engine.bundle.signatures.signature import Signature, Standing
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import EnvironmentFailure, NotFound
from airgap_tui.engine.plain_text import harmless

NAMESPACE = "airgap-tui"
HEAD = b"-----BEGIN SSH SIGNATURE-----"
_TAIL = b"-----END SSH SIGNATURE-----"
_MAGIC = b"SSHSIG"
_GOOD = re.compile(rb'Good "[^"]*" signature with \S+ key (SHA256:[A-Za-z0-9+/]{43})')
_FINGERPRINT = re.compile(rb"SHA256:[A-Za-z0-9+/]{43}")
_FOR_A_PERSON = 300.0
"""Seconds for a passphrase to be typed or a hardware key to be touched."""
_MOST_ENTRIES = 64
_HINTS = (
    ("incorrect passphrase", "Load the key with ssh-add, and name its .pub file."),
    ("agent", "Start an agent, load the key with ssh-add, and name its .pub file."),
    ("too open", "Make it readable for you only: chmod 600."),
    ("invalid format", "Name a private key of OpenSSH, or the .pub file of one in the agent."),
    ("unknown option", "Signing needs OpenSSH 8.2 or newer."),
)


def sign(
    content: bytes,
    key: Path,
    token: CancelToken,
    say: Callable[[str], None] = lambda _line: None,
) -> bytes:
    """The signature of some content, armoured. `key` is a private key, or the public one of a key
    in the agent; `say` hears what a person has to do, such as touching a hardware key.

    Raises `NotFound` where the key or `ssh-keygen` is not there, and `EnvironmentFailure`.
    """
    if not key.is_file():
        raise NotFound(
            f"there is no key {key}",
            hint="Name a private key, or the .pub file of a key in the agent.",
        )

    def heard(line: str) -> None:
        if line.startswith("Confirm user presence"):
            say(f"{harmless(line)}: touch it")

    # From stdin to stdout: with a file name it asks before it replaces a signature, and signs
    # nothing where there is nobody to answer.
    command = ["ssh-keygen", "-Y", "sign", "-n", NAMESPACE, "-f", str(key.absolute())]
    ran = program.run(command, content, token, seconds=_FOR_A_PERSON, say=heard)
    if ran.code != 0 or not ran.stdout.startswith(HEAD):
        raise _failure(key, ran.stderr)
    return ran.stdout


def check(
    content: bytes, signature: bytes, allowed_signers: Path | None, token: CancelToken
) -> Signature:
    """What a signature says of some content. `allowed_signers` None trusts nobody.

    Raises `NotFound` where `ssh-keygen` is not installed.
    """
    public = _public_key(signature)
    if public is None:
        return Signature(Standing.ALTERED, "ssh", reason="the signature itself is damaged")
    listed = b"" if allowed_signers is None else allowed_signers.read_bytes()
    claimed, signer, why_not = "", "", ""
    with ExitStack() as stack:
        file = program.Memory(signature, stack)

        def ask(question: str, *arguments: str, entry: program.Memory | None = None) -> program.Ran:
            command = ["ssh-keygen", "-Y", question, *arguments, "-s", file.path]
            if entry is None:
                return program.run(command, content, token, files=[file])
            return program.run([*command, "-f", entry.path], content, token, files=[file, entry])

        ran = ask("check-novalidate", "-n", NAMESPACE)
        whole = ran.code == 0 and _GOOD.search(ran.stdout) is not None
        for line in _entries(listed, public):
            # One at a time: only the first that fits would be named, whether it counts or not.
            entry = program.Memory(line, stack)
            found = ask("find-principals", entry=entry)
            why_not = why_not or _reason(found.stderr)
            for name in _names(found.stdout) if found.code == 0 else ():
                claimed = claimed or name
                verified = ask("verify", "-n", NAMESPACE, "-I", name, entry=entry)
                if verified.code == 0:
                    signer = signer or name
                why_not = why_not or _reason(verified.stderr)
            if signer:
                break
    fingerprint = _fingerprint(public)
    if not whole:
        foreign = "namespace does not match" in ran.stderr
        why_not = "it was signed for another purpose" if foreign else ""
        return Signature(Standing.ALTERED, "ssh", harmless(claimed), fingerprint, why_not)
    if signer:
        return Signature(Standing.GOOD, "ssh", harmless(signer), fingerprint)
    if allowed_signers is None:
        why_not = "there is no list of allowed signers here"
    return Signature(Standing.UNKNOWN_KEY, "ssh", "", fingerprint, why_not)


def _public_key(signature: bytes) -> bytes | None:
    """The key inside a signature (PROTOCOL.sshsig, section 2); None where this is none."""
    begin, end = signature.find(HEAD), signature.find(_TAIL)
    if begin < 0 or end < begin:
        return None
    try:
        blob = base64.b64decode(b"".join(signature[begin + len(HEAD) : end].split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    start = len(_MAGIC) + 8
    if not blob.startswith(_MAGIC) or len(blob) < start:
        return None
    (size,) = struct.unpack(">I", blob[len(_MAGIC) + 4 : start])
    key = blob[start : start + size]
    return key if key and len(key) == size else None


def _fingerprint(public: bytes) -> str:
    """As `ssh-keygen -l` prints it."""
    return f"SHA256:{base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip('=')}"


def _entries(allowed_signers: bytes, public: bytes) -> list[bytes]:
    """The lines of a list that may speak of a key: with the key in them, or an authority's."""
    key = base64.b64encode(public)
    lines = allowed_signers.splitlines()
    wanted = (line for line in lines if key in line or b"cert-authority" in line)
    return [line + b"\n" for line in wanted if not line.lstrip().startswith(b"#")][:_MOST_ENTRIES]


def fingerprint_of_key(key: Path, token: CancelToken) -> str:
    """The fingerprint of a key file, public or private; empty where it cannot be read."""
    ran = program.run(["ssh-keygen", "-l", "-E", "sha256", "-f", str(key.absolute())], b"", token)
    found = _FINGERPRINT.search(ran.stdout) if ran.code == 0 else None
    return found[0].decode() if found else ""


def _names(output: bytes) -> list[str]:
    """The principals of `find-principals`: lines of comma-separated patterns."""
    text = output.decode("utf-8", "replace")
    names = [name.strip() for line in text.splitlines() for name in line.split(",")]
    return [name for name in dict.fromkeys(names) if name and not name.startswith(("!", "-"))][:64]


def _reason(stderr: str) -> str:
    """Why a key that is in the list does not count; empty where it is not in it."""
    if "expired" in stderr:
        return "its entry among the allowed signers has expired"
    if "not yet valid" in stderr:
        return "its entry among the allowed signers is not valid yet"
    if "not permitted" in stderr:
        return "it may not sign for airgap-tui"
    return ""


def _failure(key: Path, stderr: str) -> EnvironmentFailure:
    lines = [line for line in stderr.splitlines() if not line.startswith(("Signing", "@@@"))]
    said = " ".join(lines).lower()
    hint = next((hint for text, hint in _HINTS if text in said), "")
    reason = harmless(lines[-1])[:200] if lines else "ssh-keygen said nothing"
    return EnvironmentFailure(f"{key} cannot sign: {reason}", hint=hint)
