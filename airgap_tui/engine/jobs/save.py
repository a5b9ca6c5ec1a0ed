"""Fill a bundle: continue what was begun, fetch what is missing, record what completes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

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
from airgap_tui.engine.jobs.plan import Origin, Planned, PlanResult, SaveSpec, look_up, measure
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.transfer import Delivered, Delivery, transfer
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.registry.source import RegistrySource


@dataclass(frozen=True, slots=True)
class SaveResult:
    """Bytes: `unique` are all images after deduplication, of which `downloaded` were fetched now
    and `reused` were there."""

    items: tuple[ItemResult, ...]
    unique: int
    downloaded: int
    seconds: float

    @property
    def reused(self) -> int:
        return max(0, self.unique - self.downloaded)

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
            },
            "seconds": round(self.seconds, 3),
        }


def run(
    spec: SaveSpec,
    sink: Sink,
    token: CancelToken,
    credentials: CredentialStore | None = None,
) -> SaveResult:
    """Save the images of the spec into its bundle; run again, it continues where it was.

    Raises `NoRoom` before anything is fetched where the disk cannot hold it (unless `force`), and
    when the disk fills up on the way; `BundleLocked`, `NameConflict`, `UnsupportedBundle`.
    """
    started = time.monotonic()
    sink(JobStarted("save", str(spec.bundle), tuple(str(r) for r in spec.references)))
    with BundleWriter.open(
        spec.bundle, "save", spec.settings.platform, spec.compression, sink
    ) as writer:
        for reference in spec.refresh:
            writer.forget(reference)
        source = RegistrySource(
            spec.settings.network,
            credentials or CredentialStore.load(),
            sink,
            signatures=spec.with_signatures,
        )
        try:
            result = _save(spec, writer, source, sink, token, started)
        finally:
            source.close()
        writer.finish(token)
    sink(JobFinished("save", result.exit_code))
    return result


def _save(
    spec: SaveSpec,
    writer: BundleWriter,
    source: RegistrySource,
    sink: Sink,
    token: CancelToken,
    started: float,
) -> SaveResult:
    bundle = BundleReader.open(spec.bundle)
    planned = look_up(spec, source, bundle, sink, token)
    for image in planned:
        _record_plan(image, writer)
    plan = measure(spec, planned, bundle, source.rate_limits())
    _check_room(spec, plan, sink)
    results = {image.reference: _settled(image, sink) for image in planned}
    deliveries = [
        Delivery(image.reference, image.reference, image.closure)
        for image in planned
        if image.closure is not None and not image.complete
    ]

    document_bytes = _document_bytes(deliveries, bundle)

    def finished(delivered: Delivered) -> None:
        if delivered.error is not None:
            _record_failure(delivered.delivery.reference, delivered.error.message, writer)

    transferred = transfer(
        source,
        writer,
        deliveries,
        state=ItemState.SAVING,
        transfers=spec.settings.transfers,
        retry=spec.settings.network.retry,
        sink=sink,
        token=token,
        finished=finished,
    )
    for ended in transferred.deliveries:
        results[ended.delivery.reference] = _result(ended)
    return SaveResult(
        tuple(result for result in results.values() if result is not None),
        plan.unique,
        transferred.bytes + document_bytes,
        time.monotonic() - started,
    )


def _document_bytes(deliveries: Sequence[Delivery], bundle: BundleReader) -> int:
    """Bytes of the manifests that came with looking names up."""
    documents = {d.digest: d for delivery in deliveries for d in delivery.closure.documents}
    return sum(len(d.raw) for d in documents.values() if not bundle.holds(d.descriptor))


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
