"""`--detach` and `--then`: jobs in a worker that outlives this terminal, one after the other."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airgap_tui.cli.outcomes import tell_steps
from airgap_tui.cli.output import Output, narrate
from airgap_tui.cli.running import run_job, this_command

if TYPE_CHECKING:
    from airgap_tui.engine.jobs.chain import Ended, Step
    from airgap_tui.engine.jobs.job_list import JobInfo

detach_option = click.option(
    "--detach",
    is_flag=True,
    help="Run in the background; prints the job's ID for airgap-tui attach.",
)


def detached(output: Output, state_dir: Path, *steps: Step) -> int:
    """Start a worker on the steps and tell how to get back to it."""
    from airgap_tui.engine.jobs import worker
    from airgap_tui.engine.jobs.chain import Chain
    from airgap_tui.engine.jobs.survival import survival

    surviving = survival()
    if surviving.warning:
        narrate(f"! {surviving.warning}\n  {surviving.remedy}")
    job = worker.start(Chain(steps), state_dir, command=this_command(), surviving=surviving)
    tell_started(output, job)
    return 0


def tell_started(output: Output, job: JobInfo) -> None:
    """The job's ID on stdout, and the commands that lead back to it."""
    output.document(
        {
            "job": job.id,
            "directory": str(job.directory.path),
            "process": job.occupant.identity.process if job.occupant else None,
        }
    )
    output.data(job.id)
    see = shlex.join(["airgap-tui", "attach", job.name])
    output.say(f"{job.name} goes on without this terminal. To see it: {see}")


def in_a_row(output: Output, *steps: Step, stopping: str) -> int:
    """Do the steps here, one after the other; the exit code of all."""
    from airgap_tui.engine.jobs import chain as chains

    def job(sink: Any, token: Any) -> Sequence[Ended]:
        return chains.run(chains.Chain(steps), sink, token)

    done = run_job(output, job, stopping=stopping)
    tell_steps(output, done)
    return chains.exit_code(done)
