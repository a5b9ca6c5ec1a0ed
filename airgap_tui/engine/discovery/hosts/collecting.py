"""The raw material of one host: the script that gathers it there, and the stream that it writes.

`collect.sh` runs in any POSIX shell, here with `sh -s` and elsewhere through `ssh`. Its stream is
data of a host that may be broken or hostile: every part of it is bounded, and what it says about
itself is only shown.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files

from airgap_tui.engine.discovery.finding import Kind
from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.redaction import redact

MOST_OF_ONE = 64 * 1024 * 1024
"""A source is cut here."""
MOST_FILES = 20_000
"""Of each searched directory."""

_LONGEST_LINE = 8192
_LONGEST_SAID = 4096
_KINDS = {kind.value: kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to gather: kinds of live sources, how far back where a source asks for that, and
    directories to look through for job scripts and definition files. With `clusters`, the host says
    to which it belongs."""

    kinds: frozenset[Kind]
    days: int = 90
    directories: tuple[str, ...] = ()
    clusters: bool = False

    @property
    def nothing(self) -> bool:
        return not (self.kinds or self.directories or self.clusters)


LIVE = frozenset(
    {
        Kind.DOCKER,
        Kind.PODMAN,
        Kind.CONTAINERD,
        Kind.HISTORY,
        Kind.ENROOT,
        Kind.SLURMD_LOG,
        Kind.SUBMIT_LINE,
        Kind.JOB_SCRIPT,
        Kind.KUBERNETES,
    }
)
"""The kinds that the script knows where to look for."""

SYSTEMS = {
    "slurm": frozenset({Kind.SUBMIT_LINE, Kind.JOB_SCRIPT}),
    "kubernetes": frozenset({Kind.KUBERNETES}),
}
"""What a cluster tells as a whole, so that one of its hosts is enough."""
CLUSTER_WIDE = frozenset(kind for kinds in SYSTEMS.values() for kind in kinds)


@dataclass(frozen=True, slots=True)
class Material:
    """What one file or program gave. `kind` is None where the content has to tell it; `form` is
    the script's word for how it is written. `status` is the program's exit code, None where it was
    broken off, and `said` the end of what it complained of. `cut` is whether more would follow."""

    kind: Kind | None
    form: str
    path: str
    content: bytes
    status: int | None = 0
    said: str = ""
    cut: bool = False

    @property
    def whole_lines(self) -> bytes:
        """The content without a last line that is cut: half a name is another name."""
        return self.content[: self.content.rfind(b"\n") + 1] if self.cut else self.content


@dataclass(frozen=True, slots=True)
class Notice:
    """What the script tells of a source without giving it. `word` is one of

    - `hello`: `what` is the user's number, the time zone and the name of the host
    - `cluster`: `what` is the system and the name of a cluster that the host belongs to
    - `absent`: there is no such source there; `missing`: there should be one
    - `denied`: it may not be read; `unread`: `count` of them could not be had
    - `unmounted`: `count` of them would have to be mounted first
    - `read`: it was looked through, even if it held nothing
    - `done`: nothing was broken off
    """

    word: str
    kind: Kind | None
    what: str
    count: int = 1


def script(wanted: Wanted, mark: str, seconds: int = 30) -> bytes:
    """The text for `sh -s`. `mark` begins every frame; a program gets `seconds` at most."""
    settings = {
        "mark": mark,
        "want": " ".join(sorted(kind.value for kind in wanted.kinds)),
        "since": str(wanted.days),
        "each": str(seconds),
        "most": str(MOST_OF_ONE),
        "files": str(MOST_FILES),
        "probe": "yes" if wanted.clusters else "",
    }
    lines = [f"{name}={shlex.quote(value)}" for name, value in settings.items()]
    lines.append(shlex.join(["set", "--", *wanted.directories]))
    body = files(__package__).joinpath("collect.sh").read_bytes()
    return "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n" + body


def new_mark() -> str:
    """A mark that nothing on a host can know before."""
    return f"airgap-tui-{secrets.token_hex(16)}"


class StreamReader:
    """Takes the stream apart as it comes; greetings of a login before it are skipped."""

    def __init__(self, mark: str) -> None:
        self._begin = f"\n{mark} ".encode()
        self._buffer = bytearray(b"\n")
        self._scanned = 0
        self._open: tuple[Kind | None, str, str] | None = None
        self._content: bytes | None = None
        self._overflowing = False
        self.began = False
        self.complete = False

    def feed(self, chunk: bytes | memoryview) -> Iterator[Material | Notice]:
        """What is whole now."""
        self._buffer += chunk
        while (found := self._next_frame()) is not None:
            body, line = found
            yield from self._frame(body, line)

    def end(self) -> Iterator[Material | Notice]:
        """What was under way when the stream broke off."""
        if self._open is not None:
            content = self._content if self._content is not None else bytes(self._buffer)
            kind, form, path = self._open
            self._open = None
            yield Material(kind, form, path, content[:MOST_OF_ONE], None, "", cut=True)

    def _next_frame(self) -> tuple[bytes, str] | None:
        at = self._buffer.find(self._begin, self._scanned)
        end = self._buffer.find(b"\n", at + 1) if at >= 0 else -1
        if at < 0 or end < 0:
            self._scanned = at if at >= 0 else max(0, len(self._buffer) - len(self._begin))
            self._bound(at)
            return None
        body = bytes(self._buffer[:at])
        line = bytes(self._buffer[at + len(self._begin) : min(end, at + _LONGEST_LINE)])
        # The line's end may be the beginning of the next frame.
        taken = end if self._buffer.startswith(self._begin, end) else end + 1
        del self._buffer[:taken]
        self._scanned = 0
        return body, line.decode("utf-8", "replace")

    def _bound(self, at: int) -> None:
        """Drop what nobody will use: text outside of frames, and more than the script may send."""
        keep = len(self._begin) + _LONGEST_LINE
        limit = MOST_OF_ONE if self._open is not None and self._content is None else keep
        if len(self._buffer) > limit + 2 * keep:
            if limit == MOST_OF_ONE:
                self._overflowing = True
                del self._buffer[limit : len(self._buffer) - keep]
            else:
                del self._buffer[: len(self._buffer) - keep]
            self._scanned = 0 if at >= 0 else max(0, len(self._buffer) - keep)

    def _frame(self, body: bytes, line: str) -> Iterator[Material | Notice]:
        word, _, rest = line.partition(" ")
        if word == "hello":
            self.began = True
            yield Notice(word, None, _shown(rest))
        elif not self.began or self.complete:
            return
        elif word == "begin":
            yield from self.end()
            kind, form, path = _fields(rest, 3)
            self._open, self._content, self._overflowing = (
                (_kind(kind), form, _shown(path)),
                None,
                False,
            )
        elif word == "said" and self._open is not None and self._content is None:
            self._content = body
        elif word == "end" and self._open is not None and self._content is not None:
            (kind_, form, path), content = self._open, self._content
            status, said = _status(body)
            cut = self._overflowing or len(content) >= MOST_OF_ONE
            self._open = None
            yield Material(kind_, form, path, content[:MOST_OF_ONE], status, said, cut)
        elif word == "cluster":
            yield Notice(word, None, _shown(rest))
        elif word in ("absent", "denied", "missing", "read"):
            kind, what = _fields(rest, 2)
            yield Notice(word, _kind(kind), _shown(what))
        elif word in ("unread", "unmounted"):
            kind, number, what = _fields(rest, 3)
            yield Notice(word, _kind(kind), _shown(what), int(number) if number.isdigit() else 1)
        elif word == "done":
            self.complete = True
            yield Notice(word, None, "")


def _fields(text: str, count: int) -> list[str]:
    parts = text.split(" ", count - 1)
    return parts + [""] * (count - len(parts))


def _kind(word: str) -> Kind | None:
    return _KINDS.get(word)


def _shown(text: str) -> str:
    return harmless(redact(text))


def _status(body: bytes) -> tuple[int | None, str]:
    """The exit code in the last line, and the last words before it."""
    lines = body[-_LONGEST_SAID:].decode("utf-8", "replace").strip().splitlines() or [""]
    number = lines.pop().strip()
    return int(number) if number.isdigit() and len(number) < 4 else None, last_line(lines)


def last_line(lines: Iterable[str]) -> str:
    """The last line that says something, fit to be shown."""
    told = [line.strip() for line in lines if line.strip()]
    return _shown(told[-1])[:300] if told else ""
