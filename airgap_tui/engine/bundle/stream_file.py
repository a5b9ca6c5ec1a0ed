"""A long file written sequentially, bypassing the page cache where that works.

While a buffer is filled, the one before it is hashed and the one before that is written, each by a
thread of its own: none of them waits for the sum of the others.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import queue
import threading
from pathlib import Path

from airgap_tui.engine.buffer import BUFFER
from airgap_tui.engine.bundle.durable import disk_failure, write_all, writing
from airgap_tui.engine.oci.digest import Hasher

_BUFFERS = 5
_BLOCK = 4096
_DIRECT: int = getattr(os, "O_DIRECT", 0)


class StreamFile:
    """Takes over `descriptor`, which stands at `position`; `hasher` has seen what is before it.

    Fill `room()` and say how much with `filled`; then `finish`, or `close` to leave it as it is.
    """

    def __init__(self, path: Path, descriptor: int, position: int, hasher: Hasher) -> None:
        self.path = path
        self.hasher = hasher
        self._descriptor = descriptor
        self._position = position
        self._free: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
        self._full: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        self._error: OSError | None = None
        for _ in range(_BUFFERS):
            self._free.put(memoryview(mmap.mmap(-1, BUFFER)))
        self._current = self._free.get()
        self._used = 0
        # The second buffer begins at a block, wherever the first one does.
        self._limit = BUFFER - position % _BLOCK
        self._direct = False
        self._refused = not _DIRECT
        self._hashed: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        self._threads = (
            threading.Thread(target=self._hash, name="hash-volume", daemon=True),
            threading.Thread(target=self._write, name="write-volume", daemon=True),
        )
        for thread in self._threads:
            thread.start()

    def room(self) -> memoryview:
        """Where the next bytes are put; never empty. Raises `NoRoom` and what else the disk said
        of earlier ones."""
        if self._used == self._limit:
            self._hand_over()
        return self._current[self._used : self._limit]

    def filled(self, count: int) -> None:
        """So many bytes of the room are to be written."""
        self._used += count

    def write(self, data: bytes | memoryview) -> None:
        """All of `data`."""
        left = memoryview(data)
        while left:
            room = self.room()
            count = min(len(room), len(left))
            room[:count] = left[:count]
            self.filled(count)
            left = left[count:]

    def finish(self) -> None:
        """Everything is written, and durable."""
        self._hand_over()
        self._end_thread()
        self._check()
        with writing(self.path):
            os.fsync(self._descriptor)
        self.close()

    def close(self) -> None:
        """Write what was handed over, and no more."""
        self._end_thread()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _hand_over(self) -> None:
        self._check()
        self._full.put(self._current[: self._used])
        self._current, self._used, self._limit = self._free.get(), 0, BUFFER
        self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise disk_failure(self._error, self.path) from self._error

    def _end_thread(self) -> None:
        if self._threads[0].is_alive():
            self._full.put(None)
        for thread in self._threads:
            thread.join()

    def _hash(self) -> None:
        while (data := self._full.get()) is not None:
            self.hasher.update(data)
            self._hashed.put(data)
        self._hashed.put(None)

    def _write(self) -> None:
        while (data := self._hashed.get()) is not None:
            if self._error is None:
                try:
                    self._put(data)
                except OSError as error:
                    self._error = error
            self._free.put(memoryview(data.obj))

    def _put(self, data: memoryview) -> None:
        whole_blocks = not (self._position % _BLOCK or len(data) % _BLOCK)
        if self._direct != (whole_blocks and not self._refused):
            self._set_direct(whole_blocks)
        try:
            write_all(self._descriptor, data)
        except OSError as error:
            if not self._direct or error.errno != errno.EINVAL:
                raise
            # Some file systems take the flag and refuse the write.
            self._refused = True
            self._set_direct(False)
            os.lseek(self._descriptor, self._position, os.SEEK_SET)
            write_all(self._descriptor, data)
        if not self._direct:
            # On Linux this starts writing the range out.
            os.posix_fadvise(self._descriptor, self._position, len(data), os.POSIX_FADV_DONTNEED)
        self._position += len(data)

    def _set_direct(self, direct: bool) -> None:
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        try:
            fcntl.fcntl(
                self._descriptor, fcntl.F_SETFL, flags | _DIRECT if direct else flags & ~_DIRECT
            )
            self._direct = direct
        except OSError:
            self._refused = True
