"""Shows a job under way on stderr: a thread draws from the snapshot, 4 times a second.

The job's threads only fold their events and append them to a queue; nothing waits for a terminal.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from airgap_tui.cli.lines import news_line, total_line
from airgap_tui.cli.output import Output, narrate, redacted
from airgap_tui.engine.events import (
    BlobProgress,
    Event,
    Level,
    Note,
    as_json,
)
from airgap_tui.engine.progress import Progress
from airgap_tui.engine.snapshot import Snapshot

DRAWS_PER_SECOND = 4
SECONDS_BETWEEN_TOTALS = 10.0


class Display(Protocol):
    """One way of showing a job."""

    def draw(self, snapshot: Snapshot, news: Sequence[Event]) -> None:
        """Show the state, and the events since the last call."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was; nothing is drawn afterwards."""
        ...


class Narration:
    """While entered, `take` (a `Sink`) feeds the display that `output` asks for."""

    def __init__(self, output: Output, progress: Progress | None = None) -> None:
        self._progress = progress or Progress()
        self._news: deque[Event] = deque()
        self._display = _display(output)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="narration", daemon=True)

    def take(self, event: Event) -> None:
        self._progress.take(event)
        if not isinstance(event, BlobProgress):
            self._news.append(event)

    def abort(self) -> None:
        """Put the terminal right, from any thread, before the process ends at once."""
        self._display.close()

    def __enter__(self) -> Narration:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=5)
        self._draw()
        self._display.close()

    def _run(self) -> None:
        while not self._ended.wait(1 / DRAWS_PER_SECOND):
            self._draw()

    def _draw(self) -> None:
        news = [self._news.popleft() for _ in range(len(self._news))]
        self._display.draw(self._progress.snapshot(), news)


class Silent:
    """Only what warns: for --quiet and --progress none."""

    def draw(self, _snapshot: Snapshot, news: Sequence[Event]) -> None:
        for event in news:
            if isinstance(event, Note) and event.level is not Level.INFO:
                narrate(event.text)

    def close(self) -> None:
        pass


class Lines:
    """Plain lines for a pipe or a log: state changes, and now and then the total."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._told_at = 0.0

    def draw(self, snapshot: Snapshot, news: Sequence[Event]) -> None:
        items = {item.item: item for item in snapshot.items}
        for event in news:
            line = news_line(event, items, verbose=self._verbose, changes=True)
            if line:
                narrate(line)
        if snapshot.elapsed < self._told_at:
            self._told_at = 0.0
        if (
            snapshot.exit_code is None
            and snapshot.total
            and snapshot.elapsed - self._told_at >= SECONDS_BETWEEN_TOTALS
        ):
            self._told_at = snapshot.elapsed
            narrate(total_line(snapshot))

    def close(self) -> None:
        pass


class JsonLines:
    """One JSON object per event. Moved bytes come summed, as `progress`, once in a second."""

    def __init__(self) -> None:
        self._told_at = float("-inf")

    def draw(self, snapshot: Snapshot, news: Sequence[Event]) -> None:
        for event in news:
            self._write(as_json(event))
        if snapshot.elapsed < self._told_at:
            self._told_at = float("-inf")
        if snapshot.total and snapshot.elapsed - self._told_at >= 1.0:
            self._told_at = snapshot.elapsed
            values = ("done", "total", "rate", "time_left", "elapsed", "retries")
            self._write({"event": "progress", **{key: getattr(snapshot, key) for key in values}})

    def close(self) -> None:
        pass

    def _write(self, value: dict[str, object]) -> None:
        narrate(json.dumps(redacted(value), ensure_ascii=False))


def _display(output: Output) -> Display:
    mode = output.progress_mode
    if mode == "bar":
        from airgap_tui.cli.bars import Bars

        return Bars(verbose=output.verbosity > 0, quiet=output.verbosity < 0)
    if mode == "plain":
        return Lines(verbose=output.verbosity > 0)
    return JsonLines() if mode == "json" else Silent()
