"""Verify, on both sides: what reading every byte found, and what can be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from airgap_tui.cli.guide import signers, watching
from airgap_tui.cli.guide.dialogue import Back, sentence
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.cli.guide.signers import SIGNERS
from airgap_tui.engine.bundle.signatures.signature import Standing
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import arrival, chains, commands, outcome
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.outcome import ASK_AGAIN, FETCH_AGAIN, GO_ON, READ_AGAIN
from airgap_tui.engine.guide.steps import Side
from airgap_tui.engine.jobs import read_again
from airgap_tui.engine.jobs.verify import VerifyResult
from airgap_tui.engine.jobs.verify_report import VerifyReport
from airgap_tui.engine.typed_path import typed_path

_REPORT = "report"
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
        places = crossing.delivery.places if side is Side.OFFLINE else ()
        places = places or (bundle,)
        trust = crossing.delivery.settings.trust if side is Side.OFFLINE else None
        result = crossing.verified or _read_all(guide, side, places)
        sizes = _tell(guide, result, places)
        remedies = outcome.remedies(result, side, sizes)
        offered = [
            Choice(key, text, outcome.remedy_in_words(key, result, side))
            for key, text in remedies.items()
        ]
        elsewhere = outcome.other_remedy(result, side, bundle.name)
        if elsewhere:
            dialogue.say(elsewhere)
        if not offered:
            following = "Export" if side is Side.ONLINE else "Destination"
            offered = [Choice("next", f"Go on to {following}")]
        if refused := arrival.refused(result.signature, trust) if side is Side.OFFLINE else "":
            dialogue.say(refused)
            offered = [one for one in offered if one.key not in ("next", GO_ON)]
        if side is Side.OFFLINE:
            offered.append(Choice(SIGNERS, "Name who may sign it", signers.standing(guide)))
        offered.append(Choice(_REPORT, "Save a report", "text and JSON"))
        answer = dialogue.choose(offered, offered[0].key, explanation=_EXPLAINED)
        try:
            if answer == READ_AGAIN:
                work = partial(read_again.run, places[0], result, others=places[1:])
                crossing.verified = guide.wait("Reading it again.", work)
            elif answer == ASK_AGAIN:
                dialogue.say(outcome.said_across(result))
            elif answer == _REPORT:
                _save_report(guide, result, places)
            elif answer == SIGNERS:
                crossing.verified = signers.checked_anew(guide, result)
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


def _save_report(guide: Guide, result: VerifyResult, places: Sequence[Path]) -> None:
    report = VerifyReport.of(result, places[0].name, places)
    name = guide.dialogue.ask("Save as, without an ending", str(Path("~") / report.name))
    for path in report.write_all(typed_path(name)):
        guide.dialogue.say(f"Saved: {path}", indent=2)


def _read_all(guide: Guide, side: Side, places: Sequence[Path]) -> VerifyResult:
    """The result of the crossing's job, or of a verify that is begun here."""
    crossing, dialogue = guide.crossing, guide.dialogue
    while True:
        job = crossing.job
        if job is None or "verify" not in job.order.verbs or tuple(places) != chains.places_of(job):
            _begin(guide, side, places)
        job = watching.watch(guide)
        ended = watching.step_of(job, "verify")
        if ended is not None and isinstance(ended.result, VerifyResult):
            crossing.verified = ended.result
            return ended.result
        watching.tell(guide, job, "verify")
        dialogue.choose([Choice("again", "Verify again")], "again", explanation=_EXPLAINED)
        _begin(guide, side, places)


def _begin(guide: Guide, side: Side, places: Sequence[Path]) -> None:
    crossing = guide.crossing
    settings = crossing.delivery.settings if side is Side.OFFLINE else guide.settings
    try:
        chain = chains.verifying_at(places, settings)
        watching.begin(guide, chain, commands.verify(*places, trust=settings.trust))
    except AirgapError as error:
        guide.dialogue.error(error)
        raise Back from None


def _tell(guide: Guide, result: VerifyResult, places: Sequence[Path]) -> dict[str, int]:
    """What is whole; and each file that is not, with the images that need it. The sizes of those
    files, where they are known."""
    dialogue, wrong = guide.dialogue, outcome.findings(result)
    dialogue.say(outcome.top(result))
    dialogue.say(f"Read: {outcome.read(result)}.", indent=2)
    if result.signature.standing is not Standing.UNSIGNED:
        dialogue.say(f"Signature: {sentence(result.signature.sentence)}", indent=2)
    for one in result.left_out:
        dialogue.say(f"! {sentence(one.sentence)}", indent=2)
    if missing := outcome.missing_volumes(result):
        dialogue.say(f"! {missing}.", indent=2)
    for finding in wrong:
        needed = f" Needed by {', '.join(finding.items)}." if finding.items else ""
        problem = outcome.problem(finding).replace("\n", " ")
        where = outcome.on_volume(finding, result)
        place = f", on {where}" if where else ""
        dialogue.say(f"! {finding.file}{place}: {problem}{needed}", indent=2)
    for item in outcome.failed(result.items) if not wrong else ():
        dialogue.say(f"! {item.reference}: {item.error}", indent=2)
    if not wrong:
        return {}
    try:
        return read_again.sizes(places[0], wrong, places[1:])
    except AirgapError:
        return {}
