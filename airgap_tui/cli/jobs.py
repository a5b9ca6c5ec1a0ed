"""`jobs`, `attach` and `stop`: the background jobs."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from airgap_tui.cli.options import settings_of, verb
from airgap_tui.cli.output import Output
from airgap_tui.cli.text import Column, table
from airgap_tui.engine.errors import EnvironmentFailure, NotFound

if TYPE_CHECKING:
    from airgap_tui.engine.credentials.credential import Credential
    from airgap_tui.engine.jobs.job_list import JobInfo

_STOP_SECONDS = 60.0
_OUTCOMES = {0: "Finished", 1: "Finished, some failed", 3: "Finished, some damaged"}


@verb("airgap-tui jobs", "airgap-tui jobs --json")
def jobs(output: Output) -> int:
    """List background jobs.

    Finished jobs stay listed for a while, with their outcome.
    """
    from airgap_tui.engine.jobs.job_list import list_jobs

    found = list_jobs(settings_of().state_dir)
    output.document({"jobs": [_as_json(job) for job in found]})
    columns = [
        Column("Job"),
        Column("Bundle", flexible=True),
        Column("What"),
        Column("State"),
        Column("Started"),
    ]
    rows = [
        [
            job.id,
            job.name,
            ", then ".join(job.order.verbs),
            _state(job),
            time.strftime("%Y-%m-%d %H:%M", time.localtime(job.started)),
        ]
        for job in found
    ]
    if rows:
        output.data(table(columns, rows, output.width))
    else:
        output.say("There is no job. airgap-tui save --detach starts one.")
    return 0


@verb("airgap-tui attach", "airgap-tui attach pod-2025-07")
@click.argument("job", default="", metavar="[ID|BUNDLE]")
@click.option("--continue", "go_on", is_flag=True, help="First restart a job that was interrupted.")
def attach(output: Output, job: str, go_on: bool) -> int:
    """Follow a background job until it ends.

    Ctrl-C leaves it running. Where a registry refuses a login, you are asked for another one here.
    Without a name it is the running job, or the latest one.
    """
    from airgap_tui.cli.attaching import attach_to
    from airgap_tui.engine.jobs.job_list import JobState, find_job, list_jobs

    found = find_job(list_jobs(settings_of().state_dir), job)
    if go_on and found.state is not JobState.RUNNING:
        found = _continued(output, found)
    return attach_to(output, found)


@verb("airgap-tui stop pod-2025-07", "airgap-tui stop 20250627-081502-a3f1")
@click.argument("job", metavar="ID|BUNDLE")
@click.option("--now", is_flag=True, help="Kill it, if it does not stop by itself.")
def stop(output: Output, job: str, now: bool) -> int:
    """Stop a background job.

    What is finished is kept, and the job can be continued.
    """
    from airgap_tui.engine.jobs import worker
    from airgap_tui.engine.jobs.job_list import JobState, describe, find_job, list_jobs

    found = find_job(list_jobs(settings_of().state_dir), job)
    if not worker.stop(found, at_once=now):
        raise NotFound(
            f"{found.name}: {found.verb} does not run: {_state(found).lower()}",
            hint="airgap-tui jobs lists what does.",
        )
    end = time.monotonic() + _STOP_SECONDS
    while found.state is JobState.RUNNING:
        if time.monotonic() > end:
            raise EnvironmentFailure(
                f"{found.name}: {found.verb} has not stopped yet",
                hint=f"To end it at once: airgap-tui stop --now {found.id}",
            )
        time.sleep(0.1)
        found = describe(found.directory)
    output.document(_as_json(found))
    if found.state is JobState.FINISHED:
        output.say(f"{found.name}: {found.verb} has ended.")
        return 0
    output.say(
        f"{found.name}: {found.verb} is stopped; what is finished is kept."
        f" To continue: airgap-tui attach --continue {found.id}"
    )
    return 0


def _continued(output: Output, job: JobInfo) -> JobInfo:
    """A new worker on what the job was to do."""
    from airgap_tui.cli.attaching import ask_for_login
    from airgap_tui.engine.jobs import worker

    if job.exit_code == 0:
        raise NotFound(f"{job.name}: {job.verb} is finished; there is nothing to continue")
    logins: dict[str, Credential] = {}
    for registry in job.order.logins:
        if sys.stdin.isatty():
            output.say(f"The login for {registry} was given for that run only")
            logins[registry] = ask_for_login(registry)
        else:
            output.say(f"The login for {registry} was given for that run only; trying without it")
    chain = job.directory.chain
    return worker.start(chain, settings_of().state_dir, logins=logins, command=job.order.command)


def _state(job: JobInfo) -> str:
    """`Running 70%`, `Waits for a login`, `Finished`, `Stopped 70%`, `Died 70% on dgx03`."""
    from airgap_tui.engine.jobs.job_list import JobState

    snapshot = job.snapshot
    share = f" {int(100 * snapshot.fraction)}%" if snapshot.total else ""
    if job.state is JobState.FINISHED:
        return _OUTCOMES.get(job.exit_code or 0, "Failed")
    if job.state is JobState.RUNNING and snapshot.logins:
        return "Waits for a login"
    where = "" if job.here else f" on {job.host}"
    return f"{job.state.value.capitalize()}{share}{where}"


def _as_json(job: JobInfo) -> dict[str, Any]:
    snapshot = job.snapshot
    return {
        "id": job.id,
        "bundle": str(job.order.place),
        "verbs": list(job.order.verbs),
        "verb": job.verb,
        "state": job.state.value,
        "exitCode": job.exit_code,
        "started": _moment(job.started),
        "ended": _moment(job.ended),
        "host": job.host or None,
        "process": job.occupant.identity.process if job.occupant else None,
        "mayControl": job.may_control,
        "continuable": job.continuable,
        "bytes": {"done": snapshot.done, "total": snapshot.total},
        "waitsForLogin": [wanted.registry for wanted in snapshot.logins],
        "directory": str(job.directory.path),
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
