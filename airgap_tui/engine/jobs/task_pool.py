"""The threads of the copy loop: tasks in order, the first fatal error ends all, and a task whose
registry wants another login is put aside without keeping a thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.jobs.logins import LOOK_FOR_LOGINS, Logins

Task = Callable[[], None]

_PATIENCE = 1.0


class TaskPool:
    """Runs the tasks of one transfer."""

    def __init__(self, threads: int, token: CancelToken, logins: Logins | None) -> None:
        self._threads = threads
        self._token = token
        self._logins = logins
        self._lock = threading.Lock()
        self._put_aside: list[tuple[str, Task]] = []

    def run(self, tasks: Sequence[Task]) -> None:
        """Return when all tasks have ended; what one raises ends the others' beginning."""
        queue = deque(tasks)
        fatal: BaseException | None = None
        with ThreadPoolExecutor(self._threads, thread_name_prefix="transfer") as pool:
            running: set[Future[None]] = set()
            while True:
                queue.extendleft(self._allowed_again())
                while fatal is None and queue and len(running) < self._threads:
                    running.add(pool.submit(queue.popleft()))
                if running:
                    patience = LOOK_FOR_LOGINS if self._put_aside else _PATIENCE
                    done, running = wait(running, patience, FIRST_COMPLETED)
                    for future in done:
                        fatal = fatal or future.exception()
                elif fatal is None and self._put_aside:
                    self._token.sleep(LOOK_FOR_LOGINS)
                elif fatal is not None or not queue:
                    break
        if fatal is not None:
            raise fatal

    def put_aside(self, registry: str, task: Task) -> None:
        """Run this once the registry's login is settled. Called from a task that then returns."""
        with self._lock:
            self._put_aside.append((registry, task))

    def refusing(self, *registries: str) -> str:
        """Which of the registries waits for a login, or nothing."""
        if self._logins is None:
            return ""
        return next((name for name in registries if self._logins.wanted(name)), "")

    def _allowed_again(self) -> list[Task]:
        with self._lock:
            rest, free = [], []
            for registry, task in self._put_aside:
                if self.refusing(registry):
                    rest.append((registry, task))
                else:
                    free.append(task)
            self._put_aside = rest
        return free
