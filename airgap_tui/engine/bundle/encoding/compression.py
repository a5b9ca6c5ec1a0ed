"""Encoding of layers and archives, on all cores.

Encoded bytes depend on the input, the codec and the level alone: not on the number of threads and
not on how the input was cut into writes. So an image that is compressed twice gets one digest.
"""

from __future__ import annotations

import lzma
import sys
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Protocol, cast

from zlib_ng import gzip_ng_threaded

from airgap_tui.engine.bundle.encoding.codec import Buffer, Codec, Compression
from airgap_tui.engine.errors import MalformedContent, UsageError

if TYPE_CHECKING or sys.version_info < (3, 14):
    from backports import zstd
else:
    from compression import zstd

Write = Callable[[Buffer], object]

_MIB = 1024 * 1024
_MOST_WORKERS = zstd.CompressionParameter.nb_workers.bounds()[1]
"""From Python 3.14 on the library is the interpreter's: one that was built without threads has
none, and refuses to be asked for any."""


class Encoder(Protocol):
    """Takes plain bytes, hands encoded ones to the `write` it was made with.

    What that `write` raises is raised by `write` or `finish` here, in the caller's thread. One of
    `finish` and `abort` must be called: some encoders hold threads.
    """

    def write(self, data: Buffer, /) -> None: ...
    def finish(self) -> None: ...
    def abort(self) -> None: ...


def encoder(
    compression: Compression, write: Write, size: int | None = None, threads: int = 2
) -> Encoder:
    """An encoder with `threads` threads; `size`, where known, is the count of bytes to come.

    `write` may be called from another thread, one call at a time, and has to take all
    that it is given. Raises `UsageError` for bzip2, which is only read.
    """
    if compression.codec is Codec.NONE:
        return _PlainEncoder(write)
    if compression.codec is Codec.GZIP:
        return _GzipEncoder(write, compression.chosen_level, threads)
    if compression.codec is Codec.ZSTD:
        return _ZstdEncoder(write, compression.chosen_level, size, threads)
    if compression.codec is Codec.XZ:
        return _XzEncoder(write, compression.chosen_level)
    raise UsageError(f"{compression.codec.value} is only read, not written")


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
            zstd.CompressionParameter.nb_workers: min(max(1, threads), _MOST_WORKERS),
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
