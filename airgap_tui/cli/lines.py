"""Events and totals in words: one line each, for bars and for plain lines."""

from __future__ import annotations

from airgap_tui.engine.events import (
    BlobRetrying,
    Event,
    HostPaused,
    ItemChanged,
    ItemState,
    Note,
    SourceRead,
    SourceState,
)
from airgap_tui.engine.quantities import count, elapsed, rate, size, time_left
from airgap_tui.engine.snapshot import ItemProgress, Snapshot

_WORDS = {
    ItemState.WAITING: "Waiting",
    ItemState.RESOLVING: "Looking up",
    ItemState.SAVING: "Saving",
    ItemState.COMPRESSING: "Compressing",
    ItemState.VERIFYING: "Verifying",
    ItemState.EXPORTING: "Exporting",
    ItemState.IMPORTING: "Importing",
    ItemState.LOADING: "Loading",
    ItemState.PUSHING: "Pushing",
    ItemState.RETRYING: "Trying again",
    ItemState.HELD: "Already here",
    ItemState.LEFT_OUT: "Left out",
    ItemState.FAILED: "Failed",
    ItemState.DONE: "Done",
}


def state_word(state: ItemState) -> str:
    """The state as people read it."""
    return _WORDS[state]


def news_line(event: Event, items: dict[str, ItemProgress], *, verbose: bool, changes: bool) -> str:
    """What is worth a line of its own, or "". `changes` tells every state that matters of an item,
    not only failures; `verbose` tells everything."""
    if isinstance(event, Note):
        return event.text
    if isinstance(event, HostPaused):
        return f"{event.host} asks us to wait {elapsed(event.seconds)}: {event.reason}"
    if isinstance(event, BlobRetrying) and verbose:
        again = f"trying again in {elapsed(event.delay)}"
        return f"layer {short(event.blob)}: {event.reason}; {again} from {size(event.offset)} on"
    if isinstance(event, SourceRead) and verbose:
        found = count(event.found, "name")
        told = found if event.state is SourceState.READ else event.reason
        return f"{f'{event.host}: ' if event.host else ''}{event.kind} {event.path}: {told}"
    if isinstance(event, ItemChanged):
        return _change(event, items.get(event.item), verbose=verbose, changes=changes)
    return ""


def _change(event: ItemChanged, item: ItemProgress | None, *, verbose: bool, changes: bool) -> str:
    quiet = event.state in (ItemState.WAITING, ItemState.RESOLVING) and not verbose
    if quiet or not (changes or verbose or event.state is ItemState.FAILED):
        return ""
    line = f"{event.item}: {state_word(event.state)}"
    if event.reason and event.state is not ItemState.HELD:
        return f"{line}: {event.reason.removeprefix(f'{event.item}: ')}"
    if item is not None and item.size and event.state is not ItemState.HELD:
        line += f", {size(item.to_do if not event.state.final else item.size)}"
    return line


def total_line(snapshot: Snapshot) -> str:
    """`44.3 GB of 63.2 GB, 118 MB/s, about 3 min left, 6 min 15 s so far`."""
    parts = [f"{size(snapshot.done)} of {size(snapshot.total)}"]
    if snapshot.quiet_for >= 10:
        parts.append(f"no data for {elapsed(snapshot.quiet_for)}")
    elif snapshot.rate > 0:
        parts.append(rate(snapshot.rate))
    parts += [time_left(snapshot.time_left), f"{elapsed(snapshot.elapsed)} so far"]
    return ", ".join(parts)


def short(blob: str) -> str:
    """The digest as people quote it: its first twelve digits."""
    return blob.partition(":")[2][:12] or blob
