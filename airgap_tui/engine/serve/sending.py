"""How the bytes of a file reach a socket: by the kernel without TLS, in large pieces with it.

Both calls release the GIL for the whole piece, so threads serve many clients at once.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from airgap_tui.engine.serve.api import Stretch

_IN_KERNEL = 1 << 30
_PIECE = 1024 * 1024  # each piece takes the GIL twice
_NO_SENDFILE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class MediumFailure(Exception):
    """The file cannot be read, or is shorter than it was."""


@contextmanager
def opened(stretch: Stretch) -> Iterator[int]:
    """A file descriptor of the stretch's file. Raises `MediumFailure`."""
    try:
        file = os.open(stretch.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise MediumFailure(f"{stretch.path} cannot be opened: {error.strerror}") from None
    try:
        kind = os.fstat(file).st_mode
        size = os.lseek(file, 0, os.SEEK_END) if stat.S_ISREG(kind) or stat.S_ISBLK(kind) else 0
        if size < stretch.offset + stretch.size:
            raise MediumFailure(f"{stretch.path} is not the file that it was")
        yield file
    finally:
        os.close(file)


def send(connection: socket.socket, file: int, stretch: Stretch) -> None:
    """Send the stretch. Raises `MediumFailure`, or `OSError` where the client is gone."""
    sent = 0
    if not isinstance(connection, ssl.SSLSocket):
        sent = _send_in_kernel(connection, file, stretch)
    if sent < stretch.size:
        _send_pieces(connection, file, stretch, sent)


def _send_in_kernel(connection: socket.socket, file: int, stretch: Stretch) -> int:
    """Bytes sent; fewer than all only where this kind of file does not go this way."""
    sent = 0
    while sent < stretch.size:
        count = min(stretch.size - sent, _IN_KERNEL)
        try:
            moved = os.sendfile(connection.fileno(), file, stretch.offset + sent, count)
        except OSError as error:
            if error.errno in _NO_SENDFILE and sent == 0:
                return 0
            if error.errno == errno.EIO:
                raise MediumFailure(f"{stretch.path} cannot be read: {error.strerror}") from None
            raise
        if moved == 0:
            raise MediumFailure(f"{stretch.path} is shorter than it was")
        sent += moved
    return sent


def _send_pieces(connection: socket.socket, file: int, stretch: Stretch, sent: int) -> None:
    buffer = memoryview(bytearray(min(_PIECE, stretch.size - sent)))
    while sent < stretch.size:
        piece = buffer[: stretch.size - sent]
        try:
            count = os.preadv(file, [piece], stretch.offset + sent)
        except OSError as error:
            raise MediumFailure(f"{stretch.path} cannot be read: {error.strerror}") from None
        if count == 0:
            raise MediumFailure(f"{stretch.path} is shorter than it was")
        connection.sendall(piece[:count])
        sent += count
