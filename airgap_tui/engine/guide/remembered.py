"""What is remembered from one start to the next: the theme, the side used last, where to save.

Convenience only: what cannot be read is forgotten, what cannot be written is not kept.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

LAST_SIDE = "last side"
LAST_BUNDLE = "last bundle"
LAST_KEPT = "last kept bundle"
LAST_DESTINATION = "last destination"
LAST_REGISTRY = "last registry"

_FILE = "wizard.json"
_LARGEST = 64 * 1024


class Remembered:
    """Short texts by name, in `wizard.json` of the state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / _FILE
        self._values = _read(self._path)

    def get(self, name: str, default: str = "") -> str:
        return self._values.get(name, default)

    def set(self, name: str, value: str) -> None:
        """Keep a text, as far as the directory lets us."""
        if self._values.get(name) == value:
            return
        self._values[name] = value
        part = self._path.with_name(f".{_FILE}.{os.getpid()}")
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(self._values, indent=1, sort_keys=True) + "\n", "utf-8")
            part.replace(self._path)


def _read(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            values = json.loads(file.read(_LARGEST))
    except (OSError, ValueError):
        return {}
    if not isinstance(values, dict):
        return {}
    return {str(name): value for name, value in values.items() if isinstance(value, str)}
