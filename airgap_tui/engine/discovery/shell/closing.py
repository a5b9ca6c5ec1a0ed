"""Where what a text opens is closed again: quotes, brackets, substitutions."""

from __future__ import annotations

_FARTHEST = 1 << 18
_MOST_UNCLOSED = 2000
_OPENERS = {")": "(", "}": "{"}


class Closings:
    """As `matching` for one text; looks less far where much was never closed, and at last no more:
    the time that a text takes grows with its length only."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._unclosed = 0

    def after(self, start: int, closer: str) -> int:
        """Where what was opened before `start` closes; -1 if nowhere."""
        if self._unclosed > _MOST_UNCLOSED:
            return -1
        end = matching(self._text, start, closer, _FARTHEST >> min(self._unclosed, 10))
        self._unclosed += end < 0
        return end


def matching(text: str, start: int, closer: str, farthest: int = _FARTHEST) -> int:
    """Where what was opened before `start` closes, seen past quotes and nesting; -1 if nowhere
    within so many characters. What never closes inside lets the outside not close either, so that
    each character is looked at once."""
    end = min(len(text), start + farthest)
    closers = [closer]
    position = start
    while position < end:
        c = text[position]
        within = closers[-1]
        if c == "\\":
            position += 1
        elif c == within:
            closers.pop()
            if not closers:
                return position
        elif c == "$" and text.startswith(("$(", "${"), position):
            position += 1
            closers.append(")" if text[position] == "(" else "}")
        elif within == '"':
            pass
        elif c == "'":
            found = text.find("'", position + 1, end)
            position = found if found >= 0 else position
        elif c == '"':
            closers.append(c)
        elif c == _OPENERS[within]:
            closers.append(within)
        position += 1
    return -1


def ansi_end(text: str, start: int) -> int:
    """Where `$'…'` closes that begins at `start`; -1 if nowhere."""
    position = start + 2
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == "'":
            return position
        position += 1
    return -1
