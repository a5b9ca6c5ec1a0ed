"""Transfer sheets as files: how each is written follows from the end of its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap_tui.engine.bundle.durable import replace_file
from airgap_tui.engine.bundle.volumes.transfer_sheet import Sheet, SheetFormat


def forms_of(paths: Sequence[Path]) -> tuple[SheetFormat, ...]:
    """Raises `UsageError` for a name that does not say how its sheet is written."""
    return tuple(SheetFormat.of_name(path.name) for path in paths)


def write_sheets(paths: Sequence[Path], sheet: Sheet) -> None:
    """Write each; raises `EnvironmentFailure` where one cannot be written."""
    for path, form in zip(paths, forms_of(paths), strict=True):
        replace_file(path, sheet.format(form), path.with_name(f".{path.name}.new"))
