"""Which rows of a list are seen: the filter, the current row, the first one in the window.

No drawing and no Textual here: a table asks for the rows to draw, and tells where the user goes.
"""

from __future__ import annotations

from collections.abc import Sequence

from screens.widgets.rows import TableRow


class RowWindow:
    """All rows, those that pass the filter, the current one, and the `page` rows that are seen.

    The current row stays current while its key is there, else its neighbour becomes it. With
    `follow` the window always holds the current row.
    """

    def __init__(self, follow: bool) -> None:
        self.rows: tuple[TableRow, ...] = ()
        self.shown: tuple[TableRow, ...] = ()
        self.filter = ""
        self.current = ""
        self.top = 0
        self._follow = follow
        self._page = 0
        self._index: dict[str, int] = {}

    @property
    def position(self) -> int:
        """The current row's number among those shown."""
        return self._index.get(self.current, 0)

    @property
    def current_row(self) -> TableRow | None:
        index = self._index.get(self.current)
        return None if index is None else self.shown[index]

    @property
    def seen(self) -> tuple[TableRow, ...]:
        """The rows in the window."""
        return self.shown[self.top : self.top + max(1, self._page)]

    def __contains__(self, key: str) -> bool:
        return key in self._index

    def number(self, key: str) -> int:
        """A row's number among those shown; raises KeyError where it is not."""
        return self._index[key]

    def take(self, rows: Sequence[TableRow]) -> None:
        """Put other rows there."""
        self.rows = tuple(rows)
        self._sift()

    def set_filter(self, text: str) -> None:
        """Show the rows that have all of these words, in whatever case."""
        self.filter = text
        self._sift()

    def go(self, number: int) -> bool:
        """Make another row current; whether it changed."""
        if not self.shown:
            return False
        key = self.shown[max(0, min(number, len(self.shown) - 1))].key
        changed, self.current = key != self.current, key
        self._keep()
        return changed

    def scroll(self, by: int) -> None:
        """Move the window without the current row."""
        self.top = max(0, min(self.top + by, len(self.shown) - max(1, self._page)))

    def resize(self, page: int) -> None:
        """Have room for `page` rows; 0 before there is any layout."""
        if page != self._page:
            self._page = page
            self._keep()

    def _sift(self) -> None:
        old = self.position
        words = self.filter.casefold().split()
        self.shown = tuple(row for row in self.rows if _has(row, words)) if words else self.rows
        self._index = {row.key: number for number, row in enumerate(self.shown)}
        if self.current not in self._index:
            last = len(self.shown) - 1
            self.current = self.shown[min(old, last)].key if self.shown else ""
        self._keep()

    def _keep(self) -> None:
        if not self._page:
            return
        if self._follow:
            self.top = max(min(self.top, self.position), self.position - self._page + 1)
        self.scroll(0)


def _has(row: TableRow, words: Sequence[str]) -> bool:
    # A cell may leave out what the heading says; the key has all of it.
    text = " ".join((row.key, *row.cells)).casefold()
    return all(word in text for word in words)
