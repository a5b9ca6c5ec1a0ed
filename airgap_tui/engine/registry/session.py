"""All requests to one registry: address, login, redirects, pauses and retries in one place."""

from __future__ import annotations

import contextlib
import re
import threading
from dataclasses import replace
from urllib.parse import urlencode, urljoin

import requests

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AirgapError, ConnectionFailure, TemporaryFailure, UnsafeContent
from airgap_tui.engine.events import Level, Note, Sink, discard
from airgap_tui.engine.http import connections
from airgap_tui.engine.http.endpoint import Endpoint, check_redirect, origin, split
from airgap_tui.engine.http.failures import RETRYABLE, TRANSPORT_ERRORS, Answer, retry_after
from airgap_tui.engine.http.pause import HostPause
from airgap_tui.engine.http.reply import Reply, broken, watchdog
from airgap_tui.engine.http.watchdog import Exchange
from airgap_tui.engine.registry import challenge
from airgap_tui.engine.registry.auth import MAX_TOKEN_BYTES, Authenticator, TokenRequest
from airgap_tui.engine.registry.failures import Subject, refusal
from airgap_tui.engine.registry.request import Fetched, Request
from airgap_tui.engine.retry import Attempts
from airgap_tui.engine.settings import Network

_MAX_REDIRECTS = 10
_MAX_ERROR_BYTES = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_USER_AGENT = "airgap-tui"
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


class Session:
    """One registry; any number of threads. Its connections are kept for further requests."""

    def __init__(
        self,
        registry: str,
        settings: Network,
        credentials: CredentialStore,
        sink: Sink = discard,
    ) -> None:
        self.endpoint = Endpoint.of(registry, settings.plain_http)
        self.registry = registry
        self._settings = settings
        self._credentials = credentials
        self._sink = sink
        self._auth = Authenticator(self.endpoint, self._find, settings.plain_http)
        self._pause = HostPause(self.endpoint.authority, settings.retry, sink)
        named = {registry, self.endpoint.host} & settings.plain_http
        self._presumed_plain = self.endpoint.scheme == "http" and not named
        self._wire: requests.Session | None = None
        self._lock = threading.Lock()
        self._warned: set[str] = set()

    def send(self, request: Request, token: CancelToken, *, retry: bool = True) -> Reply:
        """Do a request, log in where the registry wants it, and return an expected answer.

        With `retry`, temporary failures are tried again as the settings say; a request that
        streams its body never is. Raises `NotFound`, `AccessDenied`, `ConnectionFailure` and its
        kind `TemporaryFailure`, or `Stopped`.
        """
        attempts = Attempts(self._settings.retry)
        while True:
            endpoint = self.endpoint
            try:
                return self._send(_addressed(request, endpoint), token)
            except ConnectionFailure as failure:
                if self._turns_out_secure(endpoint):
                    continue
                if not isinstance(failure, TemporaryFailure) or not retry or request.streams:
                    raise
                token.sleep(attempts.delay_after(failure))

    def fetch(
        self, request: Request, limit: int, token: CancelToken, *, retry: bool = True
    ) -> Fetched:
        """Do a request and read its whole answer, both tried again where that may help.

        Raises as `send` does, and `UnsafeContent` where the body is longer than `limit` bytes.
        """
        attempts = Attempts(self._settings.retry)
        while True:
            try:
                with self.send(request, token, retry=False) as reply:
                    body = b"" if request.method == "HEAD" else reply.read(limit)
                    links = tuple(reply.header_values("Link"))
            except TemporaryFailure as failure:
                if not retry:
                    raise
                token.sleep(attempts.delay_after(failure))
                continue
            if len(body) > limit:
                raise UnsafeContent(
                    f"{request.name}: {self.registry} sends more than {limit} bytes"
                )
            return Fetched(reply.status, reply.headers, body, reply.url, links)

    def close(self) -> None:
        """Drop the kept connections."""
        with self._lock:
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _turns_out_secure(self, asked: Endpoint) -> bool:
        """Whether to ask again, with TLS: on loopback that is only seen when all else fails."""
        with self._lock:
            if self._presumed_plain:
                self._presumed_plain = False
                secure = replace(self.endpoint, scheme="https")
                if connections.speaks_tls(secure):
                    wire, self._wire = self._wire, None
                    self.endpoint = secure
                    if wire is not None:
                        wire.close()
            return self.endpoint != asked

    def _find(self, repository: str) -> Credential | None:
        return self._credentials.find(self.registry, repository)

    def _send(self, request: Request, token: CancelToken) -> Reply:
        subject = Subject(self.registry, request.repository, request.name, request.pushes)

        def ask(asked: TokenRequest) -> Answer:
            return self._ask(asked, token)

        for last in (False, True):
            own = origin(request.url) == origin(self.endpoint.base)
            sent = (
                self._auth.header(request.scopes, subject, ask, fresh=request.fresh) if own else ""
            )
            reply = self._exchange(request, sent, token)
            if reply.status in request.expect:
                self._presumed_plain = self._presumed_plain and reply.status >= 400
                self._pause.answered()
                self._note_warnings(reply)
                return reply
            with reply:
                challenges = challenge.parse(reply.header_values("WWW-Authenticate"))
                answer = self._answer(reply, request.method)
            if answer.status == 401 and own and origin(reply.url) == origin(self.endpoint.base):
                again = self._auth.learn(challenges, reply.url, request.scopes, sent)
                if request.streams and again and not last:
                    raise TemporaryFailure(
                        f"{self.registry} wants a new login in the middle of {request.name}",
                        status=401,
                    )
                if again and not last:
                    continue
            accepted = sent.startswith("Bearer ")
            raise self._failure(answer, replace(subject, accepted=accepted), reply.url)
        raise AssertionError("a request is repeated at most once")

    def _failure(self, answer: Answer, subject: Subject, url: str) -> AirgapError:
        if answer.status == 429 or (answer.status == 503 and retry_after(answer.headers)):
            failure = refusal(answer, subject)
            assert isinstance(failure, TemporaryFailure)  # noqa: S101 - the map says so
            failure.retry_after = self._pause.ask(failure.retry_after, failure.message)
            return failure
        if answer.status in (400, 401, 403) and origin(url) != origin(self.endpoint.base):
            # A signed address has expired: the registry gives out a new one.
            return TemporaryFailure(
                f"{answer.host}, where {self.registry} keeps its files, refused {subject.name}"
                f" ({answer.status})",
                status=answer.status,
            )
        problems = self._credentials.problems
        login = self._auth.login(subject.repository)
        return refusal(answer, replace(subject, login=login, problems=problems))

    def _ask(self, asked: TokenRequest, token: CancelToken) -> Answer:
        """One request to a token service, tried again where that may help."""
        attempts = Attempts(self._settings.retry)
        headers = {"Accept": "application/json"}
        body = None
        if asked.form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(asked.form).encode()
        request = Request(
            "GET" if body is None else "POST", asked.url, "", "a token", headers=headers, body=body
        )
        while True:
            try:
                with self._exchange(request, asked.authorization, token) as reply:
                    answer = Answer(
                        reply.status,
                        reply.headers,
                        reply.read(MAX_TOKEN_BYTES),
                        split(reply.url).netloc,
                    )
                if len(answer.body) > MAX_TOKEN_BYTES:
                    raise ConnectionFailure(f"{answer.host} answered with too long a token")
                if answer.status not in RETRYABLE:
                    return answer
                raise refusal(answer, Subject(self.registry, "", "a token"))
            except TemporaryFailure as failure:
                token.sleep(attempts.delay_after(failure))

    def _answer(self, reply: Reply, method: str) -> Answer:
        body = b""
        if method != "HEAD":
            # A refusal counts even where its text breaks off.
            with contextlib.suppress(ConnectionFailure):
                body = reply.read(_MAX_ERROR_BYTES)
        return Answer(reply.status, reply.headers, body, split(reply.url).netloc)

    def _exchange(self, request: Request, authorization: str, token: CancelToken) -> Reply:
        """One request with its redirects, followed by hand; the last answer, whatever it is."""
        url, seen = request.url, set[str]()
        while True:
            reply = self._once(request, url, authorization, token)
            if reply.status not in _REDIRECTS or reply.status in request.expect:
                return reply
            with reply:
                location = reply.headers.get("Location", "")
            if not location:
                raise ConnectionFailure(
                    f"{split(url).netloc} redirects ({reply.status}) without saying where to"
                )
            target = urljoin(url, location)
            if request.method not in ("GET", "HEAD") and (
                request.streams or reply.status not in (307, 308)
            ):
                raise ConnectionFailure(
                    f"{split(url).netloc} redirects an upload ({reply.status}), which cannot be"
                    f" followed: {request.name}"
                )
            check_redirect(url, target)
            seen.add(url)
            if target in seen or len(seen) > _MAX_REDIRECTS:
                raise ConnectionFailure(
                    f"{split(url).netloc} redirects in a circle or too often: {request.name}"
                )
            if origin(target) != origin(url):
                authorization = ""
                if request.body is not None and request.method == "POST" and not request.scopes:
                    raise ConnectionFailure(
                        f"{split(url).netloc} redirects a login to another host; that is refused"
                    )
            url = target

    def _once(self, request: Request, url: str, authorization: str, token: CancelToken) -> Reply:
        self._pause.wait(token)
        token.check()
        settings = self._settings
        headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **request.headers}
        if authorization:
            headers["Authorization"] = authorization
        rate, window = settings.minimum_rate, settings.minimum_rate_window
        send_timeout = None if request.streams else settings.read_timeout
        exchange = Exchange(token, rate, window, send_timeout)
        if request.streams:
            request.body.begin(exchange)  # type: ignore[union-attr]
        watchdog.begin(exchange)
        connections.announce(exchange)
        try:
            wire = self._opened()
            prepared = wire.prepare_request(
                requests.Request(request.method, url, headers=headers, data=request.body)
            )
            response = wire.send(
                prepared,
                stream=True,
                allow_redirects=False,
                timeout=(settings.connect_timeout, settings.read_timeout + request.patience),
                proxies=dict(connections.proxies_for(url)),
            )
        except TRANSPORT_ERRORS as error:
            watchdog.end(exchange)
            raise broken(error, url, exchange) from None
        except BaseException:
            watchdog.end(exchange)
            raise
        finally:
            connections.announce(None)
        return Reply(response, exchange, url)

    def _opened(self) -> requests.Session:
        with self._lock:
            if self._wire is None:
                self._wire = connections.open_session(self.endpoint, self._settings)
            return self._wire

    def _note_warnings(self, reply: Reply) -> None:
        for header in reply.header_values("Warning")[:5]:
            match = _WARNING.match(header.strip())
            if match is None:
                continue
            text = "".join(c for c in match[1].replace("\\", "") if c.isprintable())[:500]
            with self._lock:
                new = text not in self._warned
                self._warned.add(text)
            if new and text:
                self._sink(Note(f"{self.registry} says: {text}", Level.WARNING))


def _addressed(request: Request, endpoint: Endpoint) -> Request:
    """The request with a whole address; one of the registry itself has the registry's scheme."""
    url = request.url if "://" in request.url else endpoint.url(request.url)
    plain = f"http://{endpoint.authority}/"
    if endpoint.scheme == "https" and url.startswith(plain):
        url = f"{endpoint.base}/{url.removeprefix(plain)}"
    return replace(request, url=url)
