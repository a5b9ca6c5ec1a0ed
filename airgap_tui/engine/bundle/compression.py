"""Codecs of layers and archives: told by first bytes, encoded on all cores, decoded streaming.

Encoded bytes depend on the input, the codec and the level alone: not on the number of threads and
not on how the input was cut into writes. So an image that is compressed twice gets one digest.
"""

from __future__ import annotations

import bz2
import lzma
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol, cast

from zlib_ng import gzip_ng_threaded, zlib_ng

from airgap_tui.engine.errors import MalformedContent, UsageError
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.content import CHUNK, Reader

if TYPE_CHECKING or sys.version_info < (3, 14):
    from backports import zstd
else:
    from compression import zstd

Buffer = bytes | bytearray | memoryview
Write = Callable[[Buffer], object]

_MIB = 1024 * 1024
_INPUT = 256 * 1024
_XZ_MEMORY = 256 * _MIB
"""What decoding xz may take; `xz -9` needs 65 MiB."""


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


_ZSTD_UNREADABLE_BY = "Docker before 23.0, enroot before 4"


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


def decoder(codec: Codec, reader: Reader, what: str = "the content") -> Reader:
    """A reader of the decoded bytes, with bounded memory; closing it closes `reader`.

    Gzip members, zstd frames (skippable ones too), xz and bzip2 streams in a row are read as one.
    Raises `MalformedContent`, which names `what`, for bytes that are not of the codec, and for
    input that ends too early.
    """
    if codec is Codec.NONE:
        return reader
    return _DecodingReader(codec, reader, what)


class _ZlibDecompressor:
    """zlib's object with the interface that bz2, lzma and zstd share."""

    def __init__(self) -> None:
        self._object = zlib_ng.decompressobj(wbits=31)
        self._rest = b""

    def decompress(self, data: Buffer, max_length: int) -> bytes:
        output: bytes = self._object.decompress(self._rest or data, max_length)
        self._rest = self._object.unconsumed_tail
        # zlib may hold output back although it has taken all input.
        self.needs_input = not self._rest and len(output) < max_length
        return output

    needs_input = True

    @property
    def eof(self) -> bool:
        return bool(self._object.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._object.unused_data)


_DECOMPRESSORS: dict[Codec, Callable[[], Any]] = {
    Codec.GZIP: _ZlibDecompressor,
    Codec.ZSTD: zstd.ZstdDecompressor,
    Codec.XZ: lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY),
    Codec.BZIP2: bz2.BZ2Decompressor,
}


_ZLIB_ERROR = cast("type[Exception]", zlib_ng.error)
_BROKEN = (_ZLIB_ERROR, zstd.ZstdError, lzma.LZMAError, OSError, EOFError)


class _DecodingReader:
    def __init__(self, codec: Codec, reader: Reader, what: str) -> None:
        self._codec = codec
        self._reader = reader
        self._what = what
        self._input = memoryview(bytearray(_INPUT))
        self._rest: Buffer = b""
        self._decompressor = _DECOMPRESSORS[codec]()

    def readinto(self, buffer: memoryview, /) -> int:
        wanted = min(len(buffer), CHUNK)
        output = b""
        try:
            while wanted and not output and not (self._decompressor.eof and self._ended()):
                output = self._decompressor.decompress(self._more(), wanted)
        except _BROKEN as error:
            # bz2 says OSError for bad data; one with a number is the disk's.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise MalformedContent(
                f"{self._what} is not whole {self._codec.value} data: {error}"
            ) from None
        buffer[: len(output)] = output
        return len(output)

    def close(self) -> None:
        self._reader.close()

    def _more(self) -> Buffer:
        """Input for the decompressor, where it wants any."""
        if not self._decompressor.needs_input:
            return b""
        data, self._rest = self._rest or self._fill(), b""
        if not data:
            raise EOFError("it ends too early")
        return data

    def _ended(self) -> bool:
        """After a frame: whether only zeros follow. Otherwise another one begins."""
        rest = self._decompressor.unused_data.lstrip(b"\0")
        while not rest:
            filled = self._fill()
            if not filled:
                return True
            rest = bytes(filled).lstrip(b"\0")
        self._rest = rest
        self._decompressor = _DECOMPRESSORS[self._codec]()
        return False

    def _fill(self) -> memoryview:
        return self._input[: self._reader.readinto(self._input)]
