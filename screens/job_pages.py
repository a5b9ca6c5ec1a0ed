"""What opens from a job that is watched: the layers under way, and all about one item."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from textual.app import ComposeResult

from airgap_tui.engine.events import ItemState
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.quantities import count, size
from airgap_tui.engine.snapshot import ItemProgress, Snapshot, Transfer
from screens import names
from screens.base import WizardScreen
from screens.job_rows import layer_name, state_in_words
from screens.look import Mark
from screens.steps import Step
from screens.watch import LOOKS_PER_SECOND
from screens.widgets.rows import Column, TableRow
from screens.widgets.table import Table

_COLUMNS = [
    Column("Layer", 12),
    Column("State", 12),
    Column("Done", 8, right=True),
    Column("Of", 8, right=True),
    Column("Needed by", 24, grow=1),
]


class LayersPage(WizardScreen[None]):
    """The layers under way, as they are now."""

    help_text = (
        "A layer is a part of an image. Images that share a layer need it only once. Layers wait in"
        " the order of their images; finished ones are kept, also when the job is stopped."
    )

    def __init__(self, below: WizardScreen[Any], snapshot: Callable[[], Snapshot]) -> None:
        super().__init__()
        self._below_steps, self._snapshot = below.steps(), snapshot
        self._table = Table(
            _COLUMNS, marks=True, filters=False, more="more rows", empty="No layer is under way."
        )

    def steps(self) -> tuple[Step, ...]:
        return self._below_steps

    def body(self) -> ComposeResult:
        yield self._table

    def on_open(self) -> None:
        self._draw()
        self.every(1 / LOOKS_PER_SECOND, self._draw)

    def go_back(self) -> None:
        self.dismiss(None)

    def _draw(self) -> None:
        snapshot = self._snapshot()
        layers = count(snapshot.blobs_total, "layer")
        self.excerpt = f"{snapshot.blobs_done} of {layers} are finished."
        common = names.common_registry(item.item for item in snapshot.items)
        self._table.show([_layer_row(one, common) for one in snapshot.transfers])


def _layer_row(transfer: Transfer, common: str) -> TableRow:
    waiting = transfer.retry_in is not None
    share = 100 * transfer.done // transfer.size if transfer.size else 0
    state = f"Retry in {math.ceil(transfer.retry_in or 0)} s" if waiting else f"{share}%"
    first = names.short(transfer.items[0], common) if transfer.items else "-"
    more = len(transfer.items) - 1
    cells = (
        layer_name(transfer.blob),
        state,
        size(transfer.done) if transfer.done else "-",
        size(transfer.size),
        f"{first} and {more} more" if more > 0 else first,
    )
    return TableRow(transfer.blob, cells, mark=Mark.WAITING if waiting else Mark.UNDER_WAY)


def details(item: ItemProgress, snapshot: Snapshot, result: ItemResult | None, over: bool) -> str:
    """Everything about one item, to be read and copied."""
    facts = [("State", state_in_words(item, over=over)[0])]
    if item.reason:
        facts.append(("Reason", item.reason))
    if result is not None and result.hint:
        facts.append(("What to do", result.hint))
    if item.digest:
        facts.append(("Digest", item.digest))
    if item.size:
        facts.append(("Size", size(item.size)))
        if item.state is not ItemState.HELD:
            facts.append(("To fetch" if snapshot.verb == "save" else "To move", size(item.to_do)))
            facts.append(("Done", size(item.done) if item.done else "-"))
    if result is not None and result.target:
        facts.append(("Name there", result.target))
    width = max(len(name) for name, _value in facts) + 3
    lines = [f"{name.ljust(width)}{value}" for name, value in facts]
    layers = [transfer for transfer in snapshot.transfers if item.item in transfer.items]
    if layers:
        lines += ["", "Layers under way"]
        lines += [
            f"  {layer_name(one.blob)}   {size(one.done)} of {size(one.size)}"
            + (f"   trying again: {one.reason}" if one.retry_in is not None else "")
            for one in layers
        ]
    return "\n".join(lines)
