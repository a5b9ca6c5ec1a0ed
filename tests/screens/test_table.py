"""The table: rows that move and change, choosing, filtering, thousands of rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st
from textual.app import ComposeResult
from textual.pilot import Pilot

from airgap_tui.engine.events import (
    BlobPlanned,
    BlobProgress,
    BlobStarted,
    ItemChanged,
    ItemState,
    JobStarted,
)
from airgap_tui.engine.plain_text import cells
from airgap_tui.engine.progress import Progress
from screens.app import WizardApp
from screens.base import WizardScreen
from screens.look import Mark
from screens.widgets.drawn import Pieces
from screens.widgets.rows import Column, TableRow, line, widths
from screens.widgets.table import Table
from tests.screens.conftest import rows
from tests.screens.test_frame import wizard_of

Drive = Callable[..., WizardApp]
COLUMNS = [Column("Image", 40, grow=1), Column("State", 12), Column("Done", 8, right=True)]


class Watched(Table):
    """Counts the lines that are painted anew."""

    painted = 0

    def _repaint(self, before: Sequence[Pieces]) -> None:
        after = self._frame()
        self.painted += sum(now != then for now, then in zip(after, before, strict=True))
        super()._repaint(before)


class Listing(WizardScreen[None]):
    title_text = "List"

    def __init__(self, count: int) -> None:
        super().__init__()
        self.table = Watched(COLUMNS, boxes=True, marks=True, enter="details", empty="Nothing yet.")
        self.count = count
        self.chosen: list[tuple[tuple[str, ...], bool]] = []

    def body(self) -> ComposeResult:
        yield self.table

    def on_open(self) -> None:
        self.table.show([row(number) for number in range(self.count)])

    def on_table_chosen(self, event: Table.Chosen) -> None:
        self.chosen.append((event.keys, event.chosen))


def row(number: int, state: str = "Waiting", mark: Mark = Mark.WAITING) -> TableRow:
    return TableRow(f"k{number}", (f"registry/image-{number}:1", state, "-"), mark=mark)


def test_only_lines_that_differ_are_painted(wizard: Drive) -> None:
    screen = Listing(1000)

    async def steps(pilot: Pilot[None]) -> None:
        table = screen.table
        table.painted = 0
        table.show([row(number) for number in range(1000)])
        assert table.painted == 0
        table.show([row(n, "Saving 3%") if n in (2, 900) else row(n) for n in range(1000)])
        assert table.painted == 1
        await pilot.pause()
        assert "registry/image-2:1" in rows(wizard_of(pilot))[8]
        assert "Saving 3%" in rows(wizard_of(pilot))[8]

    wizard(steps, first=screen)


def test_the_current_row_stays_when_rows_move_and_passes_on_when_it_goes(wizard: Drive) -> None:
    screen = Listing(30)

    async def steps(pilot: Pilot[None]) -> None:
        table = screen.table
        await pilot.press("down", "down", "down")
        assert table.current == "k3"
        table.show([row(number) for number in reversed(range(30))])
        assert table.current == "k3"
        await pilot.pause()
        assert any(
            text.startswith("  > [ ] . registry/image-3:1") for text in rows(wizard_of(pilot))
        )
        table.show([row(number) for number in reversed(range(30)) if number != 3])
        assert table.current == "k2"
        table.show([])
        await pilot.pause()
        assert table.current == ""
        assert rows(wizard_of(pilot))[6].strip() == "Nothing yet."

    wizard(steps, first=screen)


def test_filtering_narrows_and_all_means_all_that_are_seen(wizard: Drive) -> None:
    screen = Listing(100)

    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        await pilot.press("slash", *"IMAGE-9", "backspace", "9")
        assert "Filter [IMAGE-9 " in "\n".join(rows(app))
        assert "11 of 100 match" in "\n".join(rows(app))
        await pilot.press("enter", "a")
        assert screen.chosen == [(("k9", *(f"k{n}" for n in range(90, 100))), True)]
        await pilot.press("down", "enter")
        assert screen.table.current == "k90"
        await pilot.press("escape")
        assert len(screen.table.shown) == 100
        assert screen.table.current == "k90"
        assert "  > [ ] . registry/image-90:1" in "\n".join(rows(app))
        await pilot.press("space")
        assert screen.chosen[-1] == (("k90",), True)
        await pilot.press("slash", "z", "z")
        assert "Nothing matches the filter." in "\n".join(rows(app))
        await pilot.press("escape")
        assert app.screen is screen

    wizard(steps, first=screen)


def test_keys_stay_quick_while_a_thousand_rows_change(wizard: Drive) -> None:
    """1,000 items and 10,000 layers, polled 4 times a second from a fold that takes events."""
    screen = Listing(0)
    progress = Progress()
    items = tuple(f"nvcr.io/nvidia/image-{number}:1" for number in range(1000))
    progress.take(JobStarted("save", "pod", items))
    for number in range(10_000):
        progress.take(BlobPlanned(f"sha256:{number:064x}", 10**6, (items[number % 1000],)))
    for number in range(8):
        progress.take(BlobStarted(f"sha256:{number:064x}"))
        progress.take(ItemChanged(items[number], ItemState.SAVING))

    def poll() -> None:
        for number in range(8):
            progress.take(BlobProgress(f"sha256:{number:064x}", 1000))
        screen.table.show(
            [
                TableRow(item.item, (item.item, item.state.value, str(item.done)), Mark.UNDER_WAY)
                for item in progress.snapshot().items
            ]
        )

    async def steps(pilot: Pilot[None]) -> None:
        screen.every(0.25, poll)
        poll()
        delays = []
        for number in range(60):
            before = time.process_time()
            await pilot.press("pagedown" if number % 7 == 0 else "down")
            delays.append(time.process_time() - before)
        assert screen.table.current != items[0]
        # Processor time: the machine that runs the tests may be busy with others.
        assert sorted(delays)[int(len(delays) * 0.95)] < 0.1

    wizard(steps, first=screen)


@given(
    room=st.integers(20, 300),
    sizes=st.lists(
        st.tuples(st.integers(5, 40), st.integers(0, 3), st.integers(0, 3), st.booleans()),
        min_size=1,
        max_size=6,
    ),
    texts=st.lists(st.text(max_size=60), max_size=7),
)
def test_columns_fill_exactly_the_room_they_have(
    room: int, sizes: Sequence[tuple[int, int, int, bool]], texts: Sequence[str]
) -> None:
    columns = [Column("x", width, gap, at_right, grow) for width, gap, grow, at_right in sizes]
    given_widths = widths(columns, room)
    drawn = line(columns, given_widths, [text.replace("\n", " ") for text in texts], str)
    gaps = sum(column.gap for column in columns[1:])
    assert cells(drawn) == sum(given_widths) + gaps
    least = sum(column.width for column in columns) + gaps
    if room >= least and any(column.grow for column in columns):
        assert cells(drawn) == room
