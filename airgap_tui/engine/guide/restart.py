"""Begins work on a bundle anew from a job: goes on where it was cut short, or tries again."""

from __future__ import annotations

from collections.abc import Callable

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import worker
from airgap_tui.engine.jobs.chain import Chain
from airgap_tui.engine.jobs.job_list import JobInfo

Start = Callable[[CancelToken], JobInfo]


def starting(crossing: Crossing, chain: Chain, command: str = "") -> Start:
    """What starts a worker on this chain; it raises as `worker.start` does."""
    state_dir = crossing.settings.state_dir

    def work(_token: CancelToken) -> JobInfo:
        return worker.start(chain, state_dir, logins=crossing.logins, command=command)

    return work


def from_step(crossing: Crossing, job: JobInfo, index: int) -> Start:
    """What starts a job's steps again from this one on. Raises as `JobDirectory.chain` does."""
    steps = job.directory.chain.steps[index:]
    return starting(crossing, Chain(steps), job.order.command)


def logins_lacking(crossing: Crossing, job: JobInfo) -> tuple[str, ...]:
    """The registries whose login was given for that run alone, and is not known any more."""
    return tuple(name for name in job.order.logins if name not in crossing.logins)
