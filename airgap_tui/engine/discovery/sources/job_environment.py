"""Environments of jobs: the variables that carry the image of a container for Pyxis.

As `env` and `export -p` print them, as `/proc/PID/environ` and the files of slurmctld's spool have
them: separated by line ends or by NUL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from airgap_tui.engine.discovery import text as texts
from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, Stream
from airgap_tui.engine.discovery.naming import named

_VARIABLE = re.compile(
    rb"(?:^|(?<=[\0\n\r]))(?:declare -x |export )?"
    rb"(?:PYXIS_CONTAINER_IMAGE|_SLURM_SPANK_OPTION_pyxis_container_image)=([^\0\n\r]*)"
)


def read(stream: Stream, place: Place) -> Iterator[Finding | Remark]:
    """The images in an environment; the lines of one with NUL are not counted."""
    content, more = texts.whole(stream)
    nul = b"\0" in content
    yield from (
        remark
        for remark in texts.doubts(content.replace(b"\0", b"\n"), more, Kind.JOB_ENVIRONMENT, place)
    )
    seen: set[bytes] = set()
    line, counted = 1, 0
    for found in _VARIABLE.finditer(content):
        line, counted = line + content.count(b"\n", counted, found.start()), found.start()
        value = found[1].strip().strip(b"\"'").replace(b"\\$", b"$")
        if not value or value in seen:
            continue
        seen.add(value)
        written = value.decode("utf-8", "replace")
        at = replace(place, line=0 if nul else line)
        yield texts.finding(written, named(written, enroot=True), Kind.JOB_ENVIRONMENT, at, at.line)
