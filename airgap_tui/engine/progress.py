"""Folds a job's events into a `Snapshot`: per item, in all, rate, time left.

`Progress.take` is the sink of a job, called from its threads; front ends ask for `snapshot()` when
they want to draw. A finished layer is only a count, and what it added to its items, so the cost of
a snapshot follows the items and the transfers under way, not the layers there ever were.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from airgap_tui.engine.events import (
    BlobDone,
    BlobDropped,
    BlobPaused,
    BlobPlanned,
    BlobProgress,
    BlobRetrying,
    BlobStarted,
    Event,
    HostPaused,
    ItemChanged,
    ItemSized,
    ItemState,
    JobFinished,
    JobStarted,
    LoginNeeded,
    LoginSettled,
    Note,
    Served,
    SourceRead,
)
from airgap_tui.engine.snapshot import (
    ItemProgress,
    LoginWanted,
    Pause,
    Snapshot,
    SourceCount,
    Transfer,
)

RATE_WINDOW = 15.0
"""Seconds that the rate is taken over, and before which no time left is told."""

_SAMPLE_EVERY = 0.25
_LEAST_SPAN = 0.5
_NOTES_KEPT = 50


@dataclass(slots=True)
class _Item:
    """What the events have told of an item so far; `drawn` is kept until the next one."""

    state: ItemState = ItemState.WAITING
    reason: str = ""
    digest: str = ""
    size: int = 0
    to_do: int = 0
    finished: int = 0
    drawn: ItemProgress | None = None


@dataclass(slots=True)
class _Blob:
    """What the events have told of a blob so far."""

    size: int
    items: tuple[str, ...]
    done: int = 0
    started: bool = False
    retry_at: float | None = None
    reason: str = ""


@dataclass(slots=True)
class _Job:
    """The state that a `JobStarted` begins anew."""

    verb: str = ""
    subject: str = ""
    started: float = 0.0
    ended: float | None = None
    exit_code: int | None = None
    items: dict[str, _Item] = field(default_factory=dict)
    planned: dict[str, _Blob] = field(default_factory=dict)
    active: dict[str, _Blob] = field(default_factory=dict)
    done: int = 0
    total: int = 0
    repeated: int = 0
    moved: int = 0
    first_moved: float | None = None
    last_moved: float = 0.0
    blobs_done: int = 0
    blobs_total: int = 0
    retries: int = 0
    pauses: dict[str, tuple[float, str]] = field(default_factory=dict)
    logins: dict[str, str] = field(default_factory=dict)
    samples: deque[tuple[float, int]] = field(default_factory=deque)
    served: Served | None = None
    sources: dict[tuple[str, str], SourceCount] = field(default_factory=dict)


class Progress:
    """The fold. `take` is a `Sink`: any thread, quick, never raises for an event out of order."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._job = _Job(started=clock())
        self._notes: deque[Note] = deque(maxlen=_NOTES_KEPT)
        self._takers: dict[type, Callable[[Any, float], None]] = {
            JobStarted: self._job_started,
            JobFinished: self._job_finished,
            ItemChanged: self._item_changed,
            ItemSized: self._item_sized,
            BlobPlanned: self._blob_planned,
            BlobStarted: self._blob_started,
            BlobProgress: self._blob_progress,
            BlobRetrying: self._blob_retrying,
            BlobDone: self._blob_done,
            BlobDropped: self._blob_dropped,
            HostPaused: self._host_paused,
            BlobPaused: self._blob_paused,
            LoginNeeded: self._login_needed,
            LoginSettled: self._login_settled,
            Served: self._served,
            SourceRead: self._source_read,
            Note: self._note,
        }

    def take(self, event: Event) -> None:
        """Fold one event."""
        with self._lock:
            self._takers[type(event)](event, self._clock())

    def snapshot(self) -> Snapshot:
        """The state now."""
        with self._lock:
            return self._snapshot(self._clock())

    def _job_started(self, event: JobStarted, now: float) -> None:
        self._job = _Job(event.verb, event.subject, started=now, last_moved=now)
        self._job.items = {item: _Item() for item in event.items}

    def _job_finished(self, event: JobFinished, now: float) -> None:
        if event.verb == self._job.verb or not self._job.verb:
            self._job.ended, self._job.exit_code = now, event.exit_code

    def _item_changed(self, event: ItemChanged, _now: float) -> None:
        item = self._item(event.item)
        item.state, item.reason = event.state, event.reason
        item.digest = event.digest or item.digest

    def _item_sized(self, event: ItemSized, _now: float) -> None:
        item = self._item(event.item)
        item.size, item.to_do = event.size, event.to_do

    def _blob_planned(self, event: BlobPlanned, _now: float) -> None:
        job = self._job
        known = job.active.get(event.blob) or job.planned.get(event.blob)
        if known is not None:
            known.items = tuple(dict.fromkeys((*known.items, *event.items)))
            return
        job.planned[event.blob] = _Blob(max(0, event.size), event.items)
        job.total += max(0, event.size)
        job.blobs_total += 1

    def _blob_started(self, event: BlobStarted, now: float) -> None:
        blob = self._known(event.blob)
        if blob is None:
            return
        # Without a retry before it, this is the same blob on its way to another repository.
        if blob.retry_at is not None or event.offset > blob.done:
            self._set_done(blob, event.offset)
        blob.started, blob.retry_at, blob.reason = True, None, ""
        self._job.last_moved = now

    def _blob_progress(self, event: BlobProgress, now: float) -> None:
        job = self._job
        if event.bytes > 0:
            job.moved += event.bytes
            job.last_moved = now
            job.first_moved = now if job.first_moved is None else job.first_moved
            self._sample(now)
        blob = self._known(event.blob)
        if blob is not None:
            if event.bytes > 0:
                blob.retry_at, blob.reason = None, ""
            self._set_done(blob, blob.done + event.bytes)

    def _blob_retrying(self, event: BlobRetrying, now: float) -> None:
        self._job.retries += 1
        blob = self._known(event.blob)
        if blob is not None:
            blob.retry_at, blob.reason = now + max(0.0, event.delay), event.reason
            self._set_done(blob, event.offset)

    def _blob_done(self, event: BlobDone, _now: float) -> None:
        blob = self._end(event.blob)
        if blob is not None:
            self._job.done += blob.size - blob.done
            self._job.blobs_done += 1
            self._credit(blob.items, blob.size)

    def _blob_dropped(self, event: BlobDropped, _now: float) -> None:
        blob = self._end(event.blob)
        if blob is not None:
            self._job.total -= blob.size - blob.done
            self._job.blobs_total -= 1
            self._credit(blob.items, blob.done)

    def _host_paused(self, event: HostPaused, now: float) -> None:
        self._job.pauses[event.host] = (now + event.seconds, event.reason)

    def _blob_paused(self, event: BlobPaused, now: float) -> None:
        blob = self._known(event.blob)
        if blob is not None:
            blob.started, blob.retry_at, blob.reason = False, now, event.reason

    def _login_needed(self, event: LoginNeeded, _now: float) -> None:
        self._job.logins[event.registry] = event.reason

    def _login_settled(self, event: LoginSettled, _now: float) -> None:
        self._job.logins.pop(event.registry, None)

    def _served(self, event: Served, now: float) -> None:
        job = self._job
        job.moved, job.last_moved, job.served = event.sent, now, event
        self._sample(now)

    def _source_read(self, event: SourceRead, _now: float) -> None:
        key = (event.host, event.kind)
        self._job.sources[key] = (self._job.sources.get(key) or SourceCount(*key)).plus(event)

    def _note(self, event: Note, _now: float) -> None:
        self._notes.append(event)

    def _item(self, name: str) -> _Item:
        item = self._job.items.setdefault(name, _Item())
        item.drawn = None
        return item

    def _known(self, name: str) -> _Blob | None:
        """The blob, from now on under way; None for one that nobody planned or that has ended."""
        job = self._job
        blob = job.active.get(name)
        if blob is None:
            blob = job.planned.pop(name, None)
            if blob is not None:
                job.active[name] = blob
        return blob

    def _end(self, name: str) -> _Blob | None:
        return self._job.active.pop(name, None) or self._job.planned.pop(name, None)

    def _set_done(self, blob: _Blob, done: int) -> None:
        done = max(0, min(done, blob.size))
        self._job.done += done - blob.done
        self._job.repeated += max(0, blob.done - done)
        blob.done = done

    def _credit(self, items: Iterable[str], count: int) -> None:
        for name in items:
            self._item(name).finished += count

    def _sample(self, now: float) -> None:
        job = self._job
        if not job.samples or now - job.samples[-1][0] >= _SAMPLE_EVERY:
            job.samples.append((now, job.moved))
        while len(job.samples) > 1 and job.samples[1][0] <= now - RATE_WINDOW:
            job.samples.popleft()

    def _rate(self, now: float) -> float:
        job = self._job
        if not job.samples or now - job.last_moved >= RATE_WINDOW:
            return 0.0
        since, moved = next(
            (sample for sample in reversed(job.samples) if sample[0] <= now - RATE_WINDOW),
            job.samples[0],
        )
        span = now - since
        return (job.moved - moved) / span if span >= _LEAST_SPAN else 0.0

    def _snapshot(self, now: float) -> Snapshot:
        job = self._job
        now = job.ended if job.ended is not None else now
        rate = self._rate(now)
        known = job.first_moved is not None and now - job.first_moved >= RATE_WINDOW and rate > 0
        under_way: dict[str, int] = {}
        for blob in job.active.values():
            for name in blob.items:
                under_way[name] = under_way.get(name, 0) + blob.done
        return Snapshot(
            verb=job.verb,
            subject=job.subject,
            items=tuple(
                _drawn(name, item, under_way.get(name)) for name, item in job.items.items()
            ),
            transfers=tuple(
                _transfer(name, blob, now) for name, blob in job.active.items() if blob.started
            ),
            done=job.done,
            total=job.total,
            repeated=job.repeated,
            rate=rate,
            time_left=(job.total - job.done) / rate if known else None,
            elapsed=now - job.started,
            quiet_for=now - job.last_moved if job.active else 0.0,
            blobs_done=job.blobs_done,
            blobs_total=job.blobs_total,
            retries=job.retries,
            pauses=tuple(
                Pause(host, until - now, reason)
                for host, (until, reason) in job.pauses.items()
                if until > now
            ),
            logins=tuple(LoginWanted(*wanted) for wanted in job.logins.items()),
            notes=tuple(self._notes),
            served=job.served,
            sources=tuple(job.sources.values()),
            exit_code=job.exit_code,
        )


def _drawn(name: str, item: _Item, under_way: int | None) -> ItemProgress:
    """The item's view, kept until it changes: most of a thousand items rest."""
    if under_way is None and item.drawn is not None:
        return item.drawn
    drawn = ItemProgress(
        name,
        item.state,
        item.reason,
        item.digest,
        item.size,
        item.to_do,
        item.finished + (under_way or 0),
    )
    item.drawn = drawn if under_way is None else None
    return drawn


def _transfer(name: str, blob: _Blob, now: float) -> Transfer:
    retry_in = None if blob.retry_at is None else max(0.0, blob.retry_at - now)
    return Transfer(name, blob.size, blob.done, blob.items, retry_in, blob.reason)
