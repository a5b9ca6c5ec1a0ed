"""The field for a secret: `Password   [........            ]  Accepted`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.events import Blur, Focus, Key, Paste
from textual.message import Message

from airgap_tui.engine.plain_text import cells, cut_at_word
from screens.keys import key
from screens.look import Mark
from screens.widgets.controls import Control
from screens.widgets.drawn import Piece, Pieces


class SecretField(Control):
    """A secret that is never shown, not even its length: eight dots once there is one.

    Typed and pasted text is trimmed; `line_break_removed` tells that it held a line break.
    """

    BINDINGS = [  # noqa: RUF012
        key("tab", "app.focus_next", "next", first=True),
        key("enter", "submit", "accept"),
        key("backspace", "delete", "delete", shown=False),
        key("ctrl+u", "clear", "empty", shown=False),
    ]

    class Changed(Message):
        """The secret changed; ask the field for it."""

        def __init__(self, field: SecretField) -> None:
            super().__init__()
            self.field = field

        @property
        def control(self) -> SecretField:
            return self.field

    class Submitted(Changed):
        """Enter was pressed."""

    def __init__(
        self, label: str, *, width: int = 36, note: str = "", enter: str = "", **options: Any
    ) -> None:
        super().__init__(label=label, **options)
        self._secret = ""
        self._width, self._enter = width, enter
        self._note, self._mark = note, Mark.NONE
        self.line_break_removed = False

    @property
    def secret(self) -> str:
        return self._secret.strip()

    def clear(self) -> None:
        """Forget the secret."""
        self._secret, self.line_break_removed = "", False
        self.redraw()

    def note(self, text: str, mark: Mark = Mark.NONE) -> None:
        """Say something of the secret, at its right."""
        if (text, mark) != (self._note, self._mark):
            self._note, self._mark = text, mark
            self.redraw()

    def key_text(self, action: str) -> str | None:
        return (self._enter or None) if action == "submit" else None

    def draw(self, width: int) -> Sequence[Pieces]:
        head: list[Piece] = self.head()
        if self.pointed:
            name = head[1][0].rstrip()
            head[1:] = [(name, "focus"), (head[1][0][len(name) :], "")]
        dots = self.look.dot * 8 if self._secret else ""
        pieces = [*head, (f"[{dots}", "")]
        pieces.append((" ", "focus" if self.pointed else ""))
        pieces.append((f"{' ' * (self._width - cells(dots) - 1)}]", ""))
        if self._note:
            room = max(0, width - self.head_width - self._width - 6)
            text = cut_at_word(self.look.text(self._note), room)
            pieces += [("  ", ""), *self.marked_text(self._mark, text)]
        return [pieces]

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return character is not None and character.isprintable()

    def on_key(self, event: Key) -> None:
        if event.is_printable and event.character is not None:
            event.stop()
            event.prevent_default()
            self._change(self._secret + event.character)

    def on_paste(self, event: Paste) -> None:
        event.stop()
        lines = event.text.strip().splitlines()
        self.line_break_removed = len(lines) > 1
        self._change(self._secret + "".join(line.strip() for line in lines))

    def on_focus(self, _event: Focus) -> None:
        self.redraw()

    def on_blur(self, _event: Blur) -> None:
        self.redraw()

    def action_delete(self) -> None:
        self._change(self._secret[:-1])

    def action_clear(self) -> None:
        self._change("")

    def action_submit(self) -> None:
        self.post_message(self.Submitted(self))

    def _change(self, secret: str) -> None:
        if not secret:
            self.line_break_removed = False
        if secret != self._secret:
            self._secret = secret
            self.redraw()
            self.post_message(self.Changed(self))


class LeadingSecretField(SecretField):
    """Enter moves on to the next field."""

    BINDINGS = [key("enter", "app.focus_next", "next")]  # noqa: RUF012
