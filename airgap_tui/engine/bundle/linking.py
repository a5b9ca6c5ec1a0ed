"""Takes a file over without copying it: by reflink, or by hard link on the same file system.

A reflink is asked for as such: `copy_file_range` copies where the file system cannot share, and
what is copied here would be copied without being hashed on its way.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

from airgap_tui.engine.bundle.durable import disk_failure
from airgap_tui.engine.bundle.media.extent import Extent, Place

_CLONE = 0x40049409
"""The ioctl FICLONE of linux/fs.h."""

_CANNOT = frozenset(
    {
        errno.EXDEV,
        errno.EPERM,
        errno.EACCES,
        errno.EMLINK,
        errno.EINVAL,
        errno.ENOTTY,
        errno.ENOSYS,
        errno.EOPNOTSUPP,
        errno.ETXTBSY,
        errno.EROFS,
    }
)


def is_whole_file(place: Place) -> bool:
    """Whether a place is all of one regular file, which could be linked."""
    if not isinstance(place, Extent) or place.offset:
        return False
    try:
        return place.path.is_file() and place.path.stat().st_size == place.size
    except OSError:
        return False


def link_file(source: Path, target: Path) -> bool:
    """Make `target` share the content of `source`; False where these file systems cannot.

    Raises `NoRoom` and the like for a disk that refuses for other reasons.
    """
    return _reflink(source, target) or _hard_link(source, target)


def _reflink(source: Path, target: Path) -> bool:
    try:
        read = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False  # whoever reads it is told
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        write = os.open(target, flags, 0o666)
        try:
            fcntl.ioctl(write, _CLONE, read)
        except OSError as error:
            os.unlink(target)
            if error.errno in _CANNOT:
                return False
            raise
        finally:
            os.close(write)
    except OSError as error:
        raise disk_failure(error, target) from error
    finally:
        os.close(read)
    return True


def _hard_link(source: Path, target: Path) -> bool:
    try:
        status = os.lstat(source)
        if status.st_uid != os.geteuid() or status.st_mode & stat.S_IWOTH:
            return False  # whose it is could change it after it was checked
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise disk_failure(error, target) from error
    return True
