"""Engine work that takes a while: done in a thread, its result heard in the event loop.

Looking names up, asking a registry, reading an inventory: none of it may hold the keys up. A thread
cannot be killed, so it gets a token that is cancelled when the screen is left or asks anew, and it
is a daemon: quitting waits for nobody.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from textual.message import Message

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, EnvironmentFailure, Stopped
from screens.base import WizardScreen

R = TypeVar("R")
T = TypeVar("T")


class Errand(Generic[T]):
    """One piece of work. `token` stops it; what it found is heard only while it is `wanted`."""

    class Ended(Message):
        """Posted to the screen from the thread; carries the work that ended."""

        bubble = False

        def __init__(self, errand: Errand[object]) -> None:
            super().__init__()
            self.errand = errand

    def __init__(
        self,
        work: Callable[[CancelToken], T],
        done: Callable[[T], None],
        failed: Callable[[AirgapError], None],
    ) -> None:
        self.token = CancelToken()
        self.wanted = True
        self._work = work
        self._done = done
        self._failed = failed
        self._result: list[T] = []
        self._error: Exception | None = None

    def run(self) -> None:
        """In the thread."""
        try:
            self._result.append(self._work(self.token))
        except Exception as error:
            self._error = error

    def settle(self) -> None:
        """In the event loop: hand over what came of it. What nobody foresaw is raised here."""
        if not self.wanted or isinstance(self._error, Stopped):
            return
        if isinstance(self._error, AirgapError):
            self._failed(self._error)
        elif isinstance(self._error, OSError):
            self._failed(EnvironmentFailure.of(self._error))
        elif self._error is not None:
            raise self._error
        else:
            self._done(self._result[0])


class ErrandScreen(WizardScreen[R]):
    """A screen that sends for things; at most one errand of a name is under way."""

    def __init__(self) -> None:
        super().__init__()
        self._errands: dict[str, Errand[object]] = {}

    def send_for(
        self,
        name: str,
        work: Callable[[CancelToken], T],
        done: Callable[[T], None],
        failed: Callable[[AirgapError], None] | None = None,
    ) -> None:
        """Do `work` in a thread, then `done` or `failed` here; an earlier one of the name stops.

        Without `failed` an error gets its own page."""
        self.call_off(name)
        errand: Errand[T] = Errand(work, done, failed or self.wizard.show_error)
        self._errands[name] = errand  # type: ignore[assignment]  # what it brings is its own affair

        def run() -> None:
            errand.run()
            if errand.wanted:  # else the screen may be gone, and nobody listens
                with contextlib.suppress(RuntimeError):  # the window closes in this moment
                    self.post_message(Errand.Ended(errand))  # type: ignore[arg-type]

        threading.Thread(target=run, name=f"errand {name}", daemon=True).start()

    def call_off(self, name: str = "") -> None:
        """Stop an errand, or all."""
        for known in [name] if name else list(self._errands):
            errand = self._errands.pop(known, None)
            if errand is not None:
                errand.wanted = False
                errand.token.cancel()

    def cut_short(self, name: str) -> None:
        """Stop an errand, and hear what it brings until then."""
        errand = self._errands.get(name)
        if errand is not None:
            errand.token.cancel()

    def under_way(self, name: str = "") -> bool:
        """Whether an errand of this name, or any, has not ended."""
        return name in self._errands if name else bool(self._errands)

    def on_errand_ended(self, event: Errand.Ended) -> None:
        for name, errand in list(self._errands.items()):
            if errand is event.errand:
                del self._errands[name]
        event.errand.settle()

    def on_unmount(self) -> None:
        self.call_off()
