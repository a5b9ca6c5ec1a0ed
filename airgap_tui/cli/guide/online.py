"""The online side of the plain twin: its steps from the first name to what is carried."""

from __future__ import annotations

from functools import partial

from airgap_tui.cli.guide import watching
from airgap_tui.cli.guide.dialogue import Back
from airgap_tui.cli.guide.exporting import carry
from airgap_tui.cli.guide.guide import Guide, ToTheStart
from airgap_tui.cli.guide.images import choose_images
from airgap_tui.cli.guide.logins import settle_logins
from airgap_tui.cli.guide.review import review
from airgap_tui.cli.guide.verified import see_verified
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import welcome
from airgap_tui.engine.guide.steps import Side


def collect(guide: Guide, at: str = "Images") -> None:
    """Lead through the online side from this step on."""
    steps = (choose_images, settle_logins, review, save, verify, export)
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
    """What verifying said; passed over where the job was told not to verify, and goes on."""
    job = guide.crossing.job
    if job is not None and "verify" not in job.order.verbs and welcome.carries(job):
        return
    try:
        see_verified(guide, Side.ONLINE)
    except Back:
        raise Back(2) from None  # step Save has nothing to ask now


def export(guide: Guide) -> None:
    """Make the bundle ready to carry; going back leads to what was verified."""
    try:
        carry(guide)
    except Back:
        if guide.crossing.verified is None:
            raise ToTheStart from None
        raise
