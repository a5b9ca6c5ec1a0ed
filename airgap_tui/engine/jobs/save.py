"""Fill a bundle: continue what was begun, fetch what is missing, record what completes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Literal

from airgap_tui.engine.bundle.inventory import Item
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.events import (
    ItemChanged,
    ItemSized,
    ItemState,
    JobFinished,
    JobStarted,
    Level,
    Note,
    Sink,
)
from airgap_tui.engine.jobs.logins import Logins
from airgap_tui.engine.jobs.lookup import Planned, known_to, look_up
from airgap_tui.engine.jobs.plan import PlanResult, measure, to_come
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.save_spec import Origin, SaveSpec
from airgap_tui.engine.jobs.shipments import Delivery
from airgap_tui.engine.jobs.transfer import Delivered, transfer
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import size as in_words
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.registry.source import RegistrySource


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


@dataclass(frozen=True, slots=True)
class _Filled:
    """What came of filling the bundle: its items, and bytes of layers."""

    items: tuple[ItemResult, ...]
    unique: int
    downloaded: int
    left_out: int = 0


def run(
    spec: SaveSpec,
    sink: Sink,
    token: CancelToken,
    credentials: CredentialStore | None = None,
    logins: Logins | None = None,
) -> SaveResult:
    """Save the images of the spec into its bundle; run again, it continues where it was.

    With `logins`, which bring their credentials, a registry that refuses a login in the middle is
    waited for; without, its images fail.
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
            filled = _from_registries(spec, writer, credentials, logins, sink, token)
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


# --- from registries


def _from_registries(
    spec: SaveSpec,
    writer: BundleWriter,
    credentials: CredentialStore | None,
    logins: Logins | None,
    sink: Sink,
    token: CancelToken,
) -> _Filled:
    network = spec.settings.network
    credentials = logins.credentials if logins else credentials or CredentialStore.load()
    with closing(
        RegistrySource(network, credentials, sink, signatures=spec.with_signatures)
    ) as source:
        bundle = BundleReader.open(spec.bundle)
        known = known_to(spec, bundle, sink, token)
        planned = look_up(spec, source, bundle, sink, token)
        for image in planned:
            _record_plan(image, writer)
        before = bundle.inventory.assumes
        assumes = () if known is None else known.assumptions(to_come(planned), before)
        plan = measure(spec, planned, bundle, source.rate_limits(), assumes)
        _check_room(spec, plan, sink)
        if assumes != before:
            writer.assume(assumes)
        if plan.left_out:
            sink(Note(f"{in_words(plan.left_out)} are left out: the offline side has them"))
        results = {image.reference: _settled(image, sink) for image in planned}
        deliveries = [
            Delivery(image.reference, image.reference, image.closure)
            for image in planned
            if image.closure is not None and not image.complete
        ]
        document_bytes = _document_bytes(deliveries, bundle)
        transferred = transfer(
            source,
            writer,
            deliveries,
            state=ItemState.SAVING,
            transfers=spec.settings.transfers,
            retry=network.retry,
            sink=sink,
            token=token,
            finished=_recording(writer),
            logins=logins,
        )
    for ended in transferred.deliveries:
        results[ended.delivery.reference] = _result(ended)
    items = tuple(result for result in results.values() if result is not None)
    return _Filled(items, plan.unique, transferred.bytes + document_bytes, plan.left_out)


def _document_bytes(deliveries: Sequence[Delivery], bundle: BundleReader) -> int:
    """Bytes of the manifests that came with looking names up."""
    documents = {d.digest: d for delivery in deliveries for d in delivery.closure.documents}
    return sum(len(d.raw) for d in documents.values() if not bundle.holds(d.descriptor))


def _recording(writer: BundleWriter) -> Callable[[Delivered], None]:
    def finished(delivered: Delivered) -> None:
        if delivered.error is not None:
            _record_failure(delivered.delivery.reference, delivered.error.message, writer)

    return finished


def _record_plan(image: Planned, writer: BundleWriter) -> None:
    """Pin the image in the inventory before its content comes: continuing then means the same."""
    if image.error is not None:
        _record_failure(image.reference, image.error.message, writer)
    elif image.closure is not None and not image.complete:
        root = image.closure.root
        item = writer.find(image.reference) or Item(image.reference)
        writer.record(
            replace(
                item,
                state=ItemState.WAITING,
                origin=Origin.REGISTRY.value,
                digest=root.digest,
                media_type=root.media_type,
                size=len(root.raw),
                bytes=image.closure.size,
                index_digest=image.closure.index_digest,
                source_digest=None,
                error="",
            )
        )


def _record_failure(reference: Reference, reason: str, writer: BundleWriter) -> None:
    item = writer.find(reference) or Item(reference)
    writer.record(replace(item, state=ItemState.FAILED, error=redact(reason)))


def _check_room(spec: SaveSpec, plan: PlanResult, sink: Sink) -> None:
    for problem in plan.problems:
        if not spec.force:
            raise problem
        sink(Note(f"{problem.message}; started all the same", Level.WARNING))


def _settled(image: Planned, sink: Sink) -> ItemResult | None:
    """The result of an image that needs no transfer: failed, or already here."""
    reference = str(image.reference)
    if image.error is not None:
        return ItemResult.failed(reference, image.error)
    if image.closure is None or not image.complete:
        return None
    digest, size = str(image.closure.root.digest), image.closure.size
    sink(ItemSized(reference, size, 0))
    sink(ItemChanged(reference, ItemState.HELD, "already in the bundle", digest))
    return ItemResult(reference, ItemState.HELD, digest, size)


def _result(delivered: Delivered) -> ItemResult:
    delivery = delivered.delivery
    if delivered.error is not None:
        return ItemResult.failed(delivery.item, delivered.error)
    size = delivery.closure.size
    return ItemResult(delivery.item, ItemState.DONE, str(delivered.digest), size)


# --- out of engines and archives, whose digests are known only as the content passes


def _from_streams(spec: SaveSpec, writer: BundleWriter, sink: Sink, token: CancelToken) -> _Filled:
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
    return _Filled(items, sum(sizes.values()), new)


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


def _with_archives(spec: SaveSpec, filled: _Filled, sink: Sink, token: CancelToken) -> _Filled:
    """Also one `docker load`able file for each image that is there now."""
    from airgap_tui.engine.jobs.archives import write_archives

    assert spec.archive_dir is not None  # noqa: S101 - asked for by the caller
    bundle = BundleReader.open(spec.bundle)
    there = [Reference.parse(item.reference) for item in filled.items if item.succeeded]
    items = [item for reference in there if (item := bundle.inventory.find(reference))]
    written = write_archives(bundle, items, spec.archive_dir, spec.archive_codec, sink, token)
    failed = {result.reference: result for result in written if not result.succeeded}
    return replace(filled, items=tuple(failed.get(item.reference, item) for item in filled.items))
