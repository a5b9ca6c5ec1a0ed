"""When to retry, and how long to wait: with jitter, capped; progress resets the count."""

from __future__ import annotations

from dataclasses import dataclass

from airgap_tui.engine.errors import TemporaryFailure


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`attempts` in all without progress; waits in seconds; `longest_wait` bounds Retry-After."""

    attempts: int = 6
    first_wait: float = 0.5
    longest_backoff: float = 60.0
    longest_wait: float = 900.0


class Attempts:
    """Counts the failures of one piece of work in a row."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._failed = 0

    def progressed(self) -> None:
        """Bytes have moved since the last failure: a 40 GB layer may need many resumes."""
        self._failed = 0

    def delay_after(self, failure: TemporaryFailure) -> float:
        """Seconds to wait before the next attempt; raises `failure` when it was the last one."""
        self._failed += 1
        policy = self._policy
        if self._failed >= policy.attempts:
            raise failure
        if failure.retry_after is not None:
            if failure.retry_after > policy.longest_wait:
                raise failure
            return failure.retry_after
        import random  # most runs never wait

        backoff = min(policy.longest_backoff, policy.first_wait * 2 ** (self._failed - 1))
        return random.uniform(backoff / 2, backoff)  # noqa: S311 - jitter, not a secret
