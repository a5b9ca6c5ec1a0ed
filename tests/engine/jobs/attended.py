"""A job at work, and somebody who sees its progress and may be asked for a login meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.events import Event, ItemState, Sink
from airgap_tui.engine.jobs.logins import Logins
from airgap_tui.engine.progress import Progress
from tests.services import PATIENCE

R = TypeVar("R")


class Attended(Generic[R]):
    """Runs `work` in a thread of its own, from now on; `events` hears it too."""

    def __init__(
        self,
        credentials: CredentialStore,
        events: Sink,
        work: Callable[[Sink, CancelToken, Logins], R],
    ) -> None:
        self.token, self.progress = CancelToken(), Progress()
        self.logins = Logins(credentials, self._hear)
        self._events, self._work = events, work
        self._ended: list[R | BaseException] = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def wait(self) -> R:
        """Its result; raises what it raised."""
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        (result,) = self._ended
        if isinstance(result, BaseException):
            raise result
        return result

    def state(self, name: str) -> ItemState:
        return {item.item: item.state for item in self.progress.snapshot().items}[name]

    @property
    def states(self) -> set[ItemState]:
        return {item.state for item in self.progress.snapshot().items}

    @property
    def wanted(self) -> list[str]:
        """The registries that want a login."""
        return [one.registry for one in self.progress.snapshot().logins]

    def _hear(self, event: Event) -> None:
        self._events(event)
        self.progress.take(event)

    def _run(self) -> None:
        try:
            self._ended.append(self._work(self._hear, self.token, self.logins))
        except BaseException as error:
            self._ended.append(error)
