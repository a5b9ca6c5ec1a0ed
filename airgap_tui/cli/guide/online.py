"""The online side of the plain twin: its steps, the work, and what came of it."""

from __future__ import annotations

from functools import partial

from airgap_tui.cli.guide import watching
from airgap_tui.cli.guide.dialogue import Back, Leave
from airgap_tui.cli.guide.guide import Guide, ToTheStart
from airgap_tui.cli.guide.images import choose_images
from airgap_tui.cli.guide.logins import settle_logins
from airgap_tui.cli.guide.review import review
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import commands
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.steps import Side
from airgap_tui.engine.jobs.chain import Chain, Step
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.verify import VerifyResult, VerifySpec


def collect(guide: Guide, at: str = "Images") -> None:
    """Lead through the online side from this step on."""
    steps = (choose_images, settle_logins, review, save, verify)
    bound = [partial(step, guide) for step in steps]
    guide.walk(Side.ONLINE, bound, Side.ONLINE.steps.index(at))


def save(guide: Guide) -> None:
    """Watch the save; what failed or was cut short can be tried again."""
    while True:
        job = watching.watch(guide)
        if job.order.verbs[0] != "save":
            return
        watching.tell(guide, job, "save")
        offered = watching.ways_on(job, "save", "Go on to Verify")
        if not offered:
            return
        answer = guide.dialogue.choose(offered, offered[0].key)
        if answer == "next":
            return
        _try(guide, job, "save")


def verify(guide: Guide) -> None:
    """What verifying said; then how the bundle goes on."""
    crossing, dialogue = guide.crossing, guide.dialogue
    while True:
        job = watching.watch(guide)
        bundle = crossing.collection.bundle or job.order.place
        ended = watching.step_of(job, "verify")
        if ended is not None and isinstance(ended.result, VerifyResult):
            watching.tell_verified(guide, ended.result)
        elif "verify" in job.order.verbs:
            watching.tell(guide, job, "verify")
        if ended is not None and ended.exit_code == 0:
            dialogue.say(f"{bundle} is ready to be carried.")
        dialogue.say("On the offline side airgap-tui leads on; or verify it there with:")
        dialogue.command(commands.verify(bundle))
        try:
            _go_on(guide, job)
        except Back:
            raise Back(2) from None


def _go_on(guide: Guide, job: JobInfo) -> None:
    """Ask what to do at the end; returns where something new was begun."""
    crossing, dialogue = guide.crossing, guide.dialogue
    ended = watching.step_of(job, "verify")
    offered = [Choice("finish", "Finish")]
    if ended is None:
        offered.insert(0, Choice("verify", "Verify the bundle now"))
    elif ended.exit_code:
        offered.insert(0, Choice("fetch", "Fetch again what is damaged or missing"))
    offered.append(Choice("start", "Back to the first question"))
    answer = dialogue.choose(offered, offered[0].key)
    if answer == "finish":
        raise Leave
    if answer == "start":
        raise ToTheStart
    bundle = crossing.collection.bundle or job.order.place
    try:
        if answer == "verify":
            chain = Chain((Step("verify", VerifySpec(bundle, crossing.collection.settings)),))
            watching.begin(guide, chain, commands.verify(bundle))
        else:
            watching.again(guide, job, job.order.verbs[0])
    except AirgapError as error:
        dialogue.error(error)


def _try(guide: Guide, job: JobInfo, verb: str) -> None:
    try:
        watching.again(guide, job, verb)
    except AirgapError as error:
        guide.dialogue.error(error)
