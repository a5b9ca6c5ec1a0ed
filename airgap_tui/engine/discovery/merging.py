"""Findings of all sources and hosts as one answer: which images, how often, where and when last.

However many findings come in, an image keeps its count, its last use and a bounded number of its
sources; the answer is the same in whatever order they came.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, State
from airgap_tui.engine.discovery.naming import named
from airgap_tui.engine.discovery.sources.engine_json import NOT_PULLED
from airgap_tui.engine.oci.reference import Reference

MOST_SOURCES = 100
"""So many files are told for an image; its count is of all."""
MOST_REMARKS = 1000


@dataclass(frozen=True, slots=True, order=True)
class ImageSource:
    """A file or a command of a host that names the image `count` times; `place` is the first."""

    kind: Kind
    place: Place
    count: int = 1


@dataclass(frozen=True, slots=True)
class DiscoveredImage:
    """An image of a registry that somebody uses. `count` is of all findings; `last_used` is known
    where a source tells times; `sources_left_out` says that more files name it than are told."""

    reference: Reference
    count: int
    last_used: datetime | None
    sources: tuple[ImageSource, ...]
    sources_left_out: bool = False
    reason: str = ""
    """Why its pull failed; empty for an image in use."""


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A name, as written, that is not the final name of a registry's image."""

    written: str
    reason: str
    count: int
    last_used: datetime | None
    sources: tuple[ImageSource, ...]
    sources_left_out: bool = False


@dataclass(frozen=True, slots=True)
class Discovery:
    """The merged answer; every list in a canonical order. `failed` holds images that were only
    ever failed to be pulled."""

    images: tuple[DiscoveredImage, ...] = ()
    failed: tuple[DiscoveredImage, ...] = ()
    unresolved: tuple[Unlisted, ...] = ()
    other: tuple[Unlisted, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {
            "images": [_image_json(image) for image in self.images],
            "failed": [{**_image_json(one), "reason": one.reason} for one in self.failed],
            "unresolved": [_unlisted_json(one) for one in self.unresolved],
            "other": [_unlisted_json(one) for one in self.other],
            "warnings": [_remark_json(remark) for remark in self.remarks],
        }


@dataclass(slots=True)
class _Tally:
    """What is kept of the findings of one image, or of one name."""

    count: int = 0
    last_used: datetime | None = None
    reason: str = ""
    pruned: bool = False
    files: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)
    """By kind, host and path: the first line, and how often."""

    def add(self, finding: Finding) -> None:
        self.count += 1
        if finding.time and (self.last_used is None or finding.time > self.last_used):
            self.last_used = finding.time
        place = finding.place
        key = (finding.kind.value, place.host, place.path)
        line, times = self.files.get(key, (place.line, 0))
        self.files[key] = (min(line, place.line), times + 1)
        self._prune(4 * MOST_SOURCES)

    def merge(self, other: _Tally) -> None:
        self.count += other.count
        if other.last_used and (self.last_used is None or other.last_used > self.last_used):
            self.last_used = other.last_used
        self.pruned = self.pruned or other.pruned
        for key, (line, times) in other.files.items():
            first, known = self.files.get(key, (line, 0))
            self.files[key] = (min(first, line), known + times)

    def sources(self) -> tuple[ImageSource, ...]:
        self._prune(MOST_SOURCES)
        return tuple(
            ImageSource(Kind(kind), Place(path, line, host), times)
            for (kind, host, path), (line, times) in sorted(self.files.items())
        )

    def _prune(self, above: int) -> None:
        """Keep the first in order: which these are does not depend on when they came."""
        if len(self.files) > above:
            self.pruned = True
            self.files = dict(sorted(self.files.items())[:MOST_SOURCES])


class Merging:
    """Takes findings and remarks as they come; `result` may be asked for at any time."""

    def __init__(self) -> None:
        # Docker's are kept by host: what a host built itself is only there no image of a registry.
        self._used: dict[tuple[Reference, str | None], _Tally] = {}
        self._failed: dict[Reference, _Tally] = {}
        self._unlisted: dict[State, dict[tuple[str, str], _Tally]] = {
            State.UNRESOLVED: {},
            State.OTHER: {},
        }
        self._built: dict[tuple[Reference, str | None], str] = {}
        self._remarks: set[Remark] = set()

    def add(self, one: Finding | Remark) -> None:
        if isinstance(one, Remark):
            self._remarks.add(one)
            if len(self._remarks) > 4 * MOST_REMARKS:
                self._remarks = set(_in_order(self._remarks)[:MOST_REMARKS])
            return
        host = one.place.host if one.kind is Kind.DOCKER else None
        if one.reference is None:
            self._unlisted[one.state].setdefault((one.written, one.reason), _Tally()).add(one)
            if one.reason == NOT_PULLED and (built := named(one.written).reference):
                self._built[built, host] = one.written
        elif one.state is State.USED:
            self._used.setdefault((one.reference, host), _Tally()).add(one)
        else:
            tally = self._failed.setdefault(one.reference, _Tally())
            tally.add(one)
            tally.reason = min(filter(None, (tally.reason, one.reason)), default="")

    def result(self) -> Discovery:
        used: dict[Reference, _Tally] = {}
        other = dict(self._unlisted[State.OTHER])
        for key, tally in self._used.items():
            if written := self._built.get(key):
                merged = _Tally()
                merged.merge(other.get((written, NOT_PULLED), _Tally()))
                merged.merge(tally)
                other[written, NOT_PULLED] = merged
            else:
                used.setdefault(key[0], _Tally()).merge(tally)
        failed = {
            reference: one for reference, one in self._failed.items() if reference not in used
        }
        return Discovery(
            _images(used),
            _images(failed),
            _names(self._unlisted[State.UNRESOLVED]),
            _names(other),
            tuple(_in_order(self._remarks)[:MOST_REMARKS]),
        )


def merged(findings: Iterable[Finding | Remark]) -> Discovery:
    """The answer of all these findings and remarks."""
    merging = Merging()
    for one in findings:
        merging.add(one)
    return merging.result()


def _images(tallies: dict[Reference, _Tally]) -> tuple[DiscoveredImage, ...]:
    return tuple(
        DiscoveredImage(
            reference, tally.count, tally.last_used, tally.sources(), tally.pruned, tally.reason
        )
        for reference, tally in sorted(tallies.items(), key=lambda item: str(item[0]))
    )


def _names(tallies: dict[tuple[str, str], _Tally]) -> tuple[Unlisted, ...]:
    return tuple(
        Unlisted(written, reason, tally.count, tally.last_used, tally.sources(), tally.pruned)
        for (written, reason), tally in sorted(tallies.items())
    )


def _in_order(remarks: Iterable[Remark]) -> list[Remark]:
    return sorted(
        remarks,
        key=lambda one: (
            *(one.place.host, one.place.path, one.place.line),
            *(one.kind or "", one.text, one.remedy),
        ),
    )


def _image_json(image: DiscoveredImage) -> dict[str, Any]:
    return {
        "reference": str(image.reference),
        "count": image.count,
        "lastUsed": _time(image.last_used),
        "sources": [_source_json(source) for source in image.sources],
        "sourcesLeftOut": image.sources_left_out,
    }


def _unlisted_json(one: Unlisted) -> dict[str, Any]:
    return {
        "text": one.written,
        "reason": one.reason,
        "count": one.count,
        "lastUsed": _time(one.last_used),
        "sources": [_source_json(source) for source in one.sources],
        "sourcesLeftOut": one.sources_left_out,
    }


def _source_json(source: ImageSource) -> dict[str, Any]:
    return {"kind": source.kind.value, **_place_json(source.place), "count": source.count}


def _remark_json(remark: Remark) -> dict[str, Any]:
    return {
        "kind": remark.kind.value if remark.kind else None,
        **_place_json(remark.place),
        "text": remark.text,
        "remedy": remark.remedy,
    }


def _place_json(place: Place) -> dict[str, Any]:
    host = {"host": place.host} if place.host else {}
    return {**host, "path": place.path, "line": place.line or None}


def _time(time: datetime | None) -> str | None:
    return time.astimezone(timezone.utc).isoformat().replace("+00:00", "Z") if time else None
