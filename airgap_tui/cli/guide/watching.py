"""A worker's job, told line by line until it ends; and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from airgap_tui.cli.attaching import ask_for_login, follow
from airgap_tui.cli.guide.dialogue import Back, HungUp, Leave, sentence
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.cli.outcomes import numbers
from airgap_tui.cli.results import tell_failures
from airgap_tui.cli.stopping import Terminated
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import Stopped
from airgap_tui.engine.guide import restart, sentences
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.ended import snapshot_of
from airgap_tui.engine.jobs import worker
from airgap_tui.engine.jobs.chain import Chain, Ended
from airgap_tui.engine.jobs.job_list import JobInfo, JobState, describe
from airgap_tui.engine.jobs.survival import survival
from airgap_tui.engine.snapshot import Snapshot

_EXPLAINED = (
    "The work is done by a process of its own: closing this window or losing the line does not end"
    " it. Stopping keeps what is finished, and it continues from there."
)


def begin(guide: Guide, chain: Chain, command: str) -> None:
    """Start a worker on the chain. Raises as `worker.start`."""
    surviving = survival()
    if surviving.warning:
        guide.dialogue.say(f"! {sentence(surviving.warning)} {surviving.remedy}")
    crossing = guide.crossing
    crossing.job = worker.start(
        chain,
        guide.settings.state_dir,
        logins=crossing.logins,
        command=command,
        surviving=surviving,
    )
    guide.dialogue.say("It goes on without this window. The command that does the same:")
    guide.dialogue.command(command)


def watch(guide: Guide) -> JobInfo:
    """Tell how the crossing's job goes until it runs no more."""
    job = guide.crossing.job
    if job is None:
        raise Back
    job = describe(job.directory)
    said = "Ctrl-C asks whether to stop it, or to leave it running."
    while job.state is JobState.RUNNING:
        try:
            # Said where Ctrl-C is waited for: whoever reads it may press it at once.
            guide.dialogue.say(said)
            job = follow(guide.output, job)
        except Terminated:
            raise HungUp from None
        except (Stopped, KeyboardInterrupt):
            said = _asked(guide, describe(job.directory))
    guide.crossing.job = job
    guide.exit_code = job.exit_code if job.exit_code is not None else 1
    return job


def _asked(guide: Guide, job: JobInfo) -> str:
    """Ask what to do with the job that still runs, and do it; what to say then."""
    dialogue, doing = guide.dialogue, sentences.doing(job.verb).lower()
    dialogue.say()
    if job.snapshot.total:
        dialogue.say(sentence(", ".join(sentences.amounts(job.snapshot))))
    choices = [Choice("show", "Go on telling how it goes")]
    if job.may_control:
        kept = "the bundle stays as it is" if job.verb == "serve" else "what is finished is kept"
        choices.append(Choice("stop", f"Stop {doing}", kept))
    choices.append(Choice("leave", "Leave", "it goes on without you"))
    answer = dialogue.choose(choices, "show", explanation=_EXPLAINED)
    if answer == "leave":
        raise Leave
    if answer == "stop":
        dialogue.say(sentences.stop_question(replace(job.snapshot, verb=job.verb)))
        if dialogue.confirm("Stop it", False, explanation=_EXPLAINED):
            worker.stop(job)
            return "Stopping."
    return "It goes on; Ctrl-C asks again."


def step_of(job: JobInfo, verb: str) -> Ended | None:
    """How a step of the job ended; None where it did not finish."""
    return next((ended for ended in job.directory.ended if ended.verb == verb), None)


def tell(guide: Guide, job: JobInfo, verb: str) -> None:
    """How a step of the job ended: its failures with what to do, and the numbers."""
    dialogue, ended = guide.dialogue, step_of(job, verb)
    if ended is None:
        died = job.state is JobState.DIED
        snapshot = job.snapshot if job.snapshot.verb == verb else Snapshot(verb)
        dialogue.say(sentences.cut_short(verb, snapshot, died=died, rebooted=job.rebooted))
    elif ended.result is None:
        dialogue.say(sentences.ended_early(verb))
        dialogue.say(f"! {sentence(ended.error)}")
        if ended.hint:
            dialogue.say(ended.hint, indent=2)
    else:
        tell_failures(guide.output, ended.result.items)
        dialogue.say(sentences.worked(snapshot_of(ended)))
        dialogue.say(numbers(verb, ended.result))


def again(guide: Guide, job: JobInfo, verb: str) -> None:
    """Start the job's steps from this one on again. Raises as `worker.start`."""
    crossing, dialogue = guide.crossing, guide.dialogue
    for registry in restart.logins_lacking(crossing, job):
        dialogue.say(f"The login for {registry} was given for that run only.")
        if dialogue.confirm("Give it again", True):
            crossing.logins[registry] = ask_for_login(registry)
    start: Callable[[CancelToken], JobInfo] = restart.from_step(
        crossing, job, job.order.verbs.index(verb)
    )
    crossing.job = start(CancelToken())


def ways_on(job: JobInfo, verb: str, onward: str) -> list[Choice]:
    """What can be done after a step of the job, the likeliest first; empty where all is well."""
    ended = step_of(job, verb)
    if ended is None:
        return [Choice("again", f"Continue {sentences.doing(verb).lower()}")]
    failed = sum(not item.succeeded for item in ended.result.items) if ended.result else 0
    if not failed and ended.achieved:
        return []
    found = [Choice("again", f"Try {failed} again" if failed else "Try again")]
    return [*found, Choice("next", onward)] if ended.achieved else found
