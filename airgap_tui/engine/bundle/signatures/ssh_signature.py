"""SSH signatures (OpenSSH's PROTOCOL.sshsig), checked with `ssh-keygen -Y`: of keys in files, in an
agent and in hardware alike.

`ssh-keygen` exits with 255 for every kind of failure, so what is wrong is found by asking it three
times: is the signature one of this content, whose key is it, and does that key count here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from contextlib import ExitStack
from pathlib import Path

from airgap_tui.engine.bundle.signatures import program
from airgap_tui.engine.bundle.signatures.signature import Signature, Standing
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.plain_text import harmless

NAMESPACE = "airgap-tui"
HEAD = b"-----BEGIN SSH SIGNATURE-----"
TAIL = b"-----END SSH SIGNATURE-----"
_MAGIC = b"SSHSIG"
_GOOD = re.compile(rb'Good "[^"]*" signature with \S+ key (SHA256:[A-Za-z0-9+/]{43})')
_FINGERPRINT = re.compile(rb"SHA256:[A-Za-z0-9+/]{43}")
_MOST_ENTRIES = 64


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
    begin, end = signature.find(HEAD), signature.find(TAIL)
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
