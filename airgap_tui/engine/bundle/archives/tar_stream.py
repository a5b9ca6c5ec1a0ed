"""A tar read once from front to back, for archives of images that come from an engine or a file.

`tarfile` in stream mode copies and joins every block in Python and reads at a third of this rate;
only its header parser is used here. What an archive of images never holds is refused: devices,
hard links, absolute names, `..`.
"""

from __future__ import annotations

import json
import posixpath
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from airgap_tui.engine.errors import EngineFailure, MalformedContent, UnsafeContent
from airgap_tui.engine.oci.digest import Hasher
from airgap_tui.engine.redaction import redact

_BLOCK = 512
_LONGEST_HEADER = 1024 * 1024
_TAIL = 4096
_ZEROS = bytes(_BLOCK)
_MOST_BEHIND = 64 * 1024 * 1024
"""What may follow the end of a tar, or a place where it is broken, before nothing more is read:
records are filled up with some kilobytes, and an engine tells its failure there."""

_LARGEST_MEMBER = 2**63 - 1
_RECORD = re.compile(rb"([0-9]{1,7}) ")
_SIZE = re.compile(r"[0-9]{1,19}")
_ENGINE_ERROR = re.compile(rb'\{"(?:errorDetail|error|message)".*', re.DOTALL)


class Kind(Enum):
    """What a member is; everything else is refused."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Member:
    """`name` is a relative path without `.` and `..`; so is `target`, resolved, of a LINK."""

    name: str
    kind: Kind
    size: int
    target: str = ""


class Chunks(Protocol):
    """Bytes in buffers: see `oci.read_ahead.ReadAhead`."""

    def take(self) -> memoryview: ...


class TarStream:
    """Iterate over the members; `chunks` or `read` give the present one's bytes.

    Bytes that are not asked for are skipped. `contents` is updated with the content of all
    files in their order, which is what `tar xO` writes. Raises `MalformedContent`,
    `UnsafeContent`, and `EngineFailure` where an engine reports its failure inside the stream.
    """

    def __init__(
        self, source: Chunks, what: str = "the archive", contents: Hasher | None = None
    ) -> None:
        self._source = source
        self._what = what
        self._contents = contents
        self._in_file = False
        self._view = memoryview(b"")
        self._tail = b""
        self._left = 0
        self._padding = 0
        self.offset = 0

    def __iter__(self) -> Iterator[Member]:
        while (member := self._next()) is not None:
            yield member

    def chunks(self) -> Iterator[memoryview]:
        """The rest of the present member; each chunk is valid until the next one."""
        while self._left:
            yield self._content(self._left)

    def read(self, limit: int) -> bytes:
        """At most `limit` bytes of what is left of the present member."""
        out = bytearray()
        while self._left and len(out) < limit:
            out += self._content(limit - len(out))
        return bytes(out)

    def readinto(self, buffer: memoryview, /) -> int:
        """The present member as a `Reader`."""
        if not self._left or not len(buffer):
            return 0
        view = self._content(len(buffer))
        buffer[: len(view)] = view
        return len(view)

    def close(self) -> None:
        """Part of `Reader`; the source is its owner's to close."""

    def _next(self) -> Member | None:
        attributes: dict[str, str] = {}
        while True:
            header = self._header()
            if header is None:
                return None
            if header.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
                key = "path" if header.type == tarfile.GNUTYPE_LONGNAME else "linkpath"
                attributes[key] = self._extended(header).split(b"\0")[0].decode("utf-8", "replace")
            elif header.type == tarfile.XHDTYPE:
                attributes.update(_pax(self._extended(header), self._what))
            elif header.type == tarfile.XGLTYPE:
                self._extended(header)
            else:
                return self._member(header, attributes)

    def _member(self, header: tarfile.TarInfo, attributes: dict[str, str]) -> Member:
        name = self._safe(attributes.get("path", header.name))
        size = _size(attributes.get("size"), header.size, self._what)
        if header.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
            if header.type == tarfile.AREGTYPE and attributes.get("path", header.name)[-1:] == "/":
                return Member(name, Kind.DIRECTORY, 0)
            self._begin(size)
            self._in_file = True
            return Member(name, Kind.FILE, size)
        if header.type == tarfile.DIRTYPE:
            return Member(name, Kind.DIRECTORY, 0)
        if header.type == tarfile.SYMTYPE:
            link = attributes.get("linkpath", header.linkname)
            if link.startswith("/"):
                raise UnsafeContent(
                    f"{self._what}: {name!r} is a link to {link!r}, outside the archive"
                )
            target = self._safe(posixpath.normpath(posixpath.join(posixpath.dirname(name), link)))
            return Member(name, Kind.LINK, 0, target)
        raise UnsafeContent(f"{self._what}: {name!r} is neither a file nor a directory")

    def _safe(self, name: str) -> str:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\0" in name or "\\" in name:
            raise UnsafeContent(f"{self._what}: the path {name!r} is not allowed")
        return "/".join(parts)

    def _header(self) -> tarfile.TarInfo | None:
        """The next header, or None at the end of the archive, which is read to its last byte."""
        for _ in self.chunks():
            pass
        self._in_file = False
        self._pass_over(self._padding)
        self._padding = 0
        at = self.offset
        block = self._exactly(_BLOCK)
        if block == _ZEROS:
            self._end()
            return None
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            self._tail = block
            self._drain()
            raise self._broken(f"there is no tar header at byte {at}") from None

    def _extended(self, header: tarfile.TarInfo) -> bytes:
        if not 0 <= header.size <= _LONGEST_HEADER:
            raise UnsafeContent(f"{self._what}: a header of {header.size} bytes is refused")
        self._begin(header.size)
        return self.read(header.size)

    def _begin(self, size: int) -> None:
        self._left = size
        self._padding = -size % _BLOCK

    def _end(self) -> None:
        """After the first zero block: one more, then only zeros (writers fill up records)."""
        tail, end = bytearray(), self.offset + _MOST_BEHIND
        while view := self._more():
            if self.offset > end:
                raise self._broken("megabytes follow its end")
            if len(tail) < _TAIL:
                tail += bytes(view[:_TAIL]).strip(b"\0")
            self._view = memoryview(b"")
            self.offset += len(view)
        if tail:
            self._tail = bytes(tail)
            raise self._broken("something follows its end")

    def _drain(self) -> None:
        left = _MOST_BEHIND
        while left > 0 and (view := self._more()):
            left -= len(view)
            self._tail = (self._tail + bytes(view[-_TAIL:]))[-_TAIL:]
            self._view = memoryview(b"")

    def _more(self) -> memoryview:
        if not self._view:
            self._view = self._source.take()
        return self._view

    def _content(self, most: int) -> memoryview:
        view = self._some(min(self._left, most))
        self._left -= len(view)
        if self._contents is not None and self._in_file:
            self._contents.update(view)
        return view

    def _some(self, most: int) -> memoryview:
        view = self._more()
        if not view:
            raise self._broken(f"it ends too early, after {self.offset} bytes")
        taken, self._view = view[:most], view[most:]
        self.offset += len(taken)
        if not self._view:
            self._tail = (self._tail + bytes(taken[-_TAIL:]))[-_TAIL:]
        return taken

    def _exactly(self, count: int) -> bytes:
        out = bytes(self._some(count))
        while len(out) < count:
            out += bytes(self._some(count - len(out)))
        return out

    def _pass_over(self, count: int) -> None:
        while count:
            count -= len(self._some(count))

    def _broken(self, reason: str) -> MalformedContent | EngineFailure:
        """The reason; or the engine's own, which it appends to the archive when it fails late."""
        match = _ENGINE_ERROR.search(self._tail)
        said = ""
        if match is not None:
            try:
                value = json.loads(match[0])
            except (ValueError, RecursionError):
                value = None
            if isinstance(value, dict):
                said = str(value.get("error") or value.get("message") or "")
        if said:
            return EngineFailure(
                f"{self._what}: the engine failed while sending: {redact(said)}",
                hint="Look at the engine's log: journalctl -u docker",
            )
        if self.offset <= _BLOCK:
            return MalformedContent(
                f"{self._what} is not a tar",
                hint="An archive is what docker save wrote, plain or compressed.",
            )
        return MalformedContent(
            f"{self._what} is not a whole tar: {reason}", hint="Copy it again, or save it again."
        )


def _pax(records: bytes, what: str) -> dict[str, str]:
    """Records `length key=value\\n` (POSIX pax)."""
    found: dict[str, str] = {}
    start, end = 0, len(records.rstrip(b"\0"))
    while start < end:
        match = _RECORD.match(records, start)
        following = start + int(match[1]) if match is not None else 0
        if match is None or not match.end() <= following <= len(records):
            raise MalformedContent(f"{what}: an extended tar header cannot be read")
        key, _, value = records[match.end() : following - 1].partition(b"=")
        if key.startswith(b"GNU.sparse"):
            raise UnsafeContent(f"{what}: sparse members are refused")
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        start = following
    return found


def _size(attribute: str | None, size: int, what: str) -> int:
    if attribute is not None:
        if _SIZE.fullmatch(attribute) is None:
            raise MalformedContent(f"{what}: a member's size is {attribute[:40]!r}")
        size = int(attribute)
    if not 0 <= size <= _LARGEST_MEMBER:
        raise MalformedContent(f"{what}: a member's size is {size}")
    return size
