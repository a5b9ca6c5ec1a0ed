"""The listening socket, a thread per connection, and the shutdown."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
import ssl
import threading

from airgap_tui.engine.errors import EnvironmentFailure, UsageError
from airgap_tui.engine.serve.connection import Connection, Limits, Watch
from airgap_tui.engine.serve.handler import Handler, Service

_TICK = 0.25
_END_WITHIN = 0.75
_BACKLOG = 1024
_SPARE_FILES = 64


class Server:
    """Listens from construction on; answers from `start()` to `stop()`.

    `address` is `host:port` as bound, an IPv6 host in brackets. Raises
    `EnvironmentFailure` where the address cannot be had.
    """

    def __init__(
        self, host: str, port: int, service: Service, context: ssl.SSLContext | None = None
    ) -> None:
        self._service = service
        self._context = context
        self._watch = Watch(service.limits)
        self._places = threading.BoundedSemaphore(_connections(service.limits))
        self._stopping = threading.Event()
        self._listener = listen(host, port)
        self.address = _address(self._listener)
        self._threads = [
            threading.Thread(target=self._accept, name="serve-accept", daemon=True),
            threading.Thread(target=self._enforce, name="serve-watch", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End every connection at once and give the port back; within a second."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
        for thread in self._threads:
            thread.join()
        self._listener.close()
        self._watch.end_all(_END_WITHIN)

    def _accept(self) -> None:
        self._listener.settimeout(_TICK)
        while not self._stopping.is_set():
            if not self._places.acquire(timeout=_TICK):
                self._watch.end_idle()
                continue
            try:
                accepted, address = self._listener.accept()
            except OSError as error:
                self._places.release()
                if not isinstance(error, TimeoutError):
                    # Out of files or memory, or a client that is gone already.
                    self._stopping.wait(_TICK)
                continue
            accepted.setblocking(True)
            threading.Thread(
                target=self._serve, args=(accepted, str(address[0])), daemon=True
            ).start()

    def _enforce(self) -> None:
        while not self._stopping.wait(_TICK):
            self._watch.enforce()

    def _serve(self, accepted: socket.socket, client: str) -> None:
        connection = Connection(accepted, client)
        try:
            # A client that goes away ends its own connection and nothing else.
            with self._watch.over(connection), contextlib.suppress(OSError):
                if self._stopping.is_set():
                    return
                if self._context is not None:
                    connection.secure(self._context)
                Handler(connection, self._service)
        finally:
            self._places.release()


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _connections(limits: Limits) -> int:
    """How many connections this process has files for: each takes a socket and a file."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return limits.connections
    return max(4, min(limits.connections, (files - _SPARE_FILES) // 2))


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises `UsageError` and `EnvironmentFailure`."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise UsageError(
            f"cannot listen on {where}: {host!r} is not an address of this machine",
            hint="Write it like 0.0.0.0:5000 (every address), [::]:5000 or 10.1.2.3:5000.",
        ) from None
    # A name such as localhost has both; clients try IPv4 too.
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise EnvironmentFailure(
            f"cannot listen on {where}: {_reason(error)}", hint=_remedy(error, host, port)
        ) from None
    return listener


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program listens there"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    return os.strerror(error.errno) if error.errno else str(error)


def _remedy(error: OSError, host: str, port: int) -> str:
    bracketed = f"[{host}]" if ":" in host else host
    if error.errno == errno.EADDRINUSE:
        return (
            f"Take another port with --listen {bracketed}:{port + 1}, or see which program it is"
            f" with  ss -ltnp 'sport = :{port}'"
        )
    if error.errno == errno.EACCES:
        return f"Ports below 1024 are for root: take --listen {bracketed}:5000."
    if error.errno == errno.EADDRNOTAVAIL:
        return "ip -brief address  lists this machine's addresses."
    return ""
