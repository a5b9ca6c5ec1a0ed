"""Fill a bundle: continue what was begun, fetch what is missing, record what completes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Literal

from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.events import (
    JobFinished,
    JobStarted,
    Note,
    Sink,
)
from airgap_tui.engine.jobs.fill import Filled, fill
from airgap_tui.engine.jobs.logins import Logins
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.save_spec import Origin, SaveSpec
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class SaveResult:
    """Bytes: `unique` are all images after deduplication, of which `downloaded` came now,
    `left_out` are on the offline side already, and `reused` were there."""

    items: tuple[ItemResult, ...]
    unique: int
    downloaded: int
    seconds: float
    left_out: int = 0

    @property
    def reused(self) -> int:
        return max(0, self.unique - self.downloaded - self.left_out)

    @property
    def exit_code(self) -> int:
        return combined_exit_code(self.items)

    def to_json(self) -> dict[str, Any]:
        return {
            "items": [item.to_json() for item in self.items],
            "bytes": {
                "unique": self.unique,
                "downloaded": self.downloaded,
                "reused": self.reused,
                "leftOut": self.left_out,
            },
            "seconds": round(self.seconds, 3),
        }


def run(
    spec: SaveSpec,
    sink: Sink,
    token: CancelToken,
    credentials: CredentialStore | None = None,
    logins: Logins | None = None,
) -> SaveResult:
    """Save the images of the spec into its bundle; run again, it continues where it was.

    With `logins`, which bring their credentials, a registry that refuses a login is waited for;
    without, its images fail.
    Raises `NoRoom` before anything is fetched where the disk cannot hold it (unless `force`), and
    when the disk fills up on the way; `BundleLocked`, `NameConflict`, `UnsupportedBundle`.
    """
    started = time.monotonic()
    items = spec.archives if spec.origin is Origin.ARCHIVE else spec.references
    sink(JobStarted("save", str(spec.bundle), tuple(str(item) for item in items)))
    if spec.compression is not None and spec.compression.unreadable_by:
        unreadable = f"{spec.compression.unreadable_by} cannot read layers in zstd"
        sink(Note(f"{unreadable}; load turns them into plain ones where it has to"))
    with BundleWriter.open(
        spec.bundle, "save", spec.settings.platform, spec.compression, sink
    ) as writer:
        for reference in spec.refresh:
            writer.forget(reference)
        if spec.origin is Origin.REGISTRY:
            filled = fill(spec, writer, credentials, logins, sink, token)
        else:
            filled = _from_streams(spec, writer, sink, token)
        writer.finish(token)
    if spec.archive_dir is not None:
        filled = _with_archives(spec, filled, sink, token)
    result = SaveResult(
        filled.items,
        filled.unique,
        filled.downloaded,
        time.monotonic() - started,
        filled.left_out,
    )
    sink(JobFinished("save", result.exit_code))
    return result


# --- out of engines and archives, whose digests are known only as the content passes


def _from_streams(spec: SaveSpec, writer: BundleWriter, sink: Sink, token: CancelToken) -> Filled:
    from airgap_tui.engine.jobs.ingest import ingest_archive, ingest_engine

    bundle = BundleReader.open(spec.bundle)
    before = set(bundle.stored())
    if spec.origin is Origin.ARCHIVE:
        items = tuple(
            item
            for path in spec.archives
            for item in ingest_archive(path, writer, spec.compression, sink=sink, token=token)
        )
    else:
        from airgap_tui.engine.docker.engine import Engine

        kind: Literal["docker", "podman"] = "podman" if spec.origin is Origin.PODMAN else "docker"
        with closing(Engine.connect(spec.host, kind)) as engine:
            items = ingest_engine(
                engine,
                tuple(dict.fromkeys(spec.references)),
                writer,
                spec.compression,
                force=spec.force,
                sink=sink,
                token=token,
            )
    sizes = _content(writer, items)
    new = sum(size for digest, size in sizes.items() if digest not in before)
    return Filled(items, sum(sizes.values()), new)


def _content(writer: BundleWriter, items: Sequence[ItemResult]) -> dict[Digest, int]:
    """The distinct content of the items that succeeded, with its sizes in bytes."""
    bundle = BundleReader.open(writer.path)
    sizes: dict[Digest, int] = {}
    for result in items:
        item = writer.find(Reference.parse(result.reference)) if result.digest else None
        if item is None:
            continue
        closure = bundle.closure(item)
        sizes.update({document.digest: len(document.raw) for document in closure.documents})
        sizes.update({blob.digest: blob.size for blob in closure.blobs})
    return sizes


def _with_archives(spec: SaveSpec, filled: Filled, sink: Sink, token: CancelToken) -> Filled:
    """Also one `docker load`able file for each image that is there now."""
    from airgap_tui.engine.jobs.archives import write_archives

    assert spec.archive_dir is not None  # noqa: S101 - asked for by the caller
    bundle = BundleReader.open(spec.bundle)
    there = [Reference.parse(item.reference) for item in filled.items if item.succeeded]
    items = [item for reference in there if (item := bundle.inventory.find(reference))]
    written = write_archives(bundle, items, spec.archive_dir, spec.archive_codec, sink, token)
    failed = {result.reference: result for result in written if not result.succeeded}
    return replace(filled, items=tuple(failed.get(item.reference, item) for item in filled.items))
