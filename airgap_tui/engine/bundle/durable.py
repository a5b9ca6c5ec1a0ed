"""Writes of which a crash leaves the old file or the new one; disk errors name a remedy."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airgap_tui.engine.errors import AirgapError, EnvironmentFailure, NoRoom, WriteRefused

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_DIRECTORY_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES)


def disk_failure(error: OSError, path: Path) -> AirgapError:
    """The error for an `OSError` raised while `path` was written."""
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return NoRoom(
            f"{path} cannot be written: {reason.lower()}",
            hint="Make room there and run the same again: it continues where it stopped.",
        )
    if error.errno == errno.EFBIG:
        return NoRoom(
            f"{path} cannot be written: the file system takes no file that large",
            hint="FAT32 takes no file of 4 GiB. Choose a disk with ext4, XFS or exFAT.",
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return WriteRefused(
            f"{path} cannot be written: {reason.lower()}",
            hint="Choose a directory that you may write to, or mount the disk for writing.",
        )
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return WriteRefused(
            f"{path} cannot be written: a file is in the way of a directory",
            hint="Choose another directory, or remove the file.",
        )
    hint = "The disk may be failing."
    if error.errno == errno.ENOENT:
        hint = "Make the directory first; where it is on a disk, see whether that is mounted."
    elif error.errno == errno.EISDIR:
        hint = "There is a directory of that name: name a file in it."
    return WriteRefused(f"{path} cannot be written: {reason.lower()}", hint=hint)


@contextmanager
def writing(path: Path, remedy: str = "") -> Iterator[None]:
    """Turns the `OSError`s of the block into errors that name `path` and say what to do: the
    `remedy`, where nobody has chosen that place by naming it."""
    try:
        yield
    except OSError as error:
        failure = disk_failure(error, path)
        failure.hint = remedy or failure.hint
        raise failure from error


def write_all(descriptor: int, data: memoryview) -> None:
    """Write all of `data`; `os.write` may take less at once."""
    while data:
        data = data[os.write(descriptor, data) :]


def replace_file(path: Path, data: bytes, temporary: Path) -> None:
    """Give `path` this content in one step: a reader sees the old or the new, also after a crash.

    `temporary` is a path on the same file system.
    """
    with writing(path):
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666
        )
        try:
            write_all(descriptor, memoryview(data))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
        sync_directory(path.parent)


def read_note(path: Path, limit: int) -> bytes:
    """The first `limit` bytes of a file that may lie on a medium of anybody; of a link, a pipe or a
    device nothing. Raises `OSError`."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(path, flags), "rb") as file:
        return file.read(limit) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable; file systems without such a thing are left alone."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_DIRECTORY_SYNC:
            raise
    finally:
        os.close(descriptor)


def sync_file_system(path: Path) -> None:
    """Return when everything on the file system of a directory is on the disk, whoever wrote it.

    Raises `EnvironmentFailure` where the disk refused something since it was opened."""
    import ctypes  # only what makes a disk ready to be unplugged needs it

    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(descriptor) != 0:
            reason = os.strerror(ctypes.get_errno()).lower()
            raise EnvironmentFailure(
                f"{path}: the disk did not take everything: {reason}",
                hint="It may be failing. Verify the bundle, and carry it on another one.",
            )
    finally:
        os.close(descriptor)
    with writing(path):
        sync_directory(path)


class DirectorySync:
    """`sync_directory` for many threads: one sync serves all that waited when it began."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._condition = threading.Condition()
        self._asked = 0
        self._done = 0
        self._running = False

    def sync(self) -> None:
        """Return when every name made before the call is durable."""
        with self._condition:
            self._asked += 1
            mine = self._asked
            while self._running and self._done < mine:
                self._condition.wait()
            if self._done >= mine:
                return
            self._running = True
            covers = self._asked
        try:
            sync_directory(self._path)
        except OSError:
            covers = 0
            raise
        finally:
            with self._condition:
                self._running = False
                self._done = max(self._done, covers)
                self._condition.notify_all()
