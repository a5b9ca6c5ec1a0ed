"""Begins work on a bundle anew from a job: goes on where it was cut short, or tries again."""

from __future__ import annotations

from collections.abc import Callable

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.jobs import worker
from airgap_tui.engine.jobs.chain import Chain
from airgap_tui.engine.jobs.job_list import JobInfo
from screens.crossing import Crossing


def starting(
    crossing: Crossing, chain: Chain, command: str = ""
) -> Callable[[CancelToken], JobInfo]:
    """What starts a worker on this chain, for `send_for`; it raises as `worker.start` does."""
    state_dir = crossing.settings.state_dir
    logins = {name: login for name, login in crossing.logins.items() if login is not None}

    def work(_token: CancelToken) -> JobInfo:
        return worker.start(chain, state_dir, logins=logins, command=command)

    return work


def from_step(crossing: Crossing, job: JobInfo, index: int) -> Callable[[CancelToken], JobInfo]:
    """What starts a job's steps again from this one on. Raises as `JobDirectory.chain` does."""
    steps = job.directory.chain.steps[index:]
    return starting(crossing, Chain(steps), job.order.command)


def logins_lacking(crossing: Crossing, job: JobInfo) -> tuple[str, ...]:
    """The registries whose login was given for that run alone, and is not known any more."""
    return tuple(name for name in job.order.logins if crossing.logins.get(name) is None)
