"""Logins that a registry refuses in the middle of a job: asked for once, waited for, used at once.

A key that is revoked at night must not cost the images that were to come: their transfers are put
aside until somebody gives another login, and all other registries' images go on. `Patience` is for
questions that all of a job hangs on, such as what is already where it is to go.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.errors import AccessDenied, AirgapError
from airgap_tui.engine.events import (
    ItemChanged,
    ItemState,
    Level,
    LoginNeeded,
    LoginSettled,
    Note,
    Sink,
)
from airgap_tui.engine.redaction import redact

if TYPE_CHECKING:  # a screen that watches a job needs no reader of logins
    from airgap_tui.engine.credentials.store import CredentialStore

R = TypeVar("R")

_REFUSED = (401, 403)
"""Another login can only help where this one was refused: not with a licence or a legal reason."""

LOOK_FOR_LOGINS = 0.2
"""Seconds between looks whether a login has come that something waits for."""


class Logins:
    """One for a job, shared by its threads; whoever watches the job answers with `give` or
    `leave_out`."""

    def __init__(self, credentials: CredentialStore, sink: Sink) -> None:
        self.credentials = credentials
        self._sink = sink
        self._lock = threading.Lock()
        self._wanted: dict[str, str] = {}
        self._given: dict[str, int] = {}
        self._left_out: set[str] = set()
        self._answers = 0

    @property
    def moment(self) -> int:
        """A mark of now, for `refused`: what was asked before a login came says nothing of it."""
        with self._lock:
            return self._answers

    def refused(self, error: AccessDenied, since: int) -> bool:
        """Whether trying again later may help what began at the moment `since`.

        Asks for a login, once however many transfers are refused.
        """
        registry, reason = error.registry, redact(error.message)
        if not registry or error.status not in _REFUSED:
            return False
        with self._lock:
            if registry in self._left_out:
                return False
            if self._given.get(registry, 0) > since or registry in self._wanted:
                return True
            self._wanted[registry] = reason
        self._sink(LoginNeeded(registry, reason))
        text = f"Paused: {reason}. What needs {registry} waits for another login; the rest goes on"
        self._sink(Note(text, Level.WARNING))
        return True

    def login_refused(self, error: AirgapError, since: int) -> bool:
        """As `refused`, of the login itself: one that is accepted and has no right to an image is
        no reason to wait."""
        if not (isinstance(error, AccessDenied) and error.login_refused):
            return False
        return self.refused(error, since)

    def wanted(self, registry: str) -> str:
        """Why the registry's transfers have to wait, or nothing."""
        with self._lock:
            return self._wanted.get(registry, "")

    def wait_for_one(self, registries: Iterable[str], token: CancelToken) -> None:
        """Return as soon as one of the registries has not to be waited for. Raises `Stopped`."""
        names = tuple(registries)
        while all(self.wanted(name) for name in names):
            token.sleep(LOOK_FOR_LOGINS)

    def give(self, registry: str, credential: Credential) -> bool:
        """Use this login from now on and let the registry's transfers go on; False where the job
        was not waiting for it."""
        self.credentials.give(registry, credential)
        return self._settle(registry, given=True)

    def leave_out(self, registry: str) -> bool:
        """Let fail what the registry refuses; False where the job was not waiting for it."""
        return self._settle(registry, given=False)

    def _settle(self, registry: str, *, given: bool) -> bool:
        with self._lock:
            waited = self._wanted.pop(registry, None) is not None
            self._answers += 1
            if given:
                self._given[registry] = self._answers
                self._left_out.discard(registry)
            elif waited:
                self._left_out.add(registry)
        if waited:
            self._sink(LoginSettled(registry, given))
        return waited

    def tell(self, items: Iterable[str], state: ItemState, reason: str = "") -> None:
        """Say that items wait for a login, or no more."""
        for item in items:
            self._sink(ItemChanged(item, state, reason))


@dataclass(frozen=True, slots=True)
class Patience:
    """Asks one registry, and once more with each login that is given where it refuses the one that
    it got; without `logins` once only."""

    registry: str
    logins: Logins | None
    token: CancelToken

    def ask(self, question: Callable[[], R], items: Sequence[str]) -> R:
        """The answer; `items` are told to be paused meanwhile. Raises what the question raises."""
        logins = self.logins
        if logins is None:
            return question()
        while True:
            since = logins.moment
            if reason := logins.wanted(self.registry):
                logins.tell(items, ItemState.RETRYING, reason)
                logins.wait_for_one((self.registry,), self.token)
                logins.tell(items, ItemState.WAITING)
                continue
            try:
                return question()
            except AccessDenied as error:
                if error.registry != self.registry or not logins.login_refused(error, since):
                    raise
