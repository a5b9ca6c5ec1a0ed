"""What an NGC key opens: a personal or service key as it is, an older one by way of a token.

Keys that begin with nvapi- go straight into `Authorization: Bearer`. Older ones are exchanged at
the token service, per organisation and team. Those of 40 characters belong to a registry that is
no more. A key is sent to the host that it is for and to no other, and no redirect takes it along.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import (
    NGC_REGISTRY,
    NGC_USERNAME,
    Credential,
    basic,
    check_ngc_key,
)
from airgap_tui.engine.errors import AccessDenied, AirgapError, ConnectionFailure
from airgap_tui.engine.events import Sink
from airgap_tui.engine.http.failures import Answer
from airgap_tui.engine.ngc.answers import document, objects, text
from airgap_tui.engine.ngc.connection import Connection, Question
from airgap_tui.engine.ngc.refusals import refusal
from airgap_tui.engine.redaction import remember
from airgap_tui.engine.settings import Network, NgcAddresses

_SCOPED = "nvapi-"
_MAX_TOKEN_BYTES = 64 * 1024
_MAX_CALLER_BYTES = 4 * 1024 * 1024
_LONGEST_LIFETIME = 86400
_MARGIN = 300.0
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class KeyKind(str, Enum):
    """How a key is used."""

    SCOPED = "scoped"
    """Personal and service keys, which begin with nvapi-."""
    LEGACY = "legacy"


@dataclass(frozen=True, slots=True)
class Organisation:
    """One that a key may see, with its teams as far as NGC tells them."""

    name: str
    title: str = ""
    teams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a key is for. `kind` is NGC's word, as PERSONAL_KEY or SERVICE_KEY."""

    kind: str
    organisations: tuple[Organisation, ...]


def kind_of(key: str, origin: str) -> KeyKind:
    """Raises `AccessDenied` for a key of the retired sort, and for what can be no key."""
    check_ngc_key(key, origin)
    if not key.isascii() or not key.isprintable() or " " in key:
        raise AccessDenied(
            f"{origin}: this cannot be a key of NGC",
            registry=NGC_REGISTRY,
            hint="Make a new key at ngc.nvidia.com under Setup; it begins with nvapi-.",
        )
    return KeyKind.SCOPED if key.startswith(_SCOPED) else KeyKind.LEGACY


def fits(credential: Credential, addresses: NgcAddresses) -> bool:
    """Whether a login is a key that may go to these addresses: one of nvcr.io goes to NVIDIA's
    own hosts alone."""
    if credential.username != NGC_USERNAME:
        return False
    usual = NgcAddresses()
    if addresses.registry != usual.registry:
        return True
    named = (urlsplit(addresses.api), urlsplit(addresses.authn))
    own = (urlsplit(usual.api), urlsplit(usual.authn))
    return all(
        (one.scheme, one.hostname, one.port or 443) == (other.scheme, other.hostname, 443)
        for one, other in zip(named, own, strict=True)
    )


class Key:
    """One key and the tokens that it was exchanged for. Safe for several threads."""

    def __init__(
        self, credential: Credential, addresses: NgcAddresses, network: Network, sink: Sink
    ) -> None:
        if not fits(credential, addresses):
            raise AccessDenied(
                f"the login from {credential.origin} is not a key for {addresses.api}",
                registry=addresses.registry,
            )
        self.kind = kind_of(credential.secret, credential.origin)
        self.origin = credential.origin
        self._secret = credential.secret
        self._registry = addresses.registry
        self._api = Connection(addresses.api, network, sink)
        self._authn = Connection(addresses.authn, network, sink)
        self._lock = threading.Lock()
        self._tokens: dict[tuple[str, str], tuple[str, float]] = {}

    def authorization(self, org: str, team: str, token: CancelToken) -> str:
        """The header's value for requests about an organisation and perhaps a team of it; about
        none in particular where both are empty. Raises `AccessDenied`, `ConnectionFailure`."""
        if self.kind is KeyKind.SCOPED:
            return f"Bearer {self._secret}"
        with self._lock:
            value, until = self._tokens.get((org, team), ("", 0.0))
            if until <= time.monotonic():
                value, until = self._exchange(org, team, token)
                self._tokens[org, team] = value, until
        return f"Bearer {value}"

    def caller(self, token: CancelToken) -> Caller:
        """Whose key it is and what it may see; proves that NGC takes it.

        Raises `AccessDenied` for a key that is wrong, revoked or expired, and `ConnectionFailure`.
        """
        kind, named = self.kind.value, dict[str, Organisation]()
        if self.kind is KeyKind.SCOPED:
            form = urlencode({"credentials": self._secret}).encode()
            question = Question("v3/keys/get-caller-info", "the key", "POST", _FORM, form)
            value = self._ask(question, f"Bearer {self._secret}", token)
            kind = text(value, "type") or kind
            named = _organisations(value)
        else:
            self.authorization("", "", token)
        if not named:
            for item in objects(self._list("v2/orgs", "", token).get("organizations")):
                name = text(item, "name")
                if name:
                    named[name] = Organisation(name, text(item, "displayName"))
        found = tuple(self._with_teams(one, token) for one in named.values())
        return Caller(kind, found)

    def close(self) -> None:
        """Drop the kept connections."""
        self._api.close()
        self._authn.close()

    def _with_teams(self, known: Organisation, token: CancelToken) -> Organisation:
        try:
            value = self._list(f"v2/org/{quote(known.name, safe='')}/teams", known.name, token)
        except (AccessDenied, ConnectionFailure):
            return known  # who may not list them sees those that the key itself names
        names = (text(item, "name") for item in objects(value.get("teams")))
        teams = tuple(dict.fromkeys((*known.teams, *(name for name in names if name))))
        return Organisation(known.name, known.title, teams)

    def _list(self, path: str, org: str, token: CancelToken) -> dict[str, Any]:
        question = Question(f"{path}?page-size=1000", "the organisations", headers=_accept())
        authorization = self.authorization(org, "", token)
        return self._ask(question, authorization, token)

    def _exchange(self, org: str, team: str, token: CancelToken) -> tuple[str, float]:
        asked = time.monotonic()
        scopes = [f"group/ngc:{org}" if org else "group/ngc"]
        scopes += [f"group/ngc:{org}/{team}"] if team else []
        query = urlencode([("service", "ngc"), *(("scope", s) for s in scopes)], safe=":/")
        login = basic(NGC_USERNAME, self._secret)
        question = Question(f"token?{query}", "a token", headers=_accept())
        answer = self._authn.ask(question, login, token, _MAX_TOKEN_BYTES)
        if answer.status != 200:
            raise self._refusal(answer, question.name)
        value = _token_of(answer)
        secret = value.get("token")
        if not isinstance(secret, str) or not secret.isascii() or not secret.isprintable():
            raise ConnectionFailure(f"{answer.host} answered without a token")
        remember(secret)
        lifetime = value.get("expires_in")
        seconds = lifetime if isinstance(lifetime, int) else 0
        return secret, asked + min(max(seconds, 0), _LONGEST_LIFETIME) - _MARGIN

    def _ask(self, question: Question, authorization: str, token: CancelToken) -> dict[str, Any]:
        answer = self._api.ask(question, authorization, token, _MAX_CALLER_BYTES)
        if answer.status != 200:
            raise self._refusal(answer, question.name)
        return document(answer.body, answer.host)

    def _refusal(self, answer: Answer, name: str) -> AirgapError:
        return refusal(answer, name, registry=self._registry, key=self.origin)


def _accept() -> dict[str, str]:
    return {"Accept": "application/json"}


def _token_of(answer: Answer) -> dict[str, Any]:
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}


def _organisations(value: dict[str, Any]) -> dict[str, Organisation]:
    """Those of a caller's roles, and the one that the key itself is of."""
    found: dict[str, Organisation] = {}
    user = value.get("user")
    roles = user.get("roles") if isinstance(user, dict) else None
    for role in objects(roles):
        org, team = role.get("org"), role.get("team")
        name = text(org, "name") if isinstance(org, dict) else ""
        if name:
            title = text(org, "displayName") if isinstance(org, dict) else ""
            known = found.get(name, Organisation(name, title))
            own = text(team, "name") if isinstance(team, dict) else ""
            teams = dict.fromkeys((*known.teams, own) if own else known.teams)
            found[name] = Organisation(name, title or known.title, tuple(teams))
    name = text(value, "orgName")
    if name:
        found.setdefault(name, Organisation(name))
    return found
