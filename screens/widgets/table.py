"""The table of a screen: thousands of rows, of which only the visible lines are ever drawn.

Textual's own DataTable took 72-90 ms of key delay with a thousand rows changing four times a
second. Here rows are immutable values; a new list of them repaints only the lines that differ.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message

from screens.keys import key
from screens.widgets.rows import Column, TableRow
from screens.widgets.table_filter import FilteredLines


class Table(FilteredLines, can_focus=True):
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
        super().__init__(
            columns,
            boxes=boxes,
            marks=marks,
            belongs=belongs,
            status=status,
            more=more,
            empty=empty,
            follow=reachable,
            typing=typing,
            id=id,
        )
        self.styles.height = "1fr" if height is None else height or "auto"
        self.can_focus = reachable
        self._words = {"open": enter, "delete": delete}
        self._filters = filters

    # What the table shows

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

    def moved(self) -> None:
        self.post_message(self.Moved(self, self.current))

    def _go(self, number: int, *, tell: bool = True) -> None:
        before = self._frame()
        if self._window.go(number):
            self._repaint(before)
            if tell:
                self.moved()

    # Opening and choosing

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
