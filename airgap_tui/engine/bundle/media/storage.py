"""Where the files of a bundle lie: in a directory, or in place inside a tar file or an ISO image.

Each file is an extent of some file on disk, so that it can be read and sent from its offset
without being unpacked. Names follow the grammar of `layout`; links and devices are refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.media.extent import Extent, reading
from airgap_tui.engine.bundle.media.stored_files import Storage, StoredFiles
from airgap_tui.engine.errors import (
    EnvironmentFailure,
    NotFound,
    UnsafeContent,
    UsageError,
)

_ISO_MAGIC = (32769, b"CD001")
_TAR_MAGIC = (257, b"ustar")
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh")


class DirectoryStorage(StoredFiles):
    """A bundle in a directory, also one on a mounted medium."""

    def __init__(self, location: Path) -> None:
        self.location = location
        self._real = {""}
        for directory in (layout.BLOBS, *(f"{layout.BLOBS}/{a}" for a in layout.ALGORITHMS)):
            self._refuse_link(directory)

    def extent(self, name: str) -> Extent | None:
        if not layout.is_file_name(name):
            return None
        path = self.location / name
        self._refuse_link(name.rpartition("/")[0])
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise EnvironmentFailure(f"{path} cannot be read: {error.strerror}") from error
        if not stat.S_ISREG(status.st_mode):
            raise UnsafeContent(f"{path} is not a regular file; a bundle holds nothing else")
        return Extent(path, 0, status.st_size)

    def _refuse_link(self, directory: str) -> None:
        """Raise `UnsafeContent` where a directory, or one above it, is a link that leads out."""
        if directory in self._real:
            return
        self._refuse_link(directory.rpartition("/")[0])
        if (self.location / directory).is_symlink():
            raise UnsafeContent(
                f"{self.location / directory} is a link; a bundle holds no links",
                hint="Name the directory that holds the real bundle.",
            )
        self._real.add(directory)

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
        folder = f"{layout.TOOL}/"
        if folder.startswith(prefix) or prefix.startswith(folder):
            yield from self._below(layout.TOOL, prefix)

    def _below(self, folder: str, prefix: str) -> Iterator[tuple[str, int]]:
        """The files in a directory and in those below it; links are not followed."""
        if (self.location / folder).is_symlink():
            return
        for directory, _below, files in os.walk(self.location / folder):
            where = os.path.relpath(directory, self.location)
            for name in (f"{where}/{file}" for file in files):
                if not name.startswith(prefix) or not layout.is_file_name(name):
                    continue
                status = os.lstat(self.location / name)
                if stat.S_ISREG(status.st_mode):
                    yield name, status.st_size


class ImageStorage(StoredFiles):
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


def is_image(path: Path) -> bool:
    """Whether a file begins as a tar or an ISO image does."""
    try:
        with path.open("rb") as file:
            head = file.read(_TAR_MAGIC[0] + len(_TAR_MAGIC[1]))
            file.seek(_ISO_MAGIC[0])
            return head.endswith(_TAR_MAGIC[1]) or file.read(5) == _ISO_MAGIC[1]
    except OSError:
        return False


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
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISBLK(status.st_mode)):
            raise UsageError(f"{path} is neither a directory nor a regular file nor a drive")
        with path.open("rb") as file:
            head = file.read(512)
            file.seek(_ISO_MAGIC[0])
            sector = file.read(len(_ISO_MAGIC[1]))
    # Opening a directory needs neither format, and importing them takes time.
    if head[_TAR_MAGIC[0] :].startswith(_TAR_MAGIC[1]):
        from airgap_tui.engine.bundle.media.tar_storage import scan_tar
        from airgap_tui.engine.bundle.volumes.in_tar import open_tar_volume

        return open_tar_volume(path) or ImageStorage(path, scan_tar(path))
    if sector == _ISO_MAGIC[1]:
        from airgap_tui.engine.bundle.media.iso_storage import scan_iso

        return ImageStorage(path, scan_iso(path))
    if head.startswith(_COMPRESSED):
        raise UsageError(
            f"{path} is compressed; a bundle is opened in place, without unpacking",
            hint="Decompress it first, or use  airgap-tui load  for a compressed archive.",
        )
    raise UsageError(
        f"{path} is neither a directory, a tar file nor an ISO image",
        hint="Name the directory that save or import filled, or a tar or ISO of it.",
    )
