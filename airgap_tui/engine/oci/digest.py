"""Content digests (OCI image spec, descriptor.md, "Digests")."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Protocol

from airgap_tui.engine.errors import InvalidDigest

_HEX_LENGTH = {"sha256": 64, "sha512": 128}
_GRAMMAR = re.compile(r"([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*):([0-9a-fA-F]{32,})")


class Hasher(Protocol):
    """The part of `hashlib`'s objects that is used here."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...
    def copy(self) -> Hasher: ...


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """`algorithm:hex`, with an algorithm that this program can compute."""

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read `sha256:<64 hex>` or `sha512:<128 hex>`; raise `InvalidDigest` for anything else."""
        match = _GRAMMAR.fullmatch(text)
        if match is None:
            raise InvalidDigest(f"not a digest: {text!r}: expected algorithm:hex")
        algorithm, hexadecimal = match.groups()
        length = _HEX_LENGTH.get(algorithm)
        if length is None:
            raise InvalidDigest(
                f"not a digest that can be checked: {text!r}: algorithm {algorithm} is unknown",
                hint="sha256 and sha512 are known.",
            )
        if len(hexadecimal) != length:
            raise InvalidDigest(
                f"not a digest: {text!r}: {algorithm} takes {length} hex digits,"
                f" not {len(hexadecimal)}"
            )
        if hexadecimal != hexadecimal.lower():
            raise InvalidDigest(f"not a digest: {text!r}: hex digits are written in lower case")
        return cls(algorithm, hexadecimal)

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview, algorithm: str = "sha256") -> Digest:
        """The digest of bytes in memory."""
        hasher = hashlib.new(algorithm, data)
        return cls(algorithm, hasher.hexdigest())

    @classmethod
    def from_hasher(cls, hasher: Hasher, algorithm: str = "sha256") -> Digest:
        return cls(algorithm, hasher.hexdigest())

    def hasher(self) -> Hasher:
        """A new hasher of this digest's algorithm; it releases the GIL for large buffers."""
        return hashlib.new(self.algorithm)

    @property
    def short(self) -> str:
        """The first twelve hex digits, as people quote them."""
        return self.hex[:12]

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"
