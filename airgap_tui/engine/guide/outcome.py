"""What came of a crossing's half: the sentences of a verify's result, and of both sides' ends."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from airgap_tui.engine.bundle.findings import ABSENT, Finding
from airgap_tui.engine.bundle.signatures.signature import Standing
from airgap_tui.engine.bundle.volumes.asked import export_again
from airgap_tui.engine.guide import commands, sentences
from airgap_tui.engine.guide.answers import Delivery
from airgap_tui.engine.guide.commands import PROGRAM
from airgap_tui.engine.guide.grammar import all_images, are
from airgap_tui.engine.guide.sentences import media
from airgap_tui.engine.guide.steps import Side
from airgap_tui.engine.jobs.chain import Ended
from airgap_tui.engine.jobs.importing import ImportResult
from airgap_tui.engine.jobs.load import LoadResult
from airgap_tui.engine.jobs.push import PushResult
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.save import SaveResult
from airgap_tui.engine.jobs.verify import VerifyResult
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count, elapsed, rate, size

READ_AGAIN, FETCH_AGAIN, GO_ON = "read-again", "fetch-again", "go-on"
ASK_AGAIN = "ask-again"
_PLACE = "/media/DISK"
_BESIDE = 44
"""Columns for a command beside a choice."""


def findings(result: VerifyResult) -> tuple[Finding, ...]:
    """Everything wrong: what images need comes first. What lies on a volume that is not here is
    nothing wrong."""
    missing: tuple[Finding, ...] = result.missing
    if result.volumes is not None and result.volumes.missing:
        missing = tuple(one for one in missing if not one.digest)
    return tuple(sorted((*result.bad, *missing), key=lambda one: not one.items))


def failed(items: Sequence[ItemResult]) -> tuple[ItemResult, ...]:
    return tuple(item for item in items if not item.succeeded)


def read(result: VerifyResult) -> str:
    """`67.5 GB in 4 min 10 s, 270 MB/s`."""
    speed = f", {rate(result.bytes / result.seconds)}" if result.seconds >= 1 else ""
    volumes = result.volumes
    here = f"{len(volumes.numbers)} of {count(volumes.count, 'volume')}, " if volumes else ""
    return f"{here}{size(result.bytes)} in {_took(result.seconds)}{speed}"


def top(result: VerifyResult) -> str:
    """What stands above a verify's result."""
    if result.signature.standing is Standing.ALTERED:
        return "The bundle was altered after it was signed. Do not use it."
    volumes = result.volumes
    if volumes is None or not volumes.missing:
        return sentences.verified(result)
    whole, there = sum(item.succeeded for item in result.items), len(result.items)
    images = f"{whole} of {count(there, 'image')} {are(there)} whole"
    if findings(result):
        return f"{content(result)}. {images}."
    one = len(volumes.missing) == 1
    missing = "A volume is" if one else f"{count(len(volumes.missing), 'volume')} are"
    return f"{missing} missing. {images} without {'it' if one else 'them'}."


def missing_volumes(result: VerifyResult) -> str:
    """`2 of 3 volumes are here; number 3 of pod-2025-07 is missing`; empty where none is."""
    volumes = result.volumes
    return volumes.standing.rstrip(".") if volumes is not None and volumes.missing else ""


def on_volume(finding: Finding, result: VerifyResult) -> str:
    """`volume 2 of 3 at /media/usb2`; empty where there are none."""
    if result.volumes is None or not finding.volumes:
        return ""
    numbers = ", ".join(map(str, finding.volumes))
    noun = "volume" if len(finding.volumes) == 1 else "volumes"
    here = [one.path for one in result.volumes.here if one.number in finding.volumes]
    place = f" at {here[0]}" if len(here) == 1 else ""
    return f"{noun} {numbers} of {result.volumes.count}{place}"


def content(result: VerifyResult) -> str:
    """`1 layer is not what it should be`."""
    wrong = findings(result)
    missing = sum(finding.problem == ABSENT for finding in wrong)
    damaged = len(wrong) - missing
    if not wrong:
        return f"All {count(result.blobs, 'file')} are what they should be"
    parts = []
    if damaged:
        are = "is" if damaged == 1 else "are"
        parts.append(f"{count(damaged, 'file')} {are} not what {_it(damaged)} should be")
    if missing:
        what = str(missing) if damaged else count(missing, "file")
        parts.append(f"{what} {'is' if missing == 1 else 'are'} not there")
    return ", ".join(parts)


def unsaved(items: Sequence[ItemResult]) -> str:
    """`1 image was not saved completely`."""
    was = "was" if len(items) == 1 else "were"
    return f"{count(len(items), 'image')} {was} not saved to the end"


def problem_word(finding: Finding) -> str:
    """The same in a column of a table."""
    if finding.problem == ABSENT:
        return "Not there"
    return "Damaged" if finding.digest else finding.problem


def problem(finding: Finding) -> str:
    """What is wrong with one file, and how that was seen."""
    if finding.problem == ABSENT:
        return "It is not there."
    _where, mark, found = finding.problem.partition("its content has the digest ")
    if mark:
        return (
            "The size is right, the content is not. Its digest should\nbe"
            f" {_short(finding.digest)} and is {_short(found)}"
        )
    return f"{finding.problem[:1].upper()}{finding.problem[1:]}."


def remedies(result: VerifyResult, side: Side, sizes: Mapping[str, int]) -> dict[str, str]:
    """What can be done about a verify that found something: key and words, the likeliest first."""
    wrong = findings(result)
    volumes = bad_volumes(result) if side is Side.OFFLINE else ()
    if not wrong and not volumes and not (side is Side.ONLINE and failed(result.items)):
        return {}
    them = "this layer" if len(wrong) == 1 else f"these {len(wrong)} files"
    total = sum(sizes.get(finding.digest, 0) for finding in wrong)
    whole = sum(item.succeeded for item in result.items)
    lacking = len(result.items) - whole
    choices = {}
    if side is Side.ONLINE:
        weight = f", {size(total)}" if total else ""
        unsaved = f"Try {count(lacking, 'image')} again"
        choices[FETCH_AGAIN] = f"Fetch {them} again{weight}" if wrong else unsaved
    if wrong and any(finding.digest for finding in wrong):
        choices[READ_AGAIN] = f"Read {them} again"
    if whole:
        without = f"Go on without {count(lacking, 'image')}" if lacking else "Go on all the same"
        with_them = f"Go on with {count(whole, 'image')}" if lacking else without
        choices[GO_ON] = without if side is Side.ONLINE else with_them
    if volumes:
        choices[ASK_AGAIN] = ask_again(result)
    return choices


def bad_volumes(result: VerifyResult) -> tuple[int, ...]:
    """The volumes that are damaged or not here."""
    if result.volumes is None:
        return ()
    damaged = {number for finding in findings(result) for number in finding.volumes}
    return tuple(sorted(damaged | set(result.volumes.missing)))


def ask_again(result: VerifyResult) -> str:
    """`Ask for volume 2 again`."""
    numbers = bad_volumes(result)
    noun = "volume" if len(numbers) == 1 else "volumes"
    return f"Ask for {noun} {', '.join(map(str, numbers))} again"


def said_across(result: VerifyResult) -> str:
    """What to say across the gap by voice, or to write on paper: name, numbers, one command."""
    volumes, numbers = result.volumes, bad_volumes(result)
    name = volumes.name if volumes is not None else ""
    known = volumes is not None and volumes.asked is not None
    does = "it makes just what is lost, byte for byte."
    lines = [
        "Say or write this to the online side.",
        "",
        f"Bundle    {name}",
        f"Volume    {', '.join(map(str, numbers))} of {volumes.count if volumes else 0}",
        f"Command   {commands.in_lines(_export_again(result), indent=10)}",
        "",
        f"I{does[1:]}" if known else f"With the same format and size as before {does}",
    ]
    return "\n".join(lines)


def _export_again(result: VerifyResult) -> str:
    volumes = result.volumes
    if volumes is None:
        return ""
    return export_again(volumes.name, volumes.asked, bad_volumes(result))


def remedy_in_words(choice: str, result: VerifyResult, side: Side) -> str:
    """What a choice means."""
    lacking = len(failed(result.items))
    if choice == ASK_AGAIN:
        before, medium, options = _export_again(result).partition(" MEDIUM ")
        if len(medium + options) > _BESIDE:
            return "By one command on the online side"
        return f"Online side: {before}\n{(medium + options).strip()}"
    if choice == READ_AGAIN:
        helps = "For" if side is Side.ONLINE else "Helps with"
        return f"{helps} a dirty disc or a bad cable"
    if choice == FETCH_AGAIN:
        return "From the registry; the rest stays"
    if not lacking:
        return "No image needs what is wrong"
    other = "The other" if lacking == 1 else f"The other {lacking}"
    if side is Side.ONLINE:
        return "They can be saved later"
    return f"{other} stay{'s' if lacking == 1 else ''} out"


def other_remedy(result: VerifyResult, side: Side, name: str) -> str:
    """What can be done elsewhere; told across the gap by voice, so it is short."""
    if side is Side.ONLINE or not findings(result) or bad_volumes(result):
        return ""
    return f"Or copy it again; online side: airgap-tui verify {shlex.quote(name)}"


def keeping_whole(answers: Delivery, result: VerifyResult) -> Delivery:
    """The answers for what is whole alone, where not everything is."""
    if not failed(result.items):
        return answers
    whole = (item.reference for item in result.items if item.succeeded)
    return replace(answers, images=tuple(Reference.parse(name) for name in whole))


def saved(result: SaveResult) -> str:
    """`All 13 images, 58.9 GB downloaded in 9 min 1 s`."""
    wrong = len(failed(result.items))
    there = len(result.items)
    images = f"{there - wrong} of {count(there, 'image')}" if wrong else all_images(there)
    if not result.downloaded:
        return f"{images}; nothing new had to be downloaded"
    return f"{images}, {size(result.downloaded)} downloaded in {_took(result.seconds)}"


def verified(result: VerifyResult) -> str:
    """`486 files, 67.5 GB, every byte read in 4 min 10 s`."""
    files, took = count(result.blobs, "file"), _took(result.seconds)
    return f"{files}, {size(result.bytes)}, every byte read in {took}"


def carry(total: int) -> str:
    return f"{media(total)}."


def offline_commands(bundle: Path) -> tuple[tuple[str, str], ...]:
    """What to type on the other side, and what each does."""
    there = shlex.quote(f"{_PLACE}/{bundle.name}")
    return (
        (PROGRAM, "leads on from there"),
        (f"{PROGRAM} verify {there}", "has all of it arrived"),
        (f"{PROGRAM} push {there} REGISTRY", "into a registry"),
        (f"{PROGRAM} load {there}", "into Docker there"),
    )


def saved_message(name: str, bundle: Path, total: int) -> str:
    """What stands in the shell where the online side is left before Export."""
    return f"{name} is saved and whole: {bundle}, {size(total)}. It is not exported yet."


def delivered(ended: Ended, target: str) -> str:
    """The top of the offline side's result."""
    items = ended.result.items if ended.result is not None else ()
    wrong, there = len(failed(items)), len(items)
    if wrong:
        are = "is" if there - wrong == 1 else "are"
        return f"{there - wrong} of {count(there, 'image')} {are} in {target}. {wrong} failed."
    are = "is" if there == 1 else "are"
    return f"{all_images(there)} {are} in {target}, not a bit different."


def target_of(ended: Ended) -> str:
    """What took the images, in a word: a registry, or an engine with its version."""
    if isinstance(ended.result, LoadResult):
        return ended.result.engine
    if isinstance(ended.result, PushResult):
        names = [item.target for item in ended.result.items if item.target]
        if names:
            return names[0].partition("/")[0]
    return "the target"


def for_the_online_side(result: object) -> tuple[tuple[str, str], ...]:
    """What a delivery leaves for the next bundle: names and values, none where there is nothing."""
    codes: tuple[str, ...]
    receipts: tuple[Path, ...]
    if isinstance(result, PushResult):
        codes = (result.code,) if result.code else ()
        receipts = (result.receipt,) if result.receipt is not None else ()
    elif isinstance(result, (LoadResult, ImportResult)):
        codes, receipts = result.codes, result.receipts
    else:
        return ()
    told = [("Delivery code", code) for code in codes]
    return (*told, *(("Receipt", str(path)) for path in receipts))


def next_command(ended: Ended, engine: str = "docker") -> str:
    """What to type to use an image that has arrived; empty where none did."""
    items = ended.result.items if ended.result is not None else ()
    for item in items:
        if item.succeeded:
            verb = "pull" if ended.verb == "push" else "run --rm"
            return f"{engine} {verb} {item.target or item.reference}"
    return ""


def _short(digest: str) -> str:
    """`sha256:7c1d0f93a6b2..`."""
    algorithm, _, rest = digest.partition(":")
    return f"{algorithm}:{rest[:12]}.."


def _took(seconds: float) -> str:
    return elapsed(seconds) if seconds >= 1 else "less than a second"


def _it(number: int) -> str:
    return "it" if number == 1 else "they"
