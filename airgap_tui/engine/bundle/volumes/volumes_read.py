"""Which volumes of a set have been read into a bundle; media come one at a time, in any order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.durable import read_note, replace_file, writing
from airgap_tui.engine.bundle.volumes.volume import MAX_COUNT

_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class VolumesRead:
    """The note beside a bundle's partial files about one set."""

    bundle: Path
    set_id: str

    @property
    def _path(self) -> Path:
        return self.bundle / layout.PARTIAL / f"import-{self.set_id}"

    def numbers(self) -> frozenset[int]:
        """The volumes that were read; notes that cannot be read are ignored."""
        try:
            value: Any = json.loads(read_note(self._path, _MAX_BYTES))
        except (OSError, ValueError, RecursionError):
            return frozenset()
        if not isinstance(value, list):
            return frozenset()
        return frozenset(n for n in value if type(n) is int and 1 <= n <= MAX_COUNT)

    def add(self, numbers: frozenset[int]) -> frozenset[int]:
        """Note these as well; all that were read."""
        known = self.numbers() | numbers
        data = json.dumps(sorted(known)).encode()
        replace_file(self._path, data, self._path.with_name(f"{self._path.name}.new"))
        return known

    def forget(self) -> None:
        with writing(self._path):
            self._path.unlink(missing_ok=True)


def unfinished_imports(bundle: Path) -> tuple[VolumesRead, ...]:
    """The sets of which some volumes were read, and not yet all that is needed."""
    notes = sorted((bundle / layout.PARTIAL).glob("import-*"))
    return tuple(VolumesRead(bundle, note.name.removeprefix("import-")) for note in notes)
