"""How requests to one registry are authorised: not at all, with Basic, or with a token per set of
scopes.

The flow is that of distribution's token specification (token.md, oauth.md). What is learnt from
the first challenge holds for the session: nvcr.io answers an expired token with another realm,
which refuses everybody without a key, so a later challenge never replaces the first.

ghcr.io's token service answers 403 to a wrong login, as others do to a right one without the right
to an image. Asked for a token without a scope, as `docker login` asks, it tells the two apart.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from airgap_tui.engine.credentials.credential import NGC_REGISTRY, Credential, basic
from airgap_tui.engine.errors import AirgapError, ConnectionFailure
from airgap_tui.engine.http.endpoint import Endpoint, is_loopback, joined, origin, split
from airgap_tui.engine.http.failures import Answer
from airgap_tui.engine.redaction import remember
from airgap_tui.engine.registry.challenge import Challenge
from airgap_tui.engine.registry.failures import Subject, doubted_login, refusal, refused_login

MAX_TOKEN_BYTES = 64 * 1024
_CLIENT_ID = "airgap-tui"
_DEFAULT_LIFETIME = 60.0
_LONGEST_LIFETIME = 86400.0
_LONGEST_MARGIN = 60.0
_NGC_REALMS = (NGC_REGISTRY, "authn.nvidia.com")

Scopes = frozenset[str]


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What is asked of a token service; `form` makes it a POST."""

    url: str
    authorization: str = field(default="", repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)


Ask = Callable[[TokenRequest], Answer]
"""Does the request, with redirects that lose the authorization; raises for transport errors."""


@dataclass(frozen=True, slots=True)
class _Token:
    """Times are of `time.monotonic`: `fresh_until` is when half of its life is over."""

    value: str = field(repr=False)
    fresh_until: float
    renew_at: float
    credential: Credential | None


class Authenticator:
    """Gives the `Authorization` header for requests to one registry. Safe for several threads."""

    def __init__(
        self, endpoint: Endpoint, find: Callable[[str], Credential | None], plain: frozenset[str]
    ) -> None:
        self._endpoint = endpoint
        self._find = find
        self._plain = plain
        self._lock = threading.RLock()
        self._challenge: Challenge | None = None
        self._tokens: dict[Scopes, _Token] = {}
        self._extra: dict[Scopes, Scopes] = {}
        self._gates: dict[Scopes, threading.Lock] = {}

    def login(self, repository: str) -> str:
        """Where the login for a repository comes from; empty without one."""
        credential = self._find(repository)
        return credential.origin if credential is not None else ""

    def header(self, scopes: Scopes, subject: Subject, ask: Ask, *, fresh: bool = False) -> str:
        """The header's value, empty while no challenge is known or no login is needed.

        `fresh` renews a token that has lived half of its life: it has to outlast a long request.
        Raises `AccessDenied` where the token service refuses, and `ConnectionFailure`.
        """
        with self._lock:
            if self._challenge is None:
                return ""
            if self._challenge.scheme == "basic":
                return self._basic(subject)
            credential = self._find(subject.repository)
            token = self._usable(scopes, credential, fresh)
            gate = self._gates.setdefault(scopes, threading.Lock())
        if token is None:
            with gate:  # one thread asks, and those that want the same wait for it
                token = self._usable(scopes, credential, fresh)
                if token is None:
                    token = self._fetch(scopes, credential, subject, ask)
        return f"Bearer {token.value}"

    def learn(self, challenges: tuple[Challenge, ...], url: str, scopes: Scopes, sent: str) -> bool:
        """Learn from the answer 401 to a request that carried `sent`; True if a retry may help.

        `url` is the address that was asked, for a realm that is relative to it.
        """
        with self._lock:
            if sent:
                token = self._tokens.get(scopes)
                if token is not None and sent == f"Bearer {token.value}":
                    del self._tokens[scopes]
            wanted = frozenset(
                scope
                for challenge in challenges
                if challenge.scheme == "bearer"
                for scope in challenge.parameters.get("scope", "").split()
            )
            lacking = frozenset(scope for scope in wanted if not _covered(scope, scopes))
            if lacking:
                self._extra[scopes] = self._extra.get(scopes, frozenset()) | lacking
            if self._challenge is None:
                self._challenge = self._choose(challenges, url)
                return self._challenge is not None
            return not sent or self._challenge.scheme == "bearer"

    def _choose(self, challenges: tuple[Challenge, ...], url: str) -> Challenge | None:
        for challenge in challenges:
            realm = challenge.parameters.get("realm", "")
            if challenge.scheme == "bearer" and realm:
                parts = split(joined(url, realm))
                pairs = parse_qsl(parts.query, keep_blank_values=True)
                query = urlencode([pair for pair in pairs if pair[0] != "scope"])
                realm = urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
                return Challenge("bearer", {**challenge.parameters, "realm": realm})
        return next((c for c in challenges if c.scheme == "basic"), None)

    def _usable(self, scopes: Scopes, credential: Credential | None, fresh: bool) -> _Token | None:
        """An unexpired token that was issued to this very login."""
        with self._lock:
            token = self._tokens.get(scopes)
        if token is None or token.credential != credential:
            return None
        until = token.fresh_until if fresh else token.renew_at
        return token if until > time.monotonic() else None

    def _basic(self, subject: Subject) -> str:
        credential = self._find(subject.repository)
        if credential is None or not (credential.username or credential.secret):
            return ""
        return basic(credential.username, credential.secret)

    def _fetch(
        self, scopes: Scopes, credential: Credential | None, subject: Subject, ask: Ask
    ) -> _Token:
        asked = time.monotonic()
        with self._lock:
            wanted = sorted(scopes | self._extra.get(scopes, frozenset()))
        answer = self._ask(wanted, credential, ask)
        if answer.status != 200:
            raise self._refusal(answer, wanted, credential, subject, ask)
        value, lifetime = _read(answer)
        remember(value)
        margin = min(_LONGEST_MARGIN, lifetime / 4)
        token = _Token(value, asked + lifetime / 2, asked + lifetime - margin, credential)
        if lifetime > 0:
            with self._lock:
                self._tokens[scopes] = token
        return token

    def _refusal(
        self,
        answer: Answer,
        wanted: Sequence[str],
        credential: Credential | None,
        subject: Subject,
        ask: Ask,
    ) -> AirgapError:
        """Why there is no token with these scopes."""
        if credential is None:
            return refusal(answer, subject)
        subject = replace(subject, login=credential.origin)
        if answer.status != 403:
            return refusal(answer, subject)
        try:
            alone = self._ask((), credential, ask) if wanted else answer
        except ConnectionFailure:
            return doubted_login(answer, subject)
        if alone.status == 200:
            return refusal(answer, replace(subject, accepted=True))
        # A proxy on the way may answer 403 as well, but not in a registry's words.
        refused = alone.status == 401 or (alone.status == 403 and alone.codes)
        return (refused_login if refused else doubted_login)(answer, subject)

    def _ask(self, wanted: Sequence[str], credential: Credential | None, ask: Ask) -> Answer:
        assert self._challenge is not None  # noqa: S101 - the callers have looked
        realm = self._challenge.parameters["realm"]
        service = self._challenge.parameters.get("service", "")
        if credential is not None:
            self._check_realm(realm)
        if credential is not None and credential.identity_token:
            form = {
                "grant_type": "refresh_token",
                "client_id": _CLIENT_ID,
                "refresh_token": credential.identity_token,
                "scope": " ".join(wanted),
                **({"service": service} if service else {}),
            }
            answer = ask(TokenRequest(realm, form=form))
            if answer.status not in (404, 405):
                return answer
        parts = urlsplit(realm)
        query = parse_qsl(parts.query, keep_blank_values=True)
        if service and not any(name == "service" for name, _value in query):
            query.append(("service", service))
        query += [("scope", scope) for scope in wanted]
        url = urlunsplit(parts._replace(query=urlencode(query, safe=":/,", quote_via=quote)))
        authorization = ""
        if credential is not None:
            username = credential.username or "<token>"
            authorization = basic(username, credential.secret or credential.identity_token)
        return ask(TokenRequest(url, authorization))

    def _check_realm(self, realm: str) -> None:
        """Raise unless the login may be sent there. Whole hosts are compared, not prefixes."""
        scheme, host, _port = origin(realm)
        registry = self._endpoint.registry
        secure = scheme == "https" or is_loopback(host) or host in self._plain
        secure = secure or split(realm).netloc in self._plain
        trusted = registry != NGC_REGISTRY or host in _NGC_REALMS
        if not secure or not trusted or "@" in split(realm).netloc:
            why = "which is not NVIDIA's" if not trusted else "without TLS"
            raise ConnectionFailure(
                f"{registry} wants its login to be sent to {scheme}://{host}, {why};"
                " that is refused"
            )


def _covered(scope: str, scopes: Scopes) -> bool:
    """Whether one of the scopes gives all that this one asks for."""
    resource, _, actions = scope.rpartition(":")
    given = (other.rpartition(":") for other in scopes)
    return any(
        resource == name and set(actions.split(",")) <= set(held.split(","))
        for name, _colon, held in given
    )


def _read(answer: Answer) -> tuple[str, float]:
    """Token and lifetime in seconds. The content type says nothing: some send text/plain."""
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ConnectionFailure(f"{answer.host} answered with something other than a token")
    token = value.get("token") or value.get("access_token")
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise ConnectionFailure(f"{answer.host} answered without a token")
    return token, _lifetime(value.get("expires_in"))


def _lifetime(value: object) -> float:
    """`expires_in`: 60 s where it is missing; a token with 0 or less is used once."""
    if value is None or isinstance(value, bool):
        return _DEFAULT_LIFETIME
    try:
        seconds = float(str(value))
    except ValueError:
        return _DEFAULT_LIFETIME
    return min(seconds, _LONGEST_LIFETIME) if not math.isnan(seconds) else _DEFAULT_LIFETIME
