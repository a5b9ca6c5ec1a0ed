"""A bundle inside an ISO image: where each file's bytes lie, by its Rock Ridge or Joliet name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import pycdlib

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.storage import Extent, reading, rooted
from airgap_tui.engine.errors import AirgapError, MalformedContent, UnsafeContent, UsageError

_SECTOR = 2048
_DEEPEST = 8


def scan_iso(path: Path) -> dict[str, Extent]:
    """The files of the bundle in an ISO image, by name.

    A file of 4 GiB and more lies in several pieces, which all writers put one after the other;
    where they do not, it is refused. Raises `MalformedContent`, `UnsafeContent`, and `UsageError`
    for an image whose names are only the short ones of plain ISO 9660.
    """
    with reading(path), path.open("rb") as file:
        try:
            return rooted(path, _scan(path, file))
        except (AirgapError, OSError):
            raise
        except Exception as error:
            # The library meets broken images with errors of any kind.
            raise MalformedContent(f"{path} cannot be read as an ISO image: {error}") from None


def _scan(path: Path, file: BinaryIO) -> dict[str, Extent]:
    end = file.seek(0, 2)
    file.seek(0)
    image = pycdlib.PyCdlib()
    image.open_fp(file)
    try:
        if image.pvd.space_size * _SECTOR > end:
            raise MalformedContent(f"{path} is cut off: it should have more than {end} bytes")
        if image.has_rock_ridge():
            return _files(path, image.get_record(rr_path="/"), True, end)
        if image.has_joliet():
            return _files(path, image.get_record(joliet_path="/"), False, end)
    finally:
        image.close()
    raise UsageError(
        f"{path} holds only the short names of plain ISO 9660",
        hint="Write it with Rock Ridge or Joliet: xorriso -as mkisofs -R -J.",
    )


def _files(path: Path, top: Any, rock_ridge: bool, end: int) -> dict[str, Extent]:
    found: dict[str, Extent] = {}
    pending: list[tuple[str, Any, int]] = [("", top, 0)]
    while pending:
        folder, record, depth = pending.pop()
        continued: set[int] = set()
        for child in record.children:
            if child.is_dot() or child.is_dotdot() or id(child) in continued:
                continue
            name = folder + _name(child, rock_ridge)
            if child.is_dir():
                if depth < _DEEPEST:
                    pending.append((f"{name}/", child, depth + 1))
                continue
            if not (layout.is_file_name(name) or layout.is_file_name(name.partition("/")[2])):
                continue
            if name in found:
                raise UnsafeContent(f"{path}: the file {name} is there twice")
            found[name] = _extent(path, name, child, continued, end)
    return dict(sorted(found.items()))


def _name(record: Any, rock_ridge: bool) -> str:
    if rock_ridge and record.rock_ridge is not None:
        return str(record.rock_ridge.name().decode("utf-8", "replace"))
    encoding = "ascii" if rock_ridge else "utf-16-be"
    return str(record.file_identifier().decode(encoding, "replace")).removesuffix(";1")


def _extent(path: Path, name: str, record: Any, continued: set[int], end: int) -> Extent:
    if record.is_symlink() or not record.is_file():
        raise UnsafeContent(f"{path}: {name} is not a regular file; a bundle holds nothing else")
    offset = record.extent_location() * _SECTOR
    size = 0
    piece: Any = record
    while piece is not None:
        if piece.extent_location() * _SECTOR != offset + size:
            raise UnsafeContent(
                f"{path}: the pieces of {name} do not lie one after the other",
                hint="Mount the image, and name the directory where it is mounted.",
            )
        size += _length(piece)
        continued.add(id(piece))
        piece = piece.data_continuation
    if offset + size > end:
        raise MalformedContent(f"{path} is cut off within {name}")
    return Extent(path, offset, size)


def _length(record: Any) -> int:
    return int(record.get_data_length())
