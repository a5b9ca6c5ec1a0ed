"""The lines of a log in which Pyxis tells something: the message, its step, its time.

Nothing is anchored on the time in front: slurmd, syslog and the journal write it in a dozen forms.
A log can be large: it is searched for `pyxis: ` in chunks, and only those lines are looked at.
Up to 24.11 Slurm cuts what it gives to syslog at 500 bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TypeAlias

from airgap_tui.engine.discovery import text as texts
from airgap_tui.engine.discovery.finding import Stream

_CHUNK = 1 << 20
_LONGEST = 8192
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
    rb"|(?P<made>creating container filesystem: |skipping container creation)"
    rb"|(?P<progress>creating container filesystem|starting container"
    rb"|completed container setup|using importer squashfs)"
    rb"|[ \t]+(?P<error>\[ERROR\] (?:URL|Invalid image reference)[^\n\x00]{0,4096})"
    rb")"
)
_STEP = re.compile(rb"\[([^\[\]\s:]+\.[A-Za-z0-9_+]+)(?: stepmgr)?\] (?:error: )?\Z")
_SYSLOG = re.compile(rb"slurm(?:step)?d\[[0-9]+\]: ")
_SYSLOG_BYTES = 500
_PROCESS = re.compile(rb"slurm(?:step)?d\[([0-9]+)\]")
_HOST = re.compile(
    rb"(?:<[0-9]{1,3}>)?(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}T\S+)"
    rb" ([A-Za-z0-9][A-Za-z0-9._-]*) slurm"
)
_TIME = re.compile(
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    rb"(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)

Step: TypeAlias = tuple[bytes, bytes]
"""The host, where several write one log, and the job's step or the process."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line with a message of Pyxis: what stands in front of it, and the message.

    `ended` is False where the line is cut off within the message: by the end of the log or by
    syslog."""

    number: int
    front: bytes
    message: re.Match[bytes]
    ended: bool = True


def step_of(front: bytes) -> Step:
    """The host where several write one log, and the step; where the log has no steps, the
    process."""
    host = _HOST.match(front)
    step = _STEP.search(front) or _PROCESS.search(front)
    return (host[1] if host else b"", step[1] if step else b"")


def time_of(front: bytes, zone: tzinfo) -> datetime | None:
    """The time nearest to the message: the one of slurmd where syslog put its own in front."""
    found = _TIME.findall(front)
    return texts.written_time(found[-1].decode(), zone) if found else None


def _cut_by_syslog(front: bytes, message: re.Match[bytes]) -> bool:
    process = _SYSLOG.search(front)
    return process is not None and (len(front) - process.end() + len(message[0]) == _SYSLOG_BYTES)


def lines(stream: Stream) -> Iterator[Line]:
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
                front = data[start:position]
                ended = bool(chunk) or message.end() < len(data)
                yield Line(number, front, message, ended and not _cut_by_syslog(front, message))
                position = message.end()
            else:
                position += len(_NEEDLE)
            position = data.find(_NEEDLE, position, end)
        number += data.count(b"\n", counted, end)
        if not chunk:
            return
        rest = data[end:]
