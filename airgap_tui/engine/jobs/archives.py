"""One `docker load` archive per image, beside the bundle, as earlier scripts made them.

Compressed files hold plain layers, since what gzip has packed no other codec packs better.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine.bundle.archives.docker_archive import (
    ANY_ENGINE,
    PLAIN,
    DockerArchive,
    LoadImage,
)
from airgap_tui.engine.bundle.archives.names import file_name
from airgap_tui.engine.bundle.archives.writer import ArchiveWriter, ContentsChecksum
from airgap_tui.engine.bundle.encoding.codec import Codec
from airgap_tui.engine.bundle.inventory import IMAGE, Item
from airgap_tui.engine.bundle.names import image_for, root_of
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, NoRoom, Stopped
from airgap_tui.engine.events import (
    BlobDone,
    BlobPlanned,
    BlobProgress,
    BlobStarted,
    ItemChanged,
    ItemState,
    Sink,
)
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.oci.platform import DEFAULT_PLATFORM
from airgap_tui.engine.redaction import redact


def write_archives(
    bundle: BundleReader,
    items: Sequence[Item],
    directory: Path,
    codec: Codec,
    sink: Sink,
    token: CancelToken,
) -> tuple[ItemResult, ...]:
    """Write a file for each image, named as `archive_file.file_name` does; skip what is right.

    The results have the file's path as `target`. Items that are no images are left out. Raises
    `NoRoom` and `Stopped`.
    """
    results = []
    for item in items:
        token.check()
        try:
            results.append(_written(bundle, item, directory, codec, sink, token))
        except (Stopped, NoRoom):
            raise
        except AirgapError as error:
            sink(ItemChanged(item.name, ItemState.FAILED, redact(error.message)))
            results.append(ItemResult.failed(item.name, error))
    return tuple(results)


@dataclass(frozen=True, slots=True)
class _Made:
    """What a file is made from, and how large it became: as noted beside it."""

    name: str
    digest: str
    size: int

    @property
    def note(self) -> str:
        return f"{self.name} {self.digest} {self.size}"


def _written(
    bundle: BundleReader,
    item: Item,
    directory: Path,
    codec: Codec,
    sink: Sink,
    token: CancelToken,
) -> ItemResult:
    manifest = None
    if item.kind == IMAGE:
        wanted = bundle.inventory.platform or DEFAULT_PLATFORM
        read = bundle.document
        manifest = image_for(root_of(item), wanted, lambda d: read(d.digest, d.media_type))
    if manifest is None:
        return ItemResult(item.name, ItemState.LEFT_OUT, str(item.digest or ""))
    path = directory / file_name(item.reference, codec)
    digest = str(manifest.digest)
    if _is_right(path, item.name, digest):
        sink(ItemChanged(item.name, ItemState.HELD, f"{path} is there", digest))
        return ItemResult(item.name, ItemState.HELD, digest, path.stat().st_size, target=str(path))
    names = (item.reference,) if item.reference.tag else ()
    # Compressed layers inside an uncompressed file are what every engine loads, too.
    archive = DockerArchive(token, reads=ANY_ENGINE if codec is Codec.NONE else PLAIN)
    archive.add(LoadImage(bundle, manifest, names, bundle.config(manifest).platform))
    sink(ItemChanged(item.name, ItemState.SAVING, f"writing {path.name}"))
    sink(BlobPlanned(str(path), archive.size, (item.name,)))
    sink(BlobStarted(str(path)))
    contents = hashlib.md5(usedforsecurity=False)
    with ArchiveWriter(path, codec, len(os.sched_getaffinity(0))) as file:
        for chunk in archive.chunks(contents):
            token.check()
            file.write(chunk)
            sink(BlobProgress(str(path), len(chunk)))
        size = file.finish()
    ContentsChecksum(contents.hexdigest(), _Made(item.name, digest, size).note).write(path)
    sink(BlobDone(str(path)))
    sink(ItemChanged(item.name, ItemState.DONE, digest=digest))
    return ItemResult(item.name, ItemState.DONE, digest, size, target=str(path))


def _is_right(path: Path, name: str, digest: str) -> bool:
    """Whether the file was made from this image and has its size still."""
    try:
        checksum = ContentsChecksum.read(path)
        size = path.stat().st_size
    except (AirgapError, OSError):
        return False
    return checksum is not None and checksum.note == _Made(name, digest, size).note
