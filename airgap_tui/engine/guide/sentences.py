"""The sentences that lead through a crossing: at the top of each screen, and beside a shut Next.

Both guided front ends say them, so that a screen reader hears what a screen shows.
"""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide.answers import Collection
from airgap_tui.engine.guide.grammar import all_images, all_of, are
from airgap_tui.engine.quantities import count, elapsed, rate, size, time_left
from airgap_tui.engine.snapshot import Snapshot

if TYPE_CHECKING:  # the first screen is drawn before any of these is there
    from airgap_tui.engine.jobs.plan import PlanResult
    from airgap_tui.engine.jobs.verify import VerifyResult

_LONGEST = 76
"""Cells of a sentence at the top of a screen, in a window of 80 columns."""
_USUAL_RATE = 100_000_000
_DISKS = (32, 64, 128, 256, 512, 1000, 2000, 4000)
_DVD = 4_700_372_992
_DOING = {
    "save": "Saving",
    "verify": "Verifying",
    "seal": "Sealing",
    "export": "Exporting",
    "import": "Importing",
    "push": "Pushing",
    "load": "Loading",
    "serve": "Serving",
}
_DONE = {
    "save": "saved",
    "verify": "whole",
    "seal": "sealed",
    "export": "written",
    "import": "imported",
    "push": "pushed",
    "load": "loaded",
}
_NOUNS = {"export": "volume"}
"""What a job's items are, where they are no images."""
_UNDER_WAY = (
    ItemState.RESOLVING,
    ItemState.SAVING,
    ItemState.COMPRESSING,
    ItemState.VERIFYING,
    ItemState.EXPORTING,
    ItemState.IMPORTING,
    ItemState.PUSHING,
    ItemState.LOADING,
)


def images(answers: Collection) -> str:
    chosen, there = len(answers.chosen), len(answers.wishes)
    if not there:
        return "Choose the images to carry. Type a name, or read a list file."
    return f"Choose the images to carry. {chosen} of {there} {are(chosen)} chosen."


def images_missing(answers: Collection) -> str:
    """Why Next is shut; empty when it is open."""
    return "" if answers.chosen else "Not yet: choose at least one image."


def review(plan: PlanResult) -> str:
    held = sum(image.held for image in plan.images) + plan.begun
    to_come = plan.to_fetch - plan.begun
    if not plan.to_fetch:
        return "Everything is here already; saving only checks that. Nothing is written yet."
    minutes = max(1, round(to_come / _USUAL_RATE / 60))
    here = f" {size(held)} are already here." if held else ""
    return (
        f"{size(to_come, up=True)} to download, about {minutes} min at"
        f" {rate(_USUAL_RATE)}.{here} Nothing is written yet."
    )


def room(plan: PlanResult) -> str:
    """`1.8 TB free, 67.5 GB needed`."""
    return f"{plan.room.in_words}, {size(plan.needed, up=True)} needed"


def room_missing(plan: PlanResult) -> str:
    lacking = plan.needed - plan.room.free
    if lacking > 0:
        return f"Not yet: {size(lacking, up=True)} of room is missing."
    return f"Not yet: {plan.problems[0].message}." if plan.problems else ""


def media(total: int, dvds: int = 0) -> str:
    """Which usual media hold this many bytes: `Fits on one 128 GB disk, or on 15 DVDs`; `dvds`
    where the files are known that are to be packed."""
    disk = next((gb for gb in _DISKS if total <= gb * 10**9), None)
    dvds = dvds or max(1, math.ceil(total / _DVD))
    plural = "one DVD" if dvds == 1 else f"{dvds} DVDs"
    if disk is None:
        return f"Larger than one 4 TB disk; {plural}"
    unit = f"{disk} GB" if disk < 1000 else f"{disk // 1000} TB"
    return f"Fits on one {unit} disk, or on {plural}"


def working(snapshot: Snapshot) -> str:
    doing = _DOING.get(snapshot.verb, "Working on")
    text = f"{doing} {_counted(snapshot)}. You may close this window; the work goes on"
    return f"{text} without it." if len(text) <= _LONGEST - len(" without it.") else f"{text}."


def worked(snapshot: Snapshot) -> str:
    """How a job ended, for the top of its screen."""
    everything = len(snapshot.items)
    failed = sum(item.state is ItemState.FAILED for item in snapshot.items)
    good = sum(item.state in (ItemState.DONE, ItemState.HELD) for item in snapshot.items)
    done = _DONE.get(snapshot.verb, "done")
    if not failed and good == everything:
        return f"{all_of(everything, noun(snapshot.verb))} {are(everything)} {done}."
    if failed:
        again = "and can be tried again" if snapshot.verb != "verify" else "are not"
        return f"{good} of {_counted(snapshot)} {are(good)} {done}. {failed} failed {again}."
    return f"Stopped: {good} of {_counted(snapshot)} {are(good)} {done}; it can continue."


def noun(verb: str) -> str:
    """What the items of a job are: `image`, or `volume`."""
    return _NOUNS.get(verb, "image")


def _counted(snapshot: Snapshot) -> str:
    return count(len(snapshot.items), noun(snapshot.verb))


def amounts(snapshot: Snapshot) -> tuple[str, str, str, str]:
    """Bytes, rate, time left and time so far: the line below the bar."""
    moved = f"{_number(snapshot.done, snapshot.total)} of {size(snapshot.total)}"
    return (
        moved if snapshot.measured else "size not known yet",
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
    """How a job ended that did not finish."""
    if rebooted:
        return f"The machine restarted during {verb}; nothing finished is lost."
    if died:
        return f"The process of this {verb} is gone; nothing finished is lost."
    good = sum(item.state in (ItemState.DONE, ItemState.HELD) for item in snapshot.items)
    kept = f"{good} of {_counted(snapshot)} {are(good)} {_DONE.get(verb, 'done')}; it can continue."
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
        files = f"{count(result.blobs, 'file')}, {size(result.bytes)}"
        return f"{all_images(everything)} {are(everything)} whole: {files}, every byte read."
    parts = []
    if damaged:
        parts.append(f"{damaged} of {count(result.blobs + missing, 'file')} {are(damaged)} damaged")
    if missing:
        parts.append(f"{count(missing, 'file')} {are(missing)} missing")
    beginning = f"{' and '.join(parts)}. " if parts else ""
    lacking = everything - whole
    needed = "this file" if damaged + missing == 1 else "these files"
    ending = f"; {lacking} need{'s' if lacking == 1 else ''} {needed}" if parts and lacking else ""
    return f"{beginning}{whole} of {count(everything, 'image')} {are(whole)} whole{ending}."


def _number(done: int, total: int) -> str:
    """`44.3` of `63.2 GB`: the unit is said once where both have it."""
    left, right = size(done).rpartition(" "), size(total).rpartition(" ")
    return left[0] if left[2] == right[2] else size(done)
