"""What is said while images in use are looked for, and of what was found."""

from __future__ import annotations

from collections.abc import Sequence

from airgap_tui.engine.guide.grammar import are
from airgap_tui.engine.guide.in_use import Searched
from airgap_tui.engine.guide.looking import HostSeen
from airgap_tui.engine.guide.where import Asked
from airgap_tui.engine.quantities import count, elapsed


def looking(hosts: Sequence[HostSeen], seconds: float) -> str:
    """`Looking: 2 of 5 hosts are read, 412 names found, 12 s so far.`"""
    over = sum(host.over for host in hosts)
    found = count(sum(host.found for host in hosts), "name")
    told = (
        f"{found} found, {elapsed(int(seconds)) if seconds >= 10 else f'{int(seconds)} s'} so far."
    )
    if len(hosts) < 2:
        return f"Looking: {told}"
    return f"Looking: {over} of {count(len(hosts), 'host')} {are(over)} read, {told}"


def searched(found: Searched) -> str:
    """What came of looking: how many images are in use, and what is not among them."""
    beginning = "Stopped. " if found.result.stopped else ""
    images, chosen = len(found.images), len(found.chosen)
    others = f"; {count(found.others, 'other name')} {are(found.others)} not" * bool(found.others)
    if not images:
        unread = f"; {count(found.unread, 'source')} not readable" if found.unread else ""
        aside = f"; {count(found.others, 'name')} left aside" if found.others else ""
        return f"{beginning}No image in use was found{unread}{aside}."
    noun = "image" if images == 1 else "images"
    return f"{beginning}{chosen} of {images} {noun} in use {are(chosen)} chosen{others}."


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
