"""The results of a bench run, as a table for people and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench.measure import Measurement, median


@dataclass(slots=True)
class Comparison:
    """Our runs beside a peer's. `size` is the bytes that both move; `need` is the least ratio of
    the peer's time to ours. Without a peer's runs, `limit` is the peer's seconds."""

    name: str
    what: str
    size: int
    need: float
    ours: list[Measurement] = field(default_factory=list)
    peer: list[Measurement] = field(default_factory=list)
    limit: float = 0.0

    @property
    def our_seconds(self) -> float:
        return median(self.ours)

    @property
    def peer_seconds(self) -> float:
        return median(self.peer) if self.peer else self.limit

    @property
    def ratio(self) -> float:
        """How many times faster than the peer."""
        return self.peer_seconds / self.our_seconds

    def row(self) -> Sequence[str]:
        return (
            self.name,
            self.what,
            f"{self.our_seconds:.2f} s, {self.size / self.our_seconds / 1e6:.0f} MB/s",
            f"{self.peer_seconds:.2f} s, {self.size / self.peer_seconds / 1e6:.0f} MB/s",
            f"{self.ratio:.2f}",
            f"{self.need:g}",
            "yes" if self.ratio >= self.need else "NO",
            f"{max(one.peak for one in self.ours) / 1e6:.0f} MB",
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "what": self.what,
            "bytes": self.size,
            "ours": {
                "seconds": [round(one.seconds, 3) for one in self.ours],
                "processor": [round(one.processor, 3) for one in self.ours],
                "peak": max(one.peak for one in self.ours),
            },
            "peer": {
                "seconds": [round(one.seconds, 3) for one in self.peer] or [round(self.limit, 3)],
                "processor": [round(one.processor, 3) for one in self.peer],
            },
            "ratio": round(self.ratio, 3),
            "need": self.need,
        }


@dataclass(frozen=True, slots=True)
class Peak:
    """The peak memory of one command for an image and for one ten times larger, in bytes."""

    name: str
    small: int
    large: int

    def row(self) -> Sequence[str]:
        fine = self.large < 150e6
        return (
            self.name,
            f"{self.small / 1e6:.0f} MB",
            f"{self.large / 1e6:.0f} MB",
            "yes" if fine else "NO",
        )


@dataclass(frozen=True, slots=True)
class Way:
    """One way of carrying the five images: seconds to pack and to load, bytes carried."""

    name: str
    pack: float
    load: float
    size: int

    def row(self) -> Sequence[str]:
        return (self.name, f"{self.pack:.0f} s", f"{self.load:.0f} s", f"{self.size / 1e9:.2f} GB")


@dataclass(slots=True)
class Report:
    machine: str
    content: str
    comparisons: list[Comparison] = field(default_factory=list)
    peaks: list[Peak] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    start: dict[str, list[float]] = field(default_factory=dict)
    feel: dict[str, list[float]] = field(default_factory=dict)
    """Seconds that the wizard takes, by what was measured."""

    def to_markdown(self) -> str:
        parts = [self.machine, self.content]
        if self.comparisons:
            columns = "verb, against, ours, peer, ratio, needed, met, peak memory"
            parts.append(table(columns, [one.row() for one in self.comparisons]))
        if self.peaks:
            columns = "peak memory of, an image, ten times larger, below 150 MB"
            parts.append(table(columns, [one.row() for one in self.peaks]))
        if self.ways:
            columns = "way, pack, load, size carried"
            parts.append(table(columns, [one.row() for one in self.ways]))
        if self.start:
            ours, bare = (statistics.median(self.start[name]) for name in ("ours", "bare"))
            parts.append(
                f"`airgap-tui --help` {ours:.3f} s, `python -c pass` {bare:.3f} s:"
                f" {ours - bare:.3f} s more (at most 0.15: {'yes' if ours - bare < 0.15 else 'NO'})"
            )
        if self.feel:
            parts.append(table("the wizard, measured, needed, met", self._feel_rows()))
        return "\n\n".join(parts) + "\n"

    def _feel_rows(self) -> list[Sequence[str]]:
        middle = {name: statistics.median(values) for name, values in self.feel.items()}
        paint = middle["paint"] / middle["bare paint"]
        delay = sorted(self.feel["keys"])[int(len(self.feel["keys"]) * 0.95)]
        kept = middle["unwatched"] / middle["watched"]
        return [
            ("first paint, times a bare app's", f"{paint:.2f}", "1.4", _met(paint <= 1.4)),
            ("key delay p95 while saving", f"{delay * 1e3:.0f} ms", "100 ms", _met(delay < 0.1)),
            ("rate, of the command line's", f"{kept:.0%}", "92%", _met(kept >= 0.92)),
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "machine": self.machine,
            "content": self.content,
            "comparisons": [one.to_json() for one in self.comparisons],
            "peaks": [{"name": p.name, "small": p.small, "large": p.large} for p in self.peaks],
            "ways": [
                {"name": w.name, "pack": w.pack, "load": w.load, "bytes": w.size} for w in self.ways
            ],
            "start": self.start,
            "feel": self.feel,
        }


def table(columns: str, rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; `columns` are its heads, with commas between."""
    heads = columns.split(", ")
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _met(fine: bool) -> str:
    return "yes" if fine else "NO"
