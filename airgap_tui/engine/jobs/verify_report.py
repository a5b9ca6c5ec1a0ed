"""The outcome of a verification, to be kept or passed on: text for people, JSON for programs."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airgap_tui import __version__
from airgap_tui.engine.bundle.durable import replace_file
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.jobs.cosign_check import in_words
from airgap_tui.engine.jobs.verify import VerifyResult
from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.quantities import count, elapsed, size

ENDINGS = (".txt", ".json")


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """A result with what it is of: the bundle's name, where it lay, when (in UTC) and on which
    host it was read."""

    result: VerifyResult
    bundle: str
    places: tuple[Path, ...]
    at: datetime
    host: str

    @classmethod
    def of(cls, result: VerifyResult, bundle: str, places: Sequence[Path]) -> VerifyReport:
        """A report of now and here."""
        return cls(result, bundle, tuple(places), datetime.now(timezone.utc), socket.gethostname())

    @property
    def name(self) -> str:
        """What to call its files, without their endings."""
        return f"{self.bundle}-verified-{self.at:%Y-%m-%d-%H%M%S}"

    def write(self, path: Path) -> None:
        """As the end of the name says. Raises `UsageError` for another end than .txt and .json, and
        `EnvironmentFailure`."""
        check_ending(path)
        content = self._text() if path.suffix == ".txt" else self._json()
        replace_file(path, content.encode(), path.with_name(f".{path.name}.new"))

    def write_all(self, base: Path) -> tuple[Path, ...]:
        """In every form, each with its ending after the name of `base`. Raises as `write` does."""
        if base.name in ("", ".."):
            raise UsageError(f"{base} is a directory", hint="Add a name for the report's files.")
        paths = tuple(base.with_name(f"{base.name}{ending}") for ending in ENDINGS)
        for path in paths:
            self.write(path)
        return paths

    def _json(self) -> str:
        document: dict[str, Any] = {
            "tool": {"name": "airgap-tui", "version": __version__},
            "bundle": self.bundle,
            "places": [str(place) for place in self.places],
            "host": self.host,
            "at": self.at.isoformat(timespec="seconds"),
            **self.result.to_json(),
        }
        return json.dumps(document, indent=2) + "\n"

    def _text(self) -> str:
        return "".join(f"{line}\n" for line in (*self._facts(), *self._images(), *self._files()))

    def _facts(self) -> Iterator[str]:
        result = self.result
        whole = sum(item.succeeded for item in result.items)
        yield f"{harmless(self.bundle)}, verified"
        yield ""
        read = f"{count(result.blobs, 'file')}, {size(result.bytes)}, every byte"
        facts = [
            ("Outcome", f"{whole} of {count(len(result.items), 'image')} whole"),
            ("Read", f"{read}, in {elapsed(result.seconds)}"),
            *(("At", harmless(str(place))) for place in self.places),
            ("Signature", harmless(result.signature.sentence)),
            *(("Cosign", line) for line in self._cosign()),
            *(("Left out", harmless(one.sentence)) for one in result.left_out),
            ("When", f"{self.at:%Y-%m-%d %H:%M:%S} UTC"),
            ("Host", harmless(self.host)),
            ("By", f"airgap-tui {__version__}"),
        ]
        yield from _columns(facts)

    def _cosign(self) -> Iterator[str]:
        checks = self.result.cosign
        if checks:
            yield in_words(checks)
            yield from (harmless(check.sentence) for check in checks if check.sentence)

    def _images(self) -> Iterator[str]:
        yield from ("", "Images", "")
        rows = []
        for item in self.result.items:
            state = "whole" if item.succeeded else item.error or "not whole"
            rows.append((harmless(item.reference), item.digest, harmless(state)))
        yield from _columns(rows)

    def _files(self) -> Iterator[str]:
        findings = (*self.result.bad, *self.result.missing)
        if not findings:
            return
        yield from ("", "Files that are damaged or missing", "")
        for finding in findings:
            yield f"{harmless(finding.file)}: {harmless(finding.problem)}"
            yield from (f"  needed by {harmless(name)}" for name in finding.items)


def check_ending(path: Path) -> None:
    """Raise `UsageError` for a name that does not say how its report is written."""
    if path.suffix not in ENDINGS:
        raise UsageError(
            f"{path}: a report ends in {' or '.join(ENDINGS)}",
            hint="The extension decides how it is written.",
        )


def _columns(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
