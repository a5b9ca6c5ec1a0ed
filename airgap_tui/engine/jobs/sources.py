"""What a path stands for: a bundle, wherever it lies, or archives that an engine saved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.archive_names import archive_codec, is_archive_name
from airgap_tui.engine.bundle.codec import Codec
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.storage import open_storage
from airgap_tui.engine.errors import UsageError


def open_sources(paths: Sequence[Path]) -> tuple[list[BundleReader], list[Path]]:
    """The bundles and the archives that the paths stand for; a directory may hold archives."""
    bundles: list[BundleReader] = []
    archives: list[Path] = []
    for path in paths:
        found = archives_in(path)
        if found:
            archives += found
        elif path.is_dir() and not _holds_names(path):
            raise UsageError(
                f"{path} holds neither a bundle nor archives",
                hint="Name the directory that  airgap-tui save  filled, or files.",
            )
        else:
            bundles.append(BundleReader.open(path))
    return bundles, archives


def archives_in(path: Path) -> tuple[Path, ...]:
    """The archives of a directory that is no bundle, or the file itself where it is one."""
    if not path.is_dir():
        return (path,) if path.exists() and _is_archive(path) else ()
    if _holds_names(path):
        return ()
    return tuple(sorted(file for file in path.iterdir() if is_archive_name(file.name)))


def _holds_names(directory: Path) -> bool:
    return any((directory / name).exists() for name in (layout.INVENTORY, layout.INDEX))


def _is_archive(path: Path) -> bool:
    """Whether a file is what an engine saved. A bundle in a tar also holds a `manifest.json`."""
    if archive_codec(path) is not Codec.NONE:
        return True
    try:
        storage = open_storage(path)
    except UsageError:
        return True
    if storage.extent(layout.INVENTORY) is not None:
        return False
    return storage.extent(layout.DOCKER_MANIFEST) is not None or not any(storage.names())
