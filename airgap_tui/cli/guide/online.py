"""The online side of the plain twin: its steps, the work, and what there is to carry."""

from __future__ import annotations

from functools import partial

from airgap_tui.cli.guide import watching
from airgap_tui.cli.guide.dialogue import Back, Leave
from airgap_tui.cli.guide.guide import Guide, ToTheStart
from airgap_tui.cli.guide.images import choose_images
from airgap_tui.cli.guide.logins import settle_logins
from airgap_tui.cli.guide.review import review
from airgap_tui.cli.guide.verified import bundle_of, see_verified
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import outcome
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.steps import Side


def collect(guide: Guide, at: str = "Images") -> None:
    """Lead through the online side from this step on."""
    steps = (choose_images, settle_logins, review, save, verify)
    bound = [partial(step, guide) for step in steps]
    guide.walk(Side.ONLINE, bound, Side.ONLINE.steps.index(at))


def save(guide: Guide) -> None:
    """Watch the save; what failed or was cut short can be tried again."""
    while True:
        job = watching.watch(guide)
        if "save" not in job.order.verbs:
            return
        watching.tell(guide, job, "save")
        offered = watching.ways_on(job, "save", "Go on to Verify")
        if not offered or guide.dialogue.choose(offered, offered[0].key) == "next":
            return
        try:
            watching.again(guide, job, "save")
            guide.crossing.verified = None
        except AirgapError as error:
            guide.dialogue.error(error)


def verify(guide: Guide) -> None:
    """What verifying said; then what to carry, and what to type on the other side."""
    dialogue = guide.dialogue
    while True:
        try:
            see_verified(guide, Side.ONLINE)
        except Back:
            raise Back(2) from None  # step Save has nothing to ask now
        result, bundle = guide.crossing.verified, bundle_of(guide, Side.ONLINE)
        if result is None:
            raise Back(2)
        whole = sum(item.succeeded for item in result.items)
        dialogue.say()
        dialogue.say(f"Result. {outcome.ready(bundle.name, whole, result.bytes)}")
        dialogue.say(f"Carry this to the offline side: {bundle}. {outcome.carry(result.bytes)}")
        dialogue.say("Type there, with the disk mounted, one of:")
        for command, about in outcome.offline_commands(bundle):
            dialogue.command(f"{command}    {about}")
        offered = [Choice("finish", "Finish"), Choice("start", "Back to the first question")]
        try:
            if dialogue.choose(offered, "finish") == "start":
                raise ToTheStart
        except Back:
            continue
        raise Leave(outcome.carried_message(bundle.name, bundle, result.bytes))
