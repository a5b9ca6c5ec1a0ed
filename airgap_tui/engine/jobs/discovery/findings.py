"""Collects what sources yield, from several threads, and tells of each source as it is read."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark
from airgap_tui.engine.discovery.merging import Discovery, Merging
from airgap_tui.engine.events import Sink, SourceRead, SourceState
from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.snapshot import SourceCount

DIRECTORY = "directory"
"""What events call a searched directory, which is not a kind of source itself."""


class Findings:
    """Safe to use from several threads; `result` may be asked for at any time."""

    def __init__(self, sink: Sink, since: datetime | None = None) -> None:
        self._sink = sink
        self._since = since
        self._lock = threading.Lock()
        self._merging = Merging()
        self._counts: dict[tuple[str, str], SourceCount] = {}
        self._seen: dict[bytes, str] = {}
        self.too_old = 0
        """Findings whose use lies before `since`."""

    def take(
        self,
        host: str,
        kind: Kind,
        path: str,
        pieces: Iterable[Finding | Remark],
        problem: str = "",
        remedy: str = "",
    ) -> None:
        """All that a source yields. `problem` is why there may be more; a source that yields
        remarks alone could not be read either."""
        found, first = 0, ""
        for piece in pieces:
            if isinstance(piece, Finding):
                found += 1
                self._add(piece)
            else:
                first = first or piece.text
                self.remark(replace(piece, kind=piece.kind or kind))
        if problem:
            self.remark(Remark(kind, Place(path, 0, host), problem, remedy))
        elif not found:
            problem = first
        state = SourceState.FAILED if problem else SourceState.READ
        self._tell(SourceRead(host, kind.value, path, found, state, problem))

    def absent(self, host: str, kind: Kind, what: str, reason: str = "") -> None:
        """There is no such source on that host."""
        reason = reason or f"{what} is not there"
        self._tell(SourceRead(host, kind.value, what, 0, SourceState.ABSENT, reason))

    def failed(self, host: str, kind: Kind | None, path: str, reason: str, remedy: str) -> None:
        """A source that could not be read at all."""
        self.remark(Remark(kind, Place(path, 0, host), reason, remedy))
        name = kind.value if kind else DIRECTORY
        self._tell(SourceRead(host, name, path, 0, SourceState.FAILED, reason))

    def looked_through(self, host: str, kind: Kind, path: str) -> None:
        """The source was there; told only where nothing in it was."""
        if (host, kind.value) not in self._counts:
            self._tell(SourceRead(host, kind.value, path, 0))

    def settled(self, host: str, kind: Kind) -> bool:
        """Whether that host has told all of this kind, or that there is none."""
        with self._lock:
            known = self._counts.get((host, kind.value))
        return known is not None and not known.failed and bool(known.read or known.absent)

    def remark(self, remark: Remark) -> None:
        clean = replace(
            remark,
            text=harmless(redact(remark.text)),
            place=replace(remark.place, path=harmless(redact(remark.place.path))),
        )
        with self._lock:
            self._merging.add(clean)

    def seen_elsewhere(self, host: str, path: str, content: bytes) -> bool:
        """Whether another host has shown this very file: home directories are shared."""
        if not content:
            return False
        key = hashlib.blake2b(path.encode("utf-8", "replace") + b"\0" + content).digest()
        with self._lock:
            return self._seen.setdefault(key, host) != host

    def result(self) -> tuple[Discovery, tuple[SourceCount, ...]]:
        with self._lock:
            counts = tuple(self._counts[key] for key in sorted(self._counts))
            return self._merging.result(), counts

    def _add(self, finding: Finding) -> None:
        with self._lock:
            if self._since and finding.time and finding.time < self._since:
                self.too_old += 1
            else:
                self._merging.add(finding)

    def _tell(self, event: SourceRead) -> None:
        event = event._replace(path=harmless(redact(event.path)), reason=harmless(event.reason))
        key = (event.host, event.kind)
        with self._lock:
            self._counts[key] = (self._counts.get(key) or SourceCount(*key)).plus(event)
        self._sink(event)
