"""What a table shows: columns, rows, and how wide the columns are in a window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from airgap_tui.engine.plain_text import cut_at_word, left, right
from screens.look import Mark


@dataclass(frozen=True, slots=True)
class Column:
    """A column `width` cells wide at 80 columns, with `gap` empty cells before it.

    Larger windows give what they have more to the columns that `grow`, by these weights. What is
    too long gives way in its middle, as names should, or at the end where it is `prose`.
    """

    title: str
    width: int
    gap: int = 2
    right: bool = False
    grow: int = 0
    prose: bool = False


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row. `key` is its identity; `mark` and `chosen` need a table made for them."""

    key: str
    cells: tuple[str, ...]
    mark: Mark = Mark.NONE
    chosen: bool = False
    tone: str = ""


def widths(columns: Sequence[Column], room: int) -> list[int]:
    """The cells of each column where all of them and their gaps fill `room` cells."""
    fixed = [column.width for column in columns]
    spare = room - sum(fixed) - sum(column.gap for column in columns[1:])
    weights = [column.grow for column in columns]
    if spare <= 0 or not any(weights):
        for index in reversed(range(len(columns))):  # too narrow: the growing columns give way
            if spare < 0 and (weights[index] or not any(weights)):
                taken = min(-spare, max(0, fixed[index] - 5))
                fixed[index] -= taken
                spare += taken
        return fixed
    given = [spare * weight // sum(weights) for weight in weights]
    given[weights.index(max(weights))] += spare - sum(given)
    return [width + more for width, more in zip(fixed, given, strict=True)]


def line(
    columns: Sequence[Column],
    sizes: Sequence[int],
    texts: Sequence[str],
    clean: Callable[[str], str],
) -> str:
    """The texts in their columns; missing ones stay empty."""
    parts = []
    for index, (column, size) in enumerate(zip(columns, sizes, strict=True)):
        text = clean(texts[index]) if index < len(texts) else ""
        text = cut_at_word(text, size) if column.prose else text
        cell = right(text, size) if column.right else left(text, size)
        parts.append(" " * (column.gap if index else 0) + cell)
    return "".join(parts)
