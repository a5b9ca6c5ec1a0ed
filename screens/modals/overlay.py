"""A box over the screen that is seen: what is below stays, and waits."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widget import Widget

from screens.frame import LEAST_HEIGHT, LEAST_WIDTH, TooSmall
from screens.keys import key
from screens.widgets.drawn import TONES
from screens.widgets.text import Paragraph

R = TypeVar("R")


class Overlay(ModalScreen[R]):
    """Subclasses yield the box's content from `content()`; Esc answers None."""

    COMPONENT_CLASSES = set(TONES)  # noqa: RUF012 - Textual declares it so
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (LEAST_WIDTH, "-normal")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (LEAST_HEIGHT, "-high")]  # noqa: RUF012
    AUTO_FOCUS = ""
    BINDINGS = [  # noqa: RUF012
        key("tab", "app.focus_next", "next field", general=True),
        key("shift+tab", "app.focus_previous", "field before", shown=False),
        key("escape", "cancel", "back", general=True),
        key("f1", "help", "help", shown=False),
        key("f10", "leave", "quit", shown=False),
    ]
    help_text: ClassVar[str] = ""

    def __init__(self, text: str) -> None:
        super().__init__(classes="-normal -high")
        self._text = text

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            if self._text:
                yield Paragraph(self._text, id="said")
            yield from self.content()
        yield TooSmall()

    def content(self) -> ComposeResult:
        """What stands below the sentence."""
        yield from ()

    def first(self) -> Widget | None:
        """What has the focus at first."""
        return None

    def on_mount(self) -> None:
        # Textual's own order goes by place, and nothing has a place before the first layout.
        reachable = (widget for widget in self.query(Widget) if widget.focusable)
        wanted = self.first() or next(reachable, None)
        if wanted is not None:
            wanted.focus()

    def key_text(self, action: str) -> str | None:
        """F10 is said to do what it does on the screen below."""
        if action == "app.focus_next":
            return "next" if len(self.focus_chain) > 1 else ""
        below = self.app.screen_stack[-2] if action == "leave" else None
        words = getattr(below, "key_text", None)
        return words(action) if words is not None else None

    def action_cancel(self) -> None:
        self.dismiss(None)

    def action_help(self) -> None:
        show_help = getattr(self.app, "show_help", None)
        if show_help is not None:
            show_help(self)

    def action_leave(self) -> None:
        """F10 acts everywhere: the box closes, and the screen below is left."""
        self.dismiss(None)
        self.app.call_later(self.app.screen_stack[-2].run_action, "leave")
