"""Which images are in use: what this machine, other hosts and named files tell, as one answer.

Every source is told of, also those that are absent or could not be read: silence about one would
look like a cluster that uses nothing. A host that is dead or slow costs nobody else anything, and
what was found before a stop is kept.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.discovery import reading, remedies, ssh
from airgap_tui.engine.discovery.collecting import (
    MOST_FILES,
    Material,
    Notice,
    StreamReader,
    Wanted,
    new_mark,
    script,
)
from airgap_tui.engine.discovery.finding import Kind, Place, Remark
from airgap_tui.engine.discovery.hosts import SshHost
from airgap_tui.engine.discovery.merging import Discovery
from airgap_tui.engine.errors import AirgapError, EnvironmentFailure, Stopped
from airgap_tui.engine.events import (
    ItemChanged,
    ItemState,
    JobFinished,
    JobStarted,
    Sink,
)
from airgap_tui.engine.jobs.findings import Findings
from airgap_tui.engine.jobs.local_engines import read_engine
from airgap_tui.engine.jobs.named_files import NamedPath, read_paths
from airgap_tui.engine.progress import SourceCount
from airgap_tui.engine.redaction import redact

THIS_MACHINE = "this machine"
HOSTS_AT_ONCE = 16


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
            "too_old": self.too_old,
            "stopped": self.stopped,
        }


def run(spec: DiscoverSpec, sink: Sink, token: CancelToken) -> DiscoverResult:
    """Ask all hosts at once, each within its time. Never raises `Stopped`: what was found until
    then is the result, which says so."""
    findings = Findings(sink, spec.since)
    tasks = list(_tasks(spec, findings, token))
    sink(JobStarted("discover", "", tuple(name for name, _task in tasks)))
    with ThreadPoolExecutor(
        max(1, min(HOSTS_AT_ONCE, len(tasks))), thread_name_prefix="discover"
    ) as pool:
        futures = {pool.submit(_host_result, name, task, sink, token): name for name, task in tasks}
        try:
            done = {futures[future]: future.result() for future in as_completed(futures)}
        except BaseException:
            token.cancel()
            raise
    discovery, sources = findings.result()
    result = DiscoverResult(
        discovery,
        sources,
        tuple(done[name] for name, _task in tasks),
        findings.too_old,
        token.cancelled,
    )
    sink(JobFinished("discover", result.exit_code))
    return result


Why = tuple[str, str]
"""A reason and a remedy; two empty texts where nothing is wrong."""


def _tasks(
    spec: DiscoverSpec, findings: Findings, token: CancelToken
) -> Iterator[tuple[str, Callable[[], Why]]]:
    if spec.here or spec.paths:
        yield THIS_MACHINE, lambda: _this_machine(spec, findings, token)
    names: dict[str, int] = {THIS_MACHINE: 1}
    for host in spec.hosts:
        names[host.name] = names.get(host.name, 0) + 1
        name = host.name if names[host.name] == 1 else f"{host.name} ({names[host.name]})"
        yield name, _asking(host, name, spec, findings, token)


def _asking(
    host: SshHost, name: str, spec: DiscoverSpec, findings: Findings, token: CancelToken
) -> Callable[[], Why]:
    wanted = Wanted(spec.live, spec.days, spec.search)
    return lambda: _gather(host, name, wanted, spec, findings, token)


def _host_result(name: str, task: Callable[[], Why], sink: Sink, token: CancelToken) -> HostResult:
    begun = time.monotonic()
    state, reason, hint = ItemState.DONE, "", ""
    try:
        token.check()
        sink(ItemChanged(name, ItemState.RESOLVING))
        reason, hint = task()
        state = ItemState.FAILED if reason else ItemState.DONE
    except Stopped:
        state, reason = ItemState.LEFT_OUT, "stopped before all of it was read"
    except AirgapError as error:
        state, reason, hint = ItemState.FAILED, error.message, error.hint
    sink(ItemChanged(name, state, redact(reason)))
    return HostResult(name, state, time.monotonic() - begun, reason, hint)


# --- this machine ---------------------------------------------------------------------------------


def _this_machine(spec: DiscoverSpec, findings: Findings, token: CancelToken) -> Why:
    read_paths(spec.paths, findings, token)
    if not spec.here:
        return "", ""
    rest = set(spec.live)
    for kind in (Kind.DOCKER, Kind.PODMAN):
        token.check()
        if kind in rest and read_engine(kind, spec.insist, findings):
            rest.discard(kind)
    return _gather(None, "", Wanted(frozenset(rest), spec.days, spec.search), spec, findings, token)


# --- a host ---------------------------------------------------------------------------------------


def _gather(
    host: SshHost | None,
    name: str,
    wanted: Wanted,
    spec: DiscoverSpec,
    findings: Findings,
    token: CancelToken,
) -> Why:
    if not (wanted.kinds or wanted.directories):
        return "", ""
    mark = new_mark()
    stream = StreamReader(mark)
    teller = _Teller(name, spec.insist, findings)

    def take(chunk: bytes) -> None:
        for piece in stream.feed(chunk):
            token.check()
            teller.take(piece)

    each = max(1, round(spec.timeout / 4))
    try:
        ended = ssh.run(
            ssh.command(host), script(wanted, mark, each), take, seconds=spec.timeout, token=token
        )
    finally:
        for piece in stream.end():
            teller.take(piece)
    reason, hint = remedies.why_not_read(ended, host, stream.complete, spec.timeout)
    if reason:
        findings.remark(Remark(None, Place("ssh" if host else "sh", 0, name), reason, hint))
    return reason, hint


class _Teller:
    """What one host sends, as findings."""

    def __init__(self, host: str, insist: bool, findings: Findings) -> None:
        self._host = host
        self._insist = insist
        self._findings = findings
        self._zone: tzinfo = timezone.utc

    def take(self, piece: Material | Notice) -> None:
        if isinstance(piece, Material):
            self._material(piece)
        elif piece.word == "hello":
            self._zone = _zone(piece.what)
        elif piece.word == "absent" and piece.kind is not None:
            self._absent(piece.kind, piece.what)
        elif piece.word == "denied":
            self._failed(piece.kind, piece.what, "it may not be read")
        elif piece.word == "missing":
            self._failed(piece.kind, piece.what, "it was not found")
        elif piece.word == "unread":
            several = f"{piece.count} of them" if piece.count > 1 else "it"
            self._failed(piece.kind, piece.what, f"{several} cannot be read")
        elif piece.word == "read" and piece.kind is not None:
            self._findings.looked_through(self._host, piece.kind, piece.what)
            if piece.kind is Kind.HISTORY and piece.what != "0":
                self._findings.remark(remedies.only_own_histories(self._host))

    def _absent(self, kind: Kind, what: str) -> None:
        if self._insist:
            reason = f"{what} is not there"
            self._findings.failed(self._host, kind, what, reason, remedies.INSTALLED)
        else:
            self._findings.absent(self._host, kind, what)

    def _failed(self, kind: Kind | None, what: str, reason: str) -> None:
        self._findings.failed(self._host, kind, what, reason, remedies.remedy_for(kind))

    def _material(self, material: Material) -> None:
        problem = remedies.why_failed(material)
        path, kind = material.path, reading.kind_of(material)
        if material.form == "listing":
            if problem:
                self._failed(None, path, problem)
            elif material.content.count(b"\n") > MOST_FILES:
                self._findings.failed(self._host, None, path, *remedies.TOO_MANY_FILES)
        elif kind is None:
            return
        elif remedies.not_there(material) and not self._insist:
            self._findings.absent(self._host, kind, path)
        elif problem and not material.content:
            self._failed(kind, path, problem)
        elif kind not in remedies.OF_ONE_HOST and self._findings.seen_elsewhere(
            self._host, path, material.content
        ):
            self._findings.looked_through(self._host, kind, path)
        else:
            pieces = reading.read_material(material, kind, self._host, self._zone)
            remedy = remedies.remedy_for(kind)
            self._findings.take(self._host, kind, path, pieces, problem, remedy)


def _zone(hello: str) -> tzinfo:
    """The time zone of a host, from `0 +0100 dgx01`."""
    match = re.match(r"[0-9]+ ([+-])([01][0-9])([0-5][0-9])\b", hello)
    if match is None:
        return timezone.utc
    minutes = int(match[2]) * 60 + int(match[3])
    return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
