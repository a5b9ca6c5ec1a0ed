"""Shell histories: bash, zsh and fish as their files have them, and what `history` prints.

Which it is, is seen from the content; a zsh history without times looks like one of bash, so the
name of the file tells there. Variables set in one line hold in the later ones, as they did for who
typed them; with several sessions in one file that is the best that can be known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo

from airgap_tui.engine.discovery import text as texts
from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, Stream
from airgap_tui.engine.discovery.shell.command_lines import findings
from airgap_tui.engine.discovery.shell.expansion import Variables

_STAMP = re.compile(r"#\+?([0-9]{1,12})\Z")
_STAMPED = re.compile(rb"^#\+?[0-9]{9,12}\r?$", re.MULTILINE)
_ZSH = re.compile(r": *([0-9]{1,12}):[0-9]+;(.*)", re.DOTALL)
_ZSH_FILE = re.compile(rb"^: *[0-9]{1,12}:[0-9]+;", re.MULTILINE)
_FISH_FILE = re.compile(rb"^- cmd: ", re.MULTILINE)
_NUMBERED = re.compile(r"[ \t]{0,8}([0-9]{1,8})(?:\*| ) ?(.*)", re.DOTALL)
_NUMBERED_FILE = re.compile(rb"\s*^[ \t]{0,8}[0-9]{1,8}[* ] ?\S", re.MULTILINE)
_PRINTED_TIME = re.compile(
    r"[ \t]*[\[<(]?([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?"
    r"(?: ?(?:Z|[+-][0-9]{2}:?[0-9]{2}))?)[\])>]?[:,|]?[ \t]+(?:[A-Z]{3,5} )?"
)
_OTHER_TIME = re.compile(
    r"[ \t]*[\[<(]?(?:[0-9]{1,2}[/.][0-9]{1,2}[/.][0-9]{2,4}|(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} +"
    r"[0-9]{1,2}|[0-9]{1,2} [A-Z][a-z]{2}(?: [0-9]{4})?)[ ,T]+[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?"
    r"(?: [AP]M)?(?: [A-Z]{3,5})?(?: [0-9]{4})?[\])>]?[:,|]?[ \t]+"
)
_FISH_ESCAPE = re.compile(r"\\(n|\\)")
_WORTH_READING = re.compile(
    r"[=$]|docker|podman|nerdctl|singularity|apptainer|enroot|srun|sbatch|salloc|SBATCH|crictl|ctr"
    r"|skopeo|kubectl|\boc\b|set|read|for "
)


@dataclass(frozen=True, slots=True)
class _Entry:
    """What somebody typed, and the line of the file on which it begins. `one_line` tells that its
    lines stand on one of the file."""

    text: str
    line: int
    time: datetime | None = None
    one_line: bool = False


def read(stream: Stream, place: Place, zone: tzinfo = timezone.utc) -> Iterator[Finding | Remark]:
    """The images in a history. Times that `history` printed are of `zone`; files hold their own."""
    content, more = texts.whole(stream)
    yield from texts.doubts(content, more, Kind.HISTORY, place)
    variables = Variables()
    for entry in _entries(content, place, zone):
        if _WORTH_READING.search(entry.text):
            yield from findings(
                entry.text,
                Kind.HISTORY,
                place,
                variables,
                line=entry.line,
                time=entry.time,
                one_line=entry.one_line,
            )


def _entries(content: bytes, place: Place, zone: tzinfo) -> Iterator[_Entry]:
    if _FISH_FILE.search(content[:65536]):
        return _fish(texts.decoded(content))
    if _ZSH_FILE.search(content[:65536]):
        return _zsh(texts.decoded(_unmetafied(content)))
    if _STAMPED.search(content):
        return _stamped(texts.decoded(content))
    if _NUMBERED_FILE.match(content):
        return _printed(texts.decoded(content), zone)
    if "zsh" in place.path.rpartition("/")[2]:
        return _zsh(texts.decoded(_unmetafied(content)))
    return _plain(texts.decoded(content))


def _unmetafied(content: bytes) -> bytes:
    """zsh writes some bytes as 0x83 and the byte with bit 5 turned over."""
    return re.sub(rb"\x83(.)", lambda found: bytes([found[1][0] ^ 0x20]), content, flags=re.DOTALL)


def _gathered(
    text: str, begins: Callable[[str], bool], *, joined: Callable[[str], bool]
) -> Iterator[tuple[int, str]]:
    """Lines as entries: a line that begins none, or follows one that is joined to it, continues."""
    entry: list[str] = []
    start = 1
    for number, line in enumerate(text.split("\n"), start=1):
        if entry and (joined(entry[-1]) or not begins(line)):
            entry.append(line)
            continue
        if entry:
            yield start, "\n".join(entry)
        entry, start = [line], number
    if entry:
        yield start, "\n".join(entry)


def _ends_with_backslash(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _plain(text: str) -> Iterator[_Entry]:
    for line, entry in _gathered(text, lambda _: True, joined=_ends_with_backslash):
        yield _Entry(entry, line)


def _stamped(text: str) -> Iterator[_Entry]:
    """Lines before the first time are entries of one line; then each time begins an entry."""
    before, times = True, _STAMP.match
    for line, entry in _gathered(text, lambda found: bool(times(found)), joined=lambda _: False):
        first, _, rest = entry.partition("\n")
        found = times(first)
        if found:
            before = False
            yield _Entry(rest, line + 1, texts.moment(found[1]))
        elif before:
            for number, single in enumerate(entry.split("\n"), start=line):
                yield _Entry(single, number)


def _zsh(text: str) -> Iterator[_Entry]:
    """A backslash at the end of a line stands for the line end within an entry."""
    for line, entry in _gathered(text, lambda _: True, joined=lambda found: found.endswith("\\")):
        typed = re.sub(r"\\\n", "\n", entry)
        found = _ZSH.fullmatch(typed)
        if found:
            yield _Entry(found[2], line, texts.moment(found[1]))
        else:
            yield _Entry(typed, line)


def _fish(text: str) -> Iterator[_Entry]:
    """`- cmd: ` and then, on lines of their own, its time and paths."""
    command: tuple[int, str] | None = None
    time: datetime | None = None
    for number, line in enumerate([*text.split("\n"), "- cmd: "], start=1):
        if line.startswith("- cmd: "):
            if command:
                yield _Entry(command[1], command[0], time, one_line=True)
            typed = _FISH_ESCAPE.sub(lambda e: "\n" if e[1] == "n" else "\\", line[7:])
            command, time = (number, typed), None
        elif line.startswith("  when: "):
            time = texts.moment(line[8:].strip())


def _printed(text: str, zone: tzinfo) -> Iterator[_Entry]:
    """What `history` prints: a number, a time in any form, the command; numbers only rise."""
    last = -1

    def begins(line: str) -> bool:
        nonlocal last
        found = _NUMBERED.fullmatch(line)
        if found is None or int(found[1]) <= last:
            return False
        last = int(found[1])
        return True

    for line, entry in _gathered(text, begins, joined=lambda _: False):
        found = _NUMBERED.fullmatch(entry)
        typed = found[2] if found else entry
        time = None
        if found and (printed := _PRINTED_TIME.match(typed)):
            time = texts.written_time(printed[1], zone)
            typed = typed[printed.end() :]
        elif found and (printed := _OTHER_TIME.match(typed)):
            typed = typed[printed.end() :]
        yield _Entry(typed, line, time)
