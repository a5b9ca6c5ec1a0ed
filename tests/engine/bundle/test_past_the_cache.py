"""Large downloads go past the page cache: whole, continued at any byte, or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from airgap_tui.engine.bundle import blob_store, hashed_file
from airgap_tui.engine.bundle.blob_store import BlobStore
from airgap_tui.engine.bundle.hashed_file import HashedFile
from airgap_tui.engine.bundle.layout import PARTIAL
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import TemporaryFailure
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest

CONTENT = bytes(range(251)) * 70_000 + b"an odd end"
BLOB = Descriptor("application/x", Digest.of(CONTENT), len(CONTENT))


class Broken:
    """Gives content in pieces of odd sizes, and breaks off at a byte."""

    def __init__(self, offset: int, until: int) -> None:
        self._position, self._until = offset, until

    def readinto(self, buffer: memoryview, /) -> int:
        if self._position >= self._until:
            if self._until < len(CONTENT):
                raise TemporaryFailure("the connection was cut")
            return 0
        count = min(len(buffer), self._until - self._position, 777_777)
        buffer[:count] = CONTENT[self._position : self._position + count]
        self._position += count
        return count

    def close(self) -> None:
        pass


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    (tmp_path / PARTIAL).mkdir()
    (tmp_path / "blobs" / "sha256").mkdir(parents=True)
    return BlobStore(tmp_path)


def download(store: BlobStore, *breaks: int) -> tuple[list[int], int]:
    """Where each attempt began, and the bytes that were counted."""
    begun: list[int] = []
    counted: list[int] = []
    ends = [*breaks, len(CONTENT)]

    def opener(offset: int) -> Broken:
        begun.append(offset)
        return Broken(offset, ends[len(begun) - 1])

    while True:
        try:
            path = store.download(BLOB, opener, counted.append, CancelToken())
            break
        except TemporaryFailure:
            continue
    assert path.read_bytes() == CONTENT
    return begun, sum(counted)


@pytest.mark.parametrize("supported", [True, False])
def test_it_continues_at_the_very_byte(
    store: BlobStore, supported: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not supported:
        monkeypatch.setattr(hashed_file, "_DIRECT", 0)
    begun, counted = download(store, 5_000_001, 8 * 1024 * 1024, 12_345_678)
    assert begun == [0, 5_000_001, 8 * 1024 * 1024, 12_345_678]
    assert counted == len(CONTENT)


def test_a_file_system_that_takes_the_flag_and_refuses_the_write(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    refused: list[int] = []

    def picky(descriptor: int, data: memoryview) -> int:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT:
            refused.append(len(data))
            raise OSError(errno.EINVAL, "Invalid argument")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", picky)
    begun, counted = download(store)
    assert begun == [0] and counted == len(CONTENT)
    assert len(refused) <= 1


def test_a_small_download_uses_the_cache(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_store, "_LARGE", len(CONTENT) + 1)
    monkeypatch.setattr(
        HashedFile, "go_past_the_cache", lambda _file: pytest.fail("not for this one")
    )
    assert download(store)[0] == [0]
