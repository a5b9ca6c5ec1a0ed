"""What a path means: a bundle, wherever it is, or archives that an engine saved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.archives.names import archive_codec, is_archive_name
from airgap_tui.engine.bundle.encoding.codec import Codec
from airgap_tui.engine.bundle.media.extent import reading
from airgap_tui.engine.bundle.media.storage import is_image, open_storage
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.errors import UsageError


def open_sources(paths: Sequence[Path]) -> tuple[list[BundleReader], list[Path]]:
    """The bundles and the archives that the paths stand for; volumes are one bundle, of one set.

    A directory may hold archives, or volumes."""
    bundles: list[BundleReader] = []
    archives: list[Path] = []
    volumes: list[Path] = []
    for path in paths:
        if found := volumes_in(path):
            volumes += found
        elif found := archives_in(path):
            archives += found
        elif path.is_dir() and not _holds_names(path):
            raise UsageError(
                f"{path} holds neither a bundle nor archives",
                hint="Name the directory that save or import filled, or files.",
            )
        else:
            bundles.append(BundleReader.open(path))
    if volumes:
        bundles.insert(0, BundleReader.open(*volumes))
    return bundles, archives


def open_bundles(paths: Sequence[Path]) -> list[BundleReader]:
    """As `open_sources`, where archives cannot be used. Raises `UsageError` for such."""
    bundles, archives = open_sources(paths)
    if archives:
        raise UsageError(
            f"{archives[0]} is an archive that an engine saved, not a bundle",
            hint="airgap-tui load and push take archives.",
        )
    return bundles


def volumes_in(path: Path) -> tuple[Path, ...]:
    """The volume at a path, or those below a directory that is none itself; often none."""
    if _is_volume(path):
        return (path,)
    if not path.is_dir() or _holds_names(path):
        return ()
    # Asked for a directory of media only: a bundle is opened without what volumes need.
    from airgap_tui.engine.bundle.volumes.volume import MAX_COUNT

    with reading(path):
        children = sorted(path.iterdir())[:MAX_COUNT]
    return tuple(child for child in children if not child.is_symlink() and _is_volume(child))


def _is_volume(path: Path) -> bool:
    if path.is_dir():
        return (path / layout.VOLUME).is_file()
    try:
        return is_image(path) and open_storage(path).extent(layout.VOLUME) is not None
    except UsageError:
        return False


def archives_in(path: Path) -> tuple[Path, ...]:
    """The archives of a directory that is not a bundle, or the file itself where it is one."""
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
