"""Ctrl-C, SIGTERM and SIGHUP: the first stops the job cleanly, the second ends it at once.

A thread waits for the signals (through the wake-up descriptor, which the C handler writes to), so
that nothing runs inside a handler that could wait for a lock which the interrupted code holds.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import Stopped

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_QUIT = b"\0"


class Terminated(Stopped):
    """Stopped by SIGTERM or SIGHUP."""

    exit_code = 143


class StopSignals:
    """While entered, the first signal cancels `token` and calls `tell`; the second ends the process
    after `abort`, which puts the terminal right. Only for the main thread. After it, `token` is
    cancelled if any came, however late."""

    def __init__(
        self, token: CancelToken, tell: Callable[[], None], abort: Callable[[], None]
    ) -> None:
        self._token = token
        self._tell = tell
        self._abort = abort
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        self._first: int | None = None

    def __enter__(self) -> StopSignals:
        with _held_back():
            self._read, self._write = os.pipe()
            os.set_blocking(self._write, False)
            self._old_wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
            for number in _SIGNALS:
                # nohup and background jobs of a script have some of them ignored: that stays so.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, lambda _number, _frame: None)
            self._thread = threading.Thread(target=self._watch, name="signals", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        with _held_back():
            for number, handler in self._before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(self._old_wakeup)
            os.write(self._write, _QUIT)
            self._thread.join(timeout=5)
            os.close(self._write)
            os.close(self._read)

    def stopped(self, hint: str) -> Stopped:
        """The error that says how the job ended, by the first signal that came."""
        if self._first in (signal.SIGTERM, signal.SIGHUP):
            return Terminated(hint=hint)
        return Stopped(hint=hint)

    def _watch(self) -> None:
        while True:
            for number in os.read(self._read, 64):
                if number == _QUIT[0]:
                    return
                if number in self._before:
                    self._received(number)

    def _received(self, number: int) -> None:
        if self._first is not None:
            with contextlib.suppress(Exception):
                self._abort()
            os._exit(130 if number == signal.SIGINT else 143)
        self._first = number
        self._token.cancel()
        self._tell()


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """The signals wait meanwhile: what one raises leaves nothing half done."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
