"""One of several, in a box: what a `Select` opens."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.widget import Widget

from screens.keys import key
from screens.modals.overlay import Overlay
from screens.widgets.options import Choice, Option


class Pick(Overlay[str | None]):
    """Answers the key of the option that was taken, or None."""

    BINDINGS = [key("enter,space", "take", "choose", name="Enter")]  # noqa: RUF012

    def __init__(self, text: str, options: Sequence[Option], *, current: str = "") -> None:
        super().__init__(text)
        self._choice = Choice(options, current=current)

    def content(self) -> ComposeResult:
        yield self._choice

    def first(self) -> Widget | None:
        return self._choice

    def action_take(self) -> None:
        self.dismiss(self._choice.current)
