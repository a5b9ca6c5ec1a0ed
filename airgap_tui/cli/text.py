"""Text for a terminal: outside text made harmless, names cut in the middle, aligned tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """The text without characters that steer a terminal; it may come from a registry or medium."""
    return _CONTROL.sub("?", text.replace("\t", " "))


def cut(text: str, width: int) -> str:
    """At most `width` characters: the middle gives way to two dots, start and end stay."""
    if len(text) <= width:
        return text
    if width < 5:
        return text[:width]
    tail = (width - 2) // 2
    return f"{text[: width - 2 - tail]}..{text[-tail:]}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. The one that is `flexible` gives way where the window is narrow."""

    title: str
    right: bool = False
    flexible: bool = False


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> str:
    """Aligned lines under their titles, two blanks apart; `width` None cuts nothing."""
    cells = [[column.title for column in columns], *([harmless(c) for c in row] for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    if width is not None:
        spare = width - sum(widths) - 2 * (len(columns) - 1)
        for index, column in enumerate(columns):
            if column.flexible and spare < 0:
                widths[index] = max(len(column.title), 12, widths[index] + spare)
    lines = []
    for row in cells:
        parts = [
            (cut(cell, size).rjust if column.right else cut(cell, size).ljust)(size)
            for cell, size, column in zip(row, widths, columns, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)
