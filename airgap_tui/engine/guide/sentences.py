"""The sentences that lead through a crossing: at the top of each screen, and beside a shut Next.

Both guided front ends say them, so that a screen reader hears what a screen shows.
"""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide.answers import Collection
from airgap_tui.engine.progress import Snapshot
from airgap_tui.engine.quantities import count, elapsed, rate, size, time_left
from airgap_tui.engine.redaction import redact

if TYPE_CHECKING:  # the first screen is drawn before any of these is there
    from airgap_tui.engine.errors import AirgapError
    from airgap_tui.engine.guide.in_use import Searched
    from airgap_tui.engine.guide.looking import HostSeen
    from airgap_tui.engine.guide.ngc_catalogue import Candidates, Search
    from airgap_tui.engine.guide.where import Asked
    from airgap_tui.engine.jobs.access import AccessResult, RegistryAccess
    from airgap_tui.engine.jobs.plan import PlanResult
    from airgap_tui.engine.jobs.verify import VerifyResult

_USUAL_RATE = 100_000_000
_DISKS = (32, 64, 128, 256, 512, 1000, 2000, 4000)
_DVD = 4_700_000_000
_DOING = {
    "save": "Saving",
    "verify": "Verifying",
    "push": "Pushing",
    "load": "Loading",
    "serve": "Serving",
}
_DONE = {"save": "saved", "verify": "whole", "push": "pushed", "load": "loaded"}
_UNDER_WAY = (
    ItemState.RESOLVING,
    ItemState.SAVING,
    ItemState.VERIFYING,
    ItemState.PUSHING,
    ItemState.LOADING,
)


def images(answers: Collection) -> str:
    chosen, there = len(answers.chosen), len(answers.wishes)
    if not there:
        return "Choose the images to carry. Type a name, or read a list file."
    return f"Choose the images to carry. {chosen} of {there} {_are(chosen)} chosen."


def images_missing(answers: Collection) -> str:
    """Why Next is shut; empty when it is open."""
    return "" if answers.chosen else "Not yet: choose at least one image."


def catalogue() -> str:
    return "NGC catalogue. Chosen tags join your list; nothing is downloaded yet."


def matching(found: Search, *, short: bool = False) -> str:
    """`3 of 812 match, public images only`; `short` leaves words out of whose images."""
    listed = len(found.repositories)
    scope = found.scope.replace("with your organisations", "with") if short else found.scope
    if found.outage is not None:
        return ""
    if listed < found.total:
        return f"{listed} of {found.total} shown, {scope}"
    if found.words:
        return f"{found.total} of {found.everything} match, {scope}"
    everything = "repository" if found.total == 1 else "repositories"
    return f"{found.total} {everything}, {scope}"


def catalogue_trouble(found: Search | None, candidates: Candidates | None) -> str:
    """What is missing from what the catalogue shows, and why; empty where nothing is."""
    listing = candidates.listing if candidates is not None else None
    outage = found.outage if found is not None else None
    parts = []
    if outage is not None:
        why = f" ({_status(outage)})" if _status(outage) else f": {_said(outage)}"
        parts.append(f"The catalogue does not answer{why}.")
    elif listing is not None and listing.catalogue_error is not None:
        parts.append(f"The catalogue does not tell of it: {_said(listing.catalogue_error)}.")
    if listing is not None and listing.registry_error is not None:
        if listing.images and _status(listing.registry_error) in (401, 403):
            status = _status(listing.registry_error)
            parts.append(f"The registry shows these tags with a login only ({status}).")
            parts.append("You can choose them now; step 2 asks for the login.")
        else:
            parts.append(f"The registry does not list them: {_said(listing.registry_error)}.")
    elif listing is not None and listing.catalogue_error is not None:
        parts.append("Tags come from the registry; dates and sizes are missing.")
    elif outage is not None and found is not None and not found.repositories:
        parts.append("Name a repository whole, as nvidia/pytorch: its registry knows its tags.")
    if found is not None and found.refusal is not None:
        parts.append(f"{_sentence(_said(found.refusal))} Only public images are shown.")
    if found is not None and found.refused:
        parts.append(f"Not searched: {'; '.join(map(_said, found.refused))}.")
    return " ".join(parts)


def tags_chosen(candidates: Candidates) -> str:
    """`2 chosen, 22.2 GB before sharing`."""
    chosen = candidates.chosen
    known = [one.image.size for one in chosen if one.image.size]
    text = f"{len(chosen)} chosen"
    if known:
        text += f", {size(sum(known))} before sharing"
    if len(known) < len(chosen):
        unknown = len(chosen) - len(known)
        text += f" and {unknown} of unknown size" if known else ", sizes not known"
    return text


def add_tags(candidates: Candidates | None) -> str:
    """The button: `Add 2 tags`."""
    chosen = len(candidates.chosen) if candidates is not None else 0
    return f"Add {count(chosen, 'tag')}" if chosen else "Add tags"


def looking(hosts: Sequence[HostSeen], seconds: float) -> str:
    """`Looking: 2 of 5 hosts are read, 412 names found, 12 s so far.`"""
    over = sum(host.over for host in hosts)
    found = count(sum(host.found for host in hosts), "name")
    told = (
        f"{found} found, {elapsed(int(seconds)) if seconds >= 10 else f'{int(seconds)} s'} so far."
    )
    if len(hosts) < 2:
        return f"Looking: {told}"
    return f"Looking: {over} of {count(len(hosts), 'host')} {_are(over)} read, {told}"


def searched(found: Searched) -> str:
    """What came of looking: how many images are in use, and what is not among them."""
    beginning = "Stopped. " if found.result.stopped else ""
    images, chosen = len(found.images), len(found.chosen)
    others = f"; {count(found.others, 'other name')} {_are(found.others)} not" * bool(found.others)
    if not images:
        unread = f"; {count(found.unread, 'source')} not readable" if found.unread else ""
        aside = f"; {count(found.others, 'name')} left aside" if found.others else ""
        return f"{beginning}No image in use was found{unread}{aside}."
    noun = "image" if images == 1 else "images"
    return f"{beginning}{chosen} of {images} {noun} in use {_are(chosen)} chosen{others}."


def searched_missing(found: Searched) -> str:
    """Why the found images cannot be added; empty when they can."""
    if not found.images:
        return "Not yet: nothing was found to add."
    return "" if found.chosen else "Not yet: choose at least one image."


def sources_read(found: Searched) -> str:
    """`11 sources read; 2 not readable`."""
    read = sum(source.read for source in found.result.sources)
    unread = f"; {found.unread} not readable" if found.unread else ""
    return f"{count(read, 'source')} read{unread}"


def look(asked: Asked) -> str:
    """What the button says that begins to look."""
    machines = asked.here + len(asked.hosts)
    if asked.inventories:
        return "Look on all of them"
    if machines == 1 and asked.here:
        return "Look on this machine"
    if machines:
        return f"Look on {count(machines, 'machine')}"
    return f"Look in {count(len(asked.files), 'place')}" if asked.files else "Look"


def logins(result: AccessResult) -> str:
    from airgap_tui.engine.jobs.access import LoginStanding

    everything = sum(len(one.images) for one in result.registries)
    unread = len(result.unreadable)
    if unread:
        return f"Each chosen image has been asked for. {unread} of {everything} cannot be read yet."
    refused = any(one.standing is LoginStanding.REFUSED for one in result.registries)
    ending = "One login is refused, but not needed." if refused else "No login is missing."
    return f"{_all(everything)} can be read. {ending}"


def logins_missing(result: AccessResult) -> str:
    unread = len(result.unreadable)
    return f"Not yet: {count(unread, 'image')} cannot be read." if unread else ""


def login_in_words(one: RegistryAccess) -> str:
    """The column Login: `Not needed`, `$oauthtoken, refused`."""
    from airgap_tui.engine.jobs.access import LoginStanding

    if one.standing is LoginStanding.NOT_NEEDED:
        return "Not needed"
    if one.standing is LoginStanding.MISSING:
        return "None"
    if one.standing is LoginStanding.UNKNOWN:
        return "No answer"
    word = "refused" if one.standing is LoginStanding.REFUSED else "accepted"
    return f"{one.username}, {word}" if one.username else word.capitalize()


def downloads_left(one: RegistryAccess) -> str:
    """What a registry still allows, where it says so: Docker Hub does."""
    limit = one.rate_limit
    if limit is None:
        return ""
    needed = len(one.images)
    window = f" for the next {elapsed(limit.window_seconds)}" if limit.window_seconds else ""
    return f"{limit.remaining} of {limit.limit} downloads left{window}; this list needs {needed}"


def review(plan: PlanResult) -> str:
    held = sum(image.held for image in plan.images)
    if not plan.to_fetch:
        return "Everything is here already; saving only checks that. Nothing is written yet."
    minutes = max(1, round(plan.to_fetch / _USUAL_RATE / 60))
    here = f" {size(held)} are already here." if held else ""
    return (
        f"{size(plan.to_fetch, up=True)} to download, about {minutes} min at"
        f" {rate(_USUAL_RATE)}.{here} Nothing is written yet."
    )


def room(plan: PlanResult) -> str:
    """`1.8 TB free, 67.5 GB needed`."""
    free, needed = size(plan.room.free, down=True), size(plan.needed, up=True)
    return f"{free} free, {needed} needed"


def room_missing(plan: PlanResult) -> str:
    lacking = plan.needed - plan.room.free
    if lacking > 0:
        return f"Not yet: {size(lacking, up=True)} of room is missing."
    return f"Not yet: {plan.problems[0].message}." if plan.problems else ""


def media(total: int) -> str:
    """Which usual media hold this many bytes: `Fits on one 128 GB disk, or on 15 DVDs`."""
    disk = next((gb for gb in _DISKS if total <= gb * 10**9), None)
    dvds = max(1, math.ceil(total / _DVD))
    plural = "one DVD" if dvds == 1 else f"{dvds} DVDs"
    if disk is None:
        return f"Larger than one 4 TB disk; {plural}"
    unit = f"{disk} GB" if disk < 1000 else f"{disk // 1000} TB"
    return f"Fits on one {unit} disk, or on {plural}"


def working(snapshot: Snapshot) -> str:
    doing = _DOING.get(snapshot.verb, "Working on")
    images_there = count(len(snapshot.items), "image")
    return f"{doing} {images_there}. You may close this window; the work goes on without it."


def worked(snapshot: Snapshot) -> str:
    """How a job ended, for the top of its screen."""
    everything = len(snapshot.items)
    failed = sum(item.state is ItemState.FAILED for item in snapshot.items)
    good = sum(item.state in (ItemState.DONE, ItemState.HELD) for item in snapshot.items)
    done = _DONE.get(snapshot.verb, "done")
    if not failed and good == everything:
        return f"{_all(everything)} {_are(everything)} {done}."
    if failed:
        again = "and can be tried again" if snapshot.verb != "verify" else "are not"
        return (
            f"{good} of {count(everything, 'image')} {_are(good)} {done}. {failed} failed {again}."
        )
    return f"Stopped: {good} of {count(everything, 'image')} {_are(good)} {done}; it can continue."


def amounts(snapshot: Snapshot) -> tuple[str, str, str, str]:
    """Bytes, rate, time left and time so far: the line below the bar."""
    return (
        f"{_number(snapshot.done, snapshot.total)} of {size(snapshot.total)}",
        rate(snapshot.rate),
        time_left(snapshot.time_left),
        f"{elapsed(snapshot.elapsed)} so far",
    )


def trouble(snapshot: Snapshot) -> str:
    """What holds the work up, in place of the rate; empty when nothing does."""
    for login in snapshot.logins:
        return f"paused: {login.registry} now refuses the login"
    for pause in snapshot.pauses:
        return f"{pause.host} asks us to wait: {elapsed(pause.seconds)}"
    waiting = [one.retry_in for one in snapshot.transfers if one.retry_in is not None]
    if waiting and len(waiting) == len(snapshot.transfers):
        return f"trying again in {math.ceil(min(waiting))} s"
    if snapshot.transfers and snapshot.quiet_for >= 10 and snapshot.exit_code is None:
        return f"no data for {round(snapshot.quiet_for)} s"
    return ""


def login_wanted(snapshot: Snapshot) -> str:
    """What to do where a registry refuses the login in the middle; empty when none does."""
    if not snapshot.logins:
        return ""
    registry = snapshot.logins[0].registry
    return f"{registry} now refuses the login. Press Enter to give another; nothing is lost."


def doing(verb: str) -> str:
    """`Saving`."""
    return _DOING.get(verb, "Working")


def ended_early(verb: str) -> str:
    """The beginning of the account of an error that ended a whole job."""
    return f"{doing(verb)} ended before its time. Nothing finished is lost."


def stop_question(snapshot: Snapshot) -> str:
    if snapshot.verb == "verify":
        return "Stop verifying? Nothing is changed, but it begins anew then."
    if snapshot.verb == "serve":
        return "Stop serving? Hosts that pull at this moment get an error; the bundle stays."
    kept = f"{size(snapshot.done)} are kept, and it continues" if snapshot.done else "It continues"
    return f"Stop {doing(snapshot.verb).lower()}? {kept} from there."


def ends_by_itself(verb: str) -> str:
    """Why Next is shut while a job works."""
    return f"Opens by itself when {doing(verb).lower()} ends."


def cut_short(verb: str, snapshot: Snapshot, *, died: bool = False, rebooted: bool = False) -> str:
    """How a job ended that did not come to its end."""
    if rebooted:
        return f"The machine restarted during {verb}; nothing finished is lost."
    if died:
        return f"The process of this {verb} is gone; nothing finished is lost."
    good = sum(item.state in (ItemState.DONE, ItemState.HELD) for item in snapshot.items)
    there = count(len(snapshot.items), "image")
    kept = f"{good} of {there} {_are(good)} {_DONE.get(verb, 'done')}; it can continue."
    return f"Stopped: {kept}" if snapshot.items else "Stopped before it began; it can continue."


def left_running(name: str) -> str:
    """What stands in the shell when a watched job is left."""
    back = shlex.join(["airgap-tui", "attach", name])
    return f"{name} goes on without you. Back to it: {back}"


def tally(snapshot: Snapshot, *, over: bool = False) -> str:
    """`1 failed, 3 saving, 5 waiting, 4 done`; `over` for a job that works no more."""
    states = Counter(item.state for item in snapshot.items)
    under_way = "stopped" if over else _DOING.get(snapshot.verb, "under way").lower()
    counts = (
        (states[ItemState.FAILED], "failed"),
        (states[ItemState.RETRYING], "stopped" if over else "paused"),
        (sum(states[state] for state in _UNDER_WAY), under_way),
        (states[ItemState.WAITING], "not begun" if over else "waiting"),
        (states[ItemState.HELD], "already here"),
        (states[ItemState.LEFT_OUT], "left out"),
        (states[ItemState.DONE], "done"),
    )
    return ", ".join(f"{number} {word}" for number, word in counts if number)


def causes(failures: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Each reason once, with how many images it stopped, from pairs of image and reason."""
    reasons: dict[str, list[str]] = {}
    for item, reason in failures:
        reasons.setdefault(reason.removeprefix(f"{item}: "), []).append(item)
    return tuple(
        f"{items[0]}: {reason}"
        if len(items) == 1
        else f"{len(items)} images failed for one reason: {reason}"
        for reason, items in reasons.items()
    )


def verified(result: VerifyResult) -> str:
    whole = sum(item.succeeded for item in result.items)
    everything = len(result.items)
    damaged, missing = len(result.bad), len(result.missing)
    if not damaged and not missing and whole == everything:
        files = count(result.blobs, "file")
        verb = "is" if everything == 1 else "are"
        return f"{_all(everything)} {verb} whole: {files}, {size(result.bytes)}, every byte read."
    parts = []
    if damaged:
        parts.append(
            f"{damaged} of {count(result.blobs + missing, 'file')} {_are(damaged)} damaged"
        )
    if missing:
        parts.append(f"{count(missing, 'file')} {_are(missing)} missing")
    beginning = f"{' and '.join(parts)}. " if parts else ""
    lacking = everything - whole
    needed = "this file" if damaged + missing == 1 else "these files"
    ending = f"; {lacking} need{'s' if lacking == 1 else ''} {needed}" if parts and lacking else ""
    return f"{beginning}{whole} of {count(everything, 'image')} {_are(whole)} whole{ending}."


def _number(done: int, total: int) -> str:
    """`44.3` of `63.2 GB`: the unit is said once where both have it."""
    left, right = size(done).rpartition(" "), size(total).rpartition(" ")
    return left[0] if left[2] == right[2] else size(done)


def _said(error: AirgapError) -> str:
    """An error of elsewhere within a sentence of ours."""
    return redact(error.message).rstrip(".")


def _status(error: AirgapError) -> int:
    """Of the answer that it is about; 0 where there was none."""
    status = getattr(error, "status", 0)
    return status if isinstance(status, int) else 0


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _all(number: int) -> str:
    return "The image" if number == 1 else f"All {count(number, 'image')}"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
