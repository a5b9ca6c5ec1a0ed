"""Who signs: as it is, a key of the agent, or a key file that is tried before anything begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from airgap_tui.engine.bundle.signatures import signing_keys
from airgap_tui.engine.bundle.signatures.signing_keys import AgentKey
from airgap_tui.engine.guide.departure import KEY_FILE, NO_KEY
from airgap_tui.engine.typed_path import typed_path
from screens.errands import ErrandScreen
from screens.look import Mark
from screens.widgets.fields import Field
from screens.widgets.options import Option
from screens.widgets.select import Select


class SigningFields(Vertical):
    """`key` is the file to sign with, None for as it is. The key of an agent needs a file with its
    public half, and a file is tried: both are errands of the screen."""

    class Changed(Message):
        """Another key, or it is known whether it can sign."""

    def __init__(self, desk: ErrandScreen[Any], state_dir: Path, key: Path | None = None) -> None:
        super().__init__()
        self.styles.height = "auto"
        self.key = key
        self._desk, self._state_dir = desk, state_dir
        self._keys: tuple[AgentKey, ...] = ()
        self._problem = ""
        self._select = Select("Signature", (Option(NO_KEY, "As it is"),), id="sign")
        self._file = Field("Key file", str(key or ""), width=36, enter="try it", id="key")

    def compose(self) -> ComposeResult:
        yield self._select
        yield self._file

    def show_keys(self, keys: tuple[AgentKey, ...]) -> None:
        """Offer these keys of the agent."""
        self._keys = keys
        self._select.show(
            [
                Option(NO_KEY, "As it is", "What is signed stays so"),
                *(
                    Option(
                        str(number),
                        key.comment or key.fingerprint,
                        f"In the agent, {key.fingerprint[:15]}..",
                    )
                    for number, key in enumerate(keys)
                ),
                Option(KEY_FILE, "A key file", "A private key, or the .pub file of one"),
            ],
            NO_KEY if self.key is None else KEY_FILE,
        )
        self._draw()

    def tell(self, standing: str) -> None:
        """Say how the bundle stands with its signature, where it stays as it is."""
        touch = self._select.current.isdigit() and self._keys[int(self._select.current)].in_hardware
        kept = standing if self._select.current == NO_KEY else ""
        self._select.note("Touch it when it blinks" if touch else kept)
        self._draw()

    @property
    def missing(self) -> str:
        """Why it cannot begin; empty when it can."""
        if self._desk.under_way("key"):
            return "Not yet: the key is being tried."
        if self._select.current != NO_KEY and self.key is None:
            return "Not yet: no key is chosen."
        return "Not yet: the key cannot sign." if self._problem else ""

    def settle(self, *, again: bool = False) -> None:
        """A key file was typed: take it, and try it where it is another one; or `again`, where it
        could not sign before: it may be in the agent by now."""
        if self._select.current != KEY_FILE:
            return
        text = self._file.value
        key = typed_path(text).absolute() if text else None
        if key == self.key and not (again and self._problem):
            return
        self.key, self._problem = key, ""
        self._desk.call_off("key")
        if key is not None:
            self._desk.send_for("key", lambda token: signing_keys.why_not(key, token), self._tried)
        self._tell_change()

    def on_select_changed(self, event: Select.Changed) -> None:
        event.stop()
        self._desk.call_off("key")
        self.key, self._problem = None, ""
        if event.key == KEY_FILE:
            self._file.display = True
            self.settle()
            self._file.focus()
        elif event.key != NO_KEY:
            key, state_dir = self._keys[int(event.key)], self._state_dir
            self._desk.send_for(
                "key", lambda _token: signing_keys.public_file(key, state_dir), self._found
            )
        self._tell_change()

    def on_field_changed(self, event: Field.Changed) -> None:
        event.stop()

    def on_field_submitted(self, event: Field.Submitted) -> None:
        event.stop()
        self.settle(again=True)

    def _found(self, path: Path) -> None:
        self.key = path
        self._tell_change()

    def _tried(self, why_not: str) -> None:
        self._problem = why_not
        self._tell_change()

    def _tell_change(self) -> None:
        self._draw()
        self.post_message(self.Changed())

    def _draw(self) -> None:
        self._file.display = self._select.current == KEY_FILE
        self._file.note(self._problem, Mark.NEEDS_YOU if self._problem else Mark.NONE)
