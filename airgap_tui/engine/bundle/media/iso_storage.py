"""A bundle inside an ISO image or on a disc in a drive: where each file's bytes lie.

Reads the directories of ECMA-119 with their Rock Ridge names (SUSP and RRIP 1.12), or those of
Joliet, and nothing else of the format: neither path tables nor boot records. Every count and offset
comes from the medium and is bounded before it is used.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from airgap_tui.engine.bundle.media.extent import Extent, reading
from airgap_tui.engine.bundle.media.image_files import may_be_ours, rooted
from airgap_tui.engine.errors import MalformedContent, UnsafeContent, UsageError

_SECTOR = 2048
_FIRST_DESCRIPTOR = 16
_MOST_DESCRIPTORS = 64
_DEEPEST = 8
_MOST_RECORDS = 4_000_000
_LONGEST_NAME = 255
_MOST_CONTINUATIONS = 32
_JOLIET = (b"%/@", b"%/C", b"%/E")

_DIRECTORY, _ASSOCIATED, _CONTINUES = 0x02, 0x04, 0x80
_RECORD = struct.Struct("<BBI4xI4x7xBBBH2xB")
"""Length, length of extended attributes, location, data length, flags, unit and gap of interleaved
files, volume, name length (ECMA-119, 9.1); of numbers in both byte orders the little one."""

_REGULAR, _FORMAT = 0o100000, 0o170000


class _Record(NamedTuple):
    """A directory record, of which there may be many thousands. `mode` is that of POSIX, 0 where
    Rock Ridge does not tell."""

    name: str
    sector: int
    size: int
    flags: int
    mode: int = 0
    moved: bool = False


class _Image:
    """An opened image: reads what lies inside of it, and nothing beyond."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.end = os.lseek(descriptor, 0, os.SEEK_END)
        self._descriptor = descriptor

    def sector(self, number: int) -> bytes:
        data = os.pread(self._descriptor, _SECTOR, number * _SECTOR)
        if len(data) < _SECTOR:
            raise MalformedContent(f"{self.path} is cut off", hint="Copy or burn it again.")
        return data


def scan_iso(path: Path) -> dict[str, Extent]:
    """The files of the bundle in an ISO image, by name.

    A file of 4 GiB and more lies in several pieces, which all writers put one after the other;
    where they do not, it is refused. Raises `MalformedContent`, `UnsafeContent`, and `UsageError`
    for an image whose names are only the short ones of plain ISO 9660.
    """
    with reading(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return rooted(path, _Tree(_Image(path, descriptor)).files())
        finally:
            os.close(descriptor)


class _Tree:
    """The directories of the volume descriptor whose names are whole."""

    def __init__(self, image: _Image) -> None:
        self._image = image
        self._records = 0
        self._skip = 0
        plain, joliet = self._descriptors()
        self._rock_ridge = self._has_rock_ridge(plain)
        top = plain if self._rock_ridge else joliet
        if top is None:
            raise UsageError(
                f"{image.path} holds only the short names of plain ISO 9660",
                hint="Write it with Rock Ridge or Joliet: xorriso -as mkisofs -R -J.",
            )
        self._top = top

    def files(self) -> dict[str, Extent]:
        found: dict[str, Extent] = {}
        seen = {self._top.sector}
        pending = [("", self._top, 0)]
        while pending:
            folder, directory, depth = pending.pop()
            for pieces in self._entries(directory):
                record = pieces[0]
                name = folder + record.name
                if record.flags & _DIRECTORY:
                    if record.sector in seen:
                        raise self._broken(f"two directories of it lie at sector {record.sector}")
                    seen.add(record.sector)
                    if depth < _DEEPEST:
                        pending.append((f"{name}/", record, depth + 1))
                elif may_be_ours(name):
                    if name in found:
                        raise UnsafeContent(f"{self._image.path}: the file {name} is there twice")
                    found[name] = self._extent(name, pieces)
        return dict(sorted(found.items()))

    def _descriptors(self) -> tuple[_Record, _Record | None]:
        """The top directories by the primary volume descriptor and by Joliet's."""
        plain: _Record | None = None
        joliet: _Record | None = None
        for number in range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + _MOST_DESCRIPTORS):
            data = self._image.sector(number)
            if data[1:6] != b"CD001" or data[0] == 255:
                break
            if data[0] not in (1, 2):
                continue
            if data[128:130] != b"\x00\x08":
                raise self._broken("its blocks do not have 2048 bytes")
            if int.from_bytes(data[80:84], "little") * _SECTOR > self._image.end:
                raise MalformedContent(
                    f"{self._image.path} is cut off: it should have more than"
                    f" {self._image.end} bytes",
                    hint="Copy or burn it again.",
                )
            top = self._record(data[156:190], "")
            if data[0] == 1:
                plain = plain or top
            elif data[88:91] in _JOLIET:
                joliet = joliet or top
        if plain is None:
            raise self._broken("it has no primary volume descriptor")
        return plain, joliet

    def _has_rock_ridge(self, top: _Record) -> bool:
        """Whether the first record of the top directory begins with SUSP's indicator (SUSP, 5.3),
        and the records after it have names of Rock Ridge."""
        data = self._image.sector(top.sector)
        record = data[: data[0]]
        start = _area_of(record)
        if record[start : start + 2] != b"SP" or record[start + 4 : start + 6] != b"\xbe\xef":
            return False
        self._skip = record[start + 6]
        return True

    def _entries(self, directory: _Record) -> Iterator[tuple[_Record, ...]]:
        """The files and directories below a directory: each with all its pieces."""
        pieces: list[_Record] = []
        for record in self._raw(directory):
            if record.flags & _ASSOCIATED:
                continue
            if pieces and record.name != pieces[0].name:
                raise self._broken(f"the pieces of {pieces[0].name!r} are not all there")
            pieces.append(record)
            if not record.flags & _CONTINUES:
                yield tuple(pieces)
                pieces = []
        if pieces:
            raise self._broken(f"the pieces of {pieces[0].name!r} are not all there")

    def _raw(self, directory: _Record) -> Iterator[_Record]:
        if directory.sector * _SECTOR + directory.size > self._image.end:
            raise self._broken("a directory lies beyond its end")
        sectors = -(-directory.size // _SECTOR)
        for number in range(directory.sector, directory.sector + sectors):
            data = self._image.sector(number)
            position = 0
            # A record never crosses a sector; a length of 0 is the end of one (ECMA-119, 6.8.1.1).
            while position < _SECTOR and (length := data[position]):
                record = data[position : position + length]
                position += length
                self._records += 1
                if len(record) < length or self._records > _MOST_RECORDS:
                    raise self._broken("its directories cannot be read")
                if record[32:34] not in (b"\x01\x00", b"\x01\x01"):  # itself and the one above
                    yield self._record(record, "?")

    def _record(self, record: bytes, name: str) -> _Record:
        """A record as it stands; `name` is empty for the top directory, which has none."""
        if len(record) < 34 or 33 + record[32] > len(record):
            raise self._broken("a directory record is too short")
        _length, extended, sector, size, flags, unit, gap, _volume, name_length = (
            _RECORD.unpack_from(record)
        )
        if unit or gap or extended:
            raise self._broken("it holds interleaved files, or such with extended attributes")
        if not name:
            return _Record("", sector, size, flags)
        raw = record[33 : 33 + name_length]
        if self._rock_ridge:
            return self._with_rock_ridge(record, raw, sector, size, flags)
        text = raw.decode("utf-16-be", "replace")
        return _Record(self._safe(text.removesuffix(";1")), sector, size, flags)

    def _with_rock_ridge(
        self, record: bytes, raw: bytes, sector: int, size: int, flags: int
    ) -> _Record:
        name, mode, moved, there = bytearray(), 0, False, False
        for kind, data in self._system_use(record):
            if kind == b"NM" and data:
                there = True
                name += data[1:]
                if len(name) > _LONGEST_NAME:
                    raise self._broken("a name of it is too long")
            elif kind == b"PX" and len(data) >= 4:
                mode = int.from_bytes(data[:4], "little")
            elif kind in (b"CL", b"PL"):
                moved = True
            elif kind == b"ZF":
                raise UnsafeContent(f"{self._image.path} holds compressed files (zisofs)")
        text = bytes(name) if there else raw.removesuffix(b";1")
        decoded = text.decode("utf-8", "replace")
        return _Record(self._safe(decoded), sector, size, flags, mode, moved)

    def _system_use(self, record: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The entries of a record's system use area and of what continues it (SUSP, 5.1)."""
        area = record[_area_of(record) + self._skip :]
        for _ in range(_MOST_CONTINUATIONS):
            following = None
            while len(area) >= 4 and area[2] >= 4:
                length = area[2]
                if length > len(area):
                    raise self._broken("a Rock Ridge entry is cut off")
                kind, data = area[:2], area[4:length]
                area = area[length:]
                if kind == b"ST":
                    break
                if kind == b"CE" and len(data) >= 24:
                    sector, offset, size = struct.unpack_from("<I4xI4xI", data)
                    if offset + size > _SECTOR:
                        raise self._broken("a Rock Ridge entry continues beyond its sector")
                    following = (sector, offset, size)
                elif kind != b"CE":
                    yield kind, data
            if following is None:
                return
            sector, offset, size = following
            area = self._image.sector(sector)[offset : offset + size]
        raise self._broken("its Rock Ridge entries do not end")

    def _safe(self, name: str) -> str:
        if not name or "/" in name or "\0" in name or name in (".", ".."):
            raise UnsafeContent(f"{self._image.path}: the name {name!r} is refused")
        return name

    def _extent(self, name: str, pieces: tuple[_Record, ...]) -> Extent:
        first = pieces[0]
        if first.moved or (first.mode and first.mode & _FORMAT != _REGULAR):
            raise UnsafeContent(
                f"{self._image.path}: {name} is not a regular file; a bundle holds nothing else"
            )
        offset, size = first.sector * _SECTOR, 0
        for piece in pieces:
            if piece.sector * _SECTOR != offset + size:
                raise UnsafeContent(
                    f"{self._image.path}: the pieces of {name} do not lie one after the other",
                    hint="Mount the image, and name the directory where it is mounted.",
                )
            size += piece.size
        if offset + size > self._image.end:
            raise MalformedContent(
                f"{self._image.path} is cut off within {name}", hint="Copy or burn it again."
            )
        return Extent(self._image.path, offset, size)

    def _broken(self, reason: str) -> MalformedContent:
        return MalformedContent(
            f"{self._image.path} cannot be read as an ISO image: {reason}",
            hint="Copy or burn it again.",
        )


def _area_of(record: bytes) -> int:
    """Where a record's system use area begins: after its name, padded to an even length."""
    return 33 + record[32] + (1 - record[32] % 2) if len(record) > 33 else len(record)
