"""The sink of a job in a worker: folds its events, and writes journal, snapshot and log.

Writing is done by a thread of its own, 4 times a second, so that the job's threads never wait for
a home directory; a disk that is full or gone does not end the job.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import deque
from dataclasses import fields, replace
from types import TracebackType
from typing import Any

from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import (
    Event,
    ItemChanged,
    ItemState,
    JobFinished,
    JobStarted,
    Level,
    Note,
)
from airgap_tui.engine.jobs.chain import Ended
from airgap_tui.engine.jobs.directory import JobDirectory
from airgap_tui.engine.jobs.journal import RARE, line_of
from airgap_tui.engine.progress import Progress
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.snapshot import ItemProgress, Snapshot

WRITES_PER_SECOND = 4
_SIGN_OF_LIFE = 2.0
"""Seconds after which a job that is quiet shows that it is still there."""


class Recorder:
    """While entered, `take` (a `Sink`) and `ended` are recorded in the directory."""

    def __init__(self, directory: JobDirectory) -> None:
        self._directory = directory
        self._progress = Progress()
        self._entries: deque[tuple[float, Event | Ended]] = deque()
        self._drawn: dict[str, tuple[ItemProgress, str]] = {}
        self._step = 0
        self._exit_code: int | None = None
        self._changed = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def take(self, event: Event) -> None:
        """Fold an event; what is rare is kept, without secrets."""
        if isinstance(event, RARE):
            event = _redacted(event)
            self._entries.append((time.time(), event))
        self._progress.take(event)
        self._changed.set()

    def ended(self, ended: Ended) -> None:
        """A step of the chain has ended."""
        self._entries.append((time.time(), ended))
        self._step += 1

    def finish(self, exit_code: int) -> None:
        """The whole job has ended; the last snapshot says so."""
        self._exit_code = exit_code

    def __enter__(self) -> Recorder:
        self._write(last=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(timeout=30)
        self._write(last=True)

    def _run(self) -> None:
        written = time.monotonic()
        while not self._over.wait(1 / WRITES_PER_SECOND):
            if self._changed.is_set() or time.monotonic() - written >= _SIGN_OF_LIFE:
                self._changed.clear()
                self._write(last=False)
                written = time.monotonic()

    def _write(self, *, last: bool) -> None:
        """First what happened, then the state that follows from it: whoever reads that a step has
        ended finds in the journal how."""
        step, exit_code = self._step, self._exit_code
        entries = [self._entries.popleft() for _ in range(len(self._entries))]
        with contextlib.suppress(OSError, AirgapError):
            if entries:
                with open(self._directory.path / "journal.jsonl", "ab") as journal:
                    journal.write(b"".join(line_of(entry, at) for at, entry in entries))
                with open(self._directory.log, "a", encoding="utf-8", errors="replace") as log:
                    log.writelines(_log_line(entry, at) for at, entry in entries)
            document = self._document(self._progress.snapshot(), step, exit_code)
            self._directory.keep_moment(document, last=last)

    def _document(self, snapshot: Snapshot, step: int, exit_code: int | None) -> bytes:
        """snapshot.json. Of a thousand items most rest: each is put into words once a change."""
        items = ",".join(map(self._words, snapshot.items))
        head = {"at": round(time.time(), 3), "step": step, "exit_code": exit_code}
        rest = {k: v for k, v in replace(snapshot, items=()).to_json().items() if k != "items"}
        text = f'{_open(head)},"snapshot":{_open(rest)},"items":[{items}]}}}}'
        return text.encode("utf-8", "backslashreplace")

    def _words(self, item: ItemProgress) -> str:
        known = self._drawn.get(item.item)
        if known is None or known[0] is not item:
            value = {name: getattr(item, name) for name in _ITEM_FIELDS}
            known = self._drawn[item.item] = (item, _open(value) + "}")
        return known[1]


_ITEM_FIELDS = tuple(field.name for field in fields(ItemProgress))


def _open(value: dict[str, Any]) -> str:
    """A JSON object without its last brace."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))[:-1]


def _redacted(event: Event) -> Event:
    changes: dict[str, Any] = {}
    for name, value in zip(event._fields, event, strict=True):
        if type(value) is str and redact(value) != value:
            changes[name] = redact(value)
    return event._replace(**changes) if changes else event


def _log_line(entry: Event | Ended, at: float) -> str:
    text = _told(entry)
    if not text:
        return ""
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(at))} {text}\n"


def _told(entry: Event | Ended) -> str:
    """What the log says of it, or nothing."""
    if isinstance(entry, Note):
        return f"{entry.level.value}: {entry.text}" if entry.level is not Level.INFO else entry.text
    if isinstance(entry, JobStarted):
        return f"{entry.verb} {entry.subject}: {len(entry.items)} items"
    if isinstance(entry, JobFinished):
        return f"{entry.verb} ended with {entry.exit_code}"
    if isinstance(entry, Ended) and entry.error:
        return f"error: {entry.verb}: {entry.error}"
    if isinstance(entry, ItemChanged) and entry.state in (ItemState.FAILED, ItemState.RETRYING):
        return f"{entry.item}: {entry.state.value}: {entry.reason}"
    return ""
