"""A file or stream of bounded size, plain or compressed, recognised by its first bytes.

Logs come rotated and compressed, cut off by a full disk, or damaged on a stick. What could be read
counts, and what could not is a remark: an unreadable file never looks like one that names nothing.
A compression bomb takes no more memory than an honest file, and soon ends.
"""

from __future__ import annotations

import bz2
import io
import lzma
import os
import re
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

from airgap_tui.engine.discovery.finding import Place, Remark
from airgap_tui.engine.quantities import size

if TYPE_CHECKING or sys.version_info < (3, 14):
    from backports import zstd
else:
    from compression import zstd

HEAD = 64 * 1024
"""As many bytes as `Source.head` shows of the content."""
MAX_CONTENT = 64 * 1024 * 1024
"""The most that is taken of a document, which is read as a whole."""
MAX_READ = 256 * 1024**3
FREE_EXPANSION = 1024**3
MAX_RATIO = 500
"""Above `FREE_EXPANSION`, decoded bytes for each encoded one. Logs reach 30, seldom 100."""

_CHUNK = 256 * 1024
_XZ_MEMORY = 256 * 1024 * 1024

_MAGIC: dict[bytes, tuple[str, Callable[[], Any]]] = {
    b"\x1f\x8b": ("gzip", lambda: _Gzip()),
    b"\xfd7zXZ\0": ("xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)),
    b"BZh": ("bzip2", bz2.BZ2Decompressor),
    b"\x28\xb5\x2f\xfd": ("zstd", zstd.ZstdDecompressor),
}
_LONGEST_MAGIC = max(map(len, _MAGIC))
_BROKEN = (zlib.error, zstd.ZstdError, lzma.LZMAError, OSError, EOFError)

_COMPRESSED_NAME = re.compile(r"\.(?:gz|xz|bz2|zst|zstd)\Z")
_ROTATED_NAME = re.compile(r"(?:\.[0-9]{1,4}|[-.][0-9]{8}(?:[-.][0-9]{1,10})?|\.old)\Z")


class Source:
    """An open source. Read it once, with `read` or `content`; then ask for `remarks`."""

    def __init__(self, stream: BinaryIO, place: Place) -> None:
        self.place = place
        self._raw = _Decoded(stream)
        self._reader = io.BufferedReader(self._raw, _CHUNK)
        self._head = _exactly(self._reader, HEAD)
        self._given = 0
        self._too_large = False

    @property
    def head(self) -> bytes:
        """The first bytes of the content, for telling what it is."""
        return self._head

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What could not be read of what was asked for so far."""
        texts = []
        if self._raw.damage:
            texts.append(
                (
                    f"it could not be read to its end: {self._raw.damage}",
                    "Copy it again where it came from; what was read before counts.",
                )
            )
        if self._too_large:
            texts.append(
                (
                    f"it is larger than {size(MAX_CONTENT)}, so its end was not read",
                    "Split it, or save less at once.",
                )
            )
        return tuple(Remark(None, self.place, text, remedy) for text, remedy in texts)

    def read(self, size: int, /) -> bytes:
        """The next bytes of the content, at most so many: a source is a stream, too."""
        if self._given < len(self._head):
            data = self._head[self._given : self._given + max(0, size)]
            self._given += len(data)
            return data
        return self._reader.read(size)

    def content(self) -> bytes:
        """All of it, up to `MAX_CONTENT` bytes."""
        data = self._head + _exactly(self._reader, MAX_CONTENT + 1 - len(self._head))
        self._too_large = len(data) > MAX_CONTENT
        return data[:MAX_CONTENT]

    def close(self) -> None:
        self._reader.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_file(path: Path, place: Place | None = None) -> Source | Remark:
    """The file as a source, or why it cannot be read. `place` is what findings call it."""
    place = place or Place(str(path))
    try:
        return Source(path.open("rb", buffering=0), place)
    except OSError as error:
        remedy = {
            FileNotFoundError: "Check the name.",
            PermissionError: "Run this as a user who may read it, such as root with sudo.",
            IsADirectoryError: "Name the files in it.",
        }.get(type(error), "")
        return Remark(None, place, f"it cannot be read: {error.strerror}", remedy)


def rotations(path: Path) -> list[Path]:
    """A log and its rotated and compressed siblings (`.1`, `.2.gz`, `-20250131.xz`), newest first
    where the names tell; the log itself comes first. Empty where there is nothing."""
    try:
        names = [name for name in os.listdir(path.parent) if plain_name(name) == path.name]
    except OSError:
        return []
    dated = sorted((name for name in names if _date(name)), key=_date, reverse=True)
    numbered = sorted(set(names) - set(dated), key=lambda name: (_number(name), name))
    return [path.parent / name for name in [*numbered, *dated]]


def plain_name(name: str) -> str:
    """The name without what compression and rotation added: `slurmd.log` of `slurmd.log.3.gz`."""
    return _ROTATED_NAME.sub("", _COMPRESSED_NAME.sub("", name))


class _Decoded(io.RawIOBase):
    """The decoded bytes of a stream; ends early, with `damage` set, where they are not whole."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self.damage = ""
        self._stream = stream
        self._start = b""
        self._taken = self._given = 0
        self._decompressor: Any = None
        self._codec = ""
        try:
            self._start = _exactly(stream, _LONGEST_MAGIC)
        except OSError as error:
            self.damage = str(error.strerror or error)
        for magic, (codec, make) in _MAGIC.items():
            if self._start.startswith(magic):
                self._codec, self._make, self._decompressor = codec, make, make()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if self.damage:
            return 0
        try:
            data = self._decode(len(buffer)) if self._codec else self._take(len(buffer))
        except _BROKEN as error:
            disk = isinstance(error, OSError) and error.errno is not None
            told = str(getattr(error, "strerror", "") or error)
            self.damage = told if disk else f"it is not whole {self._codec} data ({told})"
            return 0
        self._given += len(data)
        if self._given > MAX_READ or (
            self._given > FREE_EXPANSION and self._given > MAX_RATIO * self._taken
        ):
            self.damage = "it decompresses to more than a log would"
            return 0
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()

    def _take(self, most: int) -> bytes:
        data, self._start = self._start[:most], self._start[most:]
        data = data or self._stream.read(most) or b""
        self._taken += len(data)
        return data

    def _decode(self, most: int) -> bytes:
        while True:
            decompressor = self._decompressor
            if decompressor.eof:
                rest = decompressor.unused_data.lstrip(b"\0")
                while not rest:
                    if not (more := self._take(_CHUNK)):
                        return b""
                    rest = more.lstrip(b"\0")
                self._start, self._taken = rest + self._start, self._taken - len(rest)
                self._decompressor = decompressor = self._make()
            data = b""
            if decompressor.needs_input and not (data := self._take(_CHUNK)):
                raise EOFError("it ends too early")
            if output := decompressor.decompress(data, most):
                return bytes(output)


class _Gzip:
    """zlib's object with the interface that bz2, lzma and zstd share."""

    def __init__(self) -> None:
        self._object = zlib.decompressobj(wbits=31)
        self.needs_input = True

    def decompress(self, data: bytes, most: int) -> bytes:
        output = self._object.decompress(self._object.unconsumed_tail or data, most)
        # zlib may hold output back although it has taken all input.
        self.needs_input = not self._object.unconsumed_tail and len(output) < most
        return output

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data


def _exactly(stream: BinaryIO | io.BufferedReader, most: int) -> bytes:
    """As many bytes as asked for, unless the stream ends: a pipe gives what it has."""
    pieces = []
    while most > 0 and (piece := stream.read(most)):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


def _date(name: str) -> str:
    found = re.search(r"[-.]([0-9]{8}(?:[-.][0-9]+)?)\Z", _COMPRESSED_NAME.sub("", name))
    return found[1] if found else ""


def _number(name: str) -> int:
    found = re.search(r"\.([0-9]{1,4})\Z", _COMPRESSED_NAME.sub("", name))
    return int(found[1]) if found else 0
