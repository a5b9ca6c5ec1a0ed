"""A bundle's files among those of an image, which may hold it at its top or in one directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.media.extent import Extent
from airgap_tui.engine.errors import UsageError


def may_be_ours(name: str) -> bool:
    """Whether a file of an image may be a file of a bundle."""
    return layout.is_file_name(name) or layout.is_file_name(name.partition("/")[2])


def rooted(where: Path, files: Mapping[str, Extent]) -> dict[str, Extent]:
    """The bundle's files among those of an image: at its top, or in one directory of it."""
    folders = sorted(
        name.removesuffix(layout.OCI_LAYOUT)
        for name in files
        if name.rpartition("/")[2] == layout.OCI_LAYOUT and name.count("/") <= 1
    )
    folder = "" if "" in folders or not folders else folders[0]
    if folder and len(folders) > 1:
        raise UsageError(
            f"{where} holds several bundles: {', '.join(folders)}",
            hint="Unpack it, and name one of them.",
        )
    return {
        name.removeprefix(folder): extent
        for name, extent in files.items()
        if name.startswith(folder) and layout.is_file_name(name.removeprefix(folder))
    }
