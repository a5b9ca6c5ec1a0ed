"""Ends exchanges that would not end on their own: of a stopped job, or with a host that trickles.

A timeout of a socket is per call, so one byte every ten seconds never times out; and a thread that
waits in the kernel sees no token. One thread looks at all exchanges a few times a second and shuts
down their sockets, which wakes the thread that waits.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from airgap_tui.engine.cancel import CancelToken

_INTERVAL = 0.2


class Exchange:
    """One request and its answer. The thread that does it calls `waiting` and `moved`.

    `send_timeout` is how long, in seconds, one piece of a body may take to be sent; without one
    only the minimum rate counts.
    """

    def __init__(
        self, token: CancelToken, minimum_rate: int, window: float, send_timeout: float | None
    ) -> None:
        self.token = token
        self.send_timeout = send_timeout
        self.too_slow = False
        self._minimum = minimum_rate * window
        self._window = window
        self._socket: socket.socket | None = None
        self._waiting_since: float | None = None
        self._waited = 0.0
        self._moved = 0
        self._waited_before = 0.0  # these two are the watchdog's: where its window begins
        self._moved_before = 0

    def connected(self, connection: socket.socket | None) -> None:
        self._socket = connection
        if connection is not None:
            # urllib3 would let sending take no longer than connecting.
            connection.settimeout(self.send_timeout)

    def disconnected(self) -> None:
        """The socket is reused for another exchange from now on."""
        self._socket = None

    def waiting(self) -> None:
        """It is the host's turn: only such time counts, not that of a slow local disk."""
        self._waiting_since = time.monotonic()

    def moved(self, count: int) -> None:
        """The wait is over; `count` bytes came or went."""
        since, self._waiting_since = self._waiting_since, None
        if since is not None:
            self._waited += time.monotonic() - since
        self._moved += count

    def look(self) -> None:
        """Called by the watchdog, which drops a connection that is too slow."""
        since = self._waiting_since
        waited = self._waited + (time.monotonic() - since if since is not None else 0.0)
        if waited - self._waited_before >= self._window:
            if self._moved - self._moved_before < self._minimum:
                self.too_slow = True
            self._waited_before, self._moved_before = waited, self._moved
        if self.too_slow or self.token.cancelled:
            self._shut_down()

    def _shut_down(self) -> None:
        connection = self._socket
        if connection is not None:
            # The plain socket's method: the one of a TLS socket would also drop its state, which
            # the thread that reads is using.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


class Watchdog:
    """The watching thread; it runs only while there are exchanges."""

    def __init__(self) -> None:
        self._exchanges: set[Exchange] = set()
        self._changed = threading.Condition()
        self._running = False

    def begin(self, exchange: Exchange) -> None:
        with self._changed:
            self._exchanges.add(exchange)
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="watchdog", daemon=True).start()
            self._changed.notify()

    def end(self, exchange: Exchange) -> None:
        with self._changed:
            self._exchanges.discard(exchange)

    def _run(self) -> None:
        idle = 0
        while True:
            with self._changed:
                if not self._exchanges:
                    idle += 1
                    if idle > 1:
                        self._running = False
                        return
                    self._changed.wait(1.0)
                    continue
                idle = 0
                exchanges = tuple(self._exchanges)
            for exchange in exchanges:
                exchange.look()
            time.sleep(_INTERVAL)
