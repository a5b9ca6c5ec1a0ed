"""Asks whose signatures count on this machine, and whether a bundle has to have one."""

from __future__ import annotations

import os

from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.settings import Trust, allowed_signers_file
from airgap_tui.engine.typed_path import typed_path
from screens.look import Mark
from screens.modals.overlay import Overlay
from screens.widgets.controls import Button, Checkbox, Row
from screens.widgets.fields import Field
from screens.widgets.text import Gap

_SAID = (
    "Whose signatures count here? A list has a name and a public key in each line, as ssh-keygen"
    " takes it, or is public keys that GPG exported."
)


class SignersPrompt(Overlay["Trust | None"]):
    """Answers what was decided; None for Esc, which leaves it as it was."""

    help_text = (
        "Get the public key from the signer another way than with the bundle, and compare its"
        " fingerprint. Without a list of your own the usual one is taken, where it is there."
    )

    def __init__(self, trust: Trust) -> None:
        super().__init__(_SAID)
        self._usual = allowed_signers_file()
        named = trust.allowed_signers or (self._usual if self._usual.is_file() else "")
        self._list = Field("List", str(named), enter="take", id="signers")
        self._required = Checkbox(
            "a signature of one of them", trust.required, label="Require", id="required"
        )

    def content(self) -> ComposeResult:
        yield Gap()
        yield self._list
        yield self._required
        yield Gap()
        yield Row(Button("Take it", id="take"))

    def first(self) -> Widget | None:
        return self._list

    def on_field_submitted(self, event: Field.Submitted) -> None:
        event.stop()
        self._take()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self._take()

    def _take(self) -> None:
        named = typed_path(self._list.value).absolute() if self._list.value else None
        if named is not None and not os.path.isfile(named):
            self._list.note("No such file", Mark.NEEDS_YOU)
            self._list.focus()
            return
        if named == self._usual:
            named = None
        self.dismiss(Trust(named, self._required.checked))
