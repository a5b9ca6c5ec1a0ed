"""Saved output of container engines: Docker, Podman, nerdctl, crictl and ctr, as tables or JSON.

A tag names an image for the other side; a digest does where there is no tag, and is left away
beside one, because the list is to carry what the tag means. Rows without any name are leftovers of
builds and pulls. Where the output leaves out what is needed, that is told, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator

from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark
from airgap_tui.engine.discovery.sources import engine_json, engine_table
from airgap_tui.engine.discovery.sources.documents import Broken, Document, documents
from airgap_tui.engine.discovery.text import decoded

_REMEDY = (
    "Save the output of docker images --digests --format '{{json .}}', podman images --format "
    "json, crictl images -o json or ctr -n k8s.io images ls."
)


def read(content: bytes, place: Place, kind: Kind = Kind.DOCKER) -> Iterator[Finding | Remark]:
    """The images of a saved listing; `kind` is the engine that it came from."""
    text = decoded(content)
    start = text.lstrip()[:1]
    if not start:
        remedy = "An engine without images prints at least a heading. Save it again."
        yield Remark(kind, place, "it is empty", remedy)
    elif start in ("{", "[") or engine_json.is_yaml(text):
        yield from _read_json(content, place, kind)
    else:
        rows = engine_table.rows(text, place, kind)
        if rows is None:
            yield Remark(kind, place, "it is not a listing of images in a known format", _REMEDY)
        else:
            yield from rows


def _read_json(content: bytes, place: Place, kind: Kind) -> Iterator[Finding | Remark]:
    known = False
    read_so = list(documents(content))
    rows = engine_json.lines(one.value for one in read_so if isinstance(one, Document))
    for one in read_so:
        at = Place(place.path, one.line or place.line, place.host)
        if isinstance(one, Broken):
            yield Remark(kind, at, "here it cannot be read as JSON", "Save it again.")
            known = True
        elif found := engine_json.images(one.value, at, kind, rows):
            known = True
            yield from found.findings
    if not known:
        yield Remark(kind, place, "it is not a listing of images in a known format", _REMEDY)
