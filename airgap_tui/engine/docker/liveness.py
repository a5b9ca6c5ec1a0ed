"""Is a silent engine alive? Its export may take minutes to begin; a dead one never begins."""

from __future__ import annotations

import socket
import time

from docker import APIClient

from airgap_tui.engine.docker.hosts import Host
from airgap_tui.engine.errors import EngineFailure
from airgap_tui.engine.quantities import elapsed

PING_TIMEOUT = 5.0
PING_EVERY = 15.0
PINGS_MISSED = 4
"""So a dead engine is given up after about a minute of silence."""


class Liveness:
    """Call it with the seconds that nothing came; it asks now and then, and raises
    `EngineFailure` when the engine has missed several answers in a row."""

    def __init__(self, host: Host, name: str, api_version: str) -> None:
        self._host = host
        self._name = name
        self._api_version = api_version
        self._next = 0.0
        self._missed = 0

    def __call__(self, silent: float) -> None:
        now = time.monotonic()
        if silent < PING_EVERY or now < self._next:
            return
        try:
            self._ping()
            self._missed = 0
        except Exception:  # whatever went wrong, it did not answer
            self._missed += 1
        self._next = time.monotonic() + PING_EVERY
        if self._missed >= PINGS_MISSED:
            raise EngineFailure(
                f"{self._name} has not answered for {elapsed(silent)}",
                hint="Look at its log: journalctl -u docker",
            )

    def _ping(self) -> None:
        path = self._host.socket
        if path is None:
            client = APIClient(
                base_url=self._host.url,
                version=self._api_version,
                timeout=int(PING_TIMEOUT),
                tls=self._host.tls or False,
            )
            try:
                client.ping()
            finally:
                client.close()
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(PING_TIMEOUT)
            connection.connect(str(path))
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: localhost\r\n\r\n")
            if not connection.recv(12):
                raise ConnectionError
