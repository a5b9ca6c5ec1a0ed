"""`attach`: shows a worker's progress as if it ran in this terminal. Detaching does not stop it."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from airgap_tui.cli.narration import DRAWS_PER_SECOND, Narration
from airgap_tui.cli.outcomes import tell_steps
from airgap_tui.cli.output import Output, narrate
from airgap_tui.cli.stopping import StopSignals
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import EnvironmentFailure, Stopped
from airgap_tui.engine.events import Event
from airgap_tui.engine.jobs.chain import Ended
from airgap_tui.engine.jobs.control import give_login, leave_out
from airgap_tui.engine.jobs.job_list import JobInfo, JobState, describe
from airgap_tui.engine.progress import Progress
from airgap_tui.engine.snapshot import LoginWanted, Snapshot

if TYPE_CHECKING:
    from airgap_tui.engine.credentials.credential import Credential


class _Followed(Progress):
    """Another process folds the events: what it wrote last is the state."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.latest = snapshot

    def take(self, event: Event) -> None:
        """Events are only news here."""

    def snapshot(self) -> Snapshot:
        return self.latest


def attach_to(output: Output, job: JobInfo) -> int:
    """Follow the job to its end and tell its outcome; its exit code. Raises `Stopped` where the
    user leaves it, and `EnvironmentFailure` where it died."""
    return _tell_end(output, follow(output, job))


def follow(output: Output, job: JobInfo) -> JobInfo:
    """Show the job until it runs no more; how it is then. Raises `Stopped` where the user leaves
    it."""
    _entries, offset = job.directory.journal()
    answered: set[LoginWanted] = set()
    for wanted in job.snapshot.logins if not _may_ask(job) else ():
        narrate(f"Paused until a login is given on a terminal: {wanted.reason}")
    while job.state is JobState.RUNNING:
        job, offset = _follow(output, job, offset, answered)
        for wanted in job.snapshot.logins if job.state is JobState.RUNNING else ():
            if wanted not in answered:
                _answer(job, wanted)
                answered.add(wanted)
    return job


def _follow(
    output: Output, job: JobInfo, offset: int, answered: set[LoginWanted]
) -> tuple[JobInfo, int]:
    """Show the job until it ends, or until it asks for a login that can be given here."""
    token, progress = CancelToken(), _Followed(job.snapshot)
    narration = Narration(output, progress)
    with StopSignals(token, lambda: None, narration.abort) as signals, narration:
        while True:
            job = describe(job.directory)
            entries, offset = job.directory.journal(offset)
            progress.latest = job.snapshot
            for entry in entries:
                if not isinstance(entry, Ended):
                    narration.take(entry)
            asked = set(job.snapshot.logins) - answered
            if job.state is not JobState.RUNNING or (asked and _may_ask(job)):
                break
            try:
                token.sleep(1 / DRAWS_PER_SECOND)
            except Stopped:
                break
    if token.cancelled and job.state is JobState.RUNNING:  # also where a login would be asked for
        raise signals.stopped(_left(job))
    return job, offset


def _left(job: JobInfo) -> str:
    back = shlex.join(["airgap-tui", "attach", job.name])
    return f"{job.name} goes on without you. Back to it: {back}"


def _may_ask(job: JobInfo) -> bool:
    return job.may_control and sys.stdin.isatty()


def _answer(job: JobInfo, wanted: LoginWanted) -> None:
    """Ask for another login, hand it to the job, or have the registry's images left out."""
    narrate(f"{wanted.registry} refuses the login: {wanted.reason}")
    try:
        if not click.confirm("Give another login", default=True, err=True):
            leave_out(job, wanted.registry)
            return
        give_login(job, wanted.registry, ask_for_login(wanted.registry))
    except click.Abort:
        raise Stopped(hint=_left(job)) from None


def ask_for_login(registry: str) -> Credential:
    """A login as it is typed; the secret is not shown. Raises `click.Abort`."""
    from airgap_tui.cli.typed import Typed
    from airgap_tui.engine.credentials.credential import (
        NGC_REGISTRY,
        NGC_USERNAME,
        Credential,
        without_line_breaks,
    )

    ngc = registry == NGC_REGISTRY
    username, secret = NGC_USERNAME if ngc else "", ""
    text = "NGC key, begins with nvapi-" if ngc else "Password"
    try:
        with Typed(sys.stdin, sys.stderr) as typed:
            while not username:
                username = typed.line(f"User name at {registry}: ").strip()
            while not secret:
                secret = without_line_breaks(typed.secret(f"{text} (not shown): "))
    except (KeyboardInterrupt, EOFError):
        raise click.Abort from None
    return Credential(username, secret, "what was typed")


def _tell_end(output: Output, job: JobInfo) -> int:
    again = f"To continue: airgap-tui attach --continue {job.id}"
    if job.state is JobState.DIED:
        why = "the machine restarted" if job.rebooted else "its process is gone"
        where = "" if job.here else f" on {job.host}"
        raise EnvironmentFailure(
            f"{job.name}: {job.verb} ended{where} without saying so: {why}",
            hint=f"Nothing finished is lost. {again}",
        )
    tell_steps(output, job.directory.ended)
    if job.state is JobState.STOPPED:
        output.say(f"{job.name}: {job.verb} was stopped; what is finished is kept. {again}")
    return job.exit_code or 0
