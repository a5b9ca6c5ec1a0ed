"""Slurm job scripts: `#SBATCH` lines at the head, and the commands below.

Also what `sacct -B` prints: several scripts, each under a title. Of a script for another
interpreter than a shell only the head is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from airgap_tui.engine.discovery import text as texts
from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, Stream
from airgap_tui.engine.discovery.shell.command_lines import findings

_TITLE = re.compile(r"^Batch Script for \S+\n-{5,}\n", re.MULTILINE)
_INTERPRETER = re.compile(r"#![ \t]*(\S+)(?:[ \t]+(?:-S[ \t]+)?(\S+))?")
_SHELL = re.compile(r"(?:.*/)?(?:ba|z|k|da|tc|c|fi|a)?sh\Z")


def read(stream: Stream, place: Place) -> Iterator[Finding | Remark]:
    """The images that a job script names."""
    content, more = texts.whole(stream)
    yield from texts.doubts(content, more, Kind.JOB_SCRIPT, place)
    text = texts.decoded(content)
    for script, line in _scripts(text):
        yield from findings(script, Kind.JOB_SCRIPT, place, line=line)


def _scripts(text: str) -> Iterator[tuple[str, int]]:
    titles = list(_TITLE.finditer(text))
    if not titles:
        yield _shell_part(text), 1
        return
    ends = [*(found.start() for found in titles[1:]), len(text)]
    for found, end in zip(titles, ends, strict=True):
        yield _shell_part(text[found.end() : end]), text.count("\n", 0, found.end()) + 1


def _shell_part(script: str) -> str:
    """All of a shell script; of another one the comments at its head."""
    found = _INTERPRETER.match(script)
    if found is None:
        return script
    program = found[2] if found[1].endswith("/env") and found[2] else found[1]
    if _SHELL.match(program):
        return script
    head = []
    for line in script.split("\n"):
        if line.strip() and not line.startswith("#"):
            break
        head.append(line)
    return "\n".join(head)
