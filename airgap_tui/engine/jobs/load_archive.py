"""Stream one `docker save` archive, plain or compressed, into an engine as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from airgap_tui.engine.bundle.archives.file import ArchiveReader, open_archive
from airgap_tui.engine.bundle.archives.names import archive_codec, reference_in_name
from airgap_tui.engine.bundle.archives.passing import ArchiveEntry, PassingArchive
from airgap_tui.engine.bundle.encoding.codec import Codec
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.docker.engine import Engine
from airgap_tui.engine.errors import AirgapError, ContentMismatch, NoRoom, Stopped
from airgap_tui.engine.events import (
    BlobDone,
    BlobDropped,
    BlobPlanned,
    BlobProgress,
    BlobStarted,
    ItemChanged,
    ItemState,
    Note,
    Sink,
)
from airgap_tui.engine.jobs.engine_room import check_load_room
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.read_ahead import ReadAhead
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.redaction import redact

_GROWTH = {Codec.NONE: 1.0, Codec.GZIP: 2.5, Codec.ZSTD: 3.0, Codec.XZ: 4.0, Codec.BZIP2: 3.0}


def load_archive(
    engine: Engine,
    path: Path,
    naming: Naming | None,
    force: bool,
    sink: Sink,
    token: CancelToken,
) -> tuple[list[ItemResult], int]:
    """The results of the images in an archive, and the bytes of the file that were sent.

    An archive that cannot be read or loaded is one failed item, named by its path. Raises `NoRoom`
    before anything is sent, and `Stopped`.
    """
    name = str(path)
    sink(ItemChanged(name, ItemState.LOADING))
    sent = 0
    try:
        codec = archive_codec(path)
        with closing(open_archive(path)) as file:
            unpacked = round(file.size * _GROWTH[codec])
            check_load_room(engine, unpacked, unpacked, force, sink)
            sink(BlobPlanned(name, file.size, (name,)))
            sink(BlobStarted(name))
            with closing(ReadAhead(file, token=token)) as source:
                archive = PassingArchive(source, name)
                engine.load(_counted(archive, file, name, sink), sink, token)
            sent = file.position
        sink(BlobDone(name))
        results = [_settled(engine, entry, path, naming, sink) for entry in archive.entries]
    except (Stopped, NoRoom):
        raise
    except AirgapError as error:
        sink(BlobDropped(name, redact(error.message)))
        sink(ItemChanged(name, ItemState.FAILED, redact(error.message)))
        return [ItemResult.failed(name, error)], sent
    sink(ItemChanged(name, ItemState.DONE))
    return results, sent


def _counted(
    archive: PassingArchive, file: ArchiveReader, name: str, sink: Sink
) -> Iterator[bytes]:
    """The archive's bytes; progress is told in bytes of the file, whose size is known."""
    told = 0
    for chunk in archive.chunks():
        yield chunk
        position = file.position
        if position > told:
            sink(BlobProgress(name, position - told))
            told = position


def _settled(
    engine: Engine, entry: ArchiveEntry, path: Path, naming: Naming | None, sink: Sink
) -> ItemResult:
    """Check an image that was loaded, and give it the name that `naming` adds, or the file's."""
    shown = entry.names[0] if entry.names else str(entry.image_id or path)
    try:
        names = [Reference.parse(name) for name in entry.names]
        if not names and entry.image_id is not None and (hint := reference_in_name(path)):
            engine.tag(str(entry.image_id), hint.name, str(hint.tag))
            sink(Note(f"{shown} has no name in {path}; it gets {hint}, after the file's name"))
            names, shown = [hint], hint.tagged_name
        identifier = entry.image_id
        for name in entry.names or ([str(identifier)] if identifier else []):
            actual = engine.inspect(name).id
            if identifier is not None and actual != identifier and not _by_manifest(engine):
                raise ContentMismatch(
                    f"{name} has the image ID {actual} in {engine.info.name}, and {identifier} in"
                    f" {path}"
                )
            identifier = actual
        if engine.info.kind == "podman":
            # It takes a short name, as Docker writes those of Docker Hub, for one of localhost.
            for known in names:
                engine.tag(str(identifier), known.name, str(known.tag))
        target = ""
        for known in names if naming is not None else ():
            new = naming.target(known) if naming is not None else known
            engine.tag(known.tagged_name, new.name, str(new.tag))
            target = target or new.tagged_name
    except AirgapError as error:
        return ItemResult.failed(shown, error)
    shown = names[0].tagged_name if names else shown
    return ItemResult(shown, ItemState.DONE, str(identifier or ""), target=target)


def _by_manifest(engine: Engine) -> bool:
    """In containerd's store the image ID is a manifest's digest, which the archive may not tell."""
    return engine.info.containerd_store
