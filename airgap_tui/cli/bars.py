"""The bars on a terminal: one per layer under way and one for all, gone when the job has ended."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from airgap_tui.cli.lines import news_line, short, state_word, total_line
from airgap_tui.engine.events import Event, ItemState, Level, Note
from airgap_tui.engine.plain_text import cut, harmless
from airgap_tui.engine.quantities import elapsed, size
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.snapshot import Snapshot, Transfer

_BAR_WIDTH = 20
_STYLES = {Level.WARNING: "yellow", Level.ERROR: "red"}
_ORDER = (
    ItemState.FAILED,
    ItemState.RETRYING,
    ItemState.RESOLVING,
    ItemState.SAVING,
    ItemState.COMPRESSING,
    ItemState.VERIFYING,
    ItemState.EXPORTING,
    ItemState.IMPORTING,
    ItemState.LOADING,
    ItemState.PUSHING,
    ItemState.WAITING,
    ItemState.HELD,
    ItemState.LEFT_OUT,
    ItemState.DONE,
)


class Bars:
    """A `Display` that redraws in place. Text from outside is never read as markup."""

    def __init__(self, *, verbose: bool, quiet: bool, console: Console | None = None) -> None:
        self._verbose = verbose
        self._quiet = quiet
        self._console = console or Console(stderr=True, markup=False, highlight=False, emoji=False)
        utf8 = self._console.encoding.lower().replace("-", "") == "utf8"
        self._draws_lines = utf8 and os.environ.get("TERM") != "linux"
        self._live: Live | None = None
        self._closed = False

    def draw(self, snapshot: Snapshot, news: Sequence[Event]) -> None:
        items = {item.item: item for item in snapshot.items}
        for event in news:
            line = news_line(event, items, verbose=self._verbose, changes=False)
            calm = isinstance(event, Note) and event.level is Level.INFO
            if line and not (calm and self._quiet):
                style = _STYLES.get(event.level, "") if isinstance(event, Note) else ""
                self._console.print(Text(harmless(redact(line)), style=style))
        ended = snapshot.exit_code is not None
        if self._closed or ended or not (snapshot.transfers or snapshot.items):
            self._clear()
            return
        if self._live is None:
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        self._live.update(self._picture(snapshot), refresh=True)

    def close(self) -> None:
        self._closed = True
        self._clear()

    def _clear(self) -> None:
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def _picture(self, snapshot: Snapshot) -> RenderableType:
        width = self._console.width
        room = max(1, self._console.height - 5)
        shown = snapshot.transfers[:room]
        lines = [self._transfer_line(transfer, width) for transfer in shown]
        if len(snapshot.transfers) > room:
            lines.append(Text(f"  and {len(snapshot.transfers) - room} more"))
        if snapshot.total:
            lines.append(self._bar(snapshot.fraction, max(10, width - 7)))
            lines.append(_fitting(total_line(snapshot), width))
        lines.extend(
            _fitting(f"{p.host} asks us to wait {elapsed(p.seconds)}: {p.reason}", width)
            for p in snapshot.pauses
        )
        lines.extend(
            _fitting(f"{wanted.registry} is waited for: it refuses the login", width)
            for wanted in snapshot.logins
        )
        lines.append(_fitting(_states(snapshot), width))
        return Group(*lines)

    def _transfer_line(self, transfer: Transfer, width: int) -> Text:
        done = transfer.done / transfer.size if transfer.size else 0.0
        if transfer.retry_in is not None:
            tail = f"  trying again in {elapsed(transfer.retry_in)}"
        else:
            tail = f"  {size(transfer.done):>8} of {size(transfer.size):>8}"
        room = width - _BAR_WIDTH - 7 - len(tail)
        name = cut(harmless(_named(transfer)), max(12, room))
        line = Text(name.ljust(max(12, room)))
        line.append_text(self._bar(done, _BAR_WIDTH))
        line.append(tail)
        line.truncate(width)
        return line

    def _bar(self, fraction: float, width: int) -> Text:
        full, empty = ("━", "╌") if self._draws_lines else ("#", "-")
        filled = int(width * min(1.0, fraction))
        bar = Text(full * filled, style="green")
        bar.append(empty * (width - filled), style="dim")
        return bar.append(f"  {int(100 * min(1.0, fraction)):3d}%")


def _named(transfer: Transfer) -> str:
    """The layer by its digest and one of the images that need it, without the registry."""
    image = transfer.items[0].partition("@")[0].rpartition("/")[2] if transfer.items else ""
    more = f" and {len(transfer.items) - 1} more" if len(transfer.items) > 1 else ""
    return f"{short(transfer.blob)} {image}{more}"


def _states(snapshot: Snapshot) -> str:
    counts = Counter(item.state for item in snapshot.items)
    return ", ".join(f"{counts[s]} {state_word(s).lower()}" for s in _ORDER if counts[s])


def _fitting(text: str, width: int) -> Text:
    return Text(cut(harmless(redact(text)), width), no_wrap=True)
