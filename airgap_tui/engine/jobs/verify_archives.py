"""Checks image archives by their content: each layer against its image's config, and all contents
against the checksum beside the file."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle.archives.file import ArchiveReader, open_archive
from airgap_tui.engine.bundle.archives.intake import take_apart
from airgap_tui.engine.bundle.archives.layer_intake import LayerIntake
from airgap_tui.engine.bundle.archives.writer import ContentsChecksum
from airgap_tui.engine.bundle.encoding.codec import Codec, Compression
from airgap_tui.engine.bundle.inventory import LayerRecord
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, ContentMismatch, Stopped, UsageError
from airgap_tui.engine.events import (
    BlobDone,
    BlobDropped,
    BlobPlanned,
    BlobProgress,
    BlobStarted,
    ItemChanged,
    ItemState,
    JobFinished,
    JobStarted,
    Level,
    Note,
    Sink,
    discard,
)
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.sources import archives_in
from airgap_tui.engine.oci.content import Reader, Report
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.read_ahead import ReadAhead
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.settings import Settings

_MOST_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class VerifyArchivesSpec:
    """`paths` are archives, or directories of them."""

    paths: tuple[Path, ...]
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class VerifyArchivesResult:
    """One item per file: `digest` is `md5:<hex>` of its contents, `target` names its images."""

    items: tuple[ItemResult, ...]
    bytes: int
    seconds: float

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        return combined_exit_code(self.items)

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "items": [item.to_json() for item in self.items],
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
        }


def run(spec: VerifyArchivesSpec, sink: Sink, token: CancelToken) -> VerifyArchivesResult:
    """Read every archive to its end; nothing is changed. Raises `UsageError` where there is none,
    and `Stopped`."""
    started = time.monotonic()
    files = tuple(file for path in spec.paths for file in archives_in(path) or (path,))
    for file in files:
        if file.is_dir():
            raise UsageError(
                f"{file} holds no archives", hint="Their names end in .tar, .tar.xz, .tar.gz, …"
            )
    sink(JobStarted("verify", ", ".join(map(str, spec.paths)), tuple(map(str, files))))
    threads = min(_MOST_AT_ONCE, len(os.sched_getaffinity(0)), len(files))
    with ThreadPoolExecutor(threads, thread_name_prefix="verify") as pool:
        checked = list(pool.map(lambda file: _checked(file, sink, token), files))
    result = VerifyArchivesResult(
        tuple(item for item, _ in checked),
        sum(count for _, count in checked),
        time.monotonic() - started,
    )
    sink(JobFinished("verify", result.exit_code))
    return result


def _checked(path: Path, sink: Sink, token: CancelToken) -> tuple[ItemResult, int]:
    name = str(path)
    sink(ItemChanged(name, ItemState.VERIFYING))
    count = 0
    try:
        token.check()
        expected = ContentsChecksum.read(path)
        with closing(open_archive(path)) as file:
            sink(BlobPlanned(name, file.size, (name,)))
            sink(BlobStarted(name))
            try:
                md5, images = _read(file, name, sink, token)
            finally:
                count = file.position
        if expected is not None and md5 != expected.md5:
            raise ContentMismatch(
                f"{path}: the contents have the checksum {md5}, and {expected.md5} when it was made"
            )
    except Stopped:
        raise
    except AirgapError as error:
        sink(BlobDropped(name, redact(error.message)))
        sink(ItemChanged(name, ItemState.FAILED, redact(error.message)))
        return ItemResult.failed(name, error), count
    sink(BlobDone(name))
    if expected is None:
        text = f"{path} has no checksum beside it; its layers are what its configs say"
        sink(Note(text, Level.WARNING))
    sink(ItemChanged(name, ItemState.DONE))
    result = ItemResult(
        name, ItemState.DONE, f"md5:{md5}", path.stat().st_size, target=", ".join(images)
    )
    return result, count


def _read(
    file: ArchiveReader, name: str, sink: Sink, token: CancelToken
) -> tuple[str, Sequence[str]]:
    """The MD5 of the contents, and the images inside, each layer checked."""
    contents = hashlib.md5(usedforsecurity=False)
    told = 0

    def watched(_count: int) -> None:
        nonlocal told
        position = file.position
        if position > told:
            sink(BlobProgress(name, position - told))
            told = position

    intake = LayerIntake(_Nowhere(), Compression(Codec.NONE), 1, token)
    with closing(ReadAhead(_Watched(file, watched), token=token)) as source:
        images = take_apart(source, intake, what=name, sink=discard, contents=contents)
    return contents.hexdigest(), [text for image in images for text in image.names]


class _Watched:
    def __init__(self, reader: Reader, watched: Report) -> None:
        self._reader = reader
        self._watched = watched

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._reader.readinto(buffer)
        self._watched(count)
        return count

    def close(self) -> None:
        pass


class _Nowhere:
    """A store that keeps nothing: only the digests that come out of the bytes matter."""

    def begin_blob(self) -> _Void:
        return _Void()

    def store(self, data: bytes, media_type: str) -> Descriptor:
        return Descriptor(media_type, Digest.of(data), len(data))

    def layer_for(self, diff_id: Digest, codec: Codec) -> Descriptor | None:
        return None

    def record_layer(self, digest: Digest, record: LayerRecord) -> None:
        pass


class _Void:
    """A blob of which only the size is known; its digest is not asked for."""

    def __init__(self) -> None:
        self._size = 0

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        self._size += len(data)

    def commit(self, media_type: str) -> Descriptor:
        return Descriptor(media_type, Digest.of(b""), self._size)

    def abort(self) -> None:
        pass
