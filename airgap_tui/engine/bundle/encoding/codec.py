"""Codecs of layers and archives: their names, how they are detected, which one is chosen.

Values only: what encodes and decodes is in `compression` and `decompression`, whose libraries take
their time to import.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from airgap_tui.engine.errors import MalformedContent, UsageError
from airgap_tui.engine.oci import media_types

Buffer = bytes | bytearray | memoryview

_MIB = 1024 * 1024


class Codec(str, Enum):
    """How bytes are compressed."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"
    XZ = "xz"
    BZIP2 = "bzip2"

    @property
    def extension(self) -> str:
        """What a file name gets, as `.gz`."""
        return _EXTENSIONS[self]


_EXTENSIONS = {
    Codec.NONE: "",
    Codec.GZIP: ".gz",
    Codec.ZSTD: ".zst",
    Codec.XZ: ".xz",
    Codec.BZIP2: ".bz2",
}

HEAD = 16
"""As many bytes as `detect` wants to see."""


def detect(head: Buffer) -> Codec:
    """The codec that content with these first bytes has."""
    start = bytes(head[:HEAD])
    if start.startswith(b"\x1f\x8b\x08"):
        return Codec.GZIP
    if start.startswith(b"\x28\xb5\x2f\xfd") or _skippable(start):
        return Codec.ZSTD
    if start.startswith(b"\xfd7zXZ\x00"):
        return Codec.XZ
    if start.startswith(b"BZh") and start[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return Codec.BZIP2
    return Codec.NONE


def _skippable(start: bytes) -> bool:
    return len(start) >= 4 and 0x50 <= start[0] <= 0x5F and start[1:4] == b"\x2a\x4d\x18"


_LEVELS = {Codec.GZIP: range(1, 10), Codec.ZSTD: range(1, 20)}
_DEFAULT_LEVEL = {Codec.GZIP: 4, Codec.ZSTD: 3, Codec.XZ: 6}
_HINT = "Write keep, none, gzip[:1-9] or zstd[:1-19], as in zstd:12."


@dataclass(frozen=True, slots=True)
class Compression:
    """A codec and its level; level None is the codec's own default (gzip 4, zstd 3, xz 6)."""

    codec: Codec
    level: int | None = None

    @classmethod
    def parse(cls, text: str) -> Compression | None:
        """Read `keep` (None), `none`, `gzip[:level]` or `zstd[:level]`; raise `UsageError`."""
        name, colon, level = text.strip().lower().partition(":")
        if name == "keep" and not colon:
            return None
        if name == Codec.NONE.value and not colon:
            return cls(Codec.NONE)
        levels = _LEVELS.get(Codec(name)) if name in (Codec.GZIP, Codec.ZSTD) else None
        if levels is None:
            raise UsageError(f"not a compression for layers: {text!r}", hint=_HINT)
        if not colon:
            return cls(Codec(name))
        if not level.isascii() or not level.isdigit() or int(level) not in levels:
            raise UsageError(
                f"{name} has no level {level!r}: it takes {levels[0]} to {levels[-1]}", hint=_HINT
            )
        return cls(Codec(name), int(level))

    @property
    def chosen_level(self) -> int:
        """The level that is used; 0 for none."""
        return self.level if self.level is not None else _DEFAULT_LEVEL.get(self.codec, 0)

    @property
    def unreadable_by(self) -> str:
        """The readers in use that cannot read such layers, in words; empty for none."""
        return _ZSTD_UNREADABLE_BY if self.codec is Codec.ZSTD else ""

    def memory(self, threads: int = 2) -> int:
        """Bytes of memory that encoding takes at most, about."""
        if self.codec is Codec.ZSTD:
            return _zstd_memory(self.chosen_level, max(1, threads))
        if self.codec is Codec.GZIP:
            return 6 * _MIB * max(2, threads)
        return 100 * _MIB if self.codec is Codec.XZ else 0

    def __str__(self) -> str:
        return self.codec.value if self.level is None else f"{self.codec.value}:{self.level}"


_ZSTD_UNREADABLE_BY = "Docker before 23.0 and enroot before 4"


def _zstd_memory(level: int, threads: int) -> int:
    # Jobs of four windows wait at both ends; each worker has the match finder's tables.
    window, tables = (2, 4) if level < 9 else (4, 8) if level < 10 else (4, 32)
    if level >= 17:
        window, tables = 8, 80
    return ((threads + 4) * 5 * window + threads * tables) * _MIB


def layer_media_type(base: Literal["oci", "docker"], codec: Codec) -> str:
    """The media type of a layer with this codec; OCI and Docker know plain, gzip and zstd."""
    known = {
        ("oci", Codec.NONE): media_types.OCI_LAYER,
        ("oci", Codec.GZIP): media_types.OCI_LAYER_GZIP,
        ("oci", Codec.ZSTD): media_types.OCI_LAYER_ZSTD,
        ("docker", Codec.NONE): media_types.DOCKER_LAYER,
        ("docker", Codec.GZIP): media_types.DOCKER_LAYER_GZIP,
        ("docker", Codec.ZSTD): media_types.DOCKER_LAYER_ZSTD,
    }
    media_type = known.get((base, codec))
    if media_type is None:
        raise MalformedContent(f"a layer compressed with {codec.value} has no media type")
    return media_type
