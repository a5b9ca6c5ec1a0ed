"""Controls of one line: button, checkbox, and the row that holds several of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.containers import Horizontal
from textual.events import Click
from textual.message import Message
from textual.widget import Widget

from airgap_tui.engine.plain_text import left
from screens.keys import key
from screens.widgets.drawn import Drawn, Piece, Pieces

LABEL_WIDTH = 11
"""Cells of a label in a form, so that fields begin in column 16."""


class Control(Drawn, can_focus=True):
    """Something that can be reached: two cells for the focus mark, a label, the control itself.

    Where `label_width` is 0 and there is a label, it takes `LABEL_WIDTH` cells.
    """

    def __init__(
        self,
        *,
        label: str = "",
        label_width: int = 0,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._label = label
        self._label_width = label_width or (LABEL_WIDTH if label else 0)

    def rename(self, label: str) -> None:
        """Give it another label of the same width."""
        if label != self._label:
            self._label = label
            self.redraw()

    @property
    def head_width(self) -> int:
        """Cells before the control itself."""
        return 2 + self._label_width

    def head(self) -> list[Piece]:
        """The focus mark and the label."""
        return [self.focus_marks(self.pointed), (left(self._label, self._label_width), "")]

    def body_tone(self) -> str:
        return "focus" if self.pointed else ""


class Row(Horizontal):
    """Controls side by side; `gap` cells and the next one's focus mark lie between two, and none
    before the first that is seen."""

    def __init__(self, *children: Widget, gap: int = 1, id: str | None = None) -> None:  # noqa: A002
        super().__init__(*children, id=id)
        for child in children[:-1]:
            child.styles.margin = (0, gap, 0, 0)


class Button(Control):
    """`[ Save 13 images ]`. Shut, it loses its brackets and cannot be reached; it keeps the focus
    that it has, for the next control may lead elsewhere."""

    BINDINGS = [  # noqa: RUF012
        key("enter,space", "press", "press", name="Enter", general=True),
        key("left", "app.focus_previous", "previous", shown=False),
        key("right", "app.focus_next", "next", shown=False),
    ]

    class _About(Message):
        def __init__(self, button: Button) -> None:
            super().__init__()
            self.button = button

        @property
        def control(self) -> Button:
            return self.button

    class Pressed(_About):
        """The button was pressed; `button.id` says which."""

    class PressedShut(_About):
        """It was pressed while it is shut."""

    def __init__(self, text: str, *, shut: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._text = text
        self._shut = shut

    @property
    def text(self) -> str:
        return self._text

    @property
    def shut(self) -> bool:
        return self._shut

    def show(self, text: str, *, shut: bool = False) -> None:
        """Another text, open or shut."""
        if (text, shut) == (self._text, self._shut):
            return
        self._text, self._shut = text, shut
        self.redraw(layout=True)

    def draw(self, width: int) -> Sequence[Pieces]:
        if self._shut:
            return [[*self.head(), (self._text, self.body_tone() or "rest")]]
        return [[*self.head(), (f"[ {self._text} ]", self.body_tone())]]

    def key_text(self, action: str) -> str | None:
        return "" if action == "press" and self._shut else None

    def action_press(self) -> None:
        self.post_message(self.PressedShut(self) if self._shut else self.Pressed(self))

    def on_click(self, event: Click) -> None:
        event.stop()
        self.action_press()


class Checkbox(Control):
    """`[x] Verify`."""

    BINDINGS = [key("space", "check", "choose"), key("enter", "check", "choose", shown=False)]  # noqa: RUF012

    class Changed(Message):
        """It was checked or unchecked by the user."""

        def __init__(self, checkbox: Checkbox, checked: bool) -> None:
            super().__init__()
            self.checkbox, self.checked = checkbox, checked

        @property
        def control(self) -> Checkbox:
            return self.checkbox

    def __init__(self, text: str, checked: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._text, self._checked = text, checked

    @property
    def checked(self) -> bool:
        return self._checked

    @checked.setter
    def checked(self, checked: bool) -> None:
        if checked != self._checked:
            self._checked = checked
            self.redraw()

    def show(self, text: str) -> None:
        """Another text."""
        if text != self._text:
            self._text = text
            self.redraw(layout=True)

    def draw(self, width: int) -> Sequence[Pieces]:
        box = "[x]" if self._checked else "[ ]"
        return [[*self.head(), (f"{box} {self._text}", self.body_tone())]]

    def action_check(self) -> None:
        self.checked = not self._checked
        self.post_message(self.Changed(self, self._checked))

    def on_click(self, event: Click) -> None:
        event.stop()
        self.action_check()
