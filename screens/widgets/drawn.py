"""The base of all widgets here: lines of pieces, each a text with a tone, drawn cell by cell.

Drawing lines ourselves keeps the marks, columns and edges of every screen in the same cells, takes
no markup from outside text, and costs a fraction of a rich renderable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from airgap_tui.engine.plain_text import cells
from screens.look import Look, Mark

Piece = tuple[str, str]
"""A text and its tone: "", good, warn, bad, busy, rest, strong or focus (reverse video)."""
Pieces = Sequence[Piece]


_NAMES = ("good", "warn", "bad", "busy", "rest", "strong", "focus")
TONES = frozenset(f"tone-{name}" for name in _NAMES)
"""The component classes of the tones. Screens have them for their widgets: each set of its own
would cost a widget as much as all the rest of its style."""


class HasLook(Protocol):
    look: Look


class Drawn(Widget):
    """Subclasses implement `draw(width)`; a changed attribute calls `redraw()`."""

    _drawn: tuple[int, list[Pieces]] | None = None

    @property
    def look(self) -> Look:
        return cast(HasLook, self.app).look

    @property
    def pointed(self) -> bool:
        """Whether this widget carries the one mark of the focus."""
        return self.has_focus and self.is_attached and self.screen is self.app.screen

    def draw(self, width: int) -> Sequence[Pieces]:
        """The lines for a width of `width` cells."""
        raise NotImplementedError

    def natural_width(self) -> int:
        """The cells that the widest line takes; for `width: auto`."""
        return max((_length(line) for line in self.draw(10_000)), default=0)

    def redraw(self, *, layout: bool = False) -> None:
        """Draw anew at the next chance; `layout` where height or width may have changed."""
        self._drawn = None
        if self.is_attached:
            self.refresh(layout=layout)

    def focus_marks(self, pointed: bool) -> Piece:
        """The two cells left of whatever can be reached."""
        return (f"{self.look.focus} ", "focus") if pointed else ("  ", "")

    def marked_text(self, mark: Mark, text: str) -> list[Piece]:
        """A text behind its mark, if it has one."""
        if mark is Mark.NONE:
            return [(text, "")]
        return [(self.look.sign(mark), mark.tone), (f" {text}", "")]

    def line(self, pieces: Pieces, width: int) -> Strip:
        """One line as a strip of exactly `width` cells."""
        base = self.rich_style
        text = self.look.text
        segments = [
            Segment(
                text(part),
                base + self.screen.get_component_rich_style(f"tone-{tone}", partial=True)
                if tone
                else base,
            )
            for part, tone in pieces
        ]
        return Strip(segments).adjust_cell_length(width, base)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self._drawn is None or self._drawn[0] != width:
            self._drawn = (width, list(self.draw(width)))
        lines = self._drawn[1]
        if y >= len(lines):
            return Strip.blank(width, self.rich_style)
        return self.line(lines[y], width)

    def refresh(
        self,
        *regions: Region,
        repaint: bool = True,
        layout: bool = False,
        recompose: bool = False,
    ) -> Any:
        self._drawn = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        self.redraw()

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return min(self.natural_width(), container.width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, len(self.draw(width)))


def _length(pieces: Pieces) -> int:
    return sum(cells(text) for text, _tone in pieces)
