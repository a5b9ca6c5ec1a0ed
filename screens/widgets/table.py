"""The table of a screen: thousands of rows, of which only the visible lines are ever drawn.

Textual's own DataTable took 72-90 ms of key delay with a thousand rows changing four times a
second. Here rows are immutable values; a new list of them repaints only the lines that differ.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.events import Click, Key, MouseScrollDown, MouseScrollUp, Paste
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from airgap_tui.engine.plain_text import cells, cut_at_word, right
from screens.keys import key
from screens.widgets.drawn import Drawn, Piece, Pieces
from screens.widgets.rows import Column, TableRow, line, widths
from screens.widgets.window import RowWindow

_FOCUS_CELLS = 2
_FILTER_CELLS = 26


class Table(Drawn, can_focus=True):
    """A heading, rows, and below them a line that says which rows are seen.

    `boxes`: rows can be chosen with Space, all of them with A. `marks`: rows have a state.
    `enter`, `delete`: what Enter and Del do, for the footer; without them they do nothing.
    `reachable` False: a table that is only scrolled. `belongs`: `*` keeps marking the current row
    while another list has the focus. `more` words the rows that are not seen: "more below" counts
    those below, anything else ("more rows") all of them. `height` is in lines with heading and
    status: None fills the body, 0 fits the rows. `typing`: whatever is typed filters, without `/`.
    """

    BINDINGS = [  # noqa: RUF012
        key("up", "move(-1)", "move", name="Up/Down", shown=False),
        key("down", "move(1)", "move", name="Up/Down", shown=False),
        key("pageup", "page(-1)", "a page", name="PgUp/PgDn", shown=False),
        key("pagedown", "page(1)", "a page", name="PgUp/PgDn", shown=False),
        key("home", "ends(0)", "first and last", name="Home/End", shown=False),
        key("end", "ends(-1)", "first and last", name="Home/End", shown=False),
        key("enter", "open", "open"),
        key("space", "choose", "choose"),
        key("a", "choose_all", "all"),
        key("slash", "filter", "filter"),
        key("delete", "delete", "remove"),
        key("escape", "clear_filter", "all rows"),
    ]

    class _About(Message):
        def __init__(self, table: Table, key: str) -> None:
            super().__init__()
            self.table, self.key = table, key

        @property
        def control(self) -> Table:
            return self.table

    class Moved(_About):
        """Another row became the current one."""

    class Opened(_About):
        """Enter was pressed on a row."""

    class Deleted(_About):
        """Del was pressed on a row; the table itself removes nothing."""

    class Chosen(Message):
        """The user chose rows or left them out: `keys` changed to `chosen`."""

        def __init__(self, table: Table, keys: tuple[str, ...], chosen: bool) -> None:
            super().__init__()
            self.table, self.keys, self.chosen = table, keys, chosen

        @property
        def control(self) -> Table:
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        boxes: bool = False,
        marks: bool = False,
        enter: str = "",
        delete: str = "",
        filters: bool = True,
        reachable: bool = True,
        belongs: bool = False,
        status: bool = True,
        more: str = "more below",
        empty: str = "",
        height: int | None = None,
        typing: bool = False,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self.styles.height = "1fr" if height is None else height or "auto"
        self.can_focus = reachable
        self._columns = tuple(columns)
        self._boxes, self._marks, self._belongs, self._status = boxes, marks, belongs, status
        self._words = {"open": enter, "delete": delete}
        self._filters, self._more, self._empty = filters, more, empty
        self._window = RowWindow(follow=reachable)
        self._always_typing = self._typing = typing
        self._sum: tuple[str, ...] = ()
        self._left: str | None = None
        self._right: str | None = None
        self._detail = ""

    # What the table shows

    @property
    def rows(self) -> tuple[TableRow, ...]:
        """All rows, filtered out or not."""
        return self._window.rows

    @property
    def shown(self) -> tuple[TableRow, ...]:
        """The rows that pass the filter."""
        return self._window.shown

    @property
    def current(self) -> str:
        """The key of the current row; empty where there is none."""
        return self._window.current

    @current.setter
    def current(self, key: str) -> None:
        if key in self._window:
            self._go(self._window.number(key), tell=False)

    @property
    def current_row(self) -> TableRow | None:
        return self._window.current_row

    def show(
        self,
        rows: Sequence[TableRow] | None = None,
        *,
        columns: Sequence[Column] | None = None,
        total: Sequence[str] | None = None,
        left: str | None = None,
        right: str | None = None,
        detail: str | None = None,
        empty: str | None = None,
        enter: str | None = None,
    ) -> None:
        """Put other rows there, or another line of sums, status or detail; None keeps what is.

        The current row stays current while its key is there, else its neighbour becomes it.
        """
        before = self._frame()
        height = self._height_wanted()
        had_rows = bool(self.shown)
        if columns is not None:
            self._columns = tuple(columns)
        if rows is not None:
            self._window.take(rows)
        self._sum = self._sum if total is None else tuple(total)
        self._left = self._left if left is None else left
        self._right = self._right if right is None else right
        self._detail = self._detail if detail is None else detail
        self._empty = self._empty if empty is None else empty
        word = self._words["open"] if enter is None else enter
        changed, self._words["open"] = word != self._words["open"], word
        if not self.is_attached:
            return
        if changed or had_rows != bool(self.shown):
            self.screen.refresh_bindings()
        fits = self.styles.height is not None and self.styles.height.is_auto
        if fits and self._height_wanted() != height:
            self.redraw(layout=True)
        else:
            self._repaint(before)

    # Moving

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if self._typing and action in ("choose", "choose_all", "delete", "filter"):
            return False  # letters are text now
        if action == "open" and self._typing and not self._always_typing:
            return True
        if action in self._words:
            return bool(self._words[action]) and bool(self.shown)
        if action in ("choose", "choose_all"):
            return self._boxes and bool(self.shown)
        if action == "filter":
            return self._filters and bool(self.rows)
        if action == "clear_filter":
            return bool(self._window.filter) or (self._typing and not self._always_typing)
        return True

    def key_text(self, action: str) -> str | None:
        """The footer's word for an action of this table."""
        if action == "open" and self._typing and not self._always_typing:
            return "keep the filter"
        return self._words.get(action)

    def action_move(self, by: int) -> None:
        self._go(self._window.position + by)

    def action_page(self, by: int) -> None:
        self._go(self._window.position + by * self._page())

    def action_ends(self, index: int) -> None:
        self._go(0 if index == 0 else len(self.shown) - 1)

    def scroll_rows(self, by: int, pages: bool = False) -> None:
        """Show other rows without moving the current one."""
        before = self._frame()
        self._window.scroll(by * (self._page() if pages else 1))
        self._repaint(before)

    @property
    def scrolls(self) -> bool:
        """Whether there is more than is seen."""
        return len(self.shown) > self._page()

    def _go(self, number: int, *, tell: bool = True) -> None:
        before = self._frame()
        if self._window.go(number):
            self._repaint(before)
            if tell:
                self.post_message(self.Moved(self, self.current))

    # Choosing and filtering

    def action_open(self) -> None:
        self.post_message(self.Opened(self, self.current))

    def action_delete(self) -> None:
        self.post_message(self.Deleted(self, self.current))

    def action_choose(self) -> None:
        row = self.current_row
        if row is not None:
            self.post_message(self.Chosen(self, (row.key,), not row.chosen))

    def action_choose_all(self) -> None:
        chosen = not all(row.chosen for row in self.shown)
        keys = tuple(row.key for row in self.shown if row.chosen is not chosen)
        self.post_message(self.Chosen(self, keys, chosen))

    def action_filter(self) -> None:
        self._type(True)

    def action_clear_filter(self) -> None:
        self._set_filter("")

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return self._typing and character is not None and character.isprintable()

    def on_key(self, event: Key) -> None:
        if not self._typing:
            return
        if event.key == "escape" and not self._always_typing:
            self._set_filter("")
            self._type(False)
        elif event.key == "enter" and not self._always_typing:
            self._type(False)
        elif event.key == "backspace":
            self._set_filter(self._window.filter[:-1])
        elif event.key == "ctrl+u":
            self._set_filter("")
        elif event.is_printable and event.character is not None:
            self._set_filter(self._window.filter + event.character)
        else:
            return
        event.stop()
        event.prevent_default()

    def on_paste(self, event: Paste) -> None:
        if self._typing:
            event.stop()
            self._set_filter(self._window.filter + event.text.strip())

    def on_blur(self) -> None:
        self._type(self._always_typing)

    def _type(self, typing: bool) -> None:
        if typing is not self._typing:
            self._typing = typing
            self.redraw()
            self.screen.refresh_bindings()

    def _set_filter(self, text: str) -> None:
        current = self.current
        self._window.set_filter(text)
        self.redraw()
        if self.is_attached:
            self.screen.refresh_bindings()
        if self.current != current:
            self.post_message(self.Moved(self, self.current))

    # Drawing

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
        current = row.key == self.current and self.can_focus
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
            at_right = f"{hidden} {self._more}" if hidden > 0 else ""
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

    def on_resize(self) -> None:
        self._page()
        self.screen.refresh_bindings()

    # The mouse, where it is switched on

    def on_click(self, event: Click) -> None:
        if 1 <= event.y <= len(self._window.seen):
            self._go(self._window.top + event.y - 1)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        event.stop()
        self.scroll_rows(3)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        event.stop()
        self.scroll_rows(-3)
