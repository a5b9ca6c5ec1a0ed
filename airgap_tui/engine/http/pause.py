"""The pause that a host asked for, observed by every worker that talks to it."""

from __future__ import annotations

import random
import threading
import time

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.events import HostPaused, Sink
from airgap_tui.engine.retry import RetryPolicy


class HostPause:
    """Shared by all threads of a session."""

    def __init__(self, host: str, policy: RetryPolicy, sink: Sink) -> None:
        self._host = host
        self._policy = policy
        self._sink = sink
        self._lock = threading.Lock()
        self._until = 0.0
        self._strikes = 0

    def wait(self, token: CancelToken) -> None:
        """Wait until the pause is over; raises `Stopped`."""
        while True:
            with self._lock:
                left = self._until - time.monotonic()
            if left <= 0:
                return
            token.sleep(left)

    def ask(self, seconds: float | None, reason: str) -> float:
        """The host answered 429: pause all threads; returns the seconds from now.

        If the host names no time, the pause grows with every such answer in a row. A time longer
        than the policy allows pauses nothing: that transfer fails instead.
        """
        with self._lock:
            self._strikes += 1
            if seconds is None:
                policy = self._policy
                longest = min(
                    policy.longest_backoff, policy.first_wait * 2 ** min(self._strikes, 20)
                )
                seconds = random.uniform(longest / 2, longest)  # noqa: S311 - jitter, no secret
            if seconds > self._policy.longest_wait:
                return seconds
            until = time.monotonic() + seconds
            later = until > self._until + 0.05
            self._until = max(self._until, until)
        if later:
            self._sink(HostPaused(self._host, seconds, reason))
        return seconds

    def answered(self) -> None:
        """The host answered something other than 429: the next pause begins short again."""
        if self._strikes:
            with self._lock:
                self._strikes = 0
