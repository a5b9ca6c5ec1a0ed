"""An engine, spoken to through the Docker SDK: list, save as a stream, load from a stream."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any

from docker import APIClient

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.docker.failures import NAMES, check_socket, speaking_to
from airgap_tui.engine.docker.hosts import Host, Kind, find_host
from airgap_tui.engine.docker.info import EngineImage, EngineInfo, read_info
from airgap_tui.engine.docker.load_stream import Loaded, load
from airgap_tui.engine.docker.save_stream import SaveStream
from airgap_tui.engine.docker.ssh_tunnel import SshTunnel
from airgap_tui.engine.errors import EngineFailure
from airgap_tui.engine.events import Note, Sink, discard
from airgap_tui.engine.oci.read_ahead import ReadAhead
from airgap_tui.engine.quantities import elapsed
from airgap_tui.engine.redaction import redact

_TIMEOUT = 60
_PING_TIMEOUT = 10
_PING_EVERY = 15.0
_PINGS_MISSED = 4
_SAY_EVERY = 10.0


class Engine:
    """A connected engine; use as a context manager. Safe to use from several threads."""

    def __init__(self, host: Host, kind: Kind, tunnel: SshTunnel | None) -> None:
        self._host = host
        self._kind = kind
        self._tunnel = tunnel
        self._clients: list[APIClient] = []
        self._lock = threading.Lock()
        with self._speaking("the connection"):
            self._client = self.client(_TIMEOUT)
            self.info = self._read_info()
        if self.info.kind != kind:
            self._kind = self.info.kind

    @classmethod
    def connect(cls, host: str | None = None, kind: Kind = "docker") -> Engine:
        """Speak to the engine at a host, or where environment and contexts say.

        A host that turns out to be of the other kind is taken as what it is. Raises
        `EngineFailure` with the remedy, and `UsageError` for what is no address.
        """
        found = find_host(host, kind)
        if not found.url.startswith("ssh://"):
            check_socket(found, kind)
            return cls(found, kind, None)
        tunnel = SshTunnel(found.url, kind)
        try:
            return cls(replace(found, url=tunnel.url), kind, tunnel)
        except BaseException as error:
            said = tunnel.said()
            tunnel.close()
            if isinstance(error, EngineFailure):
                raise EngineFailure(
                    f"{NAMES[kind]} at {found.url} cannot be reached: {redact(said) or error}",
                    hint="Does  ssh  to it work without a password, and does the engine run there?",
                ) from None
            raise

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            clients, self._clients = self._clients, []
        for client in clients:
            client.close()
        if self._tunnel is not None:
            self._tunnel.close()

    def client(self, timeout: float | None) -> APIClient:
        """A further SDK client with its own connections; closed with the engine."""
        client = APIClient(
            base_url=self._host.url,
            version="auto",
            timeout=timeout,  # type: ignore[arg-type]  # None waits for ever, which the SDK allows
            tls=self._host.tls or False,
        )
        with self._lock:
            self._clients.append(client)
        return client

    def images(self) -> tuple[EngineImage, ...]:
        """All images that have a name or came from a registry."""
        with self._speaking("the list of images"):
            found = [EngineImage.from_json(entry) for entry in self._client.images()]
        return tuple(image for image in found if image.names or image.digests)

    def inspect(self, name: str) -> EngineImage:
        """One image, by name or ID. Raises `NotFound`."""
        with self._speaking(name):
            reply: dict[str, Any] = self._client.inspect_image(name)  # type: ignore[no-untyped-call]
            return EngineImage.from_json(reply)

    def tag(self, name: str, repository: str, tag: str) -> None:
        """Give an image a further name."""
        with self._speaking(name):
            self._client.tag(name, repository, tag, force=True)

    def room(self) -> int | None:
        """Bytes free on the disk where the engine keeps images; None where it is not local."""
        return self.info.free()

    def save(self, names: Sequence[str], token: CancelToken, sink: Sink = discard) -> ReadAhead:
        """One `docker save` stream of these images; close it when done with it.

        The classic store first writes its whole export to its own disk, for which this waits as
        long as the engine answers, and tells so. Raises `NotFound`, `EngineFailure`, `Stopped`,
        all while reading.
        """
        stream = SaveStream(
            lambda: self.client(None), names, lambda: self._speaking(", ".join(names))
        )
        return ReadAhead(stream, token=token, watch=self._watch(stream, sink))

    def load(self, chunks: Iterable[bytes | memoryview], sink: Sink, token: CancelToken) -> Loaded:
        """Feed one `docker load`; `chunks` is drawn from another thread.

        What `chunks` raises ends the load and is raised here. Raises `EngineFailure` for what the
        engine says, `Stopped`.
        """
        return load(
            self.client(None),
            self._kind,
            chunks,
            lambda: self._speaking("the load"),
            self._alive(),
            sink,
            token,
        )

    def _watch(self, stream: SaveStream, sink: Sink) -> Callable[[float], None]:
        alive, said = self._alive(), [0.0]

        def watch(silent: float) -> None:
            alive(silent)
            if silent < said[0]:
                said[0] = 0.0
            if not stream.flowing and silent - said[0] >= _SAY_EVERY:
                said[0] = silent
                sink(Note(f"{self.info.name} prepares its export, {elapsed(silent)} so far"))

        return watch

    def _alive(self) -> Callable[[float], None]:
        """A watch that pings a silent engine, and raises `EngineFailure` when it is dead."""
        state = {"next": 0.0, "missed": 0}

        def alive(silent: float) -> None:
            now = time.monotonic()
            if silent < _PING_EVERY or now < state["next"]:
                return
            state["next"] = now + _PING_EVERY
            try:
                client = self.client(_PING_TIMEOUT)
                client.ping()
                state["missed"] = 0
            except Exception:  # whatever went wrong, it did not answer
                state["missed"] += 1
                if state["missed"] >= _PINGS_MISSED:
                    raise EngineFailure(
                        f"{self.info.name} has not answered for {elapsed(silent)}",
                        hint="Look at its log: journalctl -u docker",
                    ) from None

        return alive

    @contextmanager
    def _speaking(self, what: str) -> Iterator[None]:
        with speaking_to(self._host, self._kind, what):
            yield

    def _read_info(self) -> EngineInfo:
        version: dict[str, Any] = self._client.version()
        local = self._host.socket is not None and self._tunnel is None
        info: dict[str, Any] = {}
        with suppress(ValueError):
            info = self._client.info()
        return read_info(version, info, self._host.url, local)
