"""Where the files of a bundle lie: in a directory, or in place inside a tar file or an ISO image.

Each file is an extent of some file on disk, so that it can be read and sent from its offset
without being unpacked. Names follow the grammar of `layout`; links and devices are refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.extent import Extent, Place, open_place, read_place, reading
from airgap_tui.engine.errors import (
    EnvironmentFailure,
    NotFound,
    UnsafeContent,
    UsageError,
)
from airgap_tui.engine.oci.content import Reader

_ISO_MAGIC = (32769, b"CD001")
_TAR_MAGIC = (257, b"ustar")
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh")


class Storage(Protocol):
    """The files of one bundle, by their names in the layout."""

    @property
    def location(self) -> Path: ...

    def extent(self, name: str) -> Place | None:
        """Where a file lies; None where there is none. Raises `UnsafeContent` for a link."""
        ...

    def open(self, name: str, offset: int = 0) -> Reader:
        """A file's bytes from `offset` on. Raises `NotFound`."""
        ...

    def read(self, name: str, limit: int) -> bytes:
        """A whole file of at most `limit` bytes. Raises `NotFound` and `UnsafeContent`."""
        ...

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Name and size of each file whose name begins with `prefix`."""
        ...


class _Files:
    """What all storages have in common."""

    location: Path

    def extent(self, name: str) -> Place | None:
        raise NotImplementedError

    def open(self, name: str, offset: int = 0) -> Reader:
        return open_place(self._existing(name), offset)

    def read(self, name: str, limit: int) -> bytes:
        extent = self._existing(name)
        if extent.size > limit:
            raise UnsafeContent(
                f"{self.location}: {name} has {extent.size} bytes; more than {limit} are refused"
            )
        return read_place(extent, f"{self.location}: {name}")

    def _existing(self, name: str) -> Place:
        extent = self.extent(name)
        if extent is None:
            raise NotFound(f"{self.location} has no file {name}")
        return extent


class DirectoryStorage(_Files):
    """A bundle in a directory, also one on a mounted medium."""

    def __init__(self, location: Path) -> None:
        self.location = location
        for directory in (layout.BLOBS, *(f"{layout.BLOBS}/{a}" for a in layout.ALGORITHMS)):
            if (location / directory).is_symlink():
                raise UnsafeContent(
                    f"{location / directory} is a link; a bundle holds no links",
                    hint="Name the directory that holds the real bundle.",
                )

    def extent(self, name: str) -> Extent | None:
        if not layout.is_file_name(name):
            return None
        path = self.location / name
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise EnvironmentFailure(f"{path} cannot be read: {error.strerror}") from error
        if not stat.S_ISREG(status.st_mode):
            raise UnsafeContent(f"{path} is not a regular file; a bundle holds nothing else")
        return Extent(path, 0, status.st_size)

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        for folder in ("", *(f"{layout.BLOBS}/{a}/" for a in layout.ALGORITHMS)):
            if not (folder.startswith(prefix) or prefix.startswith(folder)):
                continue
            try:
                entries = os.scandir(self.location / folder)
            except (FileNotFoundError, NotADirectoryError):
                continue
            with entries:
                for entry in entries:
                    name = folder + entry.name
                    if (
                        name.startswith(prefix)
                        and layout.is_file_name(name)
                        and entry.is_file(follow_symlinks=False)
                    ):
                        yield name, entry.stat(follow_symlinks=False).st_size


class ImageStorage(_Files):
    """A bundle inside one file; `files` says where in it each name lies."""

    def __init__(self, location: Path, files: Mapping[str, Extent]) -> None:
        self.location = location
        self._files = files

    def extent(self, name: str) -> Extent | None:
        return self._files.get(name)

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        for name, extent in self._files.items():
            if name.startswith(prefix):
                yield name, extent.size


def open_storage(path: Path) -> Storage:
    """The storage at a path. Raises `NotFound`, `UsageError` for what is none, `UnsafeContent`."""
    with reading(path):
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(
                f"there is no bundle at {path}",
                hint="Check the path, and that the disk is mounted.",
            ) from None
        if stat.S_ISDIR(status.st_mode):
            return DirectoryStorage(path)
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{path} is neither a directory nor a regular file")
        with path.open("rb") as file:
            head = file.read(512)
            file.seek(_ISO_MAGIC[0])
            sector = file.read(len(_ISO_MAGIC[1]))
    # Opening a directory needs neither format, and importing them takes time.
    if head[_TAR_MAGIC[0] :].startswith(_TAR_MAGIC[1]):
        from airgap_tui.engine.bundle.tar_storage import scan_tar

        return ImageStorage(path, scan_tar(path))
    if sector == _ISO_MAGIC[1]:
        from airgap_tui.engine.bundle.iso_storage import scan_iso

        return ImageStorage(path, scan_iso(path))
    if head.startswith(_COMPRESSED):
        raise UsageError(
            f"{path} is compressed; a bundle is opened in place, without unpacking",
            hint="Decompress it first, or use  airgap-tui load  for a compressed archive.",
        )
    raise UsageError(
        f"{path} is neither a directory, a tar file nor an ISO image",
        hint="Name the directory that  airgap-tui save  filled, or a tar or ISO of it.",
    )
