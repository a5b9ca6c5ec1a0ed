"""`SHA256SUMS` beside tar files and ISO images, so that `sha256sum -c` checks what was burned or
copied. Lines of other files in the directory stay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.checksums import format_checksums
from airgap_tui.engine.bundle.durable import replace_file
from airgap_tui.engine.bundle.media.extent import reading
from airgap_tui.engine.errors import UsageError

_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^/\n]+)")
_MAX_BYTES = 1024 * 1024


def read_file_sums(directory: Path) -> dict[str, str]:
    """SHA-256 in hex by file name. Raises `UsageError` where the file is something else."""
    path = directory / layout.CHECKSUMS
    with reading(path):
        try:
            with path.open("rb") as file:
                lines = file.read(_MAX_BYTES + 1).decode("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return {}
    matches = [_LINE.fullmatch(line) for line in lines]
    found = {match[2]: match[1] for match in matches if match is not None}
    if len(found) != len(lines):
        raise UsageError(
            f"{path} exists and is not a list of the files beside it",
            hint="Choose another directory for the volumes, or remove that file.",
        )
    return found


def add_file_sums(directory: Path, sums: Mapping[str, str]) -> None:
    """Add or replace the lines of these files; those of files that are gone are dropped."""
    kept = {
        name: sha256
        for name, sha256 in read_file_sums(directory).items()
        if (directory / name).exists()
    }
    path = directory / layout.CHECKSUMS
    replace_file(path, format_checksums({**kept, **sums}), path.with_name(f".{path.name}.partial"))
