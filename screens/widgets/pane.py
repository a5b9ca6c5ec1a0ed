"""A longer text that scrolls: help, an error, a log. Only the visible lines are drawn."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size

from screens.widgets.drawn import Drawn, Pieces
from screens.widgets.text import wrapped


class TextPane(Drawn):
    """Wrapped text; the screen scrolls it while its button has the focus.

    `tail`: show the end, and stay there while text is added.
    """

    def __init__(
        self,
        text: str = "",
        *,
        tail: bool = False,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._text, self._tail = text, tail
        self._lines: list[str] = []
        self._width = 0
        self._top = 0

    @property
    def text(self) -> str:
        return self._text

    def show(self, text: str) -> None:
        """Put another text there; the place stays, or the end where that was seen."""
        if text != self._text:
            at_end = self._top >= self._last_top()
            self._text, self._width = text, 0
            self._wrap(self.size.width)
            if self._tail and at_end:
                self._top = self._last_top()
            self.redraw()

    @property
    def scrolls(self) -> bool:
        return self._last_top() > 0

    def scroll_rows(self, by: int, pages: bool = False) -> None:
        """Show other lines."""
        top = self._top + by * (self._page() if pages else 1)
        self._top = max(0, min(top, self._last_top()))
        self.redraw()

    def on_resize(self) -> None:
        self._wrap(self.size.width)
        self._top = self._last_top() if self._tail else min(self._top, self._last_top())
        self.screen.refresh_bindings()

    def _wrap(self, width: int) -> None:
        if width and width != self._width:
            self._width = width
            self._lines = wrapped(self._text, width, self.look.text)

    def _page(self) -> int:
        """Lines seen at once; the last one says which where there are more."""
        height = self.size.height
        return max(1, height if len(self._lines) <= height else height - 1)

    def _last_top(self) -> int:
        return max(0, len(self._lines) - self._page())

    def draw(self, width: int) -> Sequence[Pieces]:
        self._wrap(width)
        page = self._page()
        seen: list[Pieces] = [[(line, "")] for line in self._lines[self._top : self._top + page]]
        if self.scrolls:
            last = self._top + len(seen)
            seen.append([(f"Lines {self._top + 1} to {last} of {len(self._lines)}", "rest")])
        return seen

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        self._wrap(width)
        return max(1, len(self._lines))
