"""What is drawn of a table: heading, the rows in the window, sums, status and detail.

Only lines that differ after a change are painted again.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Region, Size
from textual.strip import Strip

from airgap_tui.engine.plain_text import cells, cut_at_word, right
from screens.widgets.drawn import Drawn, Piece, Pieces
from screens.widgets.rows import Column, TableRow, line, widths
from screens.widgets.window import RowWindow

_FOCUS_CELLS = 2
_FILTER_CELLS = 26


class TableLines(Drawn):
    """`table.Table` says what its parts are, and moves in it."""

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        boxes: bool,
        marks: bool,
        belongs: bool,
        status: bool,
        more: str,
        empty: str,
        follow: bool,
        typing: bool,
        id: str | None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._columns = tuple(columns)
        self._boxes, self._marks, self._belongs, self._status = boxes, marks, belongs, status
        self._more, self._empty = more, empty
        self._window = RowWindow(follow)
        self._typing = typing
        self._sum: tuple[str, ...] = ()
        self._left: str | None = None
        self._right: str | None = None
        self._detail = ""

    @property
    def rows(self) -> tuple[TableRow, ...]:
        """All rows, filtered out or not."""
        return self._window.rows

    @property
    def shown(self) -> tuple[TableRow, ...]:
        """The rows that pass the filter."""
        return self._window.shown

    def render_line(self, y: int) -> Strip:
        return self.line(self._pieces(y, self.size.width), self.size.width)

    def draw(self, width: int) -> Sequence[Pieces]:
        return [self._pieces(y, width) for y in range(self._height_wanted())]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return self._height_wanted()

    def _height_wanted(self) -> int:
        return 1 + max(1, len(self.shown)) + self._tail_height()

    def _tail_height(self) -> int:
        return bool(self._sum) + self._status + bool(self._detail)

    def _page(self) -> int:
        """How many rows are seen at once; the window is told whenever it is asked for."""
        if not self.size:
            return 1  # not laid out yet
        page = max(1, self.size.height - 1 - self._tail_height())
        self._window.resize(page)
        return page

    def _prefix(self) -> int:
        return _FOCUS_CELLS + (4 if self._boxes else 0) + (2 if self._marks else 0)

    def _pieces(self, y: int, width: int) -> Pieces:
        self._page()
        if y == 0:
            return [(" " * self._prefix(), ""), (self._in_columns(self._titles(), width), "strong")]
        seen = self._window.seen
        y -= 1
        if y < len(seen):
            return self._row(seen[y], width)
        y -= len(seen)
        if not seen:
            if y == 0:
                nothing = "Nothing matches the filter." if self._window.filter else self._empty
                return [("    ", ""), (nothing, "")]
            y -= 1
        tail: list[list[Piece]] = []
        blanks = " " * self._prefix()
        if self._sum:
            tail.append([(blanks + self._in_columns(self._sum, width), "strong")])
        if self._status:
            tail.append([(blanks, ""), *self._status_pieces(width - len(blanks))])
        if self._detail:
            text = cut_at_word(self.look.text(self._detail), width - len(blanks))
            tail.append([(blanks + text, "")])
        return tail[y] if y < len(tail) else []

    def _titles(self) -> list[str]:
        return [column.title for column in self._columns]

    def _in_columns(self, texts: Sequence[str], width: int) -> str:
        sizes = widths(self._columns, width - self._prefix())
        return line(self._columns, sizes, texts, self.look.text)

    def _row(self, row: TableRow, width: int) -> Pieces:
        current = row.key == self._window.current and self.can_focus
        focused = current and self.pointed
        tone = "focus" if focused else row.tone
        pieces: list[Piece] = []
        if current and self._belongs and not focused:
            pieces.append(("* " if self.look.ascii else "● ", "busy"))
        else:
            pieces.append(self.focus_marks(focused))
        if self._boxes:
            pieces.append(("[x] " if row.chosen else "[ ] ", tone))
        if self._marks:
            pieces.append((f"{self.look.sign(row.mark)} ", tone or row.mark.tone))
        return [*pieces, (self._in_columns(row.cells, width), tone)]

    def _status_pieces(self, room: int) -> Pieces:
        if self._typing:
            text = self.look.text(self._window.filter)[-_FILTER_CELLS + 1 :]
            blanks = " " * (_FILTER_CELLS - 1 - cells(text))
            counted = f"{len(self.shown)} of {len(self.rows)} match"
            return [(f"Filter [{text}", ""), (" ", "focus"), (f"{blanks}]  {counted}", "")]
        first, total = self._window.top + 1, len(self.shown)
        last = self._window.top + len(self._window.seen)
        at_left = self._left
        if at_left is None:
            at_left = f"Rows {first} to {last} of {total}" if total else ""
        at_right = self._right
        if at_right is None:
            hidden = total - last if self._more.endswith("below") else total - (last - first + 1)
            more = self._more.removesuffix("s") if hidden == 1 else self._more
            at_right = f"{hidden} {more}" if hidden > 0 else ""
        if self._window.filter:
            at_right = f"Filter {self._window.filter}: {total} of {len(self.rows)}"
        at_right = cut_at_word(self.look.text(at_right), room)
        at_left = cut_at_word(self.look.text(at_left), max(0, room - cells(at_right) - 2))
        return [(at_left, ""), (right(at_right, room - cells(at_left)), "")]

    # Repainting only what differs

    def _frame(self) -> list[Pieces]:
        """What is seen now, to be compared with what is seen after a change."""
        if not self.is_attached or not self.size:
            return []
        width = self.size.width
        return [self._pieces(y, width) for y in range(self.size.height)]

    def _repaint(self, before: Sequence[Pieces]) -> None:
        after = self._frame()
        width = self.size.width
        changed = [
            Region(0, y, width, 1)
            for y, pieces in enumerate(after)
            if y >= len(before) or pieces != before[y]
        ]
        if changed:
            self.refresh(*changed)
