"""The files of one bundle by their names in the layout: the interface to every kind of medium."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

from airgap_tui.engine.buffer import buffer
from airgap_tui.engine.bundle.media.extent import Place, open_place, read_place
from airgap_tui.engine.errors import NotFound, UnsafeContent
from airgap_tui.engine.oci.content import Reader


class Storage(Protocol):
    """The files of one bundle, by their names in the layout."""

    @property
    def location(self) -> Path: ...

    def extent(self, name: str) -> Place | None:
        """Where a file lies; None where there is none. Raises `UnsafeContent` for a link."""
        ...

    def size(self, name: str) -> int | None:
        """A file's size, as `extent`, told without reading from a tar or an image."""
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


def sha256_of(storage: Storage, name: str) -> str:
    """The SHA-256 in hex of a stored file of any size. Raises `NotFound`."""
    hasher = hashlib.sha256()
    with closing(storage.open(name)) as reader:
        while count := reader.readinto(buffer()):
            hasher.update(buffer()[:count])
    return hasher.hexdigest()


class StoredFiles:
    """What all storages have in common."""

    location: Path

    def extent(self, name: str) -> Place | None:
        raise NotImplementedError

    def size(self, name: str) -> int | None:
        extent = self.extent(name)
        return None if extent is None else extent.size

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
