"""Makes text from outside fit for a terminal: harmless, and cut to the available columns.

Both front ends draw names, reasons and paths that come from registries, media and users.
"""

from __future__ import annotations

import re
import unicodedata

_STEERING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    r"\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def harmless(text: str) -> str:
    """The text without characters that steer a terminal; it may come from a registry or medium."""
    return _STEERING.sub("?", text.replace("\t", " "))


def cells(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def cut(text: str, width: int) -> str:
    """At most `width` cells: the middle gives way to two dots, start and end stay."""
    width = max(0, width)
    if cells(text) <= width:
        return text
    if width < 5:
        return _start(text, width)
    tail = (width - 2) // 2
    return f"{_start(text, width - 2 - tail)}..{_start(text[::-1], tail)[::-1]}"


def cut_at_word(text: str, width: int) -> str:
    """At most `width` cells: whole words, then ` ..` where something was left out."""
    width = max(0, width)
    if cells(text) <= width:
        return text
    start = _start(text, max(0, width - 3))
    inside_word = text[len(start) : len(start) + 1] not in ("", " ") and not start.endswith(" ")
    if inside_word and " " in start.strip():
        start = start[: start.rstrip().rfind(" ")]
    return f"{start.rstrip()} .."[:width]


def left(text: str, width: int) -> str:
    """Exactly `width` cells, the text at the left."""
    text = cut(text, width)
    return text + " " * (width - cells(text))


def right(text: str, width: int) -> str:
    """Exactly `width` cells, the text at the right."""
    text = cut(text, width)
    return " " * (width - cells(text)) + text


def _cells_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _start(text: str, width: int) -> str:
    if text.isascii():
        return text[:width]
    used = 0
    for index, character in enumerate(text):
        used += _cells_of(character)
        if used > width:
            return text[:index]
    return text
