"""One of NVIDIA's hosts: a request, tried again where that may help, and its answer read whole."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ConnectionFailure, TemporaryFailure
from airgap_tui.engine.events import Sink
from airgap_tui.engine.http.client import Client
from airgap_tui.engine.http.endpoint import Endpoint, authority, is_loopback, origin
from airgap_tui.engine.http.failures import REASONS, RETRYABLE, Answer, retry_after
from airgap_tui.engine.retry import Attempts
from airgap_tui.engine.settings import Network

MAX_ANSWER_BYTES = 32 * 1024 * 1024
_ATTEMPTS = 3
"""Fewer than for layers: who searches waits for the answer, and tags are to be had without it."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request, as `http.client.Message` wants it. `name` is what people know the thing by."""

    url: str
    name: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    patience: float = 0.0

    @property
    def expect(self) -> frozenset[int]:
        return frozenset({200})

    @property
    def confidential(self) -> bool:
        """Whatever is posted holds the key."""
        return self.body is not None


class Connection:
    """A base address; raises `ConnectionFailure` for one without TLS that is not here."""

    def __init__(self, base: str, network: Network, sink: Sink) -> None:
        parts = urlsplit(base)
        self.host = parts.hostname or ""
        known = {self.host, parts.netloc} & network.plain_http
        if parts.scheme != "https" and not (is_loopback(self.host) or known):
            raise ConnectionFailure(
                f"{base} would be asked without TLS, which is refused",
                hint=f"If that is meant: --plain-http {parts.netloc}",
            )
        self._base = base
        self._policy = replace(network.retry, attempts=min(_ATTEMPTS, network.retry.attempts))
        self._client = Client(Endpoint(parts.netloc, parts.scheme, parts.netloc), network, sink)

    def ask(
        self,
        question: Question,
        authorization: str,
        token: CancelToken,
        limit: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        """The answer, whatever it says; `url` of the question is a path below the base.

        Raises `TemporaryFailure` for an outage that outlasts a few attempts, `ConnectionFailure`
        for what is not an answer.
        """
        whole = replace(question, url=f"{self._base}/{question.url}")
        if authorization and origin(whole.url) != origin(self._base):
            raise ConnectionFailure(f"a key for {self.host} would go to another host")
        attempts = Attempts(self._policy)
        while True:
            try:
                return self._once(whole, authorization, token, limit)
            except TemporaryFailure as failure:
                token.sleep(attempts.delay_after(failure))

    def close(self) -> None:
        """Drop the kept connections."""
        self._client.close()

    def _once(
        self, question: Question, authorization: str, token: CancelToken, limit: int
    ) -> Answer:
        with self._client.exchange(question, authorization, token) as reply:
            body = b""
            # A refusal counts even where its text breaks off.
            with contextlib.suppress(*((ConnectionFailure,) if reply.status >= 400 else ())):
                body = reply.read(limit)
        answer = Answer(reply.status, reply.headers, body, authority(reply.url))
        if len(body) > limit:
            raise ConnectionFailure(f"{answer.host} sends more than {limit} bytes: {question.name}")
        if answer.status in RETRYABLE:
            raise self._outage(answer, question)
        self._client.pause.answered()
        return answer

    def _outage(self, answer: Answer, question: Question) -> TemporaryFailure:
        reason = REASONS[answer.status]
        said = f": {answer.detail}" if answer.detail else ""
        message = f"{answer.host} answered {answer.status} ({reason}) for {question.name}{said}"
        seconds = retry_after(answer.headers)
        if answer.status == 429 or seconds is not None:
            seconds = self._client.pause.ask(seconds, message)
        return TemporaryFailure(message, retry_after=seconds, status=answer.status)
