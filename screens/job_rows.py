"""What the screen that watches a job says of each item: rows for its table, and a sentence.

Pure functions of a `Snapshot`; of a thousand items most rest, and their rows are kept.
"""

from __future__ import annotations

import math

from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide import sentences
from airgap_tui.engine.quantities import count, size
from airgap_tui.engine.snapshot import ItemProgress, Snapshot
from screens import names
from screens.look import Mark
from screens.widgets.rows import Column, TableRow

_STATE_WIDTH = 12
"""Cells for a state with its share, as in `Verifying` and `Saving 34%`."""
_WORDS = {
    ItemState.WAITING: ("Waiting", Mark.WAITING),
    ItemState.RESOLVING: ("Looking up", Mark.UNDER_WAY),
    ItemState.SAVING: ("Saving", Mark.UNDER_WAY),
    ItemState.COMPRESSING: ("Compressing", Mark.UNDER_WAY),
    ItemState.VERIFYING: ("Verifying", Mark.UNDER_WAY),
    ItemState.EXPORTING: ("Writing", Mark.UNDER_WAY),
    ItemState.IMPORTING: ("Copying", Mark.UNDER_WAY),
    ItemState.LOADING: ("Loading", Mark.UNDER_WAY),
    ItemState.PUSHING: ("Pushing", Mark.UNDER_WAY),
    ItemState.RETRYING: ("Paused", Mark.NEEDS_YOU),
    ItemState.HELD: ("Already here", Mark.HELD),
    ItemState.LEFT_OUT: ("Left out", Mark.NONE),
    ItemState.FAILED: ("Failed", Mark.NEEDS_YOU),
    ItemState.DONE: ("Done", Mark.DONE),
}
_WITH_SHARE = (
    ItemState.SAVING,
    ItemState.EXPORTING,
    ItemState.IMPORTING,
    ItemState.LOADING,
    ItemState.PUSHING,
)
_ORDER = {
    Mark.NEEDS_YOU: 0,
    Mark.UNDER_WAY: 1,
    Mark.WAITING: 2,
    Mark.HELD: 3,
    Mark.NONE: 4,
    Mark.DONE: 5,
}


class JobRows:
    """The rows of one job, in the order: needs you, under way, waiting, already here, done."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[ItemProgress, str, bool, TableRow]] = {}
        self._common: tuple[int, str] = (-1, "")

    def columns(self, snapshot: Snapshot) -> list[Column]:
        """The columns, with the registry that the names leave out."""
        return [
            Column(self._heading(snapshot), 42, grow=1),
            Column("State", _STATE_WIDTH, gap=1),
            Column("Done", 7, gap=1, right=True),
            Column("Of", 7, gap=2, right=True),
        ]

    def _heading(self, snapshot: Snapshot) -> str:
        if sentences.noun(snapshot.verb) != "image":
            return sentences.noun(snapshot.verb).capitalize()
        return names.heading(self._registry(snapshot))

    def rows(self, snapshot: Snapshot, *, over: bool = False) -> list[TableRow]:
        """The rows now; `over` for a job that works no more."""
        retries = _retries(snapshot)
        common = self._registry(snapshot)
        rows = [
            self._row(item, retries.get(item.item, ""), over, common) for item in snapshot.items
        ]
        return sorted(rows, key=_place)

    def _row(self, item: ItemProgress, retry: str, over: bool, common: str) -> TableRow:
        known = self._kept.get(item.item)
        if known is not None and known[:3] == (item, retry, over):
            return known[3]
        words, mark = state_in_words(item, retry=retry, over=over)
        of = item.to_do or item.size
        cells = (
            names.short(item.item, common),
            words,
            size(item.done) if item.done and item.state is not ItemState.FAILED else "-",
            size(of) if of else "-",
        )
        row = TableRow(item.item, cells, mark=mark)
        self._kept[item.item] = (item, retry, over, row)
        return row

    def _registry(self, snapshot: Snapshot) -> str:
        """Looked for once for so many items: a job's items are all known at its start."""
        if self._common[0] != len(snapshot.items):
            self._common = (
                len(snapshot.items),
                names.common_registry(item.item for item in snapshot.items),
            )
            self._kept.clear()
        return self._common[1]


def state_in_words(item: ItemProgress, *, retry: str = "", over: bool = False) -> tuple[str, Mark]:
    """`Saving 34%` and its mark."""
    words, mark = _WORDS[item.state]
    if over and mark is Mark.WAITING:
        return "Not begun", mark
    if over and not item.state.final:
        return "Stopped", Mark.WAITING
    if retry and item.state in _WITH_SHARE:
        return retry, mark
    if item.state in _WITH_SHARE and item.to_do:
        return f"{words} {min(99, 100 * item.done // item.to_do)}%", mark
    return words, mark


def first_of_note(rows: list[TableRow]) -> str:
    """The row that has the focus at first: what needs you, else what is under way."""
    return rows[0].key if rows else ""


def said_of(snapshot: Snapshot, name: str, *, over: bool = False) -> str:
    """The sentence of the focused row: why it failed or waits, or which layers are under way."""
    item = next((item for item in snapshot.items if item.item == name), None)
    if item is None:
        return ""
    if item.state is ItemState.FAILED:
        same = [
            (other.item, other.reason)
            for other in snapshot.items
            if other.state is ItemState.FAILED and _cause(other) == _cause(item)
        ]
        cause = sentences.causes(same)[0] if len(same) > 1 else _capital(_cause(item))
        return f"{cause}." if over else f"{cause}. The others go on; try again at the end."
    if item.reason:
        return f"{_capital(item.reason)}."
    transfers = [transfer for transfer in snapshot.transfers if name in transfer.items]
    for transfer in transfers:
        if transfer.retry_in is not None and transfer.reason:
            return f"{_capital(transfer.reason)}. Trying again from {size(transfer.done)} on."
    if transfers:
        first, more = transfers[0], len(transfers) - 1
        others = f", and {count(more, 'other')}" if more else ""
        return f"Layer {layer_name(first.blob)}, {size(first.done)} of {size(first.size)}{others}."
    return f"Digest {item.digest}" if item.digest else ""


def layer_name(blob: str) -> str:
    """The beginning of a digest, as people compare it; of another file its name."""
    name = blob.rpartition("/")[2] if "/" in blob else blob.partition(":")[2].strip()
    return name[:12] or blob


def _retries(snapshot: Snapshot) -> dict[str, str]:
    """`Retry in 8 s` for the items of which nothing moves until then."""
    soonest: dict[str, float] = {}
    moving: set[str] = set()
    for transfer in snapshot.transfers:
        if transfer.retry_in is None:
            moving.update(transfer.items)
            continue
        for name in transfer.items:
            soonest[name] = min(transfer.retry_in, soonest.get(name, transfer.retry_in))
    return {name: _wait(seconds) for name, seconds in soonest.items() if name not in moving}


def _wait(seconds: float) -> str:
    whole = max(1, math.ceil(seconds))
    return f"Retry in {whole} s" if whole < 100 else f"Retry {math.ceil(whole / 60)} min"


def _cause(item: ItemProgress) -> str:
    return item.reason.removeprefix(f"{item.item}: ")


def _place(row: TableRow) -> int:
    return _ORDER[row.mark]


def _capital(text: str) -> str:
    """A sentence's beginning; a host or path stays as it is written."""
    first = text.partition(" ")[0]
    return text if set(first) & set(".:/") else text[:1].upper() + text[1:]
