"""HTTP/1.1 on one connection: bounded requests in, replies out."""

from __future__ import annotations

import contextlib
import io
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.client import LineTooLong
from http.server import BaseHTTPRequestHandler
from typing import Any

from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.serve import sending
from airgap_tui.engine.serve.api import Api, FileBody, Refusal, Reply
from airgap_tui.engine.serve.connection import Connection, Limits, Phase
from airgap_tui.engine.serve.htpasswd import Htpasswd

_DRAIN = 8 * 1024 * 1024
_API_VERSION = "registry/2.0"


@dataclass(frozen=True, slots=True)
class Access:
    """One request that was answered. `sent` counts the body's bytes; `name` is the image where a
    manifest was asked for by tag; `problem` says what went wrong on our side."""

    client: str
    method: str
    status: int
    sent: int
    name: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """What every connection shares. `report` is called from many threads."""

    api: Api
    limits: Limits
    logins: Htpasswd | None
    report: Callable[[Access], None]


class _Bounded(io.RawIOBase):
    """The request line and headers of one request after the other, each bounded as a whole."""

    def __init__(self, stream: io.BufferedIOBase, limit: int) -> None:
        super().__init__()
        self._stream = stream
        self._limit = limit
        self._left = limit

    def first_line(self) -> bytes:
        self._left = self._limit
        return self.readline()

    def readline(self, _size: int | None = -1, /) -> bytes:
        line = self._stream.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise LineTooLong("header")
        return line

    def close(self) -> None:
        self._stream.close()
        super().close()


class Handler(BaseHTTPRequestHandler):
    """Parses with the standard library, answers with the `Api`."""

    protocol_version = "HTTP/1.1"
    server_version = "airgap-tui"
    disable_nagle_algorithm = True

    def __init__(self, connection: Connection, service: Service) -> None:
        self._connection = connection
        self._service = service
        # The base asks its server for nothing, so there is none.
        super().__init__(connection.socket, (connection.client, 0), None)  # type: ignore[arg-type]

    def setup(self) -> None:
        super().setup()
        self._requests = _Bounded(self.rfile, self._service.limits.header_bytes)
        self.rfile = self._requests  # type: ignore[assignment]

    def handle_one_request(self) -> None:
        self.close_connection = True
        self.command, self.requestline, self.request_version = "", "", "HTTP/1.1"
        self._connection.enter(Phase.IDLE)
        try:
            self.raw_requestline = self._requests.first_line()
        except LineTooLong:
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            return
        if not self.raw_requestline:
            return
        self._connection.enter(Phase.REQUEST)
        if not self.parse_request():
            return
        if self.request_version != "HTTP/1.1" or self._announces_a_body():
            self.close_connection = True
        self._connection.enter(Phase.REPLY)
        self._answer()
        if self._announces_a_body():
            self._drain()

    def handle_expect_100(self) -> bool:
        """No request here needs its body: the final reply comes at once."""
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """A request that is not HTTP as it should be: say so, and close."""
        self.close_connection = True
        self._connection.enter(Phase.REPLY)
        status = HTTPStatus(code)
        self._write(Refusal(status, "UNSUPPORTED", status.phrase).reply())
        self._drain()

    def _announces_a_body(self) -> bool:
        return "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0") != "0"

    def _answer(self) -> None:
        logins = self._service.logins
        if logins is not None and not logins.allows(self.headers.get("Authorization", "")):
            refusal = Refusal(HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED", "a login is needed")
            self._write(refusal.reply({"WWW-Authenticate": 'Basic realm="airgap-tui"'}))
            return
        try:
            reply = self._service.api.answer(self.command, self.path, self.headers)
        except (AirgapError, OSError) as error:
            self._fail(str(error))
            return
        if isinstance(reply.body, FileBody) and self.command != "HEAD":
            self._send_file(reply, reply.body)
        else:
            self._write(reply)

    def _send_file(self, reply: Reply, body: FileBody) -> None:
        with contextlib.ExitStack() as stack:
            try:
                files = [stack.enter_context(sending.opened(part)) for part in body.parts]
            except sending.MediumFailure as error:
                self._fail(str(error))
                return
            self.request.sendall(self._head(reply))
            try:
                for file, part in zip(files, body.parts, strict=True):
                    sending.send(self.request, file, part)
            except sending.MediumFailure as error:
                # The head has promised more: only the cut connection can still tell the client.
                self.close_connection = True
                self._report(reply, 0, str(error))
                return
        self._report(reply, body.size)

    def _fail(self, problem: str) -> None:
        refusal = Refusal(
            HTTPStatus.INTERNAL_SERVER_ERROR, "UNKNOWN", "the bundle cannot be read here"
        )
        self._write(refusal.reply(), problem=problem)

    def _write(self, reply: Reply, problem: str = "") -> None:
        body = b"" if self.command == "HEAD" or isinstance(reply.body, FileBody) else reply.body
        self.request.sendall(self._head(reply) + body)
        self._report(reply, len(body), problem)

    def _head(self, reply: Reply) -> bytes:
        lines = [
            f"HTTP/1.1 {reply.status.value} {reply.status.phrase}",
            f"Server: {self.server_version}",
            f"Date: {self.date_time_string()}",
            f"Docker-Distribution-Api-Version: {_API_VERSION}",
            *(f"{name}: {value}" for name, value in reply.headers.items()),
        ]
        if reply.status is not HTTPStatus.NOT_MODIFIED:
            lines.append(f"Content-Length: {reply.length}")
        if self.close_connection:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _report(self, reply: Reply, sent: int, problem: str = "") -> None:
        client = self._connection.client
        self._service.report(Access(client, self.command, reply.status, sent, reply.name, problem))

    def _drain(self) -> None:
        """Read what the client still sends, so that it sees the reply before the close."""
        self._connection.enter(Phase.REQUEST)
        socket.socket.shutdown(self.request, socket.SHUT_WR)
        left = _DRAIN
        while left > 0 and (data := socket.socket.recv(self.request, min(left, 65536))):
            left -= len(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """The base class would write to stderr."""
