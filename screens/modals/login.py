"""Asks for a login: in the middle of a job that a registry now refuses, or before one goes on."""

from __future__ import annotations

from enum import Enum

from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.credentials.credential import NGC_REGISTRY, NGC_USERNAME, Credential
from screens.look import Mark
from screens.modals.overlay import Overlay
from screens.widgets.controls import Button, Row
from screens.widgets.fields import Field
from screens.widgets.secret import SecretField
from screens.widgets.text import Gap


class Without(Enum):
    """The answer of who gives no login: go on without it."""

    LOGIN = "login"


class LoginPrompt(Overlay["Credential | Without | None"]):
    """Answers a login, `Without.LOGIN` for the second button, or None for Esc."""

    help_text = (
        "The login is given to the running job from memory to memory; it is not kept on any disk,"
        " and it holds for this run only."
    )

    def __init__(
        self,
        text: str,
        registry: str,
        *,
        username: str = "",
        accept: str = "Use it",
        without: str = "",
    ) -> None:
        super().__init__(text)
        ngc = registry == NGC_REGISTRY
        name = username or (NGC_USERNAME if ngc else "")
        self._user = Field("User name", name, width=28, leads_on=True)
        self._secret = SecretField("NGC key" if ngc else "Password", width=28, enter="use it")
        self._accept, self._without = Button(accept), without

    def content(self) -> ComposeResult:
        yield Gap()
        yield self._user
        yield self._secret
        yield Gap()
        buttons = [Button(self._without, id="without")] if self._without else []
        yield Row(self._accept, *buttons)

    def first(self) -> Widget | None:
        return self._secret if self._user.value else self._user

    def on_secret_field_submitted(self, event: SecretField.Submitted) -> None:
        event.stop()
        self._take()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button is self._accept:
            self._take()
        else:
            self.dismiss(Without.LOGIN)

    def _take(self) -> None:
        if not self._secret.secret:
            self._secret.focus()
            self._secret.note("Empty", Mark.NEEDS_YOU)
            return
        login = Credential(self._user.value, self._secret.secret, "what was typed for this run")
        self.dismiss(login)
