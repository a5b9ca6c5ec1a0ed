"""Transfer sheets as files: the extension decides the format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap_tui.engine.bundle.durable import replace_file
from airgap_tui.engine.bundle.volumes.transfer_sheet import Sheet, SheetFormat
from airgap_tui.engine.errors import UsageError


def check_sheets(paths: Sequence[Path], made: Path | None = None) -> None:
    """Raise `UsageError` for a name that does not say how its sheet is written, and where there is
    no directory for it, before anything else is written; `made` is a directory that will be."""
    for path in paths:
        SheetFormat.of_name(path.name)
        directory = path.absolute().parent
        if not directory.is_dir() and (made is None or directory != made.absolute()):
            raise UsageError(
                f"there is no directory {directory} for the transfer sheet",
                hint="Make it first, or name another place.",
            )


def write_sheets(paths: Sequence[Path], sheet: Sheet) -> None:
    """Write each; raises `EnvironmentFailure` where one cannot be written."""
    for path in paths:
        content = sheet.format(SheetFormat.of_name(path.name))
        replace_file(path, content, path.with_name(f".{path.name}.new"))
