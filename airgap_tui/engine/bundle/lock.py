"""Takes a place for writing: it is a bundle or empty, and has one writer, who leaves its name."""

from __future__ import annotations

import errno
import fcntl
import getpass
import json
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.durable import writing
from airgap_tui.engine.bundle.inventory import now
from airgap_tui.engine.errors import BundleLocked, UnsafeContent, UsageError

_MAX_BYTES = 4096
_HELD = (errno.EAGAIN, errno.EACCES)


def check_place(path: Path) -> None:
    """Raise `UsageError` where something that is not a bundle lies at the path, and `UnsafeContent`
    where a link would lead a writer out of it."""
    if path.exists() and not path.is_dir():
        raise UsageError(
            f"{path} is a file; a bundle is written into a directory",
            hint="Name a directory that does not exist yet.",
        )
    if (path / layout.PARTIAL).is_symlink():
        raise UnsafeContent(f"{path / layout.PARTIAL} is a link; a bundle holds no links")
    with writing(path):
        if not path.is_dir() or (path / layout.INVENTORY).exists() or layout.is_new(path):
            return
    raise UsageError(
        f"{path} holds other files and is not a bundle",
        hint="Name an empty directory, or one that does not exist yet.",
    )


class BundleLock:
    """Held from construction to `release`, or to the end of the process, however it ends."""

    def __init__(self, bundle: Path, job: str) -> None:
        """Raises `BundleLocked`, which names the holder's job, user, host and process."""
        self._path = bundle / layout.LOCK
        with writing(self._path):
            self._descriptor = self._acquire(bundle)
            holder = {
                "job": job,
                "user": _user(),
                "host": socket.gethostname(),
                "process": os.getpid(),
                "since": now(),
            }
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, json.dumps(holder).encode(), 0)

    def release(self) -> None:
        """Release the bundle, and leave no file behind. Where the disk does not take that any
        more, whatever ended the work is what is told."""
        if self._descriptor >= 0:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1

    def _acquire(self, bundle: Path) -> int:
        while True:
            self._path.parent.mkdir(exist_ok=True)
            try:
                descriptor = os.open(
                    self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666
                )
            except FileNotFoundError:
                continue  # another writer has just finished and taken the directory away
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_open_as(descriptor, self._path):
                    return descriptor
            except OSError as error:
                if error.errno not in _HELD:
                    os.close(descriptor)
                    raise
                holder = _holder(descriptor)
                os.close(descriptor)
                raise BundleLocked(
                    f"{bundle} is being written{holder}",
                    hint="Wait until that is finished, or stop it.",
                ) from None
            os.close(descriptor)


def _is_open_as(descriptor: int, path: Path) -> bool:
    """Whether the locked file is still the one at the path: its last holder removed it."""
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def _holder(descriptor: int) -> str:
    try:
        value: Any = json.loads(os.pread(descriptor, _MAX_BYTES, 0))
        return (
            f" by {value['job']} of {value['user']} on {value['host']},"
            f" process {value['process']}, since {value['since']}"
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return " by another job"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
