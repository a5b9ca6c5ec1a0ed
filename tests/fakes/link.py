"""A network link to a real service: counted, slow when asked, and it can be cut and mended."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType

from tests.services import free_port

_CHUNK = 16 * 1024


class Link:
    """Forwards a port of 127.0.0.1 to `port`. `rate` bounds the bytes per second that come back,
    all connections together; None is as fast as it goes. `received` counts the bytes that came."""

    def __init__(self, port: int, rate: float | None = None) -> None:
        self._to = port
        self.rate = rate
        self.received = 0
        self._lock = threading.Lock()
        self._free_at = 0.0
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self.port = free_port()
        self.mend()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def mend(self) -> None:
        """Take connections, after a cut on the same port."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self._listener = listener
        self._start(self._accept, listener)

    def cut(self) -> None:
        """Refuse new connections and break those that there are."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            sockets = list(self._sockets)
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        for thread in self._threads:
            thread.join(30)

    def __enter__(self) -> Link:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._to), timeout=10)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            # Small buffers: what is counted here has nearly arrived there.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _CHUNK)
            pair = (client, server)
            with self._lock:
                self._sockets.update(pair)
                cut = self._listener is not listener
            if cut:
                self._end(pair)
                self._close(pair)
                continue
            self._start(self._serve, client, server)

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        upstream = threading.Thread(target=self._copy, args=(client, server, False), daemon=True)
        upstream.start()
        self._copy(server, client, True)
        upstream.join()
        self._close((client, server))

    def _copy(self, source: socket.socket, sink: socket.socket, back: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if back:
                    self._count(len(data))
                sink.sendall(data)
        self._end((source, sink))

    def _count(self, size: int) -> None:
        with self._lock:
            self.received += size
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + size / self.rate if self.rate else now
            wait = self._free_at - now
        if wait > 0.001:
            time.sleep(min(wait, 1.0))

    def _end(self, pair: tuple[socket.socket, socket.socket]) -> None:
        for one in pair:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _close(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._lock:
            self._sockets.difference_update(pair)
        for one in pair:
            one.close()
