"""What came out of a job, for people: a table on stdout, reasons and the next step on stderr."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airgap_tui.cli.lines import state_word
from airgap_tui.cli.output import Output, marks, narrate
from airgap_tui.cli.text import Column, table
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.quantities import count, size

if TYPE_CHECKING:
    from airgap_tui.engine.jobs.result import ItemResult

_MARKS = {
    ItemState.DONE: "done",
    ItemState.HELD: "held",
    ItemState.FAILED: "bad",
    ItemState.LEFT_OUT: "waiting",
    ItemState.WAITING: "waiting",
}


def show_items(
    output: Output,
    items: Sequence[ItemResult],
    *,
    done: str = "",
    noun: str = "image",
    target: str = "Name there",
) -> None:
    """One row per item: mark, name, state, its size where one is known, and its `target` where it
    has another name there. `done` is a better word than "Done" for what this job did; `noun` what
    the items are."""
    if not items:
        return
    symbols = marks(sys.stdout)
    named = any(item.target and item.target != item.reference for item in items)
    sized = any(item.bytes for item in items)
    columns = [Column(""), Column(noun.capitalize(), flexible=True), Column("State")]
    if sized:
        columns.append(Column("Size", right=True))
    if named:
        columns.append(Column(target, flexible=True))
    rows = []
    for item in items:
        word = done if done and item.state is ItemState.DONE else state_word(item.state)
        row = [symbols[_MARKS.get(item.state, "active")], item.reference, word]
        if sized:
            row.append(size(item.bytes) if item.bytes else "-")
        if named:
            row.append(item.target or "-")
        rows.append(row)
    output.data(table(columns, rows, output.width))


def tell_failures(output: Output, items: Sequence[ItemResult], *, noun: str = "image") -> None:
    """Each reason once with the items that share it, and each hint once."""
    if output.progress_mode == "json":
        return
    reasons: dict[str, list[ItemResult]] = {}
    for item in items:
        if item.state is ItemState.FAILED:
            reasons.setdefault(item.error, []).append(item)
    hints: dict[str, None] = {}
    for reason, failed in reasons.items():
        if len(failed) == 1:
            named = failed[0].reference in reason
            narrate(f"! {reason}" if named else f"! {failed[0].reference}: {reason}")
        else:
            narrate(f"! {count(len(failed), noun)} failed for one reason: {reason}")
            for item in failed:
                narrate(f"    {item.reference}")
        hints.update(dict.fromkeys(item.hint for item in failed if item.hint))
    for hint in hints:
        narrate(f"  {hint}")


def tell_next(output: Output, *arguments: str | Path) -> None:
    """The command that usually follows."""
    words = [_no_option(one) if isinstance(one, Path) else one for one in arguments]
    output.say(f"Next: {shlex.join(['airgap-tui', *words])}")


def _no_option(path: Path) -> str:
    return f"./{path}" if str(path).startswith("-") else str(path)


def of_all(items: Sequence[ItemResult], verb: str, noun: str = "image") -> str:
    """`All 13 images are saved` or `10 of 13 images are saved; 1 failed; 1 waits; 1 left out`."""
    failed = sum(item.state is ItemState.FAILED for item in items)
    waiting = sum(item.state is ItemState.WAITING for item in items)
    left_out = sum(item.state is ItemState.LEFT_OUT for item in items)
    good = len(items) - failed - waiting - left_out
    are = "is" if 1 in (good, len(items)) else "are"
    if good == len(items):
        return f"{'All ' if good > 1 else ''}{count(good, noun)} {are} {verb}"
    text = f"{good} of {count(len(items), noun)} {are} {verb}"
    text += f"; {failed} failed" if failed else ""
    text += f"; {waiting} {'waits' if waiting == 1 else 'wait'}" if waiting else ""
    return text + (f"; {left_out} left out" if left_out else "")
