"""What `sacct -o SubmitLine` prints: how jobs and steps were submitted, parsable or in columns.

Slurm stores the words of the command joined with blanks, after the shell was through with them, for
a job and for each of its steps. A job that srun itself began has the same line for its first step.
In columns `sacct` cuts what is too long and ends it with `+`: a name cut so is unresolved.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone, tzinfo

from airgap_tui.engine.discovery import text as texts
from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, State, Stream
from airgap_tui.engine.discovery.shell.command_lines import findings

_COMMAND = re.compile(r"(?:[^\s|]*/)?(?:srun|sbatch|salloc)(?=\s|\Z)")
_WRAP = re.compile(r"\s--wrap[= ]")
_IMAGE = re.compile(r"(?<=\s)--container-image[= ]\S+")
_RULE = re.compile(r"[ -]*-{3,}[ -]*\Z")
_TIMES = ("Start", "Submit", "End")


@dataclass(frozen=True, slots=True)
class _Row:
    """The submit line of a row, whether it was cut, and the time of the job or step that `job`
    names."""

    command: str
    cut: bool = False
    time: datetime | None = None
    job: str = ""


def read(stream: Stream, place: Place, zone: tzinfo = timezone.utc) -> Iterator[Finding | Remark]:
    """The images in submit lines. Times, where a column has them, are of `zone`."""
    content, more = texts.whole(stream)
    yield from texts.doubts(content, more, Kind.SUBMIT_LINE, place)
    cut_at = 0
    begun = _Row("")
    lines = texts.decoded(content).split("\n")
    split = _splitter(lines, zone)
    for number, line in enumerate(lines, start=1):
        row = split(line)
        if row is None:
            continue
        job, dot, _step = row.job.partition(".")
        if not dot:
            begun = row
        elif (job, row.command) == (begun.job, begun.command):
            continue
        for found in _of_row(row, place, number):
            if row.cut and isinstance(found, Finding) and row.command.endswith(found.written):
                found = replace(
                    found,
                    written=f"{found.written}+",
                    reference=None,
                    state=State.UNRESOLVED,
                    reason="sacct cut the line here",
                )
            yield found
        if row.cut and not cut_at:
            cut_at = number
    if cut_at:
        yield Remark(
            Kind.SUBMIT_LINE,
            replace(place, line=cut_at),
            "sacct cut submit lines to the width of the column",
            "Use sacct --parsable2 -o JobID,Submit,SubmitLine.",
        )


def _of_row(row: _Row, place: Place, line: int) -> Iterator[Finding | Remark]:
    """`--wrap` takes the rest for a script, but options of sbatch may follow it."""
    wrap = _WRAP.search(row.command)
    parts = [row.command]
    if wrap and "sbatch" in row.command[: wrap.start()]:
        script = row.command[wrap.end() :]
        parts = [row.command[: wrap.start()], script]
        if not re.search(r"\b(?:srun|salloc)\b", script):
            parts += [f"sbatch {option[0]}" for option in _IMAGE.finditer(script)]
    for part in parts:
        yield from findings(part, Kind.SUBMIT_LINE, place, line=line, time=row.time, one_line=True)


def _splitter(lines: list[str], zone: tzinfo) -> Callable[[str], _Row | None]:
    """How the rows of this output are split: by `|`, by the columns under a rule, or not at all."""
    for number, line in enumerate(lines[:50]):
        names = [name.strip() for name in line.split("|")]
        if "SubmitLine" in names and len(names) > 1:
            return lambda row: _parsable(row, names, zone)
        if _RULE.match(line) and number and "SubmitLine" in lines[number - 1]:
            title = lines[number - 1]
            columns = [(found.start(), found.end()) for found in re.finditer(r"-+", line)]
            return lambda row: _in_columns(row, title, columns, zone)
    return _anywhere


def _parsable(line: str, names: list[str], zone: tzinfo) -> _Row | None:
    """A submit line may hold `|` itself: columns are counted from both ends."""
    fields = line.split("|")
    at = names.index("SubmitLine")
    behind = len(names) - at - 1
    if len(fields) < len(names):
        return None
    command = "|".join(fields[at : len(fields) - behind])
    after = fields[len(fields) - behind :] if behind else []
    values = dict(zip(names, [*fields[:at], command, *after], strict=True))
    return _row(command, values, zone)


def _in_columns(line: str, title: str, columns: list[tuple[int, int]], zone: tzinfo) -> _Row | None:
    values = {title[a:b].strip(): line[a:b].strip() for a, b in columns}
    command = values.get("SubmitLine", "")
    found = _row(command.removesuffix("+"), values, zone)
    cut = command.endswith("+")
    if found is None and cut and command[:4] in ("srun", "sbat", "sall"):
        found = _Row(command)
    return replace(found, cut=True) if found and cut else found


def _row(command: str, values: dict[str, str], zone: tzinfo) -> _Row | None:
    found = _COMMAND.match(command.strip())
    if found is None:
        return None
    times = (values.get(name, "") for name in _TIMES)
    known = (texts.written_time(text, zone) for text in times if text[:1].isdigit())
    time = next((time for time in known if time), None)
    return _Row(command.strip(), time=time, job=values.get("JobID", "").strip())


def _anywhere(line: str) -> _Row | None:
    """Without a title: from the command to the end of the line."""
    found = re.search(rf"(?:^|[\s|]){_COMMAND.pattern}", line)
    if found is None:
        return None
    command = line[found.start() :].lstrip(" \t|").rstrip(" \t|")
    return _Row(command.removesuffix("+"), command.endswith("+"))
