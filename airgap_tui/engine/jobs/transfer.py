"""The one copy loop: moves what a target lacks from a source, each distinct blob once.

Deduplication, order (biggest first), concurrency, retry, resume, progress and cancellation live
here and nowhere else; a source and a target only know how to open and how to take one blob.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AccessDenied,
    AirgapError,
    ContentMismatch,
    NoRoom,
    Stopped,
    TemporaryFailure,
)
from airgap_tui.engine.events import (
    BlobDone,
    BlobDropped,
    BlobPaused,
    BlobPlanned,
    BlobProgress,
    BlobRetrying,
    BlobStarted,
    ItemChanged,
    ItemSized,
    ItemState,
    Sink,
)
from airgap_tui.engine.jobs.logins import Logins
from airgap_tui.engine.jobs.shipments import Delivery, Shipment, lacking
from airgap_tui.engine.jobs.task_pool import TaskPool
from airgap_tui.engine.oci.content import Reader, Source, Target
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.retry import Attempts, RetryPolicy

_PROGRESS_BYTES = 64 * 1024
"""A transfer has moved on, and its failures count anew, once it is this far beyond where it was."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """How a delivery ended: with the root's digest at the target, or with an error."""

    delivery: Delivery
    digest: Digest | None = None
    error: AirgapError | None = None


@dataclass(frozen=True, slots=True)
class Transferred:
    """How all deliveries ended, in their order, and the bytes of blobs that went over the wire."""

    deliveries: tuple[Delivered, ...]
    bytes: int


def transfer(
    source: Source,
    target: Target,
    deliveries: Sequence[Delivery],
    *,
    state: ItemState,
    transfers: int,
    retry: RetryPolicy,
    sink: Sink,
    token: CancelToken,
    finished: Callable[[Delivered], None] = lambda _delivered: None,
    logins: Logins | None = None,
) -> Transferred:
    """Bring every closure into the target and name it there.

    `state` is what an item is called under way. `finished` hears of each delivery as it ends, one
    at a time, so that a job can record it. One that fails does not stop the others; a full disk and
    a cancelled token stop all (`NoRoom`, `Stopped`), and what is finished by then is kept. With
    `logins`, what a registry refuses is put aside until a login comes; without, it fails.
    """
    loop = _Loop(
        source, target, deliveries, state, retry, sink, token, finished, logins, max(1, transfers)
    )
    return loop.run()


class _Loop:
    def __init__(
        self,
        source: Source,
        target: Target,
        deliveries: Sequence[Delivery],
        state: ItemState,
        retry: RetryPolicy,
        sink: Sink,
        token: CancelToken,
        finished: Callable[[Delivered], None],
        logins: Logins | None,
        threads: int,
    ) -> None:
        self._source = source
        self._target = target
        self._deliveries = deliveries
        self._state = state
        self._retry = retry
        self._sink = sink
        self._token = token
        self._finished = finished
        self._logins = logins
        self._threads = threads
        self._pool = TaskPool(threads, token, logins)
        self._lock = threading.Lock()
        self._report_lock = threading.Lock()
        self._results: dict[int, Delivered] = {}
        self._open: list[int] = [0] * len(deliveries)
        self._begun: set[int] = set()
        self._paused: set[int] = set()
        self._to_do: list[int] = [0] * len(deliveries)
        self._bytes = 0

    def run(self) -> Transferred:
        shipments = self._shipments()
        for index, delivery in enumerate(self._deliveries):
            self._sink(ItemSized(delivery.item, delivery.closure.size, self._to_do[index]))
        for shipment in shipments:
            items = tuple(self._deliveries[index].item for index in sorted(shipment.deliveries))
            self._sink(BlobPlanned(str(shipment.blob.digest), shipment.blob.size, items))
        ready = [
            index
            for index, missing in enumerate(self._open)
            if not missing and index not in self._results
        ]
        tasks: list[Callable[[], None]] = [self._naming(index) for index in ready]
        tasks += [self._shipping(shipment) for shipment in shipments]
        self._pool.run(tasks)
        ended = tuple(self._results[index] for index in range(len(self._deliveries)))
        return Transferred(ended, self._bytes)

    def _shipments(self) -> list[Shipment]:
        """What has to be moved, for the deliveries that have not failed already."""
        shipments, failed = lacking(
            self._target, self._deliveries, self._retry, self._threads, self._token, self._logins
        )
        for index, error in failed.items():
            self._fail(index, error)
        wanted = [shipment for shipment in shipments if not self._all_failed(shipment)]
        for shipment in wanted:
            for index in shipment.deliveries:
                self._open[index] += 1
                self._to_do[index] += shipment.blob.size
        return wanted

    def _naming(self, index: int) -> Callable[[], None]:
        return lambda: self._name(index)

    def _shipping(self, shipment: Shipment) -> Callable[[], None]:
        return lambda: self._ship(shipment)

    def _ship(self, shipment: Shipment) -> None:
        self._token.check()
        blob, reason = str(shipment.blob.digest), ""
        if self._all_failed(shipment):
            self._sink(BlobDone(blob) if shipment.arrived else BlobDropped(blob))
            return
        refusing = self._refusing(shipment)
        if not refusing:
            self._begin(shipment.deliveries)
        while shipment.places and not refusing:
            place, since = shipment.places[0], self._moment()
            try:
                self._move(shipment.blob, self._route(place))
            except (Stopped, NoRoom):
                raise
            except AirgapError as error:
                reason = redact(error.message)
                if not self._may_wait(error, since):
                    self._fail_some(place, error)
            else:
                shipment.arrived = True
                self._arrived(place)
                place.clear()
            if not place:
                del shipment.places[0]
            refusing = self._refusing(shipment)
        if not refusing:
            self._sink(BlobDone(blob) if shipment.arrived else BlobDropped(blob, reason))
            return
        if reason:
            self._sink(BlobPaused(blob, reason))
        self._pause(shipment.deliveries & self._begun, reason)
        self._pool.put_aside(refusing, self._shipping(shipment))

    def _begin(self, deliveries: set[int]) -> None:
        """Say of each that it is under way, once, and again after it had to wait for a login."""
        with self._lock:
            told = (deliveries - self._begun | deliveries & self._paused) - self._results.keys()
            self._begun |= deliveries
            self._paused -= deliveries
        for index in sorted(told):
            self._sink(ItemChanged(self._deliveries[index].item, self._state))

    def _pause(self, deliveries: set[int], reason: str) -> None:
        with self._lock:
            told = deliveries - self._paused - self._results.keys()
            self._paused |= deliveries
        for index in sorted(told):
            self._sink(ItemChanged(self._deliveries[index].item, ItemState.RETRYING, reason))

    def _route(self, place: Sequence[int]) -> Delivery:
        """The delivery that a blob of several comes for: one whose registry takes our login."""
        deliveries = [self._deliveries[index] for index in place]
        open_ones = (d for d in deliveries if not self._pool.refusing(*_registries(d)))
        return next(open_ones, deliveries[0])

    def _refusing(self, shipment: Shipment) -> str:
        """The registry without whose login the next part of a shipment cannot go, if any."""
        if not shipment.places:
            return ""
        return self._pool.refusing(*_registries(self._route(shipment.places[0])))

    def _may_wait(self, error: AirgapError, since: int) -> bool:
        """Whether it may help to wait for a login, or one has just come."""
        if self._logins is None or not isinstance(error, AccessDenied):
            return False
        return self._logins.refused(error, since)

    def _moment(self) -> int:
        return self._logins.moment if self._logins is not None else 0

    def _fail_some(self, place: list[int], error: AirgapError) -> None:
        """Fail what waits for a blob, and take it off the list: all, or what its registry denies
        where other registries have the blob as well."""
        denied = error.registry if isinstance(error, AccessDenied) else ""
        failed = [index for index in place if denied in _registries(self._deliveries[index])]
        for index in failed or tuple(place):
            self._fail(index, error)
            place.remove(index)

    def _arrived(self, place: Sequence[int]) -> None:
        """A blob is in a scope: name the deliveries there that waited for nothing else."""
        with self._lock:
            ready = []
            for index in place:
                self._open[index] -= 1
                if not self._open[index] and index not in self._results:
                    ready.append(index)
        for index in ready:
            self._name(index)

    def _move(self, blob: Descriptor, delivery: Delivery) -> None:
        """One blob into one scope, however many attempts that takes."""
        name, attempts = str(blob.digest), Attempts(self._retry)
        position = furthest = begun = 0
        refetched = False

        def opener(offset: int, held: int = 0, /) -> Reader:
            nonlocal position, begun
            position = max(offset, held)
            # What was sent may be lost on its way: where a target goes on is what has arrived.
            if position > begun + _PROGRESS_BYTES:
                begun = position
                attempts.progressed()
            self._sink(BlobStarted(name, position))
            return self._source.open(delivery.reference, blob, offset, self._token)

        def report(count: int) -> None:
            nonlocal position, furthest
            self._token.check()
            position += count
            if position > furthest + _PROGRESS_BYTES:
                furthest = position
                attempts.progressed()
            with self._lock:
                self._bytes += count
            self._sink(BlobProgress(name, count))

        while True:
            try:
                self._target.receive(delivery.name, blob, opener, report, self._token)
                return
            except TemporaryFailure as failure:
                delay, reason = attempts.delay_after(failure), failure.message
            except ContentMismatch as mismatch:
                if refetched:
                    raise
                refetched, delay, reason = True, 0.0, mismatch.message
            self._sink(BlobRetrying(name, redact(reason), delay, position))
            self._token.sleep(delay)

    def _name(self, index: int) -> None:
        """All blobs of a delivery are there: store its documents and give it its name."""
        delivery, attempts = self._deliveries[index], Attempts(self._retry)
        self._begin({index} & self._paused)
        while True:
            since = self._moment()
            try:
                digest = self._target.tag(delivery.name, delivery.closure, self._token)
                break
            except TemporaryFailure as failure:
                try:
                    self._token.sleep(attempts.delay_after(failure))
                except TemporaryFailure as last:
                    self._fail(index, last)
                    return
            except (Stopped, NoRoom):
                raise
            except AirgapError as error:
                if isinstance(error, AccessDenied) and self._may_wait(error, since):
                    self._pause({index}, redact(error.message))
                    self._pool.put_aside(error.registry, self._naming(index))
                else:
                    self._fail(index, error)
                return
        self._end(index, Delivered(delivery, digest))

    def _fail(self, index: int, error: AirgapError) -> None:
        self._end(index, Delivered(self._deliveries[index], error=error))

    def _end(self, index: int, delivered: Delivered) -> None:
        with self._lock:
            if index in self._results:
                return
            self._results[index] = delivered
        item = delivered.delivery.item
        if delivered.error is not None:
            self._sink(ItemChanged(item, ItemState.FAILED, redact(delivered.error.message)))
        else:
            self._sink(ItemChanged(item, ItemState.DONE, digest=str(delivered.digest)))
        with self._report_lock:
            self._finished(delivered)

    def _all_failed(self, shipment: Shipment) -> bool:
        return all(index in self._results for index in shipment.deliveries)


def _registries(delivery: Delivery) -> tuple[str, str]:
    return delivery.reference.registry, delivery.name.registry
