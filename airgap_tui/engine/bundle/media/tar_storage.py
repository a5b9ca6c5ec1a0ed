"""A bundle inside a tar file: where each member's bytes lie, found by one scan of the headers."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import IO, cast

from airgap_tui.engine.bundle.media.extent import Extent, reading
from airgap_tui.engine.bundle.media.image_files import may_be_ours, rooted
from airgap_tui.engine.errors import MalformedContent, UnsafeContent

_LARGEST_HEADER = 1024 * 1024


class _Headers:
    """The file as `tarfile` sees it: a header that claims to be huge is not read into memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_HEADER:
            raise UnsafeContent(f"a tar header of {size} bytes is refused")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def scan_tar(path: Path) -> dict[str, Extent]:
    """The files of the bundle in a tar, by name.

    Raises `UnsafeContent` for a name that leads out of the tar and for a file of the bundle that is
    a link, a device, sparse or there twice; `MalformedContent` for a tar that is cut off.
    """
    files: dict[str, Extent] = {}
    with reading(path), path.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(0)
        try:
            with tarfile.open(fileobj=cast("IO[bytes]", _Headers(file)), mode="r:") as tar:
                while (member := tar.next()) is not None:
                    # Tens of thousands of kept members would take memory.
                    tar.members = []  # type: ignore[attr-defined]
                    _add(path, files, member, end)
        except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
            raise MalformedContent(
                f"{path} cannot be read as a tar file: {error}", hint="Copy it again."
            ) from None
        except UnsafeContent as error:
            raise UnsafeContent(f"{path}: {error.message}", hint=error.hint) from None
    return rooted(path, files)


def _add(path: Path, files: dict[str, Extent], member: tarfile.TarInfo, end: int) -> None:
    name = member.name.removeprefix("./")
    if name.startswith("/") or ".." in name.split("/"):
        raise UnsafeContent(f"the member {member.name!r} leads out of the archive")
    if member.isdir() or not may_be_ours(name):
        return
    if not member.isreg() or member.issparse():
        raise UnsafeContent(
            f"the member {name} is not a plain regular file",
            hint="Write the archive without links: tar --hard-dereference --dereference.",
        )
    if name in files:
        raise UnsafeContent(f"the member {name} is there twice")
    if member.offset_data + member.size > end:
        raise MalformedContent(f"{path} is cut off within {name}", hint="Copy it again.")
    files[name] = Extent(path, member.offset_data, member.size)
