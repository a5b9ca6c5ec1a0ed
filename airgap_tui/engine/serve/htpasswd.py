"""Logins from an htpasswd file, as the CNCF registry takes them: bcrypt entries only."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Mapping
from pathlib import Path

from airgap_tui.engine.errors import EnvironmentFailure, UsageError

_ENTRY = re.compile(r"([^:\s]+):(\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53})")
_BCRYPT_BYTES = 72
_REMEMBERED = 1024


class Htpasswd:
    """Checks the Authorization header of a request."""

    def __init__(self, entries: Mapping[str, bytes]) -> None:
        self._entries = dict(entries)
        self._salt = secrets.token_bytes(32)
        self._accepted: set[bytes] = set()
        # One slow bcrypt at a time: wrong guesses cannot take every core from the transfers.
        self._checking = threading.Lock()

    @classmethod
    def load(cls, path: Path) -> Htpasswd:
        """Read a file. Raises `EnvironmentFailure`, or `UsageError` that names file and line."""
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise EnvironmentFailure(f"{path} cannot be read: {reason}") from None
        entries: dict[str, bytes] = {}
        for number, line in enumerate(text.splitlines(), 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            match = _ENTRY.fullmatch(line)
            if match is None:
                raise UsageError(
                    f"{path}, line {number}: not a login with a bcrypt password",
                    hint=f"Write it with  htpasswd -B {path} NAME",
                )
            entries[match[1]] = match[2].encode()
        if not entries:
            raise UsageError(
                f"{path} holds no login", hint=f"Add one with  htpasswd -B {path} NAME"
            )
        return cls(entries)

    def allows(self, authorization: str) -> bool:
        """Whether the header is a Basic login with the right password."""
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return False
        if not colon:
            return False
        seen = hmac.digest(self._salt, name + b":" + password, hashlib.sha256)
        if seen in self._accepted:
            return True
        with self._checking:
            allowed = self._check(name.decode("utf-8", "replace"), password)
        if allowed and len(self._accepted) < _REMEMBERED:
            self._accepted.add(seen)
        return allowed

    def _check(self, name: str, password: bytes) -> bool:
        import bcrypt

        # An unknown name takes as long as a known one.
        entry = self._entries.get(name) or next(iter(self._entries.values()))
        try:
            right = bcrypt.checkpw(password[:_BCRYPT_BYTES], entry)
        except ValueError:
            return False
        return right and name in self._entries
