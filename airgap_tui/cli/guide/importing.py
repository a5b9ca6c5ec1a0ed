"""Import: volumes become one bundle that is kept, with one drive disc by disc."""

from __future__ import annotations

from pathlib import Path

from airgap_tui.cli.guide import watching
from airgap_tui.cli.guide.dialogue import Back
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import bringing, chains, commands, outcome
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.remembered import LAST_KEPT
from airgap_tui.engine.jobs import outlook
from airgap_tui.engine.jobs.chain import Ended
from airgap_tui.engine.jobs.importing import ImportResult
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.media import Contents
from airgap_tui.engine.jobs.outlook import Outlook
from airgap_tui.engine.typed_path import typed_path

_EXPLAINED = (
    "Every byte is compared with its digest while it is copied. Volumes come in any order, at once"
    " or one by one, and what was read is not read again. An import that is stopped goes on where"
    " it was."
)


def bring_into(guide: Guide, contents: Contents) -> None:
    """Ends when the kept bundle is to be opened; the guide's answers name it then. Raises `Back`
    before anything has come."""
    name, places = contents.name, contents.places
    last = guide.remembered.get(LAST_KEPT)
    proposed = bringing.proposed(name, places, last)
    text = guide.dialogue.ask("Keep it in", str(proposed), explanation=_EXPLAINED)
    kept = typed_path(text).absolute()
    go_on_with(guide, name, contents.key if contents.volumes else "", places, kept)


def go_on_with(guide: Guide, name: str, set_id: str, places: tuple[Path, ...], kept: Path) -> None:
    """Import volume by volume until all are there, or the user goes back."""
    dialogue = guide.dialogue
    while True:
        seen = _look(guide, places, kept)
        if seen is not None and seen.volumes is not None:
            name, set_id = seen.volumes.name, seen.volumes.set_id
        if seen is not None:
            dialogue.say(f"{bringing.beginning(name, seen)} {bringing.room(seen)}.")
            for number, state, where in bringing.volumes(seen):
                place = f", at {where}" if where else ""
                dialogue.say(f"volume {number}: {state.lower()}{place}", indent=2)
        answer = _ask(guide, name, seen, set_id)
        if answer == "open":
            guide.crossing.delivery = guide.crossing.delivery.opening(kept)
            guide.crossing.contents = guide.crossing.verified = None
            return
        if answer == "seek":
            places = _seek(guide, name, set_id, places)
        elif answer == "begin" and seen is not None:
            _import(guide, seen.unread if seen.volumes is not None else places, kept)


def _look(guide: Guide, places: tuple[Path, ...], kept: Path) -> Outlook | None:
    try:
        return guide.wait(
            "Looking at what is here.", lambda token: outlook.outlook(places, kept, token)
        )
    except AirgapError as error:
        guide.dialogue.error(error)
        return None


def _ask(guide: Guide, name: str, seen: Outlook | None, set_id: str) -> str:
    """What to do now. Raises `Back` where nothing can be done."""
    complete = seen is not None and seen.complete and not seen.needed
    offered = []
    if complete:
        offered.append(Choice("open", f"Open {name}", "as it is kept here"))
    elif seen is not None and (seen.volumes is None or seen.unread):
        if shut := bringing.missing(seen):
            guide.dialogue.say(shut)
        else:
            offered.append(Choice("begin", bringing.onward(name, seen, 0)))
    if set_id and not complete:
        offered.append(Choice("seek", "Look for the next volume", "once its medium is inserted"))
    if not offered:
        raise Back
    return guide.dialogue.choose(offered, offered[0].key, explanation=_EXPLAINED)


def _seek(guide: Guide, name: str, set_id: str, places: tuple[Path, ...]) -> tuple[Path, ...]:
    sought = guide.wait("Looking for volumes.", lambda _token: outlook.seek_volumes(set_id, places))
    for one in sought.foreign:
        guide.dialogue.say(f"! {one}.")
    if not sought.places:
        guide.dialogue.say(bringing.none_new(name, ()))
    return sought.places or places


def _import(guide: Guide, places: tuple[Path, ...], kept: Path) -> None:
    settings = guide.crossing.delivery.settings
    guide.remembered.set(LAST_KEPT, str(kept))
    try:
        chain = chains.importing(places, kept, settings)
        watching.begin(guide, chain, commands.import_(places, kept, settings.trust))
    except AirgapError as error:
        guide.dialogue.error(error)
        return
    told(guide, watching.watch(guide))


def told(guide: Guide, job: JobInfo) -> Ended | None:
    """Say how an import ended."""
    watching.tell(guide, job, "import")
    ended = watching.step_of(job, "import")
    if ended is not None and isinstance(ended.result, ImportResult) and ended.result.damage:
        guide.dialogue.say(f"! {ended.result.damage}")
    for name, value in outcome.for_the_online_side(ended.result if ended is not None else None):
        guide.dialogue.say(f"{name}, for the online side: {value}")
    return ended
