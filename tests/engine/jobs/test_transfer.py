"""The copy loop: each blob once, retried and resumed, failures kept apart, stopped cleanly."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AccessDenied, NoRoom, Stopped, TemporaryFailure
from airgap_tui.engine.events import (
    BlobDropped,
    BlobPlanned,
    BlobProgress,
    BlobRetrying,
    BlobStarted,
    Event,
    ItemChanged,
    ItemState,
)
from airgap_tui.engine.jobs.shipments import Delivery
from airgap_tui.engine.jobs.transfer import Delivered, Transferred, transfer
from airgap_tui.engine.oci.content import Closure
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.retry import RetryPolicy
from tests.fakes.memory import MemorySource, MemoryTarget
from tests.images import noise

QUICK = RetryPolicy(attempts=4, first_wait=0.001, longest_backoff=0.002)
BASE = noise("base", 400_000)


def layer(seed: int, size: int = 100_000) -> bytes:
    return noise(str(seed), size)


def cut_off(_offset: int) -> TemporaryFailure:
    return TemporaryFailure("the connection was cut")


def run(
    source: MemorySource,
    target: MemoryTarget,
    closures: list[Closure],
    sink: Callable[[Event], None],
    token: CancelToken | None = None,
    *,
    naming: Naming | None = None,
    transfers: int = 3,
    finished: Callable[[Delivered], None] = lambda _delivered: None,
) -> Transferred:
    deliveries = [
        Delivery(c.reference, naming.target(c.reference) if naming else c.reference, c)
        for c in closures
    ]
    return transfer(
        source,
        target,
        deliveries,
        state=ItemState.SAVING,
        transfers=transfers,
        retry=QUICK,
        sink=sink,
        token=token or CancelToken(),
        finished=finished,
    )


def test_a_shared_blob_moves_once_and_every_name_is_given(events: list[Event]) -> None:
    source, target = MemorySource(), MemoryTarget()
    closures = [source.add(f"r.lan/i{n}:1", BASE, layer(n)) for n in range(5)]
    result = run(source, target, closures, events.append)
    assert len(target.names) == 5
    assert max(target.received.values()) == 1
    assert result.bytes == sum(len(data) for data in source.blobs.values())
    planned = [e for e in events if isinstance(e, BlobPlanned) and e.size == len(BASE)]
    assert [len(e.items) for e in planned] == [5]


def test_what_is_there_is_not_moved(events: list[Event]) -> None:
    source, target = MemorySource(), MemoryTarget()
    closures = [source.add("r.lan/i:1", BASE)]
    run(source, target, closures, events.append)
    again = run(source, target, closures, events.append)
    assert again.bytes == 0
    assert again.deliveries[0].error is None
    assert max(target.received.values()) == 1


def test_biggest_first(events: list[Event]) -> None:
    source, target = MemorySource(), MemoryTarget()
    run(source, target, [source.add("r.lan/i:1", layer(1, 10_000), BASE)], events.append)
    started = [e.blob for e in events if isinstance(e, BlobStarted)]
    assert started[0] == str(Digest.of(BASE))


def test_a_broken_transfer_continues_where_it_was(events: list[Event]) -> None:
    source, target = MemorySource(), MemoryTarget()
    closure = source.add("r.lan/i:1", BASE)
    digest = Digest.of(BASE)
    source.faults[digest] = [cut_off, cut_off]
    result = run(source, target, [closure], events.append)
    assert result.deliveries[0].error is None
    assert [offset for d, offset in source.opened if d == digest] == [0, 200_000, 300_000]
    assert result.bytes == len(BASE) + len(str(closure.reference))


def test_progress_starts_the_count_of_failures_anew(events: list[Event]) -> None:
    source, target = MemorySource(), MemoryTarget()
    big = layer(2, 1_000_000) * 16
    source.faults[Digest.of(big)] = [cut_off] * (QUICK.attempts + 3)
    result = run(source, target, [source.add("r.lan/i:1", big)], events.append)
    assert result.deliveries[0].error is None
    assert len([e for e in events if isinstance(e, BlobRetrying)]) == QUICK.attempts + 3


def test_a_transfer_that_always_breaks_at_one_place_ends(events: list[Event]) -> None:
    source, target = MemorySource(), MemoryTarget(resumes=False)
    closure = source.add("r.lan/i:1", BASE)
    source.faults[Digest.of(BASE)] = [cut_off] * 50
    result = run(source, target, [closure], events.append)
    assert isinstance(result.deliveries[0].error, TemporaryFailure)
    assert target.received[Digest.of(BASE)] <= 2 * QUICK.attempts
    assert target.names == {}


def test_wrong_bytes_get_one_fresh_try(events: list[Event]) -> None:
    source, target = MemorySource(), MemoryTarget()
    closure = source.add("r.lan/good:1", layer(1))
    wrong = source.add("r.lan/wrong:1", BASE)
    source.blobs[Digest.of(BASE)] = b"x" + BASE[1:]
    result = run(source, target, [closure, wrong], events.append)
    good, bad = result.deliveries
    assert good.error is None
    assert bad.error is not None and bad.error.exit_code == 3
    assert target.received[Digest.of(BASE)] == 2
    assert str(Digest.of(BASE)) in {e.blob for e in events if isinstance(e, BlobDropped)}


def test_one_repository_denied_and_the_other_done(events: list[Event]) -> None:
    source, target = MemorySource(), MemoryTarget(scoped=True)
    closures = [source.add(f"r.lan/{name}:1", BASE) for name in ("a", "b")]
    target.refused["b"] = AccessDenied("you may read, not write", registry="t.lan")
    heard: list[Delivered] = []
    result = run(
        source,
        target,
        closures,
        events.append,
        naming=Naming("t.lan"),
        finished=heard.append,
    )
    assert [delivered.error is None for delivered in result.deliveries] == [True, False]
    assert list(target.names) == ["t.lan/a:1"]
    assert sorted(d.delivery.item for d in heard) == ["r.lan/a:1", "r.lan/b:1"]


def test_a_blob_is_received_once_for_each_repository(events: list[Event]) -> None:
    source, target = MemorySource(), MemoryTarget(scoped=True)
    closures = [source.add(f"r.lan/{name}:1", BASE) for name in ("a", "b", "c")]
    run(source, target, closures, events.append)
    assert target.received[Digest.of(BASE)] == 3
    assert len(target.names) == 3


def test_a_full_disk_stops_all(events: list[Event]) -> None:
    source, target = MemorySource(), MemoryTarget()
    closures = [source.add(f"r.lan/i{n}:1", layer(n)) for n in range(20)]
    source.faults[Digest.of(layer(3))] = [lambda _offset: NoRoom("the disk is full")]
    with pytest.raises(NoRoom):
        run(source, target, closures, events.append, transfers=1)
    assert len(target.names) < 20


def test_a_cancelled_token_stops_within_a_chunk_and_keeps_what_is_whole(
    events: list[Event],
) -> None:
    source, target, token = MemorySource(), MemoryTarget(), CancelToken()
    closures = [source.add(f"r.lan/i{n}:1", layer(n, 300_000)) for n in range(8)]
    moved = threading.Semaphore(0)

    def sink(event: Event) -> None:
        events.append(event)
        if isinstance(event, BlobProgress):
            moved.release()
            if sum(isinstance(e, BlobProgress) for e in events) == 15:
                token.cancel()

    with pytest.raises(Stopped):
        run(source, target, closures, sink, token, transfers=1)
    whole = len(target.blobs)
    assert 0 < whole < 16
    rest = run(source, target, closures, events.append)
    assert len(target.names) == 8
    assert all(delivered.error is None for delivered in rest.deliveries)
    assert max(target.received.values()) <= 2


def test_states_are_told_once_each(events: list[Event]) -> None:
    source, target = MemorySource(), MemoryTarget()
    run(source, target, [source.add("r.lan/i:1", BASE, layer(1))], events.append)
    states = [e.state for e in events if isinstance(e, ItemChanged)]
    assert states == [ItemState.SAVING, ItemState.DONE]
