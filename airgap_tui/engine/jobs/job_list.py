"""This user's jobs: running, finished, stopped or died; which can continue, which are old."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from airgap_tui.engine.errors import AirgapError, NotFound, UsageError
from airgap_tui.engine.jobs.directory import JobDirectory, Moment, Occupant, Order
from airgap_tui.engine.jobs.identity import boot_id
from airgap_tui.engine.snapshot import Snapshot

KEPT = 20
KEPT_SECONDS = 30 * 24 * 3600.0
STOPPED_CODES = (130, 143)
_STARTING_SECONDS = 30.0
_SIGN_OF_LIFE = 120.0
"""Seconds after which another host's job that wrote nothing is taken for dead."""


class JobState(str, Enum):
    """`STOPPED` was asked to end; `DIED` never said that it did."""

    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    DIED = "died"


@dataclass(frozen=True, slots=True)
class JobInfo:
    """One job as it is now. Times are in seconds since 1970; `ended` is None while it runs.

    `superseded` says that a later job does the same on the same bundle. `rebooted` says why it
    died: the machine started anew.
    """

    directory: JobDirectory
    order: Order
    state: JobState
    moment: Moment = field(default_factory=Moment)
    occupant: Occupant | None = None
    superseded: bool = False
    rebooted: bool = False

    @property
    def id(self) -> str:
        return self.directory.id

    @property
    def name(self) -> str:
        """The bundle's name: how people call the job."""
        return self.order.place.name

    @property
    def verb(self) -> str:
        """The verb that it does now, or did last."""
        return self.order.verbs[min(self.moment.step, len(self.order.verbs) - 1)]

    @property
    def snapshot(self) -> Snapshot:
        return self.moment.snapshot

    @property
    def exit_code(self) -> int | None:
        return self.moment.exit_code

    @property
    def started(self) -> float:
        return self.order.created

    @property
    def ended(self) -> float | None:
        """When it ended, or was last seen."""
        return None if self.state is JobState.RUNNING else self.moment.at or self.started

    @property
    def host(self) -> str:
        return self.occupant.identity.host if self.occupant else ""

    @property
    def here(self) -> bool:
        """Whether it runs, or ran, on this host."""
        return self.occupant is None or self.occupant.identity.here

    @property
    def may_control(self) -> bool:
        """Whether this user on this host may stop it and give it logins."""
        try:
            owner = self.directory.path.stat().st_uid
        except OSError:
            return False
        return self.here and os.geteuid() in (0, owner)

    @property
    def continuable(self) -> bool:
        """Whether it was cut short and nothing later has taken its place."""
        return self.state in (JobState.STOPPED, JobState.DIED) and not self.superseded


def describe(directory: JobDirectory) -> JobInfo:
    """The job in a directory. Raises `NotFound`, or `MalformedContent` for another version's."""
    order = directory.order
    moment, occupant = directory.moment, directory.occupant
    if moment.exit_code is None and not _alive(order, moment, occupant):
        moment = directory.moment  # it may have ended between the two looks
        if moment.exit_code is None:
            identity = occupant.identity if occupant else None
            rebooted = identity is not None and identity.here and identity.boot != boot_id()
            return JobInfo(directory, order, JobState.DIED, moment, occupant, rebooted=rebooted)
    state = JobState.RUNNING
    if moment.exit_code is not None:
        state = JobState.STOPPED if moment.exit_code in STOPPED_CODES else JobState.FINISHED
    return JobInfo(directory, order, state, moment, occupant)


def list_jobs(state_dir: Path) -> tuple[JobInfo, ...]:
    """All jobs that can be read, the latest first."""
    readable: list[JobInfo] = []
    for path in _directories(state_dir):
        with contextlib.suppress(AirgapError):
            readable.append(describe(JobDirectory(path)))
    found: list[JobInfo] = []
    later: set[tuple[Path, str]] = set()
    for job in sorted(readable, key=lambda job: (job.started, job.id), reverse=True):
        key = (job.order.place, job.order.verbs[0])
        if key in later:
            job = replace(job, superseded=True)
        later.add(key)
        found.append(job)
    return tuple(found)


def find_job(jobs: Sequence[JobInfo], text: str = "") -> JobInfo:
    """The job of this id, of the beginning or end of one, or of this bundle, by name or path.

    Of several jobs on a bundle the running one is meant, else the latest; so it is without a text.
    Raises `NotFound` and `UsageError`.
    """
    if not jobs:
        raise NotFound("there is no job", hint="airgap-tui save --detach starts one.")
    by_id = [job for job in jobs if job.id == text] or [
        job for job in jobs if text and (job.id.startswith(text) or job.id.endswith(text))
    ]
    if len(by_id) > 1:
        names = ", ".join(job.id for job in by_id[:5])
        raise UsageError(f"{len(by_id)} jobs are meant by {text!r}: {names}")
    if by_id:
        return by_id[0]
    path = Path(text).absolute()
    fitting = [job for job in jobs if not text or job.order.place == path]
    fitting = fitting or [job for job in jobs if job.name == text]
    if not fitting:
        raise NotFound(f"there is no job {text!r}", hint="airgap-tui jobs lists them.")
    return next((job for job in fitting if job.state is JobState.RUNNING), fitting[0])


def prune(state_dir: Path, now: float | None = None) -> None:
    """Remove the directories of old jobs: neither among the latest nor young, and nothing that
    runs or can go on."""
    now = time.time() if now is None else now
    for job in list_jobs(state_dir)[KEPT:]:
        old = now - (job.ended or now) > KEPT_SECONDS
        if old and job.state is not JobState.RUNNING and not job.continuable:
            shutil.rmtree(job.directory.path, ignore_errors=True)


def _directories(state_dir: Path) -> list[Path]:
    try:
        return [path for path in (state_dir / "jobs").iterdir() if path.is_dir()]
    except OSError:
        return []


def _alive(order: Order, moment: Moment, occupant: Occupant | None) -> bool:
    if occupant is None:
        return abs(time.time() - order.created) < _STARTING_SECONDS
    if occupant.identity.here:
        return occupant.identity.alive
    return abs(time.time() - (moment.at or order.created)) < _SIGN_OF_LIFE
