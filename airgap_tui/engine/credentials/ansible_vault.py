"""Ansible Vault, versions 1.1 and 1.2: `ansible-vault encrypt` and the inline form `!vault |`.

A header line, then hexadecimal digits of `hex(salt) LF hex(hmac) LF hex(ciphertext)`. PBKDF2 with
HMAC-SHA256 and 10,000 rounds makes 80 bytes of the password: 32 for AES-256-CTR, 32 for the HMAC
over the ciphertext, 16 for the counter's start. ansible-core itself would cost 16 MB for this.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import os
import re
from dataclasses import dataclass

from airgap_tui.engine.errors import AccessDenied, MalformedContent, UsageError

MARK = b"$ANSIBLE_VAULT;"
_HEADER = re.compile(
    rb"\$ANSIBLE_VAULT;(?P<version>1\.[12]);(?P<cipher>[A-Z0-9]+)(?:;(?P<label>[^\r\n;]*))?[ \t]*"
)
_LABEL = re.compile(r"[^\s;]+")
_ROUNDS = 10_000
_SALT_BYTES = 32
_BLOCK = 16
_LINE = 80


@dataclass(frozen=True, slots=True)
class Vault:
    """One encrypted text. `label` is the vault ID of version 1.2, empty in 1.1."""

    salt: bytes
    digest: bytes
    ciphertext: bytes
    label: str = ""

    @classmethod
    def parse(cls, data: bytes, origin: str) -> Vault:
        """Read header and digits; raises `MalformedContent`, which names `origin`."""
        head, _, body = data.strip().partition(b"\n")
        header = _HEADER.fullmatch(head.strip())
        if header is None:
            raise MalformedContent(
                f"{origin}: this version of Ansible Vault is unknown",
                hint="1.1 and 1.2 are supported. ansible-vault rekey writes 1.1.",
            )
        if header["cipher"] != b"AES256":
            raise MalformedContent(f"{origin}: this vault is not encrypted with AES256")
        try:
            parts = binascii.unhexlify(b"".join(body.split())).split(b"\n", 2)
            salt, digest, ciphertext = (binascii.unhexlify(part) for part in parts)
        except (binascii.Error, ValueError):
            raise MalformedContent(
                f"{origin}: this vault is cut off or damaged", hint="Fetch the file again."
            ) from None
        label = (header["label"] or b"").decode("utf-8", errors="replace")
        return cls(salt, digest, ciphertext, label)

    def open(self, password: str, origin: str) -> bytes:
        """The text. Raises `AccessDenied` where the password does not open it, or it was changed:
        the two cannot be told apart."""
        key, hmac_key, start = _keys(password, self.salt)
        expected = hmac.new(hmac_key, self.ciphertext, hashlib.sha256).digest()
        if not hmac.compare_digest(expected, self.digest):
            named = f" {self.label!r}" if self.label else ""
            raise AccessDenied(
                f"{origin}: this password does not open the vault{named}, or it was altered",
                hint="Give the password that ansible-vault view takes for it.",
            )
        padded = _crypt(key, start, self.ciphertext)
        count = padded[-1] if padded else 0
        if not 1 <= count <= _BLOCK or padded[-count:] != bytes([count]) * count:
            raise MalformedContent(f"{origin}: this vault is cut off or damaged")
        return padded[:-count]


def is_vault(data: bytes) -> bool:
    """Whether a whole file is a vault."""
    return data.lstrip().startswith(MARK)


def decrypt(data: bytes, password: str, origin: str) -> bytes:
    """Read and open a vault. Raises `MalformedContent` and `AccessDenied`."""
    return Vault.parse(data, origin).open(password, origin)


def encrypt(text: bytes, password: str, label: str = "", salt: bytes | None = None) -> bytes:
    """The text as a vault: 1.1, or 1.2 with a label. Raises `UsageError` for an empty password."""
    if not password:
        raise UsageError("a vault needs a password that is not empty")
    if label and _LABEL.fullmatch(label) is None:
        raise UsageError(f"not a vault ID: {label!r}")
    salt = salt or os.urandom(_SALT_BYTES)
    key, hmac_key, start = _keys(password, salt)
    count = _BLOCK - len(text) % _BLOCK
    ciphertext = _crypt(key, start, text + bytes([count]) * count)
    digest = hmac.new(hmac_key, ciphertext, hashlib.sha256).digest()
    digits = binascii.hexlify(b"\n".join(map(binascii.hexlify, (salt, digest, ciphertext))))
    header = MARK + (b"1.2;AES256;" + label.encode() if label else b"1.1;AES256")
    lines = [digits[at : at + _LINE] for at in range(0, len(digits), _LINE)]
    return b"\n".join([header, *lines]) + b"\n"


def _keys(password: str, salt: bytes) -> tuple[bytes, bytes, bytes]:
    secret = password.encode("utf-8", errors="surrogateescape")
    made = hashlib.pbkdf2_hmac("sha256", secret, salt, _ROUNDS, 80)
    return made[:32], made[32:64], made[64:]


def _crypt(key: bytes, start: bytes, data: bytes) -> bytes:
    """CTR is the same both ways. The library is imported for vaults alone."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    cipher = Cipher(algorithms.AES(key), modes.CTR(start)).encryptor()
    return cipher.update(data) + cipher.finalize()
