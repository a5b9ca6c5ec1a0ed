"""A server over a `FakeCatalogue`, and plain HTTP clients for it."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from airgap_tui.engine.serve.api import Api
from airgap_tui.engine.serve.connection import Limits
from airgap_tui.engine.serve.handler import Access, Service
from airgap_tui.engine.serve.htpasswd import Htpasswd
from airgap_tui.engine.serve.server import Server
from tests.fakes.catalogue import FakeCatalogue
from tests.images import SampleImages


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class Running:
    server: Server
    secure: ssl.SSLContext | None = None
    accesses: list[Access] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.server.address.rpartition(":")[2])

    @contextmanager
    def connection(self) -> Iterator[http.client.HTTPConnection]:
        host = self.server.address.rpartition(":")[0].strip("[]")
        connection = (
            http.client.HTTPConnection(host, self.port, timeout=20)
            if self.secure is None
            else http.client.HTTPSConnection(host, self.port, timeout=20, context=self.secure)
        )
        try:
            yield connection
        finally:
            connection.close()

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> Answer:
        """One request on a connection of its own; `If_Range` stands for the header `If-Range`."""
        with self.connection() as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())


class Serve(Protocol):
    def __call__(
        self,
        catalogue: FakeCatalogue,
        *,
        limits: Limits = ...,
        logins: Htpasswd | None = None,
        context: ssl.SSLContext | None = None,
        trusted: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> Running: ...


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers, which stop with the test."""
    servers: list[Server] = []

    def start(
        catalogue: FakeCatalogue,
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        logins: Htpasswd | None = None,
        context: ssl.SSLContext | None = None,
        trusted: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> Running:
        accesses: list[Access] = []
        service = Service(Api(catalogue), limits, logins, accesses.append)
        server = Server(host, 0, service, context)
        server.start()
        servers.append(server)
        return Running(server, trusted, accesses)

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def catalogue(tmp_path: Path, sample_images: SampleImages) -> FakeCatalogue:
    return FakeCatalogue(tmp_path / "content", sample_images.everything)


@pytest.fixture
def running(serve: Serve, catalogue: FakeCatalogue) -> Running:
    return serve(catalogue)


def json_of(answer: Answer) -> Any:
    return json.loads(answer.body)


def code_of(answer: Answer) -> str:
    """The OCI error code of a refusal."""
    return str(json_of(answer)["errors"][0]["code"])
