"""Here-documents: where their body ends, and whether it is a script that is written to a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from airgap_tui.engine.discovery.shell.open_word import OpenWord

_MOST_UNENDED = 20
_SCRIPT_FILE = re.compile(r"\.(?:sh|bash|zsh|csh|sbatch|slurm|job)\Z")
_SHELL_SCRIPT = re.compile(r"#![^\n]*\b(?:ba|z|k|da|c|tc)?sh\b")


@dataclass(frozen=True, slots=True)
class Body:
    """`literal` says that nothing in it is expanded. `end` is behind the line of the delimiter,
    which `lines` counts too."""

    text: str
    literal: bool
    end: int
    lines: int


@dataclass(frozen=True, slots=True)
class _Here:
    """`tabs` says that tabs in front of a line go."""

    delimiter: str
    tabs: bool
    literal: bool


class HereDocuments:
    """Those that a line begins: their bodies follow it, one after the other."""

    def __init__(self) -> None:
        self._waiting: list[_Here] = []
        self._unended = 0

    def begin(self, delimiter: OpenWord, *, tabs: bool) -> None:
        self._waiting.append(_Here(delimiter.values[0], tabs, delimiter.quoted))

    def bodies(self, text: str, position: int, *, to_the_end: bool) -> Iterator[Body]:
        """Those from the position on. One without its delimiter goes to the end of the text as a
        shell has it, or is none: that is half a history, read as if nothing were open."""
        waiting, self._waiting = self._waiting, []
        for here in waiting:
            if self._unended >= _MOST_UNENDED:
                return
            body, ended = _body(here, text, position)
            if ended or to_the_end:
                position = body.end
                yield body
            else:
                self._unended += 1


def is_script(name: str, body: str) -> bool:
    """Whether what is written to a file is a script for a shell, by its name or its first line."""
    if _SCRIPT_FILE.search(name):
        return True
    return body.startswith("#SBATCH") or _SHELL_SCRIPT.match(body) is not None


def _body(here: _Here, text: str, position: int) -> tuple[Body, bool]:
    """What follows the position, and whether its delimiter was found."""
    lines: list[str] = []
    ended = False
    count = 0
    while position < len(text) and not ended:
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        line = text[position:end].rstrip("\r")
        lines.append(line.lstrip("\t") if here.tabs else line)
        position = min(end + 1, len(text))
        count += 1
        ended = lines[-1] == here.delimiter
    body = "\n".join(lines[:-1] if ended else lines)
    return Body(body, here.literal, position, count), ended
