"""Decoding layers and archives while they are read, with bounded memory."""

from __future__ import annotations

import bz2
import lzma
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from zlib_ng import zlib_ng

from airgap_tui.engine.bundle.encoding.codec import Buffer, Codec
from airgap_tui.engine.errors import MalformedContent, UnsafeContent
from airgap_tui.engine.oci.content import CHUNK, Reader

if TYPE_CHECKING or sys.version_info < (3, 14):
    from backports import zstd
else:
    from compression import zstd

_INPUT = 256 * 1024
_PLAUSIBLE = 1024**3
_MOST_GROWTH = 2000
"""From a gigabyte on, what unpacks to more than this many times its size is made to do harm: gzip
cannot even do so, and no file system that people work with."""

_XZ_MEMORY = 256 * 1024 * 1024
"""What decoding xz may take; `xz -9` needs 65 MiB."""


def decoder(codec: Codec, reader: Reader, what: str = "the content") -> Reader:
    """A reader of the decoded bytes, with bounded memory; closing it closes `reader`.

    Gzip members, zstd frames (skippable ones too), xz and bzip2 streams in a row are read as one.
    Raises `MalformedContent`, which names `what`, for bytes that are not of the codec, and for
    input that ends too early; `UnsafeContent` for a decompression bomb.
    """
    if codec is Codec.NONE:
        return reader
    return _DecodingReader(codec, reader, what)


def check_growth(taken: int, given: int, what: str) -> None:
    """Raise `UnsafeContent` where `taken` bytes have grown beyond any real ratio."""
    if given > _PLAUSIBLE and given > _MOST_GROWTH * taken:
        raise UnsafeContent(
            f"{what} unpacks to more than {_MOST_GROWTH} times its size, which is refused"
        )


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
        self._taken = 0
        self._given = 0

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
                f"{self._what} is not whole {self._codec.value} data: {error}",
                hint="It is cut off or damaged: copy it again from where it came.",
            ) from None
        self._given += len(output)
        check_growth(self._taken, self._given, self._what)
        buffer[: len(output)] = output
        return len(output)

    def close(self) -> None:
        self._reader.close()

    def _more(self) -> Buffer:
        """Input for the decompressor, if it needs any."""
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
        count = self._reader.readinto(self._input)
        self._taken += count
        return self._input[:count]
