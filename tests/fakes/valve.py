"""A fault of the fake registry that a test opens: some layers come, the others wait until then."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fakes.registry import Answer, Seen
from tests.services import PATIENCE


@dataclass
class Valve:
    """Lets the first `free` requests through, and holds every other one until `opened` is set;
    `held` is set once one waits."""

    free: int
    opened: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self) -> None:
        """Return once a request waits."""
        if not self.held.wait(PATIENCE):
            raise TimeoutError("nobody came to the valve")

    def __call__(self, _seen: Seen, honest: Callable[[], Answer]) -> Answer:
        with self._lock:
            self.free -= 1
            passes = self.free >= 0
        if not passes:
            self.held.set()
            assert self.opened.wait(2 * PATIENCE)
        return honest()
