"""How looking for images in use goes: every host and every kind of source on it, counted live.

The job reports each source; here they are folded to what a person watches, and kept for when it is
over. A source that is absent is told with its host, so that it never looks like an empty one.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from airgap_tui.engine.events import (
    Event,
    ItemChanged,
    ItemState,
    JobStarted,
    SourceRead,
    SourceState,
)
from airgap_tui.engine.jobs.discovery.discover import THIS_MACHINE
from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.snapshot import SourceCount

_URGENCY = (ItemState.FAILED, ItemState.RESOLVING, ItemState.WAITING, ItemState.LEFT_OUT)


@dataclass(frozen=True, slots=True)
class SourceSeen:
    """One kind of source on one host; `reason` is why the first that failed could not be read."""

    count: SourceCount
    reason: str = ""

    @property
    def kind(self) -> str:
        return self.count.kind

    @property
    def troubled(self) -> bool:
        return bool(self.count.failed)


@dataclass(frozen=True, slots=True)
class HostSeen:
    """A host, its state (waiting, resolving while it is read, done, failed, left-out where a stop
    came first), and its sources: troubled ones first, absent ones apart."""

    name: str
    state: ItemState = ItemState.WAITING
    reason: str = ""
    sources: tuple[SourceSeen, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """What findings call it: this machine has an empty name there."""
        return "" if self.name == THIS_MACHINE else self.name

    @property
    def found(self) -> int:
        """How many names were found there, whatever they are of."""
        return sum(source.count.found for source in self.sources)

    @property
    def troubled(self) -> bool:
        return self.state is ItemState.FAILED or any(one.troubled for one in self.sources)

    @property
    def over(self) -> bool:
        return self.state in (ItemState.DONE, ItemState.FAILED, ItemState.LEFT_OUT)


@dataclass(slots=True)
class _Host:
    """How far a host is, and what each of its sources held."""

    state: ItemState = ItemState.WAITING
    reason: str = ""
    sources: dict[str, SourceSeen] = field(default_factory=dict)


class Looking:
    """Takes the job's events from any thread; `hosts` may be asked for at any time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = {}

    def take(self, event: Event) -> None:
        """Fold one event."""
        with self._lock:
            if isinstance(event, JobStarted):
                self._hosts = {name: _Host() for name in event.items}
            elif isinstance(event, ItemChanged):
                host = self._hosts.setdefault(event.item, _Host())
                host.state, host.reason = event.state, _clean(event.reason)
            elif isinstance(event, SourceRead):
                self._source(event)

    def hosts(self) -> tuple[HostSeen, ...]:
        """What is known now; whoever needs the user first, then those under way."""
        with self._lock:
            seen = [_seen(name, host) for name, host in self._hosts.items()]
        return tuple(sorted(seen, key=_urgency))

    def _source(self, event: SourceRead) -> None:
        host = self._hosts.setdefault(event.host or THIS_MACHINE, _Host())
        known = host.sources.get(event.kind) or SourceSeen(SourceCount(event.host, event.kind))
        failed = event.state is SourceState.FAILED
        reason = known.reason or (_clean(event.reason) if failed else "")
        host.sources[event.kind] = SourceSeen(known.count.plus(event), reason)


def _seen(name: str, host: _Host) -> HostSeen:
    there: list[SourceSeen] = []
    absent: list[str] = []
    for kind, source in sorted(host.sources.items()):
        if source.count.read or source.count.failed:
            there.append(source)
        else:
            absent.append(kind)
    there.sort(key=lambda source: not source.troubled)
    return HostSeen(name, host.state, host.reason, tuple(there), tuple(absent))


def _urgency(host: HostSeen) -> int:
    if host.state is ItemState.DONE:
        return 1 if host.troubled else len(_URGENCY) + 1
    return 0 if host.state is ItemState.FAILED else _URGENCY.index(host.state) + 1


def _clean(text: str) -> str:
    return harmless(redact(text))
