"""A question with a few answers: "Stop saving? 44.3 GB are kept, ..." [ Go on ] [ Stop ]."""

from __future__ import annotations

from typing import cast

from textual.app import ComposeResult

from airgap_tui.engine.jobs.survival import Survival
from screens.modals.overlay import Overlay
from screens.typed_ahead import HasTyped
from screens.widgets.controls import Button, Row
from screens.widgets.fields import Field
from screens.widgets.secret import SecretField
from screens.widgets.text import Gap


class Question(Overlay[str | None]):
    """Answers the text of the button that was pressed; None for Esc. The first has the focus, and
    keys from before it is seen answer nothing."""

    def __init__(self, text: str, *answers: str) -> None:
        super().__init__(text)
        self._answers = answers

    def content(self) -> ComposeResult:
        yield Gap()
        yield Row(*(Button(answer) for answer in self._answers))

    def on_mount(self) -> None:
        super().on_mount()
        cast(HasTyped, self.app).typed.see_first(self)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(event.button.text)


class LogoutQuestion(Question):
    """What would end a job when its user logs out; answers as `Question` does, `accept` to start it
    all the same."""

    def __init__(self, surviving: Survival, accept: str) -> None:
        warning = surviving.warning
        text = f"{warning[:1].upper()}{warning[1:]}. {surviving.remedy}"
        super().__init__(text, "Not yet", accept)


class Prompt(Overlay[str | None]):
    """Asks for one line of text; answers it trimmed, None for Esc. `opens`: as of a `Field`."""

    def __init__(
        self,
        text: str,
        label: str,
        value: str = "",
        *,
        accept: str = "Take it",
        opens: bool = False,
    ) -> None:
        super().__init__(text)
        self._field = Field(label, value, label_width=len(label) + 1, opens=opens)
        self._accept = accept

    def content(self) -> ComposeResult:
        yield Gap()
        yield self._field
        yield Gap()
        yield Row(Button(self._accept))

    def on_field_submitted(self, event: Field.Submitted) -> None:
        event.stop()
        self.dismiss(event.value)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(self._field.value)


class SecretPrompt(Overlay[str | None]):
    """Asks for a secret; answers it, None for Esc."""

    def __init__(self, text: str, label: str, *, accept: str = "Use it") -> None:
        super().__init__(text)
        self._field = SecretField(label, label_width=len(label) + 1)
        self._accept = accept

    def content(self) -> ComposeResult:
        yield Gap()
        yield self._field
        yield Gap()
        yield Row(Button(self._accept))

    def on_secret_field_submitted(self, event: SecretField.Submitted) -> None:
        event.stop()
        self.dismiss(self._field.secret or None)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(self._field.secret or None)
