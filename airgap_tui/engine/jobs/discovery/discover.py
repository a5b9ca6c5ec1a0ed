"""Which images are in use: what this machine, other hosts and named files tell, as one answer.

Every source is told of, also those that are absent or could not be read: silence about one would
look like a cluster that uses nothing. A host that is dead or slow costs nobody else anything, and
what was found before a stop is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.discovery.finding import Kind
from airgap_tui.engine.discovery.hosts.collecting import CLUSTER_WIDE, SYSTEMS, Wanted
from airgap_tui.engine.discovery.hosts.ssh_host import SshHost
from airgap_tui.engine.discovery.merging import Discovery
from airgap_tui.engine.errors import AirgapError, EnvironmentFailure, Stopped
from airgap_tui.engine.events import (
    ItemChanged,
    ItemState,
    JobFinished,
    JobStarted,
    Sink,
)
from airgap_tui.engine.jobs.discovery.findings import Findings
from airgap_tui.engine.jobs.discovery.host_reading import HostReader, Why
from airgap_tui.engine.jobs.discovery.local_engines import read_engine
from airgap_tui.engine.jobs.discovery.named_files import NamedPath, read_paths
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.snapshot import SourceCount

THIS_MACHINE = "this machine"
HOSTS_AT_ONCE = 16
_CANDIDATES = 3
"""So many hosts of a cluster are asked for what only the cluster as a whole knows."""


@dataclass(frozen=True, slots=True)
class DiscoverSpec:
    """`live` are the sources to ask on the hosts, and on this machine where `here` is set; with
    `insist` one that is absent is a failure. `search` are directories there, and `paths` files and
    directories of this machine. What was used before `since` counts only where no time is known.
    A host has `timeout` seconds."""

    paths: tuple[NamedPath, ...] = ()
    live: frozenset[Kind] = frozenset()
    here: bool = False
    hosts: tuple[SshHost, ...] = ()
    search: tuple[str, ...] = ()
    insist: bool = False
    since: datetime | None = None
    days: int = 90
    timeout: float = 120.0


@dataclass(frozen=True, slots=True)
class HostResult:
    """How a host fared; this machine is one too. `state` is done, failed or, where a stop came
    first, left-out."""

    host: str
    state: ItemState
    seconds: float
    reason: str = ""
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "host": self.host,
            "state": self.state.value,
            "seconds": round(self.seconds, 1),
            "error": redact(self.reason) or None,
            "hint": redact(self.hint),
        }


@dataclass(frozen=True, slots=True)
class DiscoverResult:
    """The answer; `too_old` counts what was left out for its age."""

    discovery: Discovery
    sources: tuple[SourceCount, ...]
    hosts: tuple[HostResult, ...]
    too_old: int = 0
    stopped: bool = False

    @property
    def exit_code(self) -> int:
        """130 stopped; 0 everything was read; 4 nothing was; else 1."""
        if self.stopped:
            return Stopped.exit_code
        failed = sum(source.failed for source in self.sources)
        failed += sum(host.state is ItemState.FAILED for host in self.hosts)
        if not failed:
            return 0
        read = any(source.read or source.found for source in self.sources)
        return AirgapError.exit_code if read else EnvironmentFailure.exit_code

    def to_json(self) -> dict[str, Any]:
        return {
            **self.discovery.to_json(),
            "hosts": [host.to_json() for host in self.hosts],
            "sources": [
                {
                    "host": source.host or None,
                    "kind": source.kind,
                    "read": source.read,
                    "absent": source.absent,
                    "failed": source.failed,
                    "found": source.found,
                }
                for source in self.sources
            ],
            "tooOld": self.too_old,
            "stopped": self.stopped,
        }


def run(spec: DiscoverSpec, sink: Sink, token: CancelToken) -> DiscoverResult:
    """Ask all hosts at once, each within its time. Never raises `Stopped`: what was found until
    then is the result, which says so."""
    job = _Job(spec, sink, token)
    sink(JobStarted("discover", "", tuple(job.readers)))
    with ThreadPoolExecutor(HOSTS_AT_ONCE, thread_name_prefix="discover") as pool:
        try:
            _all(pool, [job.first(name) for name in job.readers])
            _all(pool, job.errands())
        except BaseException:
            token.cancel()
            raise
    result = job.result()
    sink(JobFinished("discover", result.exit_code))
    return result


def _all(pool: ThreadPoolExecutor, tasks: Iterable[Callable[[], None]]) -> None:
    for future in as_completed([pool.submit(task) for task in tasks]):
        future.result()


class _Job:
    """The hosts by name, and how each has fared until now."""

    def __init__(self, spec: DiscoverSpec, sink: Sink, token: CancelToken) -> None:
        self._spec = spec
        self._sink = sink
        self._token = token
        self._findings = Findings(sink, spec.since)
        self._results: dict[str, HostResult] = {}
        self.readers: dict[str, HostReader] = {}
        if spec.here or spec.paths:
            self.readers[THIS_MACHINE] = self._reader(None, "")
        for host in spec.hosts:
            name, number = host.name, 1
            while name in self.readers:
                number += 1
                name = f"{host.name} ({number})"
            self.readers[name] = self._reader(host, name)
        hosts = len(spec.hosts) + spec.here
        self._cluster_wide = spec.live & CLUSTER_WIDE if hosts > 1 else frozenset()

    def result(self) -> DiscoverResult:
        discovery, sources = self._findings.result()
        hosts = tuple(self._results[name] for name in self.readers)
        too_old = self._findings.too_old
        return DiscoverResult(discovery, sources, hosts, too_old, self._token.cancelled)

    def first(self, name: str) -> Callable[[], None]:
        """What a host has of its own; and which clusters it belongs to, where that matters."""
        spec, reader = self._spec, self.readers[name]

        def work() -> Why:
            kinds = spec.live - self._cluster_wide
            if name == THIS_MACHINE:
                read_paths(spec.paths, self._findings, self._token)
                kinds = self._engines(kinds) if spec.here else frozenset()
                if not spec.here:
                    return "", ""
            probed = bool(self._cluster_wide)
            return reader.read(Wanted(kinds, spec.days, spec.search, probed))

        return lambda: self._host(name, work)

    def errands(self) -> list[Callable[[], None]]:
        """What a cluster knows as a whole: asked of one of its hosts, not of a thousand."""
        found: list[Callable[[], None]] = []
        for system, of_system in SYSTEMS.items():
            kinds = of_system & self._cluster_wide
            clusters: dict[str, list[str]] = {}
            for name, reader in self.readers.items():
                if system in reader.clusters:
                    clusters.setdefault(reader.clusters[system], []).append(name)
            for names in clusters.values():
                names.sort(key=lambda name: self.readers[name].rank)
                found.append(self._errand(names[:_CANDIDATES], kinds))
            if not clusters:
                for name, reader in self.readers.items():
                    asked = name != THIS_MACHINE or self._spec.here
                    if asked and self._results[name].state is ItemState.DONE:
                        for kind in sorted(kinds):
                            reader.absent(kind, system)
        return found

    def _errand(self, names: list[str], kinds: frozenset[Kind]) -> Callable[[], None]:
        def work() -> None:
            left = kinds
            for name in names:
                if left:
                    reader = self.readers[name]
                    self._host(name, partial(reader.read, Wanted(left, self._spec.days)))
                    left = frozenset(k for k in left if not self._findings.settled(reader.name, k))

        return work

    def _reader(self, host: SshHost | None, name: str) -> HostReader:
        spec = self._spec
        return HostReader(
            host, name, self._findings, self._token, insist=spec.insist, timeout=spec.timeout
        )

    def _engines(self, kinds: frozenset[Kind]) -> frozenset[Kind]:
        """Ask the engines that have an interface here; the kinds that the script has to ask for."""
        read = set()
        for kind in (Kind.DOCKER, Kind.PODMAN):
            self._token.check()
            if kind in kinds and read_engine(kind, self._spec.insist, self._findings):
                read.add(kind)
        return kinds - read

    def _host(self, name: str, work: Callable[[], Why]) -> None:
        begun = time.monotonic()
        state, reason, hint = ItemState.DONE, "", ""
        try:
            self._token.check()
            self._sink(ItemChanged(name, ItemState.RESOLVING))
            reason, hint = work()
            state = ItemState.FAILED if reason else ItemState.DONE
        except Stopped:
            state, reason = ItemState.LEFT_OUT, "stopped before all of it was read"
        except AirgapError as error:
            state, reason, hint = ItemState.FAILED, error.message, error.hint
        self._sink(ItemChanged(name, state, redact(reason)))
        result = HostResult(name, state, time.monotonic() - begun, reason, hint)
        before = self._results.get(name)
        if before is not None:
            worse = before if before.state is ItemState.FAILED else result
            result = replace(worse, seconds=before.seconds + result.seconds)
        self._results[name] = result
