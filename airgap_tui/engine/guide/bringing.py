"""The sentences of an import: volumes become one bundle that is kept, as their media come."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from airgap_tui.engine.guide import outcome
from airgap_tui.engine.guide.grammar import all_images, are
from airgap_tui.engine.jobs.importing import ImportResult
from airgap_tui.engine.jobs.outlook import Outlook
from airgap_tui.engine.quantities import count, size


def proposed(name: str, media: Sequence[Path], last: str) -> Path:
    """Where to keep it: beside what was kept `last`, else here, else at home; on no medium."""
    if last and Path(last).name == name:
        return Path(last)
    here = Path.cwd()
    carried = any(place == here or place in here.parents for place in media)
    writable = os.access(here, os.W_OK) and here != Path("/") and not carried
    parent = Path(last).parent if last else here if writable else Path.home()
    return parent / name


def beginning(name: str, seen: Outlook | None) -> str:
    """The top of the page."""
    if seen is None:
        return f"Looking at what is here of {name} .."
    if seen.complete and not seen.needed:
        return f"{name} is kept here, and nothing more is needed."
    volumes = seen.volumes
    if volumes is None:
        return f"Copy {name} from its medium into a directory that stays here."
    if not seen.read:
        return "Bring the volumes into one directory that stays here, in any order."
    reads = f"{len(seen.read)} of {count(volumes.count, 'volume')} {are(len(seen.read))} read"
    return f"{reads}." if seen.unread else f"{reads}, insert any other."


def room(seen: Outlook) -> str:
    """`1.8 TB free, 45 GB to come`."""
    free = f"{size(seen.free, down=True)} free"
    if seen.linked and seen.needed:
        return f"{free}; nothing is copied"
    return f"{free}, {size(seen.needed, up=True)} to come" if seen.needed else free


def missing(seen: Outlook | None) -> str:
    """Why it cannot begin; empty where it can."""
    if seen is None:
        return "Not yet: the media are being looked at."
    if seen.lacking:
        return f"Not yet: {size(seen.lacking, up=True)} of room is missing."
    return ""


def onward(name: str, seen: Outlook | None, images: int) -> str:
    """The button: import what is here, look for the next medium, or open what has come."""
    if seen is None:
        return "Import"
    if seen.complete and not seen.needed:
        return f"Open {name}"
    if seen.volumes is None:
        return f"Import {count(images, 'image')}" if images else "Import"
    numbers = tuple(n for n in seen.volumes.numbers if n not in seen.read)
    if not numbers:
        return "Read the next one"
    if len(numbers) == 1:
        return f"Import volume {numbers[0]}"
    return f"Import {count(len(numbers), 'volume')}"


def none_new(name: str, foreign: Sequence[str]) -> str:
    """No volume was found that was not read before."""
    said = f"No further volume of {name} is found. Insert the next one, and wait until it is read."
    return " ".join([*(f"{one}." for one in foreign), said])


def volumes(seen: Outlook) -> tuple[tuple[int, str, str], ...]:
    """Each volume of the set: its number, its state in a word, and where it is."""
    if seen.volumes is None:
        return ()
    here = {one.number: str(one.path) for one in reversed(seen.volumes.here)}
    found = []
    for number in range(1, seen.volumes.count + 1):
        read = number in seen.read or (seen.complete and not seen.needed)
        state = "Read" if read else "Here" if number in here else "Not here yet"
        found.append((number, state, here.get(number, "")))
    return tuple(found)


def came(result: ImportResult) -> str:
    """What is told once all has come."""
    images = len(result.items)
    there = f"{all_images(images)} {are(images)} there; media may be taken out."
    told = outcome.for_the_online_side(result)
    return "\n".join([there, *(f"{name}: {value}" for name, value in told)])
