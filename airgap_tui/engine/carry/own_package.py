"""The files of this package, from wherever it runs: installed, in a source tree, on a medium."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import airgap_tui

_ROOT = Path(airgap_tui.__file__).resolve().parents[1]
_PACKAGES = ("airgap_tui", "screens")
_LICENSE = "LICENSE"
_COMPILED = ("__pycache__",)


def package_files() -> Iterator[tuple[str, Path]]:
    """Name and place of each, sorted by name; not in a program of one file, which holds them in
    another form."""
    found = {
        path.relative_to(_ROOT).as_posix(): path
        for package in _PACKAGES
        for path in (_ROOT / package).rglob("*")
        if path.is_file() and not any(part in _COMPILED for part in path.parts)
    }
    if (text := _license()) is not None:
        found[f"airgap_tui/{_LICENSE}"] = text
    yield from sorted(found.items())


def _license() -> Path | None:
    beside = (_ROOT / _LICENSE, _ROOT / "airgap_tui" / _LICENSE)
    if (found := next((path for path in beside if path.is_file()), None)) is not None:
        return found
    try:
        files = metadata.files("airgap-tui") or []
    except metadata.PackageNotFoundError:
        return None
    return next((Path(str(f.locate())) for f in files if f.name == _LICENSE), None)
