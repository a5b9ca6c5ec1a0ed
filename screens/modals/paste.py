"""A box for many lines, for terminals whose paste arrives as typing, and for correcting them."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.events import Paste
from textual.widget import Widget
from textual.widgets import TextArea

from airgap_tui.engine.plain_text import harmless
from screens.base import WizardScreen
from screens.steps import Step


class _Area(TextArea):
    async def _on_paste(self, event: Paste) -> None:
        event.text = harmless(event.text)  # the area itself draws what steers a terminal


class PastePage(WizardScreen[str | None]):
    """Asks for lines; answers the text, or None when it is left."""

    def __init__(
        self, below: WizardScreen[Any] | None, title: str, text: str = "", *, accept: str = "Add"
    ) -> None:
        super().__init__()
        self._below_steps = below.steps() if below is not None else ()
        self._title, self._accept = title, accept
        self._area = _Area(text, tab_behavior="focus", compact=True, highlight_cursor_line=False)

    def steps(self) -> tuple[Step, ...]:
        return self._below_steps

    def body(self) -> ComposeResult:
        yield self._area

    def on_open(self) -> None:
        self.excerpt, self.onward = self._title, self._accept

    def likeliest(self) -> Widget | None:
        return self._area

    def go_on(self) -> None:
        self.dismiss(self._area.text)

    def go_back(self) -> None:
        self.dismiss(None)
