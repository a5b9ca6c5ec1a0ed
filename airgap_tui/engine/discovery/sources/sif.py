"""SIF images by what `apptainer inspect` says of them: their labels and their definition file.

The labels of the definition file are there in all versions, `org.opencontainers.image.base.name`
since Apptainer 1.5. `org.opencontainers.image.ref.name` and `.version` are labels of the base image
itself and name something else. The digest of the base is not taken along: the same image named in
a history or a script would look like another one.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

from airgap_tui.engine.discovery import text as texts
from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, Stream
from airgap_tui.engine.discovery.naming import named
from airgap_tui.engine.discovery.sources import definition_file

_BASE = "org.opencontainers.image.base.name"
_HEADER = "org.label-schema.usage.singularity.deffile."
_LABEL_LINE = re.compile(
    r"^[ \t]*([A-Za-z0-9][\w.-]*\.[\w.-]+)[ \t]*:[ \t]*(.*?)[ \t]*$", re.MULTILINE
)
_DEEPEST = 6


def read(stream: Stream, place: Place) -> Iterator[Finding | Remark]:
    """What a SIF was built from, from the output of `inspect`: `--json` of labels, definition file
    or all, or plain."""
    content, more = texts.whole(stream)
    yield from texts.doubts(content, more, Kind.SIF, place)
    text = texts.decoded(content)
    labels: dict[str, str] = {}
    definition = ""
    try:
        labels, definition = _attributes(json.loads(text))
    except (ValueError, RecursionError):
        labels = {found[1]: found[2] for found in _LABEL_LINE.finditer(text)}
        if re.search(r"^\s*bootstrap\s*:", text, re.MULTILINE | re.IGNORECASE):
            definition = text
    seen: set[tuple[Any, ...]] = set()
    for result in _findings(labels, definition, place):
        key = (result.reference, "" if result.reference else result.written)
        if key not in seen:
            seen.add(key)
            yield result
    if not seen:
        yield Remark(
            Kind.SIF,
            place,
            "it does not tell what it was built from",
            "See the history of who built it, or its definition file.",
        )


def _findings(labels: dict[str, str], definition: str, place: Place) -> Iterator[Finding]:
    """The definition file has all stages; the labels only the last, and no defaults."""
    if definition:
        for found in definition_file.read(io.BytesIO(definition.encode()), place, Kind.SIF):
            if isinstance(found, Finding):
                yield texts.at(found, 0)
    header = {
        name.removeprefix(_HEADER).lower(): value
        for name, value in labels.items()
        if name.startswith(_HEADER)
    }
    if not definition and not labels.get(_BASE) and "from" in header:
        text = "".join(
            f"{name}: {' '.join(header[name].split())}\n"
            for name in ("bootstrap", "registry", "namespace", "from")
            if name in header
        )
        for found in definition_file.read(io.BytesIO(text.encode()), place, Kind.SIF):
            if isinstance(found, Finding):
                yield texts.at(found, 0)
    if base := labels.get(_BASE, ""):
        yield texts.finding(base, named(base), Kind.SIF, place, place.line)


def _attributes(document: Any) -> tuple[dict[str, str], str]:
    """Labels and definition file, wherever in the document they are: it changed over time."""
    labels: dict[str, str] = {}
    definition = ""
    waiting: list[tuple[Any, int]] = [(document, 0)]
    while waiting:
        value, depth = waiting.pop()
        if not isinstance(value, dict) or depth > _DEEPEST:
            continue
        for name, inner in value.items():
            if isinstance(inner, dict):
                waiting.append((inner, depth + 1))
            elif isinstance(inner, str) and name == "deffile":
                definition = inner
            elif isinstance(inner, str) and "." in name:
                labels[name] = inner
    return labels, definition
