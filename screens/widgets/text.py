"""Text that cannot be reached: lines, wrapped paragraphs, facts, stops in a line, a rule, a bar."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from airgap_tui.engine.plain_text import cells, cut_at_word, right
from screens.look import Mark
from screens.widgets.drawn import Drawn, Piece, Pieces


class Line(Drawn):
    """One line: a text, cut at a word where it is too long, and one at the right edge.

    `indent` counts from column 3; 2 is column 5, where whatever can be reached begins.
    """

    def __init__(
        self,
        text: str = "",
        *,
        right: str = "",
        indent: int = 0,
        mark: Mark = Mark.NONE,
        tone: str = "",
        id: str | None = None,  # noqa: A002 - Textual's word
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._text, self._right, self._indent = text, right, indent
        self._mark, self._tone = mark, tone

    @property
    def text(self) -> str:
        return self._text

    def show(
        self, text: str, *, right: str = "", mark: Mark = Mark.NONE, tone: str | None = None
    ) -> None:
        """Put another text there."""
        tone = self._tone if tone is None else tone
        if (text, right, mark, tone) != (self._text, self._right, self._mark, self._tone):
            self._text, self._right, self._mark, self._tone = text, right, mark, tone
            self.redraw()

    def draw(self, width: int) -> Sequence[Pieces]:
        room = width - self._indent
        tail = cut_at_word(self.look.text(self._right), room)
        marks = 0 if self._mark is Mark.NONE else 2
        text = cut_at_word(
            self.look.text(self._text), room - marks - (cells(tail) + 2 if tail else 0)
        )
        pieces: list[Piece] = [(" " * self._indent, "")]
        if marks:
            pieces.append((f"{self.look.sign(self._mark)} ", self._mark.tone))
        pieces.append((text, self._tone))
        if tail:
            pieces.append((right(tail, room - marks - cells(text)), self._tone))
        return [pieces]


class Paragraph(Drawn):
    """Text that wraps at words; lines that begin with blanks keep them, and wrap under them."""

    def __init__(
        self,
        text: str = "",
        *,
        indent: int = 0,
        tone: str = "",
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._text, self._indent, self._tone = text, indent, tone

    @property
    def text(self) -> str:
        return self._text

    def show(self, text: str) -> None:
        """Put another text there."""
        if text != self._text:
            self._text = text
            self.redraw(layout=True)

    def draw(self, width: int) -> Sequence[Pieces]:
        blanks = " " * self._indent
        lines = wrapped(self._text, max(1, width - self._indent), self.look.text)
        return [[(blanks + line, self._tone)] for line in lines]


class Gap(Drawn):
    """An empty line."""

    def draw(self, width: int) -> Sequence[Pieces]:
        return [[(" " * min(width, 1), "")]]


class Rule(Drawn):
    """A line across."""

    def draw(self, width: int) -> Sequence[Pieces]:
        return [[(self.look.rule * width, "rest")]]


class Stops(Drawn):
    """Parts of a line that begin at fixed columns, so that changing numbers do not jump.

    `stops` count from column 3; the last part ends at the right edge.
    """

    def __init__(
        self,
        parts: Sequence[str] = (),
        *,
        stops: Sequence[int] = (0, 21, 35),
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._parts, self._stops = tuple(parts), tuple(stops)

    def show(self, parts: Sequence[str]) -> None:
        """Put other parts there; one more than there are stops ends at the right edge."""
        if tuple(parts) != self._parts:
            self._parts = tuple(parts)
            self.redraw()

    def draw(self, width: int) -> Sequence[Pieces]:
        drawn = ""
        last = len(self._parts) - 1
        for index, part in enumerate(map(self.look.text, self._parts)):
            gap = 3 if drawn else 0
            if index == last and index >= len(self._stops):
                start = max(cells(drawn) + gap, width - cells(part))
            else:
                stop = self._stops[index] if index < len(self._stops) else 0
                start = max(cells(drawn) + gap, stop)
            drawn += " " * (start - cells(drawn)) + part
        return [[(cut_at_word(drawn, width), "")]]


class Bar(Drawn):
    """How much of the whole is done: a bar and the percentage, which is 100 only at the end."""

    def __init__(self, fraction: float = 0.0, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._fraction = fraction

    def show(self, fraction: float) -> None:
        """From 0 to 1."""
        if fraction != self._fraction:
            self._fraction = fraction
            self.redraw()

    def draw(self, width: int) -> Sequence[Pieces]:
        fraction = min(1.0, max(0.0, self._fraction))
        return [[(self.look.bar(fraction, width - 6), "busy"), (f"{int(fraction * 100):5}%", "")]]


@dataclass(frozen=True, slots=True)
class Fact:
    """A named value; `value` may have several lines."""

    name: str
    value: str
    mark: Mark = Mark.NONE


class Facts(Drawn):
    """Names and values under one another; marks in column 5, names in column 7."""

    def __init__(
        self,
        facts: Sequence[Fact] = (),
        *,
        name_width: int = 12,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._facts, self._name_width = tuple(facts), name_width

    def show(self, facts: Sequence[Fact]) -> None:
        """Put other facts there."""
        if tuple(facts) != self._facts:
            layout = _heights(facts) != _heights(self._facts)
            self._facts = tuple(facts)
            self.redraw(layout=layout)

    def draw(self, width: int) -> Sequence[Pieces]:
        lines: list[Pieces] = []
        for fact in self._facts:
            name = fact.name.ljust(self._name_width)
            for value in fact.value.split("\n"):
                mark = fact.mark if name.strip() else Mark.NONE
                value = cut_at_word(self.look.text(value), width - 4 - len(name))
                lines.append(
                    [("  ", ""), (f"{self.look.sign(mark)} ", mark.tone), (name + value, "")]
                )
                name = " " * self._name_width
        return lines


def wrapped(text: str, width: int, clean: Callable[[str], str]) -> list[str]:
    """Lines of at most `width` cells; a line's own indentation holds for what wraps out of it."""
    lines: list[str] = []
    for raw in text.split("\n"):
        line = clean(raw)
        start = " " * min(len(line) - len(line.lstrip()), width // 2)
        lines += textwrap.wrap(
            line.strip(),
            width,
            initial_indent=start,
            subsequent_indent=start,
            break_on_hyphens=False,
        ) or [""]
    return lines


def _heights(facts: Sequence[Fact]) -> list[int]:
    return [fact.value.count("\n") for fact in facts]
