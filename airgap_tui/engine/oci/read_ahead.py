"""A thread that reads ahead, so that reading or decoding overlaps with what is done with the bytes.

Buffers are handed out without a copy and used in turn: memory is `depth` + 1 buffers, whatever the
size of the content. Waiting for bytes can be cancelled and watched even where the reader itself
blocks for minutes.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.oci.content import CHUNK, Reader

Watch = Callable[[float], None]
"""Called now and then with the seconds that no bytes came; ends the wait by raising."""

_POLL = 0.25
_PATIENCE = 1.0
"""Seconds that closing waits for the thread; one that is stuck in the kernel is left behind."""


class ReadAhead:
    """Reads a `Reader` to its end in a thread of its own; use with `contextlib.closing`."""

    def __init__(
        self,
        reader: Reader,
        *,
        token: CancelToken | None = None,
        watch: Watch | None = None,
        depth: int = 3,
        chunk: int = CHUNK,
    ) -> None:
        self._reader = reader
        self._token = token or CancelToken()
        self._watch = watch
        self._free: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        self._filled: queue.SimpleQueue[memoryview | BaseException] = queue.SimpleQueue()
        for _ in range(depth + 1):
            self._free.put(memoryview(bytearray(chunk)))
        self._lent: memoryview | None = None
        self._ended: memoryview | BaseException | None = None
        self._rest = memoryview(b"")
        self._thread = threading.Thread(target=self._read, name="read-ahead", daemon=True)
        self._thread.start()

    def take(self) -> memoryview:
        """The next bytes, at most a buffer full; empty at the end, again and again.

        They are valid until the next call. Raises what the reader or the watch raised, and
        `Stopped`.
        """
        if self._lent is not None:
            self._free.put(self._lent)
            self._lent = None
        if self._ended is None:
            filled = self._wait()
            if isinstance(filled, memoryview) and len(filled):
                self._lent = filled
                return filled
            self._ended = filled
        if isinstance(self._ended, BaseException):
            raise self._ended
        return self._ended

    def readinto(self, buffer: memoryview, /) -> int:
        """As a `Reader`, for where a copy does not matter. Not to be mixed with `take`."""
        if not self._rest:
            self._rest = self.take()
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        self._free.put(None)
        self._reader.close()
        self._thread.join(_PATIENCE)

    def _wait(self) -> memoryview | BaseException:
        begun = time.monotonic()
        while True:
            self._token.check()
            try:
                return self._filled.get(timeout=_POLL)
            except queue.Empty:
                if self._watch is not None:
                    self._watch(time.monotonic() - begun)

    def _read(self) -> None:
        try:
            while (free := self._free.get()) is not None:
                buffer = memoryview(free.obj)
                filled = 0
                while filled < len(buffer) and (count := self._reader.readinto(buffer[filled:])):
                    filled += count
                self._filled.put(buffer[:filled])
                if filled < len(buffer):
                    if filled:
                        self._filled.put(memoryview(b""))
                    return
        except BaseException as error:
            self._filled.put(error)
