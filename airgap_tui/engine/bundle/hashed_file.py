"""A file of a bundle being written: hashed as it is written, flushed as it grows."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from airgap_tui.engine.bundle.durable import disk_failure, write_all, writing
from airgap_tui.engine.oci.digest import Hasher

_BLOCK = 4096
"""What writes past the page cache have to be multiples of; disks with larger blocks refuse them,
and get ordinary ones."""

_DIRECT: int = getattr(os, "O_DIRECT", 0)

_FLUSH = 16 * 1024 * 1024
"""Written bytes are sent on their way to the disk in steps of this, so that the sync at the end
finds little left to do."""


class HashedFile:
    """A file that is hashed while it is written, and flushed as it grows.

    Large downloads go past the page cache where the file system lets them (`O_DIRECT`): that takes
    a fifth of the processor time, evicts nothing, and leaves nothing for the sync at the end, so
    that progress on a slow disk is what the disk really holds.
    """

    def __init__(self, path: Path, flags: int, hasher: Hasher) -> None:
        self.path = path
        self.hasher = hasher
        self.size = 0
        self.direct = False
        self._flushed = 0
        with writing(path):
            flags |= os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self.descriptor = os.open(path, flags, 0o666)

    def write(self, data: memoryview) -> None:
        self.hasher.update(data)
        if self.direct and len(data) % _BLOCK:
            self._go_through_the_cache()
        try:
            try:
                write_all(self.descriptor, data)
            except OSError as error:
                if not self.direct or error.errno != errno.EINVAL:
                    raise
                # Some file systems take the flag and refuse the write.
                self._go_through_the_cache()
                os.lseek(self.descriptor, self.size, os.SEEK_SET)
                write_all(self.descriptor, data)
        except OSError as error:
            raise disk_failure(error, self.path) from error
        self.size += len(data)
        if not self.direct and self.size - self._flushed >= _FLUSH:
            self._flush()

    def go_past_the_cache(self) -> None:
        """Switch to `O_DIRECT` from here on if possible; only whole buffers may be written then."""
        if self.size % _BLOCK:
            return
        with suppress(OSError):
            flags = fcntl.fcntl(self.descriptor, fcntl.F_GETFL)
            fcntl.fcntl(self.descriptor, fcntl.F_SETFL, flags | _DIRECT)
            self.direct = bool(_DIRECT)

    def _go_through_the_cache(self) -> None:
        flags = fcntl.fcntl(self.descriptor, fcntl.F_GETFL)
        fcntl.fcntl(self.descriptor, fcntl.F_SETFL, flags & ~_DIRECT)
        self.direct = False
        self._flushed = self.size

    def sync(self) -> None:
        with writing(self.path):
            os.fsync(self.descriptor)

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def mark_flushed(self) -> None:
        """The first bytes are from an earlier run and need no flushing."""
        self._flushed = self.size

    def _flush(self) -> None:
        # On Linux this starts writing the range out, and drops from memory only what is clean.
        os.posix_fadvise(
            self.descriptor, self._flushed, self.size - self._flushed, os.POSIX_FADV_DONTNEED
        )
        self._flushed = self.size
