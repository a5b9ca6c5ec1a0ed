"""One token that stops a job: checked for every chunk, used for every wait."""

from __future__ import annotations

import threading

from airgap_tui.engine.errors import Stopped


class CancelToken:
    """Set once, from any thread or a signal handler; never reset."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        self._event.set()

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Stopped` if the token has been cancelled."""
        if self._event.is_set():
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`, or raise `Stopped` as soon as the token is cancelled."""
        if self._event.wait(max(0.0, seconds)):
            raise Stopped
