"""Definition files of Singularity and Apptainer: what each stage is built from.

The header is read as the program reads it (keys in any case, values cut at `#`, `\\` continues a
line, a new stage at each `Bootstrap:`); `Registry` and `Namespace` stand in front of `From`; the
values of `{{ NAME }}` come from `%arguments`. Sections hold commands of the build and are passed
over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from airgap_tui.engine.discovery import text as texts
from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, State, Stream
from airgap_tui.engine.discovery.naming import Named, named

_STAGE = re.compile(r"^bootstrap:", re.MULTILINE | re.IGNORECASE)
_ARGUMENT = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_DEFAULT = re.compile(r"\s*(\w+)\s*=\s*(.*?)\s*\Z")
_NAMED_SOURCES = {
    "library": "library://",
    "shub": "shub://",
    "oras": "oras://",
    "docker-daemon": "docker-daemon:",
    "docker-archive": "docker-archive:",
    "oci": "oci:",
    "oci-archive": "oci-archive:",
    "localimage": "localimage:",
}


@dataclass(frozen=True, slots=True)
class _Stage:
    """The header of a stage, the line of its `From`, and the defaults of its arguments."""

    header: dict[str, str]
    line: int
    defaults: dict[str, str]


def read(stream: Stream, place: Place, kind: Kind = Kind.DEFINITION) -> Iterator[Finding | Remark]:
    """What the stages of a definition file are built from; `kind` is another where the file was
    found in an image."""
    content, more = texts.whole(stream)
    yield from texts.doubts(content, more, kind, place)
    text = texts.decoded(content)
    stages = [stage for stage in _stages(text) if "bootstrap" in stage.header]
    if not stages:
        yield Remark(
            kind,
            place,
            "it is not a definition file: there is no Bootstrap: line",
            "See whether it is the right file.",
        )
    for stage in stages:
        yield from _of_stage(stage, kind, place)


def _stages(text: str) -> list[_Stage]:
    """A stage begins at each `Bootstrap:` that is not indented; the first may be."""
    starts = [0, *(found.start() for found in _STAGE.finditer(text))]
    ends = [*starts[1:], len(text)]
    return [
        _stage(text[start:end], text.count("\n", 0, start) + 1)
        for start, end in zip(starts, ends, strict=True)
    ]


def _stage(text: str, first_line: int) -> _Stage:
    header: dict[str, str] = {}
    defaults: dict[str, str] = {}
    line_of_from = first_line
    section = ""
    pending, begun = "", first_line
    for number, raw in enumerate(text.split("\n"), start=first_line):
        if raw.lstrip().startswith("%"):
            section = raw.strip().lstrip("%").partition(" ")[0].lower() or "%"
        elif section == "arguments":
            if default := _DEFAULT.match(raw.partition("#")[0]):
                defaults[default[1]] = default[2].strip("\"'")
        elif not section:
            begun = begun if pending else number
            line = pending + raw.partition("#")[0].strip()
            pending = ""
            if line.endswith("\\"):
                pending = line[:-1]
                continue
            key, colon, value = line.partition(":")
            key = key.strip().lower()
            if colon:
                header[key] = value.strip()
                if key == "from":
                    line_of_from = begun
    return _Stage(header, line_of_from, defaults)


def _of_stage(stage: _Stage, kind: Kind, place: Place) -> Iterator[Finding]:
    source = stage.header.get("bootstrap", "").lower()
    written = stage.header.get("from", "")
    if not written:
        return
    if source in _NAMED_SOURCES:
        prefix = _NAMED_SOURCES[source]
        text = written if "://" in written or source == "localimage" else f"{prefix}{written}"
        meaning = named(text if "://" in text else f"{prefix}{written}")
        yield texts.finding(text, meaning, kind, place, stage.line)
    elif source == "docker":
        parts = (stage.header.get("registry", ""), stage.header.get("namespace", ""))
        name = written.removeprefix("docker://").removeprefix("//")
        name = "/".join([*(part.strip("/") for part in parts if part.strip("/")), name])
        resolved = _ARGUMENT.sub(lambda found: stage.defaults.get(found[1], found[0]), name)
        meaning = named(f"docker://{resolved}")
        if meaning.state is State.USED and "#" in resolved:
            meaning = Named(None, State.OTHER, "Singularity takes no # in a name")
        yield texts.finding(resolved, meaning, kind, place, stage.line)
