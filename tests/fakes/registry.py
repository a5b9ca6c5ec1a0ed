"""A registry that does as it is told: honest by itself, and scripted with faults by a test.

It keeps content in memory and serves the OCI distribution API on 127.0.0.1. `script` lays a fault
on the next requests that fit; a fault changes the honest answer (`tests.fakes.faults`). The
contract suite runs against it and a real Distribution, so that its honest side stays honest.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import ssl
import struct
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.images import OCI_INDEX, SampleImage, SampleIndex, digest_of

_PATH = re.compile(
    r"/v2/(?P<name>.+?)/(?P<kind>manifests|blobs/uploads|blobs|tags|referrers)/(?P<rest>[^/]*)"
)


@dataclass
class Seen:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query, keep_blank_values=True)


@dataclass
class Answer:
    """What is sent, and how: `cut` ends the body after so many bytes (-1: before the status line)
    and `ending` says how the connection then ends: close, reset or stall. `drip` sends that many
    bytes at a time with `pause` seconds between. `length` False leaves Content-Length out; the
    connection ends with the body then, unless `keep` says that the body tells its end by itself."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    cut: int | None = None
    ending: str = "close"
    drip: int = 0
    pause: float = 0.0
    length: bool = True
    keep: bool = False

    def header(self, name: str) -> str:
        return next((v for k, v in self.headers if k.lower() == name.lower()), "")


Fault = Callable[[Seen, Callable[[], Answer]], Answer]
"""Takes a request and a way to the honest answer, which also does what the request asks for."""


@dataclass
class _Script:
    method: str
    pattern: re.Pattern[str]
    faults: list[Fault]
    forever: bool


@dataclass
class Tokens:
    """The registry's own token service, with the quirks of real ones.

    `challenge` and `expired` make the header for requests without a token and with a wrong one.
    """

    users: dict[str, str] = field(default_factory=dict)
    anonymous: bool = True
    service: str | None = "fake"
    lifetime: Any = 300
    field_name: str = "token"
    content_type: str = "application/json"
    post_status: int = 404
    refresh_tokens: set[str] = field(default_factory=set)
    valid: dict[str, frozenset[str]] = field(default_factory=dict)
    answer: Callable[[Seen], Answer | None] = lambda _seen: None
    challenge: Callable[[str, str], str] | None = None
    expired: Callable[[str, str], str] | None = None

    def expire(self) -> None:
        """No token that was given out is good any longer."""
        self.valid.clear()


class FakeRegistry:
    """Use with `with`. `requests` are all that came; `manifests[repository][tag or digest]` and
    `blobs[repository][digest]` are its content. Of the next bodies of PATCH, only so many bytes are
    taken as `upload_cuts` says, and then the connection is reset; with -1 nothing is ever read. For
    each status of `upload_refusals` one is refused with it before anything is read of it."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        basic: dict[str, str] | None = None,
        tokens: Tokens | None = None,
        referrers_api: bool = True,
        page: int = 1000,
    ) -> None:
        self.manifests: dict[str, dict[str, tuple[str, bytes]]] = {}
        self.blobs: dict[str, dict[str, bytes]] = {}
        self.uploads: dict[str, bytearray] = {}
        self.requests: list[Seen] = []
        self.basic = basic
        self.tokens = tokens
        self.referrers_api = referrers_api
        self.page = page
        self.secure = tls is not None
        self._scripts: list[_Script] = []
        self._lock = threading.RLock()
        self._connections: set[socket.socket] = set()
        self._closing = 0
        self.upload_cuts: list[int] = []
        self.upload_refusals: list[int] = []
        self.stopping = threading.Event()
        outer = self

        class Handler(_Handler):
            registry = outer

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128  # whoever connects is let in, however busy the machine is

            def get_request(self) -> tuple[socket.socket, Any]:
                connection, address = super().get_request()
                with outer._lock:
                    outer._connections.add(connection)
                return connection, address

            def finish_request(self, request: Any, client_address: Any) -> None:
                if tls is None:
                    super().finish_request(request, client_address)
                    return
                request.settimeout(10)
                try:
                    wrapped = tls.wrap_socket(request, server_side=True)
                except (OSError, ssl.SSLError):
                    return
                with outer._lock:
                    outer._connections.add(wrapped)
                try:
                    super().finish_request(wrapped, client_address)
                finally:
                    wrapped.close()

            def shutdown_request(self, request: Any) -> None:
                with outer._lock:
                    outer._connections.discard(request)
                super().shutdown_request(request)
                outer._closing = 0

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Connections break here on purpose."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.host}"

    def __enter__(self) -> FakeRegistry:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()
        with self._lock:
            connections = tuple(self._connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    # --- content and script ---

    def add(self, image: SampleImage | SampleIndex, name: str = "") -> str:
        """Hold an image; returns `host/repository:tag`."""
        repository, _, tag = (name or image.name).rpartition(":")
        self.blobs.setdefault(repository, {}).update(image.blobs)
        held = self.manifests.setdefault(repository, {})
        for media_type, raw in image.documents:
            held[digest_of(raw)] = held[tag] = (media_type, raw)
        return f"{self.host}/{repository}:{tag}"

    def script(self, method: str, pattern: str, *faults: Fault, forever: bool = False) -> None:
        """Lay faults on the next requests whose path holds the pattern, one each; the last one on
        all that follow with `forever`."""
        self._scripts.append(_Script(method, re.compile(pattern), list(faults), forever))

    def seen(self, method: str, pattern: str = "") -> list[Seen]:
        """The requests so far that fit."""
        with self._lock:
            return [r for r in self.requests if r.method == method and re.search(pattern, r.path)]

    def wait_for_closed(self, timeout: float) -> None:
        """Wait until no connection is being closed any more: a client then sees it."""
        deadline = time.monotonic() + timeout
        while self._closing and time.monotonic() < deadline:
            time.sleep(0.005)

    # --- answers ---

    def answer(self, seen: Seen) -> Answer:
        with self._lock:
            self.requests.append(seen)
            fault = self._fault(seen)
        if fault is not None:
            return fault(seen, lambda: self._honest(seen))
        return self._honest(seen)

    def _fault(self, seen: Seen) -> Fault | None:
        for script in self._scripts:
            if script.faults and seen.method == script.method and script.pattern.search(seen.path):
                if script.forever and len(script.faults) == 1:
                    return script.faults[0]
                return script.faults.pop(0)
        return None

    def _honest(self, seen: Seen) -> Answer:
        with self._lock:
            path = urlsplit(seen.path).path
            if self.tokens is not None and path in ("/token", "/flipped"):
                return self._token(seen, path)
            refused = self._authorize(seen)
            if refused is not None:
                return refused
            if path == "/v2/":
                return Answer(200, [("Content-Type", "application/json")], b"{}")
            match = _PATH.fullmatch(path)
            if match is None:
                return failure(404, "UNSUPPORTED", "no such address")
            name, kind, rest = match["name"], match["kind"], match["rest"]
            if kind == "manifests":
                return self._manifest(seen, name, rest)
            if kind == "blobs":
                return self._blob(seen, name, rest)
            if kind == "blobs/uploads":
                return self._upload(seen, name, rest)
            if kind == "tags":
                return self._tags(seen, name)
            return self._referrers(name, rest)

    def _authorize(self, seen: Seen) -> Answer | None:
        sent = seen.headers.get("Authorization", "")
        login = _login(sent)
        if self.basic is not None and (login is None or self.basic.get(login[0]) != login[1]):
            header = ("WWW-Authenticate", 'Basic realm="fake"')
            return failure(401, "UNAUTHORIZED", "login", header)
        tokens = self.tokens
        if tokens is None:
            return None
        match = _PATH.fullmatch(urlsplit(seen.path).path)
        actions = {"pull"} if seen.method in ("GET", "HEAD") else {"pull", "push"}
        if match is not None and match["kind"] == "blobs/uploads":
            actions = {"pull", "push"}
        granted = tokens.valid.get(sent.removeprefix("Bearer "), None)
        needs = {f"repository:{match['name']}:{a}" for a in actions} if match else set()
        if granted is not None and needs <= granted:
            return None
        scope = f"repository:{match['name']}:{','.join(sorted(actions))}" if match else ""
        make = (tokens.expired if sent else tokens.challenge) or self._challenge
        return failure(401, "UNAUTHORIZED", "token", ("WWW-Authenticate", make(self.url, scope)))

    def _challenge(self, url: str, scope: str) -> str:
        assert self.tokens is not None
        service = f',service="{self.tokens.service}"' if self.tokens.service else ""
        return f'Bearer realm="{url}/token"{service}' + (f',scope="{scope}"' if scope else "")

    def _token(self, seen: Seen, path: str) -> Answer:
        tokens = self.tokens
        assert tokens is not None
        special = tokens.answer(seen)
        if special is not None:
            return special
        if path == "/flipped":
            return failure(401, "UNAUTHORIZED", "this realm knows nobody without a key")
        scopes = seen.query.get("scope", [])
        login = _login(seen.headers.get("Authorization", ""))
        known = login is not None and tokens.users.get(login[0]) == login[1]
        if seen.method == "POST":
            if tokens.post_status != 200:
                return Answer(tokens.post_status)
            form = parse_qs(seen.body.decode())
            known = form.get("refresh_token", [""])[0] in tokens.refresh_tokens
            scopes = form.get("scope", [""])[0].split()
            if not known:
                return failure(401, "UNAUTHORIZED", "bad refresh token")
        elif login is not None and not known:
            return failure(401, "UNAUTHORIZED", "wrong login")
        elif not known and not tokens.anonymous:
            return failure(401, "UNAUTHORIZED", "login")
        granted = {
            f"{scope.rpartition(':')[0]}:{action}"
            for scope in scopes
            for action in scope.rpartition(":")[2].split(",")
            if known or action == "pull"
        }
        value = f"token-{uuid.uuid4().hex}"
        tokens.valid[value] = frozenset(granted)
        reply: dict[str, Any] = {tokens.field_name: value}
        if tokens.lifetime is not None:
            reply["expires_in"] = tokens.lifetime
        return Answer(200, [("Content-Type", tokens.content_type)], json.dumps(reply).encode())

    def _manifest(self, seen: Seen, name: str, locator: str) -> Answer:
        if seen.method == "PUT":
            media_type = seen.headers.get("Content-Type", "")
            value = json.loads(seen.body)
            held = self.manifests.setdefault(name, {})
            for blob in [value.get("config"), *value.get("layers", [])]:
                if blob and blob["digest"] not in self.blobs.get(name, {}):
                    return failure(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry")
            for child in value.get("manifests", []):
                # As Distribution, an index of referrers may name what is gone.
                if "platform" in child and child["digest"] not in held:
                    return failure(400, "MANIFEST_BLOB_UNKNOWN", "manifest unknown")
            digest = digest_of(seen.body)
            held[digest] = held[locator] = (media_type, seen.body)
            headers = [("Docker-Content-Digest", digest), ("Location", f"/v2/{name}/manifests/x")]
            if "subject" in value and self.referrers_api:
                headers.append(("OCI-Subject", value["subject"]["digest"]))
            return Answer(201, headers)
        if name not in self.manifests:
            return failure(404, "NAME_UNKNOWN", "repository name not known to registry")
        found = self.manifests[name].get(locator)
        if found is None:
            return failure(404, "MANIFEST_UNKNOWN", "manifest unknown")
        media_type, raw = found
        return Answer(
            200, [("Content-Type", media_type), ("Docker-Content-Digest", digest_of(raw))], raw
        )

    def _blob(self, seen: Seen, name: str, digest: str) -> Answer:
        data = self.blobs.get(name, {}).get(digest)
        if data is None:
            return failure(404, "BLOB_UNKNOWN", "blob unknown to registry")
        headers = [("Content-Type", "application/octet-stream"), ("Docker-Content-Digest", digest)]
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", seen.headers.get("Range", ""))
        if asked is None:
            return Answer(200, headers, data)
        first, last = int(asked[1]), min(int(asked[2]), len(data) - 1)
        if first > last:
            return Answer(416, [("Content-Range", f"bytes */{len(data)}")])
        headers.append(("Content-Range", f"bytes {first}-{last}/{len(data)}"))
        return Answer(206, headers, data[first : last + 1])

    def _upload(self, seen: Seen, name: str, session: str) -> Answer:
        query = seen.query
        if seen.method == "POST":
            digest, source = (query.get(key, [""])[0] for key in ("mount", "from"))
            if digest in self.blobs.get(source, {}):
                self.blobs.setdefault(name, {})[digest] = self.blobs[source][digest]
                return Answer(201, [("Location", f"/v2/{name}/blobs/{digest}")])
            session = uuid.uuid4().hex
            self.uploads[session] = bytearray()
            return self._session(202, name, session)
        if session not in self.uploads:
            return failure(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
        if seen.method == "DELETE":
            del self.uploads[session]
            return Answer(204)
        held = self.uploads[session]
        if seen.method == "GET":
            return self._session(204, name, session)
        start = seen.headers.get("Content-Range", f"{len(held)}-").partition("-")[0]
        if int(start) != len(held):
            return failure(416, "RANGE_INVALID", "out of order")
        held += seen.body
        if seen.method == "PATCH":
            return self._session(202, name, session)
        digest = query["digest"][0]
        del self.uploads[session]
        algorithm, _, _hexadecimal = digest.partition(":")
        if f"{algorithm}:{hashlib.new(algorithm, held).hexdigest()}" != digest:
            return failure(400, "DIGEST_INVALID", "provided digest did not match")
        self.blobs.setdefault(name, {})[digest] = bytes(held)
        return Answer(201, [("Docker-Content-Digest", digest)])

    def _session(self, status: int, name: str, session: str) -> Answer:
        end = max(0, len(self.uploads[session]) - 1)
        location = f"/v2/{name}/blobs/uploads/{session}?_state=a%2Fb"
        return Answer(status, [("Location", location), ("Range", f"0-{end}")])

    def _tags(self, seen: Seen, name: str) -> Answer:
        if name not in self.manifests:
            return failure(404, "NAME_UNKNOWN", "repository name not known to registry")
        tags = sorted(tag for tag in self.manifests[name] if ":" not in tag)
        last = seen.query.get("last", [""])[0]
        count = min(self.page, int(seen.query.get("n", ["1000"])[0]))
        rest = [tag for tag in tags if tag > last]
        headers = [("Content-Type", "application/json")]
        if len(rest) > count:
            target = f"/v2/{name}/tags/list?n={count}&last={rest[count - 1]}"
            headers.append(("Link", f'<{target}>; rel="next"'))
        return Answer(200, headers, json.dumps({"name": name, "tags": rest[:count]}).encode())

    def _referrers(self, name: str, digest: str) -> Answer:
        if not self.referrers_api:
            return failure(404, "NOT_FOUND", "no such address")
        found = {}
        for media_type, raw in self.manifests.get(name, {}).values():
            value = json.loads(raw)
            if (value.get("subject") or {}).get("digest") == digest:
                found[digest_of(raw)] = {
                    "mediaType": media_type,
                    "digest": digest_of(raw),
                    "size": len(raw),
                    "artifactType": value.get("artifactType", ""),
                }
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(found.values())}
        return Answer(200, [("Content-Type", OCI_INDEX)], json.dumps(index).encode())


class _Handler(BaseHTTPRequestHandler):
    registry: FakeRegistry
    protocol_version = "HTTP/1.1"
    timeout = 20
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        body = b""
        cut: int | None = None
        if "Content-Length" in self.headers:
            size = int(self.headers["Content-Length"])
            if self.command == "PATCH" and self.registry.upload_refusals:
                status = self.registry.upload_refusals.pop(0)
                self.close_connection = True
                self._send(Answer(status, [("Connection", "close")], b"<html>no</html>"))
                return
            if self.command == "PATCH" and self.registry.upload_cuts:
                cut = size = self.registry.upload_cuts.pop(0)
                if size < 0:
                    self.registry.stopping.wait(60)
                    return
            body = self.rfile.read(size)
        seen = Seen(self.command, self.path, dict(self.headers.items()), body)
        answer = self.registry.answer(seen)
        self._send(answer if cut is None else Answer(200, cut=-1, ending="reset"))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _send(self, answer: Answer) -> None:
        if answer.cut == -1:
            self.registry._closing = 1
            self._end(answer)
            return
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.length:
            self.send_header("Content-Length", str(len(answer.body)))
        elif not answer.keep:
            self.close_connection = True
        self.end_headers()
        if self.command == "HEAD":
            return
        if answer.cut is not None:
            self.registry._closing = 1  # before a client can have all that comes
        body = answer.body if answer.cut is None else answer.body[: answer.cut]
        if answer.drip:
            for start in range(0, len(body), answer.drip):
                self.wfile.write(body[start : start + answer.drip])
                self.wfile.flush()
                if self.registry.stopping.wait(answer.pause):
                    return
        else:
            self.wfile.write(body)
        self.wfile.flush()
        if answer.cut is not None:
            self._end(answer)

    def _end(self, answer: Answer) -> None:
        self.close_connection = True
        if answer.ending == "stall":
            self.registry.stopping.wait(60)
        elif answer.ending == "reset":
            # Closing with a linger time of zero sends a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, *arguments: object) -> None:
        """Tests look at `requests` instead."""


def failure(status: int, code: str, message: str, *headers: tuple[str, str]) -> Answer:
    """An error as the distribution specification writes it."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Answer(status, [("Content-Type", "application/json"), *headers], body)


def _login(header: str) -> tuple[str, str] | None:
    kind, _, value = header.partition(" ")
    if kind != "Basic":
        return None
    user, _, password = base64.b64decode(value).decode("utf-8", "replace").partition(":")
    return user, password
