"""Logs of slurmd and output of jobs: what Pyxis says of images, in all its generations.

| Pyxis | says |
|---|---|
| 0.1 to 0.11 | that it imports, never what: such a log is blind |
| 0.12 | `importing docker image: IMG` before, an error without name where it failed |
| 0.13 to 0.23 | that only in jobs of one task; `imported docker image: IMG` after success |
| 0.24 | the errors with the name too |

An import is tied to its outcome by host and `[job.step]`. Nothing is anchored on the time in front:
slurmd, syslog and the journal write it in a dozen forms. A log can be large: it is searched for
`pyxis: ` in chunks, and only those lines are looked at.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone, tzinfo
from functools import lru_cache
from typing import TypeAlias

from airgap_tui.engine.discovery import text as texts
from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, State, Stream
from airgap_tui.engine.discovery.naming import Named, named, shown
from airgap_tui.engine.discovery.sources import enroot

_CHUNK = 1 << 20
_LONGEST = 8192
_MOST_STEPS = 10_000
_NEEDLE = b"pyxis: "
_NAME = rb"[^\s\"\x00-\x1f\x7f]+"
_MESSAGE = re.compile(
    rb"pyxis: (?:"
    rb"imported docker image: (?P<imported>" + _NAME + rb")"
    rb"|importing docker image: (?P<importing>" + _NAME + rb")"
    rb"|failed to import docker image: (?P<failed>" + _NAME + rb")"
    rb"|failed to create container filesystem for image: (?P<created>" + _NAME + rb")"
    rb"|(?P<nameless>failed to import docker image|enroot import failed)"
    rb"|(?P<blind>importing docker image(?= ?\.\.\.)|running \"enroot import\")"
    rb"|running enroot command: [^\n]{0,4096}?\b(?:import|load) [^\n]{0,4096}?"
    rb"(?P<command>(?:docker|dockerd|podman)://" + _NAME + rb")"
    rb"|running importer command: [^\n]{0,4096}? get (?P<importer>" + _NAME + rb")"
    rb"|version v?(?P<version>[0-9]{1,4}\.[0-9]{1,4}[0-9A-Za-z.+~-]{0,20})"
    rb"|(?P<progress>creating container filesystem|starting container"
    rb"|completed container setup|skipping container creation|using importer squashfs)"
    rb"|[ \t]+(?P<error>\[ERROR\] (?:URL|Invalid image reference)[^\n\x00]{0,4096})"
    rb")"
)
_STEP = re.compile(rb"\[([^\[\]\s:]+\.[A-Za-z0-9_+]+)(?: stepmgr)?\] (?:error: )?\Z")
_PROCESS = re.compile(rb"slurm(?:step)?d\[([0-9]+)\]")
_HOST = re.compile(
    rb"(?:<[0-9]{1,3}>)?(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}T\S+)"
    rb" ([A-Za-z0-9][A-Za-z0-9._-]*) slurm"
)
_TIME = re.compile(
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    rb"(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)

_Step: TypeAlias = tuple[bytes, bytes]
"""The host, where several write one log, and the job's step or the process."""

_SEES_NAMES = (0, 12)
_TELLS_SUCCESS = (0, 13)
_OTHER_SOURCES = (
    "Use job scripts, sacct -o SubmitLine, shell histories and the data of enroot instead."
)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line with a message of Pyxis: what stands in front of it, and the message.

    `ended` is False for the last line of a log that does not end with a line end."""

    number: int
    front: bytes
    message: re.Match[bytes]
    ended: bool = True


@dataclass(frozen=True, slots=True)
class _Import:
    """An import that was begun; nothing told yet how it went."""

    written: str
    line: _Line


def read(
    stream: Stream,
    place: Place,
    kind: Kind = Kind.SLURMD_LOG,
    zone: tzinfo = timezone.utc,
) -> Iterator[Finding | Remark]:
    """The images that Pyxis imported, or failed to import. Output of jobs is read the same way, as
    another kind. Times without a zone are of `zone`."""
    log = _Log(kind, place, zone)
    for line in _lines(stream):
        yield from log.take(line)
    yield from log.end()


class _Log:
    def __init__(self, kind: Kind, place: Place, zone: tzinfo) -> None:
        self._kind = kind
        self._place = place
        self._zone = zone
        self._begun: OrderedDict[_Step, _Import] = OrderedDict()
        self._nameless: OrderedDict[_Step, None] = OrderedDict()
        self._told: OrderedDict[_Step, None] = OrderedDict()
        self._versions: set[str] = set()
        self._tells_success = False
        self._blind_line = 0
        self._lines = 0

    def take(self, line: _Line) -> Iterator[Finding | Remark]:
        self._lines += 1
        what = str(line.message.lastgroup)
        found = line.message[what]
        if what == "version":
            yield from self._version(found.decode(), line.number)
        elif what == "blind":
            self._blind_line = self._blind_line or line.number
        else:
            yield from self._of_step(what, found, line, _step_of(line.front))

    def end(self) -> Iterator[Finding | Remark]:
        for begun in self._begun.values():
            yield self._unfinished(begun)
        if self._blind_line and not self._versions:
            yield self._blind("this Pyxis is older than 0.12 and", self._blind_line)
        if not self._lines and self._kind is Kind.SLURMD_LOG:
            yield Remark(
                self._kind,
                self._place,
                "there is no message of Pyxis in this log",
                f"If jobs use containers here, this log does not show it. {_OTHER_SOURCES}",
            )

    def _version(self, text: str, number: int) -> Iterator[Remark]:
        major, minor = (int(part) for part in re.findall("[0-9]+", text)[:2])
        self._tells_success = (major, minor) >= _TELLS_SUCCESS
        if (major, minor) < _SEES_NAMES and text not in self._versions:
            yield self._blind(f"Pyxis {text}", number)
        self._versions.add(text)

    def _blind(self, which: str, number: int) -> Remark:
        return Remark(
            self._kind,
            replace(self._place, line=number),
            f"{which} does not write the names of images to this log",
            _OTHER_SOURCES,
        )

    def _of_step(self, what: str, found: bytes, line: _Line, step: _Step) -> Iterator[Finding]:
        begun = self._begun.get(step)
        if what in ("importing", "command", "importer"):
            written = _text(found)
            if begun and _meaning(begun.written) == _meaning(written):
                return
            yield from self._give_up(step)
            self._begun[step] = _Import(written, line)
            if len(self._begun) > _MOST_STEPS:
                yield from self._give_up(next(iter(self._begun)))
        elif what == "imported":
            self._tells_success = True
            self._begun.pop(step, None)
            if begun and _meaning(begun.written) != _meaning(_text(found)):
                yield self._unfinished(begun)
            yield self._finding(_text(found), line)
            self._remember(self._told, step)
        elif what == "failed":
            self._begun.pop(step, None)
            yield self._failed(_text(found), line)
            self._remember(self._told, step)
        elif what == "nameless":
            if begun:
                del self._begun[step]
                yield self._failed(begun.written, begun.line)
                self._remember(self._told, step)
            else:
                self._told.pop(step, None)
                self._remember(self._nameless, step)
        elif what == "created":
            # The import had worked; that is told here where its own line is missing.
            self._begun.pop(step, None)
            if step not in self._told:
                yield self._finding(_text(found), line)
                self._remember(self._told, step)
        elif what == "progress":
            if begun:
                del self._begun[step]
                yield self._finding(begun.written, begun.line)
                self._remember(self._told, step)
        elif step in self._nameless or (step not in self._told and step not in self._begun):
            self._nameless.pop(step, None)
            if error := enroot.of_error(_text(found)):
                written, meaning, reason = error
                yield texts.failed(self._finding(written, line, meaning), reason)
                self._remember(self._told, step)

    def _give_up(self, step: _Step) -> Iterator[Finding]:
        if begun := self._begun.pop(step, None):
            yield self._unfinished(begun)

    def _unfinished(self, begun: _Import) -> Finding:
        """Up to 0.12 no line tells of success, later ones always have one."""
        found = self._finding(begun.written, begun.line)
        if not self._tells_success:
            return found
        return texts.failed(found, "the log does not tell that the import was finished")

    def _failed(self, written: str, line: _Line) -> Finding:
        return texts.failed(self._finding(written, line), "Pyxis could not import it")

    def _finding(self, written: str, line: _Line, meaning: Named | None = None) -> Finding:
        meaning = meaning or _meaning(written)
        if not line.ended and meaning.reference is not None:
            reason = "the log ends within this line, so the name may be longer"
            meaning = Named(None, State.UNRESOLVED, reason)
        time = _time_of(line.front, self._zone)
        place = Place(self._place.path, line.number, self._place.host)
        return Finding(
            _shown(written),
            meaning.reference,
            self._kind,
            place,
            meaning.state,
            time,
            meaning.reason,
        )

    @staticmethod
    def _remember(steps: OrderedDict[_Step, None], step: _Step) -> None:
        steps[step] = None
        if len(steps) > _MOST_STEPS:
            steps.popitem(last=False)


@lru_cache(maxsize=4096)
def _meaning(written: str) -> Named:
    """The same names come again and again."""
    return named(written, enroot=True)


_shown = lru_cache(maxsize=4096)(shown)


def _text(found: bytes) -> str:
    return found.decode("utf-8", "replace")


def _step_of(front: bytes) -> _Step:
    """The host where several write one log, and the step; where the log has no steps, the
    process."""
    host = _HOST.match(front)
    step = _STEP.search(front) or _PROCESS.search(front)
    return (host[1] if host else b"", step[1] if step else b"")


def _time_of(front: bytes, zone: tzinfo) -> datetime | None:
    """The time nearest to the message: the one of slurmd where syslog put its own in front."""
    found = _TIME.findall(front)
    return texts.written_time(found[-1].decode(), zone) if found else None


def _lines(stream: Stream) -> Iterator[_Line]:
    """The lines with a message of Pyxis that tells something. A line without end does not grow
    without end: it is then looked at in pieces."""
    rest = b""
    number = 1
    while True:
        chunk = stream.read(_CHUNK)
        data = rest + chunk if rest else chunk
        if chunk:
            end = data.rfind(b"\n") + 1
            if not end:
                end = max(0, len(data) - _LONGEST)
        else:
            end = len(data)
        counted = 0
        position = data.find(_NEEDLE, 0, end)
        while position >= 0:
            if message := _MESSAGE.match(data, position):
                number += data.count(b"\n", counted, position)
                counted = position
                start = data.rfind(b"\n", max(0, position - _LONGEST), position) + 1
                start = max(start, position - _LONGEST)
                ended = bool(chunk) or message.end() < len(data)
                yield _Line(number, data[start:position], message, ended)
                position = message.end()
            else:
                position += len(_NEEDLE)
            position = data.find(_NEEDLE, position, end)
        number += data.count(b"\n", counted, end)
        if not chunk:
            return
        rest = data[end:]
