"""Reading ahead: the same bytes, bounded, and a wait that ends when it has to."""

from __future__ import annotations

import io
import threading
from contextlib import closing

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import EngineFailure, Stopped
from airgap_tui.engine.oci.read_ahead import ReadAhead


class Blocking:
    """Gives some bytes and then nothing until it is closed."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = io.BytesIO(data)
        self._closed = threading.Event()

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._data.readinto(buffer)
        if not count:
            self._closed.wait(30)
        return count

    def close(self) -> None:
        self._closed.set()


class Failing(io.BytesIO):
    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        count = super().readinto(buffer)
        if not count:
            raise EngineFailure("broken off")
        return count


def everything(source: ReadAhead) -> bytes:
    out = bytearray()
    while chunk := source.take():
        out += chunk
    return bytes(out)


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 54_321])
def test_the_same_bytes(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    with closing(ReadAhead(io.BytesIO(data[:size]), chunk=1000)) as source:
        assert everything(source) == data[:size]
        assert not source.take(), "the end stays the end"
    with closing(ReadAhead(io.BytesIO(data[:size]), chunk=1000)) as source:
        buffer = memoryview(bytearray(size + 10))
        filled = 0
        while count := source.readinto(buffer[filled:]):
            filled += count
        assert bytes(buffer[:filled]) == data[:size]


def test_no_more_is_read_than_there_are_buffers() -> None:
    content = io.BytesIO(bytes(100_000))
    with closing(ReadAhead(content, depth=2, chunk=1000)) as source:
        assert source.take()
        assert content.tell() <= 3000


def test_what_the_reader_raises_comes_after_its_bytes() -> None:
    with closing(ReadAhead(Failing(b"x" * 2000), chunk=1000)) as source:
        assert len(source.take()) == 1000
        assert len(source.take()) == 1000
        for _ in range(2):
            with pytest.raises(EngineFailure, match="broken off"):
                source.take()


def test_waiting_can_be_cancelled() -> None:
    token = CancelToken()
    with closing(ReadAhead(Blocking(), token=token)) as source:
        threading.Timer(0.1, token.cancel).start()
        with pytest.raises(Stopped):
            source.take()


def test_waiting_is_watched() -> None:
    heard: list[float] = []

    def watch(silent: float) -> None:
        heard.append(silent)
        if len(heard) == 2:
            raise EngineFailure("dead")

    with (
        closing(ReadAhead(Blocking(), watch=watch)) as source,
        pytest.raises(EngineFailure, match="dead"),
    ):
        source.take()
    assert heard == sorted(heard)
