"""From raw material to findings: which source reads it, and on which line it really stands."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timezone, tzinfo

from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, Stream
from airgap_tui.engine.discovery.hosts.collecting import Material
from airgap_tui.engine.discovery.opening import HEAD, Source
from airgap_tui.engine.discovery.recognition import recognised
from airgap_tui.engine.discovery.sources import (
    compose,
    definition_file,
    dockerfile,
    engine_listing,
    enroot,
    history,
    job_environment,
    job_script,
    kubernetes,
    sif,
    slurmd_log,
    submit_line,
    workflow,
)

Pieces = Iterator[Finding | Remark]
utc = timezone.utc

_NUMBERED = re.compile(rb"([0-9]{1,18}):")
_ENGINES = (Kind.DOCKER, Kind.PODMAN, Kind.CONTAINERD)
_SQUASHFS = (b"hsqs", b"sqsh")

_STREAMS: dict[Kind, Callable[[Stream, Place], Pieces]] = {
    Kind.DEFINITION: definition_file.read,
    Kind.SIF: sif.read,
    Kind.JOB_SCRIPT: job_script.read,
    Kind.JOB_ENVIRONMENT: job_environment.read,
    Kind.ENROOT: enroot.read,
}
_TIMED: dict[Kind, Callable[[Stream, Place, tzinfo], Pieces]] = {
    Kind.HISTORY: history.read,
    Kind.SUBMIT_LINE: submit_line.read,
    Kind.SLURMD_LOG: lambda stream, place, zone: slurmd_log.read(stream, place, zone=zone),
    Kind.JOB_OUTPUT: lambda stream, place, zone: slurmd_log.read(
        stream, place, Kind.JOB_OUTPUT, zone
    ),
}
_DOCUMENTS: dict[Kind, Callable[[bytes, Place], Pieces]] = {
    Kind.KUBERNETES: kubernetes.read,
    Kind.DOCKERFILE: dockerfile.read,
    Kind.COMPOSE: compose.read,
    Kind.WORKFLOW: workflow.read,
}


def kind_of(material: Material) -> Kind | None:
    """The kind of source that a gathered file is; None for what is not a source."""
    if material.kind is not None:
        return material.kind
    return recognised(material.path.rpartition("/")[2], material.content[:HEAD])


def read_material(material: Material, kind: Kind, host: str = "", zone: tzinfo = utc) -> Pieces:
    """The findings in what a host gave; times without a zone are of `zone`. What is cut is read up
    to its last whole line."""
    place = Place(material.path, 0, host)
    content = material.whole_lines
    if material.form == "squashfs":
        content = enroot.image_file(material.path, content)
    if kind in _ENGINES and not content.strip():
        return  # an engine that was asked and holds nothing
    if material.form == "numbered":
        yield from _numbered(content, kind, place, zone)
    else:
        yield from _read(io.BytesIO(content), lambda: content, kind, place, zone)


def read_source(source: Source, kind: Kind, zone: tzinfo) -> Pieces:
    """The findings in a file that was opened here, and what of it could not be read."""
    if kind is Kind.ENROOT and source.head.startswith(_SQUASHFS):
        told = enroot.image_file(source.place.path, enroot.attribute(source.place.path))
        yield from enroot.read(io.BytesIO(told), source.place)
        return
    yield from _read(source, source.content, kind, source.place, zone)
    yield from source.remarks


def _read(
    stream: Stream, content: Callable[[], bytes], kind: Kind, place: Place, zone: tzinfo
) -> Pieces:
    if kind in _TIMED:
        return _TIMED[kind](stream, place, zone)
    if kind in _STREAMS:
        return _STREAMS[kind](stream, place)
    if kind in _DOCUMENTS:
        return _DOCUMENTS[kind](content(), place)
    return engine_listing.read(content(), place, kind)


def _numbered(content: bytes, kind: Kind, place: Place, zone: tzinfo) -> Pieces:
    """Lines that `grep -n` chose: their numbers are those of the file that they stand in."""
    numbers: list[int] = []
    lines: list[bytes] = []
    for line in content.split(b"\n"):
        if match := _NUMBERED.match(line):
            numbers.append(int(match[1]))
            lines.append(line[match.end() :])
    for piece in _TIMED[kind](io.BytesIO(b"\n".join(lines)), place, zone):
        at = piece.place.line
        there = numbers[at - 1] if 0 < at <= len(numbers) else at
        yield replace(piece, place=replace(piece.place, line=there))
