"""An engine through the Docker SDK: list, save as a stream, load from a stream."""

from __future__ import annotations

import threading
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
from airgap_tui.engine.docker.liveness import Liveness
from airgap_tui.engine.docker.load_stream import Loaded, load
from airgap_tui.engine.docker.save_stream import SaveStream
from airgap_tui.engine.docker.ssh_tunnel import SshTunnel
from airgap_tui.engine.errors import EngineFailure
from airgap_tui.engine.events import Note, Sink, discard
from airgap_tui.engine.oci.read_ahead import ReadAhead
from airgap_tui.engine.quantities import elapsed
from airgap_tui.engine.redaction import redact

_TIMEOUT = 60
_SAY_EVERY = 10.0


class Engine:
    """A connected engine; use as a context manager. Safe to use from several threads."""

    def __init__(self, host: Host, kind: Kind, tunnel: SshTunnel | None) -> None:
        self._host = host
        self._kind = kind
        self._tunnel = tunnel
        self._clients: list[APIClient] = []
        self._lock = threading.Lock()
        try:
            with self._speaking("the connection"):
                self._client = self._new_client(_TIMEOUT, "auto")
                self.info = self._read_info()
        except BaseException:
            self._close_clients()
            raise
        if self.info.kind != kind:
            self._kind = self.info.kind

    @classmethod
    def connect(cls, host: str | None = None, kind: Kind = "docker") -> Engine:
        """Connect to the engine at a host, or where the environment and contexts say.

        An engine of the other kind (Docker, Podman) is taken as what it is. Raises
        `EngineFailure` with the remedy, and `UsageError` for what is not an address.
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
        self._close_clients()
        if self._tunnel is not None:
            self._tunnel.close()

    def _close_clients(self) -> None:
        with self._lock:
            clients, self._clients = self._clients, []
        for client in clients:
            client.close()

    def images(self) -> tuple[EngineImage, ...]:
        """All images that have a name or came from a registry."""
        with self._asking("the list of images"):
            found = [EngineImage.from_json(entry) for entry in self._client.images()]
        return tuple(image for image in found if image.names or image.digests)

    def inspect(self, name: str) -> EngineImage:
        """One image, by name or ID. Raises `NotFound`."""
        with self._asking(name):
            reply: dict[str, Any] = self._client.inspect_image(name)  # type: ignore[no-untyped-call]
            return EngineImage.from_json(reply)

    def tag(self, name: str, repository: str, tag: str) -> None:
        """Give an image a further name."""
        with self._asking(name):
            self._client.tag(name, repository, tag, force=True)

    def room(self) -> int | None:
        """Bytes free on the disk where the engine keeps images; None where it is not local."""
        return self.info.free()

    def save(self, names: Sequence[str], token: CancelToken, sink: Sink = discard) -> ReadAhead:
        """One `docker save` stream of these images; close it when done with it.

        The classic store first writes its whole export to its own disk, for which this waits as
        long as the engine answers, and reports that it waits. Reading raises `NotFound`,
        `EngineFailure` and `Stopped`.
        """
        stream = SaveStream(
            lambda: self._new_client(None), names, lambda: self._speaking(", ".join(names))
        )
        return ReadAhead(stream, token=token, watch=self._watch(stream, sink))

    def load(self, chunks: Iterable[bytes | memoryview], sink: Sink, token: CancelToken) -> Loaded:
        """Feed one `docker load`; `chunks` is drawn from another thread.

        What `chunks` raises ends the load and is raised here. Raises `EngineFailure` for errors
        of the engine, and `Stopped`.
        """
        return load(
            self._new_client(None),
            self._kind,
            chunks,
            lambda: self._speaking("the load"),
            self._alive(),
            sink,
            token,
        )

    def _watch(self, stream: SaveStream, sink: Sink) -> Callable[[float], None]:
        alive, said = self._alive(), 0.0

        def watch(silent: float) -> None:
            nonlocal said
            said = min(said, silent)
            if not stream.flowing and silent - said >= _SAY_EVERY:
                said = silent
                sink(Note(f"{self.info.name} prepares its export, {elapsed(silent)} so far"))
            alive(silent)

        return watch

    def _alive(self) -> Liveness:
        return Liveness(self._host, self.info.name, self.info.api_version)

    def _new_client(self, timeout: float | None, version: str = "") -> APIClient:
        """An SDK client with its own connections, closed with the engine.

        Without a version it does not ask for the engine's, which a hung one would never tell.
        """
        self._check_socket()
        client = APIClient(
            base_url=self._host.url,
            version=version or self.info.api_version,
            timeout=timeout,  # type: ignore[arg-type]  # None waits for ever, which the SDK allows
            tls=self._host.tls or False,
        )
        with self._lock:
            self._clients.append(client)
        return client

    def _check_socket(self) -> None:
        """Find a dead engine before the SDK does; behind a tunnel this would start a program."""
        if self._tunnel is None:
            check_socket(self._host, self._kind)

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        self._check_socket()
        with self._speaking(what):
            yield

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
