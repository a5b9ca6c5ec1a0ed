"""Fields for text: `Registry   [harbor.pod.lan            ]  Answers`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Click, Paste
from textual.message import Message
from textual.widgets import Input

from airgap_tui.engine.plain_text import cells, cut_at_word, harmless, left
from screens.keys import key
from screens.look import Mark
from screens.typed_ahead import HasTyped
from screens.widgets.controls import LABEL_WIDTH, Control, Row
from screens.widgets.drawn import Drawn, Pieces
from screens.widgets.text import Paragraph


class Field(Vertical):
    """A text with its label, what is to be said of it at the right, and a line below it.

    `width` is the number of cells between the brackets at 80 columns, 0 for all there are. Larger
    windows give half of what they have more. `enter` is what Enter does, for the footer; `after`
    are controls behind the field. `many`: several lines pasted at once are not joined but posted
    as `PastedLines`, and Enter takes the text out of the field.

    A secret that is pasted as the next line must not show in this field: it goes to what Enter
    leads to. With `leads_on` that is the next field, as with Tab; with `opens` a question.
    """

    class Changed(Message):
        """The text changed, by the user or by `value`."""

        def __init__(self, field: Field, value: str) -> None:
            super().__init__()
            self.field, self.value = field, value

        @property
        def control(self) -> Field:
            return self.field

    class Submitted(Changed):
        """Enter was pressed."""

    class PastedLines(Message):
        """Several lines were pasted at once; the field is unchanged."""

        def __init__(self, field: Field, lines: tuple[str, ...]) -> None:
            super().__init__()
            self.field, self.lines = field, lines

        @property
        def control(self) -> Field:
            return self.field

    def __init__(
        self,
        label: str,
        value: str = "",
        *,
        width: int = 0,
        label_width: int = LABEL_WIDTH,
        note: str = "",
        below: str = "",
        enter: str = "",
        many: bool = False,
        leads_on: bool = False,
        opens: bool = False,
        after: Sequence[Control] = (),
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        kind = _LeadingText if leads_on else _OpeningText if opens else _Text
        self.input = kind(value, enter=enter, many=many)
        self._head = _Head(label, label_width, self.input)
        self._note = Note(note)
        self._below = Paragraph(below, indent=2 + label_width)
        self._below.display = bool(below)
        self._width = width
        self._after = tuple(after)
        for control in self._after:
            control.styles.margin = (0, 0, 0, 1)

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield self._head
            yield self.input
            yield self._note
            yield from self._after
        yield self._below

    def on_mount(self) -> None:
        self._fit()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        if self._width and isinstance(self.parent, Row):
            self._note.gap = 1  # it is the field's unit there
            said = self._note.natural_width()
            self.input.styles.width, self._note.styles.width = self._width, said
            self.styles.width = self._head.natural_width() + self._width + said
            return
        if self._width:
            extra = max(0, self.size.width - 76) // 2 if self._width > 20 else 0
            self.input.styles.width = self._width + extra
            self._note.styles.width = "1fr"
        else:
            self.input.styles.width = "1fr"
            self._note.styles.width = "auto"

    @property
    def value(self) -> str:
        """The text, trimmed."""
        return self.input.value.strip()

    @value.setter
    def value(self, value: str) -> None:
        self.input.value = value
        self.input.cursor_position = len(value)

    def taken(self) -> str:
        """The text, which is no longer in the field."""
        value, self.value = self.value, ""
        return value

    def note(self, text: str, mark: Mark = Mark.NONE, *, shorter: str = "") -> None:
        """Say something of the text, at its right; what is `shorter` where there is no room."""
        self._note.show(text, mark, shorter)
        if self.is_attached:
            self._fit()

    def below(self, text: str) -> None:
        """Say something in the lines below; empty takes the lines away."""
        self._below.show(text)
        self._below.display = bool(text)

    def focus(self, scroll_visible: bool = True, from_app_focus: bool = False) -> Any:
        self.input.focus(scroll_visible)
        return self

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(self, self.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Submitted(self, self.value))

    def on_descendant_focus(self) -> None:
        self._head.redraw()

    def on_descendant_blur(self) -> None:
        self._head.redraw()

    def on_click(self, event: Click) -> None:
        self.input.focus()


class _Text(Input):
    """The text itself, without a border, a blinking cursor, or the habit of selecting all."""

    BINDINGS = [  # noqa: RUF012
        key("tab", "app.focus_next", "next", first=True),
        key("enter", "submit", "accept"),
    ]

    def __init__(self, value: str, *, enter: str, many: bool) -> None:
        super().__init__(value, compact=True, select_on_focus=False)
        self.cursor_blink = False
        self._enter, self._many = enter, many

    def key_text(self, action: str) -> str | None:
        return (self._enter or None) if action == "submit" else None

    def leave_to_next(self, further: str) -> bool:
        """Whether the lines after the first of several pasted ones are for what comes next."""
        return False

    @property
    def field(self) -> Field:
        """The field that this is the text of."""
        return next(node for node in self.ancestors if isinstance(node, Field))

    async def action_submit(self) -> None:
        if self._many:
            self.field.post_message(Field.Submitted(self.field, self.field.taken()))
        else:
            await super().action_submit()

    def _on_paste(self, event: Paste) -> None:
        event.stop()
        event.prevent_default()
        lines = tuple(line.strip() for line in event.text.splitlines() if line.strip())
        if self._many and len(lines) > 1:
            self.field.post_message(Field.PastedLines(self.field, lines))
            return
        text = " ".join(lines)
        if len(lines) > 1 and self.leave_to_next("\n".join(lines[1:])):
            text = lines[0]
        text = harmless(text)
        if self.selection.is_empty:
            self.insert_text_at_cursor(text)
        else:
            self.replace(text, *self.selection)


class _LeadingText(_Text):
    """A text whose Enter does what Tab does."""

    BINDINGS = [key("enter", "app.focus_next", "next", shown=False)]  # noqa: RUF012

    def leave_to_next(self, further: str) -> bool:
        self.screen.focus_next()
        cast(HasTyped, self.app).typed.put_first(Paste(further))
        return True


class _OpeningText(_Text):
    """A text whose Enter opens a question."""

    def leave_to_next(self, further: str) -> bool:
        self.call_later(self.action_submit)
        cast(HasTyped, self.app).typed.put_first(Paste(further))
        return True


class _Head(Drawn):
    """The focus mark, the label and the opening bracket."""

    def __init__(self, label: str, width: int, field: Input) -> None:
        super().__init__()
        self._label, self._width, self._field = label, width, field

    def draw(self, width: int) -> Sequence[Pieces]:
        pointed = self._field.has_focus and self.screen is self.app.screen
        label = left(self._label, self._width)
        name = label.rstrip()
        return [
            [
                self.focus_marks(pointed),
                (name, "focus" if pointed else ""),
                (f"{label[len(name) :]}[", ""),
            ]
        ]


class Note(Drawn):
    """The closing bracket, and what is to be said."""

    gap = 2

    def __init__(self, text: str, bracket: str = "]") -> None:
        super().__init__()
        self._text, self._mark, self._bracket = text, Mark.NONE, bracket
        self._shorter = ""

    def show(self, text: str, mark: Mark = Mark.NONE, shorter: str = "") -> None:
        if (text, mark, shorter) != (self._text, self._mark, self._shorter):
            self._text, self._mark, self._shorter = text, mark, shorter
            self.redraw(layout=True)

    def draw(self, width: int) -> Sequence[Pieces]:
        if not self._text:
            return [[(self._bracket, "")]]
        marks = 0 if self._mark is Mark.NONE else 2
        room = max(0, width - len(self._bracket) - self.gap - marks)
        text = self.look.text(self._text)
        if self._shorter and cells(text) > room:
            text = self.look.text(self._shorter)
        text = cut_at_word(text, room)
        return [[(self._bracket + " " * self.gap, ""), *self.marked_text(self._mark, text)]]
