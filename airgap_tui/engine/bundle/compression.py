"""Codecs of layers and archives: told by their first bytes, encoded on all cores.

Encoded bytes depend on the input, the codec and the level alone: not on the number of threads and
not on how the input was cut into writes. So an image that is compressed twice gets one digest.
"""

from __future__ import annotations

import lzma
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import IO, TYPE_CHECKING, Literal, Protocol, cast

from zlib_ng import gzip_ng_threaded

from airgap_tui.engine.errors import MalformedContent, UsageError
from airgap_tui.engine.oci import media_types

if TYPE_CHECKING or sys.version_info < (3, 14):
    from backports import zstd
else:
    from compression import zstd

Buffer = bytes | bytearray | memoryview
Write = Callable[[Buffer], object]

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


class Encoder(Protocol):
    """Takes plain bytes, hands encoded ones to the `write` it was made with.

    What that `write` raises comes out of `write` or `finish` here, from the caller's thread. One of
    `finish` and `abort` must be called: some encoders hold threads.
    """

    def write(self, data: Buffer, /) -> None: ...
    def finish(self) -> None: ...
    def abort(self) -> None: ...


def encoder(
    compression: Compression, write: Write, size: int | None = None, threads: int = 2
) -> Encoder:
    """An encoder with `threads` threads; `size`, where known, is the count of bytes to come.

    `write` may be called from another thread, one call at a time, and has to take all it is given
    at once. Raises `UsageError` for bzip2, which is only read.
    """
    if compression.codec is Codec.NONE:
        return _PlainEncoder(write)
    if compression.codec is Codec.GZIP:
        return _GzipEncoder(write, compression.chosen_level, threads)
    if compression.codec is Codec.ZSTD:
        return _ZstdEncoder(write, compression.chosen_level, size, threads)
    if compression.codec is Codec.XZ:
        return _XzEncoder(write, compression.chosen_level)
    raise UsageError(f"{compression.codec.value} is only read, not written", hint=_HINT)


class _PlainEncoder:
    def __init__(self, write: Write) -> None:
        self._write = write

    def write(self, data: Buffer, /) -> None:
        self._write(data)

    def finish(self) -> None:
        pass

    def abort(self) -> None:
        pass


class _XzEncoder(_PlainEncoder):
    def __init__(self, write: Write, level: int) -> None:
        super().__init__(write)
        self._compressor = lzma.LZMACompressor(lzma.FORMAT_XZ, preset=level)

    def write(self, data: Buffer, /) -> None:
        if encoded := self._compressor.compress(data):
            self._write(encoded)

    def finish(self) -> None:
        self._write(self._compressor.flush())


class _ZstdEncoder(_PlainEncoder):
    def __init__(self, write: Write, level: int, size: int | None, threads: int) -> None:
        super().__init__(write)
        options: dict[int, int] = {
            zstd.CompressionParameter.compression_level: level,
            zstd.CompressionParameter.checksum_flag: 1,
            # With at least one worker the bytes are the same for any number of them.
            zstd.CompressionParameter.nb_workers: max(1, threads),
        }
        self._compressor = zstd.ZstdCompressor(options=options)
        self._left = size
        if size is not None:
            self._compressor.set_pledged_input_size(size)

    def write(self, data: Buffer, /) -> None:
        if self._left is not None:
            # A frame whose pledge is not kept is corrupt, and its encoder does not say so.
            self._left -= len(data)
            if self._left < 0:
                raise MalformedContent(f"{-self._left} bytes or more came than were announced")
        if encoded := self._compressor.compress(data):
            self._write(encoded)

    def finish(self) -> None:
        if self._left:
            raise MalformedContent(f"{self._left} of the announced bytes did not come")
        self._write(self._compressor.flush())


class _Outlet:
    """The file that gzip's threads write to: keeps an error for the caller's thread."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self.error: BaseException | None = None
        self.shut = False

    def write(self, data: Buffer) -> int:
        if self.error is None and not self.shut:
            try:
                self._write(data)
            except BaseException as error:
                self.error = error
        return len(data)

    def flush(self) -> None:
        pass


_open_gzip = cast("Callable[..., IO[bytes]]", gzip_ng_threaded.open)


class _GzipEncoder:
    def __init__(self, write: Write, level: int, threads: int) -> None:
        self._outlet = _Outlet(write)
        # One thread would take another path through the library; two or more give equal bytes.
        self._file: IO[bytes] = _open_gzip(
            self._outlet, "wb", compresslevel=level, threads=max(2, threads), block_size=_MIB
        )
        # Whole blocks only: the library's block borders, and so its bytes, follow the writes.
        self._block = memoryview(bytearray(_MIB))
        self._filled = 0

    def write(self, data: Buffer, /) -> None:
        source = memoryview(data).cast("B")
        while len(source):
            count = min(len(source), _MIB - self._filled)
            self._block[self._filled : self._filled + count] = source[:count]
            self._filled += count
            source = source[count:]
            if self._filled == _MIB:
                self._file.write(self._block)
                self._filled = 0
        self._raise()

    def finish(self) -> None:
        self._file.write(self._block[: self._filled])
        self._file.close()
        self._raise()

    def abort(self) -> None:
        self._outlet.shut = True
        self._file.close()

    def _raise(self) -> None:
        if self._outlet.error is not None:
            self.abort()
            raise self._outlet.error
