"""Compresses archives that `docker save` wrote, and trusts only what it has read back."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle.archives.file import open_archive
from airgap_tui.engine.bundle.archives.names import archive_codec
from airgap_tui.engine.bundle.archives.passing import PassingArchive
from airgap_tui.engine.bundle.archives.writer import ArchiveWriter, ContentsChecksum
from airgap_tui.engine.bundle.durable import sync_directory, writing
from airgap_tui.engine.bundle.encoding.codec import Codec
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, ContentMismatch, NoRoom, Stopped, UsageError
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
    Sink,
)
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.oci.read_ahead import ReadAhead
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class CompressSpec:
    """`keep` leaves the uncompressed files where they are."""

    archives: tuple[Path, ...]
    codec: Codec = Codec.XZ
    keep: bool = False
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class CompressResult:
    """`before` and `after` are bytes of the archives that succeeded."""

    items: tuple[ItemResult, ...]
    before: int
    after: int
    seconds: float

    @property
    def exit_code(self) -> int:
        return combined_exit_code(self.items)

    def to_json(self) -> dict[str, Any]:
        return {
            "items": [item.to_json() for item in self.items],
            "bytes": {"before": self.before, "after": self.after},
            "seconds": round(self.seconds, 3),
        }


def run(spec: CompressSpec, sink: Sink, token: CancelToken) -> CompressResult:
    """Compress each archive beside itself; `FILE.tar` becomes `FILE.tar.xz`.

    Raises `UsageError` for a codec that compresses nothing, `NoRoom`, `Stopped`.
    """
    if spec.codec not in (Codec.XZ, Codec.ZSTD, Codec.GZIP):
        raise UsageError(
            f"archives are not compressed with {spec.codec.value}", hint="Take xz, zstd or gzip."
        )
    started = time.monotonic()
    sink(JobStarted("compress", spec.codec.value, tuple(str(path) for path in spec.archives)))
    items: list[ItemResult] = []
    before = after = 0
    for path in spec.archives:
        token.check()
        sink(ItemChanged(str(path), ItemState.COMPRESSING))
        try:
            was, now = _compressed(path, spec, sink, token)
        except (Stopped, NoRoom):
            raise
        except AirgapError as error:
            sink(BlobDropped(str(path), redact(error.message)))
            sink(ItemChanged(str(path), ItemState.FAILED, redact(error.message)))
            items.append(ItemResult.failed(str(path), error))
            continue
        before, after = before + was, after + now
        target = str(_target(path, spec.codec))
        sink(ItemChanged(str(path), ItemState.DONE))
        items.append(ItemResult(str(path), ItemState.DONE, bytes=now, target=target))
    result = CompressResult(tuple(items), before, after, time.monotonic() - started)
    sink(JobFinished("compress", result.exit_code))
    return result


def _target(path: Path, codec: Codec) -> Path:
    return path.with_name(path.name + codec.extension)


def _compressed(path: Path, spec: CompressSpec, sink: Sink, token: CancelToken) -> tuple[int, int]:
    """The sizes before and after. The original goes when the new file gives the same bytes back."""
    codec = archive_codec(path)
    if codec is not Codec.NONE:
        raise UsageError(f"{path} is compressed already, with {codec.value}")
    if path.is_symlink():
        raise UsageError(f"{path} is a link", hint="Name the file itself.")
    target = _target(path, spec.codec)
    status = path.stat()
    size, mode = status.st_size, stat.S_IMODE(status.st_mode) & 0o666
    # It is read twice: to compress it, and for what was compressed to be compared with it.
    sink(BlobPlanned(str(path), 2 * size, (str(path),)))
    sink(BlobStarted(str(path)))
    contents = hashlib.md5(usedforsecurity=False)
    original = hashlib.sha256()
    with (
        closing(ReadAhead(open_archive(path), token=token)) as source,
        ArchiveWriter(target, spec.codec, len(os.sched_getaffinity(0)), mode) as file,
    ):
        for chunk in PassingArchive(source, str(path), contents).chunks():
            original.update(chunk)
            file.write(chunk)
            sink(BlobProgress(str(path), len(chunk)))
        now = file.finish()
    try:
        _compare(target, original.hexdigest(), str(path), sink, token)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    ContentsChecksum(contents.hexdigest()).write(target)
    sink(BlobDone(str(path)))
    if not spec.keep:
        with writing(path):
            path.unlink()
            sync_directory(path.parent)
    return size, now


def _compare(target: Path, expected: str, blob: str, sink: Sink, token: CancelToken) -> None:
    decoded = hashlib.sha256()
    with closing(ReadAhead(open_archive(target), token=token)) as source:
        while chunk := source.take():
            decoded.update(chunk)
            sink(BlobProgress(blob, len(chunk)))
    if decoded.hexdigest() != expected:
        raise ContentMismatch(
            f"{target} does not decompress to what was compressed; the original is kept",
            hint="The disk, the memory or the compressing program is faulty.",
        )
