"""All requests to one registry: address, authorisation, pauses and retries in one place."""

from __future__ import annotations

import contextlib
import re
import threading
from dataclasses import replace
from urllib.parse import urlencode

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AirgapError, ConnectionFailure, TemporaryFailure, UnsafeContent
from airgap_tui.engine.events import Level, Note, Sink, discard
from airgap_tui.engine.http import connections
from airgap_tui.engine.http.client import Client
from airgap_tui.engine.http.endpoint import Endpoint, authority, origin
from airgap_tui.engine.http.failures import RETRYABLE, Answer, retry_after
from airgap_tui.engine.http.reply import Reply
from airgap_tui.engine.registry import challenge
from airgap_tui.engine.registry.auth import MAX_TOKEN_BYTES, Authenticator, TokenRequest
from airgap_tui.engine.registry.failures import Subject, refusal
from airgap_tui.engine.registry.request import Fetched, Request
from airgap_tui.engine.retry import Attempts
from airgap_tui.engine.settings import Network

_MAX_ERROR_BYTES = 64 * 1024
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
        endpoint = Endpoint.of(registry, settings.plain_http)
        self.registry = registry
        self._settings = settings
        self._credentials = credentials
        self._sink = sink
        self._auth = Authenticator(endpoint, self._find, settings.plain_http)
        self._client = Client(endpoint, settings, sink)
        named = {registry, endpoint.host} & settings.plain_http
        self._presumed_plain = endpoint.scheme == "http" and not named
        self._lock = threading.Lock()
        self._warned: set[str] = set()

    @property
    def endpoint(self) -> Endpoint:
        """Where the registry is."""
        return self._client.endpoint

    def send(self, request: Request, token: CancelToken, *, retry: bool = True) -> Reply:
        """Send a request, log in where the registry asks for it, and return an expected answer.

        With `retry`, temporary failures are retried as the settings say, except for a request
        that streams its body. Raises `NotFound`, `AccessDenied`, `ConnectionFailure` and its
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
        """Send a request and read its whole answer; both are retried where that may help.

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
        """Close the kept connections."""
        self._client.close()

    def _turns_out_secure(self, asked: Endpoint) -> bool:
        """Whether to try again with TLS: a registry on loopback is asked without it first."""
        with self._lock:
            if self._presumed_plain:
                self._presumed_plain = False
                secure = replace(self.endpoint, scheme="https")
                if connections.speaks_tls(secure):
                    self._client.endpoint = secure
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
            reply = self._client.exchange(request, sent, token)
            if reply.status in request.expect:
                self._presumed_plain = self._presumed_plain and reply.status >= 400
                self._client.pause.answered()
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
            return self._paused(refusal(answer, subject))
        if answer.status in (400, 401, 403) and origin(url) != origin(self.endpoint.base):
            # A signed address has expired: the registry gives out a new one.
            return TemporaryFailure(
                f"{answer.host}, where {self.registry} keeps its files, refused {subject.name}"
                f" ({answer.status})",
                status=answer.status,
            )
        problems = tuple(one.text for one in self._credentials.problems)
        login = self._auth.login(subject.repository)
        return refusal(answer, replace(subject, login=login, problems=problems))

    def _paused(self, failure: AirgapError) -> AirgapError:
        """The failure, after all requests have been told to wait as long as the host asks."""
        assert isinstance(failure, TemporaryFailure)  # noqa: S101 - the map says so
        failure.retry_after = self._client.pause.ask(failure.retry_after, failure.message)
        return failure

    def _ask(self, asked: TokenRequest, token: CancelToken) -> Answer:
        """One request to a token service, retried where that may help. A pause that it asks for
        holds for the whole registry: nothing goes on there without a token."""
        attempts = Attempts(self._settings.retry)
        headers = {"Accept": "application/json"}
        body = None
        if asked.form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(asked.form, errors="replace").encode()
        request = Request(
            "GET" if body is None else "POST", asked.url, "", "a token", headers=headers, body=body
        )
        while True:
            try:
                with self._client.exchange(request, asked.authorization, token) as reply:
                    answer = Answer(
                        reply.status,
                        reply.headers,
                        reply.read(MAX_TOKEN_BYTES),
                        authority(reply.url),
                    )
                if len(answer.body) > MAX_TOKEN_BYTES:
                    raise ConnectionFailure(f"{answer.host} answered with too long a token")
                if answer.status not in RETRYABLE:
                    return answer
                failure = refusal(answer, Subject(self.registry, "", "a token"))
                paused = answer.status == 429 or retry_after(answer.headers) is not None
                raise self._paused(failure) if paused else failure
            except TemporaryFailure as failure:
                token.sleep(attempts.delay_after(failure))

    def _answer(self, reply: Reply, method: str) -> Answer:
        body = b""
        if method != "HEAD":
            # A refusal counts even where its text breaks off.
            with contextlib.suppress(ConnectionFailure):
                body = reply.read(_MAX_ERROR_BYTES)
        return Answer(reply.status, reply.headers, body, authority(reply.url))

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
