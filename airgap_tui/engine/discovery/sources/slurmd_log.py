"""Logs of slurmd and output of jobs: what Pyxis says of images, in all its generations.

| Pyxis | says |
|---|---|
| 0.1 to 0.11 | that it imports, never what: such a log is blind |
| 0.12 | `importing docker image: IMG` before, an error without name where it failed |
| 0.13 to 0.23 | that only in jobs of one task; `imported docker image: IMG` after success |
| 0.24 | the errors with the name too |

An import is tied to its outcome by host and `[job.step]`. A container that is made without one is
of a `.sqsh` file, which none of them names.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timezone, tzinfo
from functools import lru_cache

from airgap_tui.engine.discovery import text as texts
from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, State, Stream
from airgap_tui.engine.discovery.naming import Named, named, shown
from airgap_tui.engine.discovery.sources import enroot
from airgap_tui.engine.discovery.sources.pyxis_lines import Line, Step, lines, step_of, time_of
from airgap_tui.engine.quantities import count

_MOST_STEPS = 10_000
_SEES_NAMES = (0, 12)
_TELLS_SUCCESS = (0, 13)
_OTHER_SOURCES = (
    "Use job scripts, sacct -o SubmitLine, shell histories and the data of enroot instead."
)


@dataclass(frozen=True, slots=True)
class _Import:
    """An import that was begun; nothing told yet how it went."""

    written: str
    line: Line


def read(
    stream: Stream,
    place: Place,
    kind: Kind = Kind.SLURMD_LOG,
    zone: tzinfo = timezone.utc,
) -> Iterator[Finding | Remark]:
    """The images that Pyxis imported, or failed to import. Output of jobs is read the same way, as
    another kind. Times without a zone are of `zone`."""
    log = _Log(kind, place, zone)
    for line in lines(stream):
        yield from log.take(line)
    yield from log.end()


class _Log:
    def __init__(self, kind: Kind, place: Place, zone: tzinfo) -> None:
        self._kind = kind
        self._place = place
        self._zone = zone
        self._begun: OrderedDict[Step, _Import] = OrderedDict()
        self._nameless: OrderedDict[Step, None] = OrderedDict()
        self._told: OrderedDict[Step, None] = OrderedDict()
        self._versions: set[str] = set()
        self._tells_success = False
        self._blind_line = 0
        self._blind_told = False
        self._unnamed_line = 0
        self._unnamed = 0
        self._lines = 0

    def take(self, line: Line) -> Iterator[Finding | Remark]:
        self._lines += 1
        what = str(line.message.lastgroup)
        found = line.message[what]
        if what == "version":
            yield from self._version(found.decode(), line.number)
        elif what == "blind":
            self._blind_line = self._blind_line or line.number
        else:
            yield from self._of_step(what, found, line, step_of(line.front))

    def end(self) -> Iterator[Finding | Remark]:
        for begun in self._begun.values():
            yield self._unfinished(begun)
        if self._blind_line and not self._blind_told:
            yield self._blind("this Pyxis is older than 0.12 and", self._blind_line)
        if self._unnamed:
            yield Remark(
                self._kind,
                replace(self._place, line=self._unnamed_line),
                f"{count(self._unnamed, 'container')} came without an import, so from .sqsh files,"
                " whose images this log does not name",
                _OTHER_SOURCES,
            )
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
        self._blind_told = True
        return Remark(
            self._kind,
            replace(self._place, line=number),
            f"{which} does not write the names of images to this log",
            _OTHER_SOURCES,
        )

    def _of_step(self, what: str, found: bytes, line: Line, step: Step) -> Iterator[Finding]:
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
        elif what in ("made", "progress"):
            if begun:
                del self._begun[step]
                yield self._finding(begun.written, begun.line)
                self._remember(self._told, step)
            elif what == "made" and step not in self._told:
                self._unnamed += 1
                self._unnamed_line = self._unnamed_line or line.number
        elif step in self._nameless or (step not in self._told and step not in self._begun):
            self._nameless.pop(step, None)
            if error := enroot.of_error(_text(found)):
                written, meaning, reason = error
                yield texts.failed(self._finding(written, line, meaning), reason)
                self._remember(self._told, step)

    def _give_up(self, step: Step) -> Iterator[Finding]:
        if begun := self._begun.pop(step, None):
            yield self._unfinished(begun)

    def _unfinished(self, begun: _Import) -> Finding:
        """Up to 0.12 no line tells of success, later ones always have one."""
        found = self._finding(begun.written, begun.line)
        if not self._tells_success:
            return found
        return texts.failed(found, "the log does not tell that the import was finished")

    def _failed(self, written: str, line: Line) -> Finding:
        return texts.failed(self._finding(written, line), "Pyxis could not import it")

    def _finding(self, written: str, line: Line, meaning: Named | None = None) -> Finding:
        meaning = meaning or _meaning(written)
        if not line.ended and meaning.reference is not None:
            reason = "the line is cut off here, so the name may be longer"
            meaning = Named(None, State.UNRESOLVED, reason)
        time = time_of(line.front, self._zone)
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
    def _remember(steps: OrderedDict[Step, None], step: Step) -> None:
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
