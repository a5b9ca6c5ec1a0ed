"""Looks at a job's directory 4 times a second, in a thread: a home on NFS may take its time."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass

from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.jobs.chain import Ended
from airgap_tui.engine.jobs.job_list import JobInfo, JobState, describe

LOOKS_PER_SECOND = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """A job at one moment; `ended` says how each of its steps did that has ended."""

    job: JobInfo
    ended: tuple[Ended, ...] = ()

    @classmethod
    def of(cls, job: JobInfo) -> Seen:
        """Look now."""
        job = describe(job.directory)
        return cls(job, job.directory.ended if job.moment.step else ())

    def of_verbs(self, *verbs: str) -> Ended | None:
        """How the last step with one of these verbs ended; None while it has not."""
        return next((ended for ended in reversed(self.ended) if ended.verb in verbs), None)


class Watch:
    """From `start` to `close`, or to the job's end, `seen` is what the job is like now."""

    def __init__(self, job: JobInfo) -> None:
        self.seen = Seen.of(job)
        self._over = threading.Event()

    def start(self) -> None:
        """Keep looking; without effect on a job that has ended."""
        if self.seen.job.state is JobState.RUNNING:
            threading.Thread(target=self._run, name="watch", daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(1 / LOOKS_PER_SECOND):
            with contextlib.suppress(AirgapError):  # a home that is gone for a while comes back
                self._look()
            if self.seen.job.state is not JobState.RUNNING:
                return

    def _look(self) -> None:
        before = self.seen
        job = describe(before.job.directory)
        if job.moment.step == before.job.moment.step:
            self.seen = Seen(job, before.ended)
        else:
            self.seen = Seen(job, job.directory.ended)
