"""One client's connection, and the watch that ends connections that stall, trickle or idle.

Sockets stay blocking, which lets `sendfile` and TLS move large pieces in one call. Time limits
therefore come from outside: a watch looks at every connection a few times a second and shuts down
those that have outstayed the limit of what they are doing. For replies the kernel's count of
acknowledged bytes tells how fast the client really takes them.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

_ACKED_OFFSET = 120  # tcpi_bytes_acked in struct tcp_info, linux/tcp.h
_UNSENT = 128 * 1024
_RESET = struct.pack("ii", 1, 0)
_ACKED = struct.Struct("@Q")


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds. A reply during which the client takes fewer than `slowest` bytes per
    `stalled` seconds is cut off; the client may resume it."""

    connections: int = 512
    handshake: float = 15.0
    idle: float = 90.0
    request: float = 15.0
    stalled: float = 60.0
    slowest: int = 64 * 1024
    header_bytes: int = 32 * 1024


class Phase(Enum):
    """What a connection is doing; each has its time limit."""

    HANDSHAKE = "handshake"
    IDLE = "idle"
    REQUEST = "request"
    REPLY = "reply"


class Connection:
    """A client's socket. Its thread says which phase it is in; the watch may shut it down."""

    def __init__(self, plain: socket.socket, client: str) -> None:
        self.socket = plain
        self.client = client
        self._closing = threading.Lock()
        self._closed = False
        self._phase = Phase.HANDSHAKE
        self._since = time.monotonic()
        self._acked = 0

    def enter(self, phase: Phase) -> None:
        self._since = time.monotonic()
        self._acked = -1
        self._phase = phase

    def secure(self, context: ssl.SSLContext) -> None:
        """Shake hands. Raises `OSError`, of which `ssl.SSLError` is one."""
        # Encrypted bytes that wait in megabytes of buffers are cold when they are sent at last: a
        # short queue was measured a tenth faster, and slow clients then hold little memory.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
        wrapped = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        with self._closing:
            self.socket = wrapped
        wrapped.do_handshake()

    @property
    def idle(self) -> bool:
        return self._phase is Phase.IDLE

    def overdue(self, limits: Limits, now: float) -> bool:
        """Whether the limit of the present phase has passed."""
        phase, waited = self._phase, now - self._since
        if phase is Phase.REPLY:
            if waited < limits.stalled and self._acked >= 0:
                return False
            acked = self._acknowledged()
            slow = waited >= limits.stalled and acked - self._acked < limits.slowest
            if not slow:
                self._acked, self._since = acked, now
            return slow
        limit = {
            Phase.HANDSHAKE: limits.handshake,
            Phase.IDLE: limits.idle,
            Phase.REQUEST: limits.request,
        }[phase]
        return waited >= limit

    def shut_down(self) -> None:
        """Wake the connection's thread with an error or the end of input; from any thread."""
        with self._closing, contextlib.suppress(OSError):
            if not self._closed:
                if self._phase is Phase.REPLY:
                    # Otherwise the kernel would keep the unread bytes for a client that is stuck.
                    self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                # Not SSLSocket.shutdown: it drops the TLS state that the thread may be using.
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def close(self) -> None:
        with self._closing:
            self._closed = True
            self.socket.close()

    def _acknowledged(self) -> int:
        with self._closing:
            if self._closed:
                return 0
            try:
                information = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                return int(_ACKED.unpack_from(information, _ACKED_OFFSET)[0])
            except (OSError, struct.error):
                return 0


class Watch:
    """All connections of a server, and the thread that holds them to the limits."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._changed = threading.Condition()
        self._connections: dict[Connection, threading.Thread] = {}

    @contextlib.contextmanager
    def over(self, connection: Connection) -> Iterator[None]:
        """Watch a connection while its thread, the caller, is at work."""
        with self._changed:
            self._connections[connection] = threading.current_thread()
        try:
            yield
        finally:
            connection.close()
            with self._changed:
                del self._connections[connection]
                self._changed.notify_all()

    def enforce(self) -> None:
        """Shut down what is overdue now."""
        now = self._clock()
        for connection in self._all():
            if connection.overdue(self._limits, now):
                connection.shut_down()

    def end_idle(self) -> None:
        """Shut down connections on which nothing is under way, to make place for others."""
        for connection in self._all():
            if connection.idle:
                connection.shut_down()

    def end_all(self, within: float) -> None:
        """Shut down every connection and wait up to `within` seconds for their threads."""
        until = time.monotonic() + within
        with self._changed:
            while self._connections:
                for connection in list(self._connections):
                    connection.shut_down()
                left = until - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(min(left, 0.1))

    def _all(self) -> list[Connection]:
        with self._changed:
            return list(self._connections)
