"""A volume in a tar whose first member lists the offsets of all others: opened without a scan.

A scan of 50,000 headers takes seconds, on a disc minutes. Instead the header before a file is
compared with the one that it must have whenever the file is about to be read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.media.extent import Extent, reading
from airgap_tui.engine.bundle.media.stored_files import StoredFiles
from airgap_tui.engine.bundle.volumes import tar_member
from airgap_tui.engine.bundle.volumes.volume import MAX_BYTES, Volume
from airgap_tui.engine.errors import MalformedContent


class TarVolume(StoredFiles):
    """The files of a volume in a tar, by the offsets of its `volume.json`."""

    def __init__(self, location: Path, raw: bytes, end: int) -> None:
        self.location = location
        self.volume = Volume.parse(raw, str(location))
        self._list = Extent(location, tar_member.BLOCK, len(raw))
        self._end = end

    def extent(self, name: str) -> Extent | None:
        """Raises `MalformedContent` where another header stands before the file, or the tar is cut
        off within it."""
        if name == layout.VOLUME:
            return self._list
        file = self.volume.by_path.get(name)
        if file is None or file.offset is None:
            return None
        expected = tar_member.header(name, file.size)
        if file.offset + file.size > self._end:
            raise MalformedContent(
                f"{self.location} is cut off within {name}", hint="Copy the volume again."
            )
        if self._before(file.offset, len(expected)) != expected:
            raise MalformedContent(
                f"{self.location}: the header before {name} is not its own",
                hint="Copy the volume again.",
            )
        return Extent(self.location, file.offset, file.size)

    def size(self, name: str) -> int | None:
        if name == layout.VOLUME:
            return self._list.size
        file = self.volume.by_path.get(name)
        return None if file is None else file.size

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        if layout.VOLUME.startswith(prefix):
            yield layout.VOLUME, self._list.size
        for file in self.volume.files:
            if file.path.startswith(prefix):
                yield file.path, file.size

    def unlisted(self) -> bool:
        """Whether the tar holds something that `volume.json` does not tell of."""
        ends = [self._list.offset + self._list.size + tar_member.padding(self._list.size)]
        for file in sorted(self.volume.files, key=lambda file: file.offset or 0):
            start = (file.offset or 0) - len(tar_member.header(file.path, file.size))
            if start != ends[-1]:
                return True
            ends.append((file.offset or 0) + file.size + tar_member.padding(file.size))
        return ends[-1] + len(tar_member.END) != self._end

    def _before(self, offset: int, count: int) -> bytes:
        if offset < count:
            return b""
        with reading(self.location), self.location.open("rb", buffering=0) as file:
            return os.pread(file.fileno(), count, offset - count)


def open_tar_volume(path: Path) -> TarVolume | None:
    """The volume in a tar that was written as one; None for any other tar.

    Raises as `Volume.parse` does.
    """
    with reading(path), path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(tar_member.BLOCK)
        size = _size(head)
        if size is None or tar_member.header(layout.VOLUME, size) != head:
            return None
        raw = file.read(size)
    if len(raw) < size:
        raise MalformedContent(
            f"{path} is cut off within {layout.VOLUME}", hint="Copy the volume again."
        )
    volume = TarVolume(path, raw, end)
    # One that was packed from a directory has no offsets, and is scanned as any other tar is.
    return volume if all(file.offset is not None for file in volume.volume.files) else None


def _size(head: bytes) -> int | None:
    """The size in the header of the list of files; None where that is not a list, or too large."""
    try:
        size = int(head[124:135], 8)
    except ValueError:
        return None
    return size if 0 < size <= MAX_BYTES else None
