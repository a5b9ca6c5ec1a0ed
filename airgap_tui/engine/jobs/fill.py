"""Fills a bundle from registries: look up, check that there is room, fetch what is missing.

What waits for a login is left for another round: all that can be had without it comes meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from airgap_tui.engine.bundle.inventory import Item
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.receipts.assumption import Assumption
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.events import ItemState, Level, Note, Sink
from airgap_tui.engine.jobs.logins import Logins
from airgap_tui.engine.jobs.lookup import Planned, check_names, known_to, look_up
from airgap_tui.engine.jobs.plan import PlanResult, measure, to_come
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.save_spec import Origin, SaveSpec
from airgap_tui.engine.jobs.shipments import Delivery
from airgap_tui.engine.jobs.transfer import Delivered, transfer
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import size as in_words
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.registry.source import RegistrySource


@dataclass(frozen=True, slots=True)
class Filled:
    """What came of filling a bundle: its items, and bytes of layers."""

    items: tuple[ItemResult, ...]
    unique: int
    downloaded: int
    left_out: int = 0


def fill(
    spec: SaveSpec,
    writer: BundleWriter,
    credentials: CredentialStore | None,
    logins: Logins | None,
    sink: Sink,
    token: CancelToken,
) -> Filled:
    """Bring the spec's images into the bundle; each has a result. Raises as `save.run`."""
    credentials = logins.credentials if logins else credentials or CredentialStore.load()
    with closing(
        RegistrySource(spec.settings.network, credentials, sink, signatures=spec.with_signatures)
    ) as source:
        return _Filling(spec, source, writer, logins, sink, token).run()


class _Filling:
    def __init__(
        self,
        spec: SaveSpec,
        source: RegistrySource,
        writer: BundleWriter,
        logins: Logins | None,
        sink: Sink,
        token: CancelToken,
    ) -> None:
        self._spec = spec
        self._source = source
        self._writer = writer
        self._logins = logins
        self._sink = sink
        self._token = token
        self._planned: list[Planned] = []
        self._results: dict[Reference, ItemResult] = {}
        self._downloaded = 0

    def run(self) -> Filled:
        references = waiting = tuple(dict.fromkeys(self._spec.references))
        check_names(references)
        bundle = BundleReader.open(self._spec.bundle)
        known = known_to(self._spec, bundle, self._sink, self._token)
        before = assumes = bundle.inventory.assumes
        told = 0
        while True:
            found = self._look_up(waiting, bundle)
            self._planned += found
            wanted = () if known is None else known.assumptions(to_come(self._planned), before)
            plan = self._plan(bundle, wanted)
            if wanted != assumes:
                self._writer.assume(wanted)
                assumes = wanted
            if plan.left_out > told:
                told = plan.left_out
                self._sink(Note(f"{in_words(told)} are left out: the offline side has them"))
            self._fetch(found, bundle)
            there = {image.reference for image in found}
            waiting = tuple(reference for reference in waiting if reference not in there)
            if not waiting or self._logins is None:
                break
            self._logins.wait_for_one((one.registry for one in waiting), self._token)
            bundle = BundleReader.open(self._spec.bundle)
        items = tuple(self._results[reference] for reference in references)
        return Filled(items, plan.unique, self._downloaded, plan.left_out)

    def _look_up(self, references: Sequence[Reference], bundle: BundleReader) -> list[Planned]:
        """What can be looked up now, pinned in the inventory: continuing then means the same."""
        planned = look_up(
            self._spec,
            self._source,
            bundle,
            self._sink,
            self._token,
            references=references,
            logins=self._logins,
        )
        for image in planned:
            _record_plan(image, self._writer)
        return planned

    def _plan(self, bundle: BundleReader, assumes: tuple[Assumption, ...]) -> PlanResult:
        """The numbers of all that is looked up until now. Raises what speaks against it."""
        limits = self._source.rate_limits()
        plan = measure(self._spec, self._planned, bundle, limits, assumes)
        for problem in plan.problems:
            if not self._spec.force:
                raise problem
            self._sink(Note(f"{problem.message}; started all the same", Level.WARNING))
        return plan

    def _fetch(self, planned: Sequence[Planned], bundle: BundleReader) -> None:
        """Bring what these images lack, and note how each of them ended."""
        for image in planned:
            if (settled := _settled(image)) is not None:
                self._results[image.reference] = settled
        deliveries = [
            Delivery(image.reference, image.reference, image.closure)
            for image in planned
            if image.closure is not None and not image.complete
        ]
        self._downloaded += _document_bytes(deliveries, bundle)
        transferred = transfer(
            self._source,
            self._writer,
            deliveries,
            state=ItemState.SAVING,
            transfers=self._spec.settings.transfers,
            retry=self._spec.settings.network.retry,
            sink=self._sink,
            token=self._token,
            finished=_recording(self._writer),
            logins=self._logins,
        )
        self._downloaded += transferred.bytes
        for ended in transferred.deliveries:
            self._results[ended.delivery.reference] = _result(ended)


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


def _settled(image: Planned) -> ItemResult | None:
    """The result of an image that needs no transfer: failed, or already here."""
    reference = str(image.reference)
    if image.error is not None:
        return ItemResult.failed(reference, image.error)
    if image.closure is None or not image.complete:
        return None
    digest, size = str(image.closure.root.digest), image.closure.size
    return ItemResult(reference, ItemState.HELD, digest, size)


def _result(delivered: Delivered) -> ItemResult:
    delivery = delivered.delivery
    if delivered.error is not None:
        return ItemResult.failed(delivery.item, delivered.error)
    size = delivery.closure.size
    return ItemResult(delivery.item, ItemState.DONE, str(delivered.digest), size)
