"""The first question of the plain twin: go on with what was begun, choose a side, or rehearse."""

from __future__ import annotations

import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from airgap_tui import __version__
from airgap_tui.cli.guide.dialogue import ANSWERS, Back, Dialogue, HungUp, Leave
from airgap_tui.cli.guide.guide import Guide, ToTheStart
from airgap_tui.cli.guide.offline import bring_in, go_on_importing
from airgap_tui.cli.guide.online import collect
from airgap_tui.cli.stopping import Terminated
from airgap_tui.engine.errors import AirgapError, Stopped
from airgap_tui.engine.events import Event, Note, discard
from airgap_tui.engine.guide import chains, choices, sentences, welcome
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.remembered import LAST_SIDE
from airgap_tui.engine.jobs import doctor, rehearse
from airgap_tui.engine.jobs.doctor import DoctorSpec
from airgap_tui.engine.jobs.job_list import JobInfo, JobState, describe
from airgap_tui.engine.jobs.media import FoundBundle, find_bundles
from airgap_tui.engine.jobs.rehearse import RehearseSpec
from airgap_tui.engine.settings import Settings

_EXPLAINED = (
    "The online side is the network with internet, the offline side the one without. Collect images"
    " on the one, carry the bundle over on a disk, and bring the images in on the other. Nothing is"
    " sent over the network before you choose a side."
)


def run(settings: Settings) -> int:
    """Lead through a crossing until the user leaves; the exit code. Raises `Stopped` for a signal:
    a job that runs goes on in any case."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _terminated)
    guide = Guide(settings, Dialogue(sys.stdin, sys.stdout))
    try:
        _lead(guide)
    except Leave as leave:
        farewell = _farewell(guide) or str(leave)
        if farewell:
            guide.dialogue.say(farewell)
        return guide.exit_code
    except (KeyboardInterrupt, click.Abort):
        raise Stopped(hint=_farewell(guide)) from None
    except HungUp:
        raise Terminated(hint=_farewell(guide)) from None


def _terminated(_number: int, _frame: FrameType | None) -> None:
    raise HungUp


def _farewell(guide: Guide) -> str:
    """What stands in the shell afterwards."""
    job = guide.crossing.job
    if job is not None and describe(job.directory).state is JobState.RUNNING:
        return sentences.left_running(job.name)
    return ""


def _lead(guide: Guide) -> NoReturn:
    dialogue = guide.dialogue
    dialogue.say(f"airgap-tui {__version__} on {socket.gethostname().partition('.')[0]}.")
    dialogue.say("Carry container images from a network with internet into one without.")
    dialogue.say(ANSWERS)
    _tell_machine(guide)
    while True:
        try:
            _welcome(guide)
        except (Back, ToTheStart):
            continue
        except AirgapError as error:
            dialogue.error(error)


def _welcome(guide: Guide) -> None:
    state_dir = guide.settings.state_dir
    unfinished, to_carry = welcome.jobs_to_go_on_with(state_dir), welcome.jobs_to_carry(state_dir)
    to_do = (*unfinished, *to_carry)[: welcome.MOST_CONTINUED]
    jobs = (*to_do, *welcome.jobs_exported(state_dir))
    bundles = [one for one in find_bundles() if not one.problem][: welcome.MOST_CONTINUED]
    dialogue = guide.dialogue
    dialogue.say()
    offered = [
        *(Choice(f"job {job.id}", job.name, welcome.job_in_words(job)) for job in to_do),
        *(Choice(f"bundle {b.key}", b.name, welcome.bundle_in_words(b)) for b in bundles),
        *(
            Choice(f"job {job.id}", job.name, welcome.job_in_words(job))
            for job in jobs[len(to_do) :]
        ),
        *choices.STARTS,
    ]
    usual = guide.remembered.get(LAST_SIDE, "online")
    first = offered[0].key if to_do or bundles else usual
    try:
        answer = dialogue.choose(offered, first, explanation=_EXPLAINED)
    except Back:
        raise Leave from None
    _open(guide, answer, jobs, bundles)


def _open(guide: Guide, answer: str, jobs: tuple[JobInfo, ...], bundles: list[FoundBundle]) -> None:
    what, _, rest = answer.partition(" ")
    if what == "job":
        job = next(job for job in jobs if job.id == rest)
        _show(guide, job) if job.state is JobState.RUNNING else _resume(guide, job)
    elif what == "bundle":
        guide.remembered.set(LAST_SIDE, "offline")
        bring_in(guide, next(one.places for one in bundles if one.key == rest))
    elif what == "rehearse":
        _rehearse(guide)
    else:
        guide.remembered.set(LAST_SIDE, what)
        collect(guide) if what == "online" else bring_in(guide)


def _show(guide: Guide, job: JobInfo) -> None:
    """A running job, at the step where it is watched."""
    guide.crossing.job = job
    if job.order.verbs[0] == "save":
        _take_collection(guide, job)
        collect(guide, "Save")
    elif job.order.verbs[0] == "import":
        go_on_importing(guide, job)
    elif welcome.carries(job):
        collect(guide, "Export")
    else:
        step = "Verify" if job.order.verbs == ("verify",) else "Deliver"
        bring_in(guide, chains.places_of(job), step)


def _resume(guide: Guide, job: JobInfo) -> None:
    """A job that was cut short: its answers are there, and the next step asks what it lacks."""
    if job.state is JobState.FINISHED or job.order.verbs[0] in ("export", "seal"):
        _take_collection(guide, job)
        collection = guide.crossing.collection
        guide.crossing.collection = replace(collection, bundle=job.order.place)
        guide.crossing.job = job if welcome.carries(job) else None
        collect(guide, "Export")
    elif _take_collection(guide, job):
        collect(guide, "Logins")
    elif job.order.verbs[0] == "import":
        go_on_importing(guide, job)
    else:
        bring_in(guide, chains.places_of(job))


def _take_collection(guide: Guide, job: JobInfo) -> bool:
    answers = chains.collection_of(job)
    if answers is not None:
        guide.crossing.wish(answers)
    return answers is not None


def _rehearse(guide: Guide) -> None:
    def sink(event: Event) -> None:
        if isinstance(event, Note):
            guide.dialogue.say(event.text)

    spec = RehearseSpec(settings=guide.settings)
    guide.wait(
        "Rehearsing both sides with small samples; this takes some seconds.",
        lambda token: rehearse.run(spec, sink, token),
    )


def _tell_machine(guide: Guide) -> None:
    spec = DoctorSpec(Path.cwd(), guide.settings)
    try:
        result = guide.wait(
            "Looking at this machine.", lambda token: doctor.run(spec, discard, token)
        )
    except Back:
        return
    for check in welcome.checks_of_note(result.checks):
        guide.dialogue.say(f"{check.name}: {welcome.check_in_words(check)}", indent=2)
    guide.dialogue.say("airgap-tui doctor tells all of it.", indent=2)
