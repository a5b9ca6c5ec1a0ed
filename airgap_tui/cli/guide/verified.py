"""Verify, on both sides: what reading every byte found, and what can be done about it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from airgap_tui.cli.guide import watching
from airgap_tui.cli.guide.dialogue import Back
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import chains, commands, outcome, sentences
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.outcome import FETCH_AGAIN, READ_AGAIN
from airgap_tui.engine.guide.steps import Side
from airgap_tui.engine.jobs import read_again
from airgap_tui.engine.jobs.verify import VerifyResult

_EXPLAINED = (
    "Every byte of the bundle is read and compared with its digest, the SHA-256 checksum that names"
    " a layer. On the online side a damaged layer is fetched again by itself; all others stay."
)


def bundle_of(guide: Guide, side: Side) -> Path:
    """The bundle that this side is about."""
    crossing = guide.crossing
    chosen = crossing.collection.bundle if side is Side.ONLINE else crossing.delivery.path
    if chosen is not None:
        return chosen
    if crossing.job is None:
        raise Back
    return crossing.job.order.place


def see_verified(guide: Guide, side: Side) -> None:
    """Ends when the user goes on, on the offline side with what is whole."""
    crossing, dialogue = guide.crossing, guide.dialogue
    bundle = bundle_of(guide, side)
    while True:
        result = crossing.verified or _read_all(guide, side, bundle)
        sizes = _tell(guide, result, bundle)
        remedies = outcome.remedies(result, side, sizes)
        offered = [
            Choice(key, text, outcome.remedy_in_words(key, result, side))
            for key, text in remedies.items()
        ]
        elsewhere = outcome.other_remedy(result, side, bundle.name)
        if elsewhere:
            dialogue.say(elsewhere)
        if not offered:
            following = "Result" if side is Side.ONLINE else "Destination"
            offered = [Choice("next", f"Go on to {following}")]
        answer = dialogue.choose(offered, offered[0].key, explanation=_EXPLAINED)
        try:
            if answer == READ_AGAIN:
                work = partial(read_again.run, bundle, result)
                crossing.verified = guide.wait("Reading it again.", work)
            elif answer == FETCH_AGAIN:
                chain = chains.fetching_again(crossing.collection, crossing.job)
                watching.begin(guide, chain, commands.save(crossing.collection))
                crossing.verified = None
            else:
                if side is Side.OFFLINE:
                    crossing.delivery = outcome.keeping_whole(crossing.delivery, result)
                return
        except AirgapError as error:
            dialogue.error(error)


def _read_all(guide: Guide, side: Side, bundle: Path) -> VerifyResult:
    """The result of the crossing's job, or of a verify that is begun here."""
    crossing, dialogue = guide.crossing, guide.dialogue
    while True:
        job = crossing.job
        if job is None or "verify" not in job.order.verbs or job.order.place != bundle:
            _begin(guide, bundle)
        job = watching.watch(guide)
        ended = watching.step_of(job, "verify")
        if ended is not None and isinstance(ended.result, VerifyResult):
            crossing.verified = ended.result
            return ended.result
        watching.tell(guide, job, "verify")
        dialogue.choose([Choice("again", "Verify again")], "again", explanation=_EXPLAINED)
        _begin(guide, bundle)


def _begin(guide: Guide, bundle: Path) -> None:
    try:
        chain = chains.verifying_at(bundle, guide.settings)
        watching.begin(guide, chain, commands.verify(bundle))
    except AirgapError as error:
        guide.dialogue.error(error)
        raise Back from None


def _tell(guide: Guide, result: VerifyResult, bundle: Path) -> dict[str, int]:
    """What is whole; and each file that is not, with the images that need it. The sizes of those
    files, where they are known."""
    dialogue, wrong = guide.dialogue, outcome.findings(result)
    dialogue.say(sentences.verified(result))
    dialogue.say(f"Read: {outcome.read(result)}.", indent=2)
    for finding in wrong:
        needed = f" Needed by {', '.join(finding.items)}." if finding.items else ""
        problem = outcome.problem(finding).replace("\n", " ")
        dialogue.say(f"! {finding.file}: {problem}{needed}", indent=2)
    for item in outcome.failed(result.items) if not wrong else ():
        dialogue.say(f"! {item.reference}: {item.error}", indent=2)
    if not wrong:
        return {}
    try:
        return read_again.sizes(bundle, wrong)
    except AirgapError:
        return {}
