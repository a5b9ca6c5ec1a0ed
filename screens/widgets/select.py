"""`Platform   [linux/amd64              v]  All 13 images have it`: a choice that opens a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.events import Click
from textual.message import Message

from airgap_tui.engine.plain_text import cut_at_word, left
from screens.keys import key
from screens.look import Mark
from screens.modals.pick import Pick
from screens.widgets.controls import Control
from screens.widgets.drawn import Pieces
from screens.widgets.options import Option


class Select(Control):
    """One of several, of which only the chosen one is seen; `width` counts the cells inside."""

    BINDINGS = [key("enter,space", "open", "choose", name="Enter")]  # noqa: RUF012

    class Changed(Message):
        """The user chose another option."""

        def __init__(self, select: Select, key: str) -> None:
            super().__init__()
            self.select, self.key = select, key

        @property
        def control(self) -> Select:
            return self.select

    def __init__(
        self,
        label: str,
        options: Sequence[Option],
        *,
        current: str = "",
        width: int = 26,
        note: str = "",
        **rest: Any,
    ) -> None:
        super().__init__(label=label, **rest)
        self._options = tuple(options)
        self._current = current or (self._options[0].key if self._options else "")
        self._width = width
        self._note, self._mark = note, Mark.NONE

    @property
    def current(self) -> str:
        """The key of the chosen option."""
        return self._current

    @current.setter
    def current(self, key: str) -> None:
        self.show(self._options, key)

    def show(self, options: Sequence[Option], current: str | None = None) -> None:
        """Put other options there; the chosen one stays where it is still among them."""
        keys = [option.key for option in options]
        wanted = self._current if current is None else current
        self._options = tuple(options)
        self._current = wanted if wanted in keys else (keys[0] if keys else "")
        self.redraw()

    def note(self, text: str, mark: Mark = Mark.NONE) -> None:
        """Say something of the choice, at its right."""
        if (text, mark) != (self._note, self._mark):
            self._note, self._mark = text, mark
            self.redraw()

    def draw(self, width: int) -> Sequence[Pieces]:
        text = next((o.text for o in self._options if o.key == self._current), "")
        extra = max(0, width - 76) // 2 if width < 1000 else 0
        inner = left(self.look.text(text), self._width + extra - 2)
        pieces = [*self.head(), (f"[{inner} v]", self.body_tone())]
        if self._note:
            marks = 0 if self._mark is Mark.NONE else 2
            room = max(0, width - self.head_width - len(inner) - 6 - marks)
            text = cut_at_word(self.look.text(self._note), room)
            pieces += [("  ", ""), *self.marked_text(self._mark, text)]
        return [pieces]

    def action_open(self) -> None:
        def take(chosen: str | None) -> None:
            if chosen is not None and chosen != self._current:
                self._current = chosen
                self.redraw()
                self.post_message(self.Changed(self, chosen))

        self.app.push_screen(Pick(self._label, self._options, current=self._current), take)

    def on_click(self, event: Click) -> None:
        event.stop()
        self.action_open()
