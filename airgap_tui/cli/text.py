"""Aligned tables of outside text, cut in the middle where the window is narrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airgap_tui.engine.plain_text import cells as cells_of
from airgap_tui.engine.plain_text import harmless, left, right


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. The one that is `flexible` gives way where the window is narrow."""

    title: str
    right: bool = False
    flexible: bool = False


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> str:
    """Aligned lines under their titles, two blanks apart; `width` None cuts nothing."""
    cells = [[column.title for column in columns], *(list(map(_one_line, row)) for row in rows)]
    widths = [max(cells_of(row[index]) for row in cells) for index in range(len(columns))]
    if width is not None:
        spare = width - sum(widths) - 2 * (len(columns) - 1)
        for index, column in enumerate(columns):
            if column.flexible and spare < 0:
                widths[index] = max(len(column.title), 12, widths[index] + spare)
    lines = []
    for row in cells:
        parts = [
            right(cell, size) if column.right else left(cell, size)
            for cell, size, column in zip(row, widths, columns, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def _one_line(text: str) -> str:
    return harmless(text).replace("\n", "?")
