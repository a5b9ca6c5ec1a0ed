"""Lists that Up and Down go through: one of several choices, and the menu of a first screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from textual.events import Click
from textual.message import Message

from airgap_tui.engine.plain_text import cells, cut, cut_at_word, left
from screens.keys import key
from screens.widgets.controls import Control
from screens.widgets.drawn import Piece, Pieces


@dataclass(frozen=True, slots=True)
class Option:
    """One of several. `about` may have several lines; a `heading` cannot be reached."""

    key: str
    text: str = ""
    about: str = ""
    heading: bool = False


class Options(Control):
    """What `Choice` and `Menu` share: the options, and which one is current."""

    BINDINGS = [  # noqa: RUF012
        key("up", "move(-1)", "choose", name="Up/Down"),
        key("down", "move(1)", "choose", name="Up/Down"),
        key("home", "ends(0)", "first and last", name="Home/End", shown=False),
        key("end", "ends(-1)", "first and last", name="Home/End", shown=False),
    ]

    class Moved(Message):
        """Another option became the current one."""

        def __init__(self, options: Options, key: str) -> None:
            super().__init__()
            self.options, self.key = options, key

        @property
        def control(self) -> Options:
            return self.options

    def __init__(
        self,
        options: Sequence[Option],
        *,
        current: str = "",
        text_width: int = 0,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self._options: tuple[Option, ...] = ()
        self._text_width = text_width
        self._current = current
        self._take(options, current)

    @property
    def current(self) -> str:
        """The key of the current option; empty where there are none."""
        return self._current

    @current.setter
    def current(self, key: str) -> None:
        if key != self._current and any(option.key == key for option in self._options):
            self._current = key
            self.redraw()

    def show(self, options: Sequence[Option], current: str | None = None) -> None:
        """Put other options there; the current one stays where its key is still among them."""
        wanted = self._current if current is None else current
        if tuple(options) != self._options or wanted != self._current:
            self._take(options, wanted)
            self.redraw(layout=True)

    def _take(self, options: Sequence[Option], current: str) -> None:
        self._options = tuple(options)
        keys = [option.key for option in self._options if not option.heading]
        self._current = current if current in keys else (keys[0] if keys else "")

    def option_head(self, option: Option) -> str:
        """The cells in front of the option's text."""
        return ""

    def draw(self, width: int) -> Sequence[Pieces]:
        lines: list[Pieces] = []
        text_width = self._text_width or 3 + max(
            (cells(option.text) for option in self._options if not option.heading), default=0
        )
        label: Piece = (left(self._label, self._label_width), "")
        no_label: Piece = (" " * self._label_width, "")
        for option in self._options:
            if option.heading:
                lines.append([(cut(self.look.text(option.text), width), "strong")])
                continue
            focused = self.pointed and option.key == self._current
            tone = "focus" if focused else ""
            sign = self.option_head(option)
            room = width - self.head_width - len(sign)
            about = option.about.split("\n")
            shown = self.look.text(option.text)
            text = left(shown, min(text_width, room)) if option.about else cut(shown, room)
            rest = cut_at_word(self.look.text(about[0]), max(0, room - cells(text)))
            line = [self.focus_marks(focused), label, (f"{sign}{text}{rest}", tone)]
            if focused:
                used = self.head_width + len(sign) + cells(text) + cells(rest)
                line.append((" " * (width - used if width < 1000 else 0), "focus"))
            lines.append(line)
            label = no_label
            blanks = " " * (self.head_width + len(sign) + text_width)
            for more in about[1:]:
                lines.append([(blanks, ""), (cut_at_word(more, max(0, width - len(blanks))), "")])
        return lines

    def action_move(self, by: int) -> None:
        keys = [option.key for option in self._options if not option.heading]
        if not keys:
            return
        to = keys.index(self._current) + by
        if 0 <= to < len(keys):
            self._go(keys[to])

    def action_ends(self, index: int) -> None:
        keys = [option.key for option in self._options if not option.heading]
        if keys:
            self._go(keys[index])

    def _go(self, key: str) -> None:
        if key != self._current:
            self._current = key
            self.redraw()
            self.post_message(self.Moved(self, key))

    def on_click(self, event: Click) -> None:
        event.stop()
        line = 0
        for option in self._options:
            height = 1 if option.heading else option.about.count("\n") + 1
            if not option.heading and line <= event.y < line + height:
                self._go(option.key)
            line += height


class Choice(Options):
    """`(*) An existing registry   All hosts pull from it`: moving chooses."""

    def option_head(self, option: Option) -> str:
        return "(*) " if option.key == self._current else "( ) "


class Menu(Options):
    """Groups of entries under headings; Enter opens the current one."""

    BINDINGS = [  # noqa: RUF012
        key("up", "move(-1)", "move", name="Up/Down"),
        key("down", "move(1)", "move", name="Up/Down"),
        key("enter", "open", "open"),
    ]

    class Opened(Message):
        """Enter was pressed on an entry."""

        def __init__(self, menu: Menu, key: str) -> None:
            super().__init__()
            self.menu, self.key = menu, key

        @property
        def control(self) -> Menu:
            return self.menu

    def action_open(self) -> None:
        if self._current:
            self.post_message(self.Opened(self, self._current))
