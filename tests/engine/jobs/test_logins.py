"""A login refused in the middle: asked for once, nothing lost, and the other registries go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied, Stopped
from airgap_tui.engine.events import ItemChanged, ItemState, LoginNeeded, LoginSettled, Note, Sink
from airgap_tui.engine.jobs.logins import Logins
from airgap_tui.engine.jobs.shipments import Delivery
from airgap_tui.engine.jobs.transfer import Transferred, transfer
from airgap_tui.engine.oci.content import Closure, Reader
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.retry import RetryPolicy
from tests.conftest import EventLog
from tests.engine.jobs.attended import Attended
from tests.fakes.memory import MemorySource, MemoryTarget, descriptor_of
from tests.images import noise
from tests.services import wait_for

GOOD = Credential("robot", "correct-horse", "a test")


def layer(seed: str, size: int = 60_000) -> bytes:
    return noise(seed, size)


@dataclass
class Gate:
    """What the registries say: those in `closed` refuse unless the store has a login for them."""

    closed: set[str]
    store: CredentialStore = field(default_factory=CredentialStore)
    status: int = 401
    asked: list[str] = field(default_factory=list)

    def check(self, registry: str) -> None:
        self.asked.append(registry)
        if registry in self.closed and self.store.find(registry) != GOOD:
            raise AccessDenied(
                f"{registry} refused the key (401)", registry=registry, status=self.status
            )


class GuardedSource(MemorySource):
    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate

    def open(
        self, reference: Reference, blob: Descriptor, offset: int, token: CancelToken
    ) -> Reader:
        self._gate.check(reference.registry)
        return super().open(reference, blob, offset, token)


@dataclass
class Running:
    """A transfer at work, from where and to where."""

    source: MemorySource
    target: MemoryTarget
    job: Attended[Transferred]


Begin = Callable[..., Running]


@pytest.fixture
def begin(events: EventLog) -> Begin:
    """Starts a transfer of closures behind a gate."""

    def start(
        gate: Gate,
        closures: Callable[[MemorySource], list[Closure]],
        *,
        transfers: int = 2,
        target: MemoryTarget | None = None,
    ) -> Running:
        source, into = GuardedSource(gate), target or MemoryTarget()
        deliveries = [Delivery(c.reference, c.reference, c) for c in closures(source)]

        def work(sink: Sink, token: CancelToken, logins: Logins) -> Transferred:
            return transfer(
                source,
                into,
                deliveries,
                state=ItemState.SAVING,
                transfers=transfers,
                retry=RetryPolicy(attempts=2, first_wait=0.001),
                sink=sink,
                token=token,
                logins=logins,
            )

        return Running(source, into, Attended(gate.store, events, work))

    return start


def many(source: MemorySource) -> list[Closure]:
    shut = [source.add(f"shut.lan/i{n}:1", layer(f"s{n}"), layer(f"t{n}")) for n in range(6)]
    return [*shut, *(source.add(f"open.lan/i{n}:1", layer(f"o{n}", 9_000)) for n in range(6))]


def test_the_others_go_on_and_a_login_brings_the_rest(begin: Begin, events: EventLog) -> None:
    running = begin(Gate({"shut.lan"}), many)
    wait_for(lambda: len([n for n in running.target.names if n.startswith("open.lan")]) == 6)
    assert running.job.wanted == ["shut.lan"]
    states = {item.item: item for item in running.job.progress.snapshot().items}
    waiting = [i for i in states.values() if i.state is ItemState.RETRYING]
    assert waiting
    assert {i.reason for i in waiting} == {"shut.lan refused the key (401)"}
    assert all(i.item.startswith("shut.lan") for i in waiting)
    assert running.job.progress.snapshot().transfers == ()
    assert running.job.thread.is_alive()

    assert running.job.logins.give("shut.lan", GOOD)
    result = running.job.wait()
    assert all(delivered.error is None for delivered in result.deliveries)
    assert len(running.target.names) == 12
    assert max(running.target.received.values()) <= 2
    snapshot = running.job.progress.snapshot()
    assert snapshot.logins == ()
    assert snapshot.done == snapshot.total == sum(map(len, running.source.blobs.values()))
    assert events.of(LoginNeeded) == [LoginNeeded("shut.lan", "shut.lan refused the key (401)")]
    assert events.of(LoginSettled) == [LoginSettled("shut.lan", True)]
    assert len(events.of(Note)) == 1


def test_a_registry_that_refuses_is_not_asked_for_every_layer(begin: Begin) -> None:
    gate = Gate({"shut.lan"})
    running = begin(gate, many)
    wait_for(lambda: len(running.target.names) == 6 and bool(running.job.wanted))
    assert gate.asked.count("shut.lan") <= 2  # as many as there are transfers
    running.job.logins.give("shut.lan", GOOD)
    running.job.wait()


def test_left_out_fails_only_what_is_refused(begin: Begin, events: EventLog) -> None:
    running = begin(Gate({"shut.lan"}), many)
    wait_for(lambda: bool(running.job.wanted))
    assert running.job.logins.leave_out("shut.lan")
    result = running.job.wait()
    failed = [d for d in result.deliveries if d.error is not None]
    assert {d.delivery.reference.registry for d in failed} == {"shut.lan"}
    assert len(failed) == 6
    assert len(events.of(LoginNeeded)) == 1
    assert running.job.progress.snapshot().logins == ()


def test_a_login_that_is_refused_too_is_asked_for_again(begin: Begin, events: EventLog) -> None:
    running = begin(Gate({"shut.lan"}), many)
    wait_for(lambda: bool(running.job.wanted))
    running.job.logins.give("shut.lan", Credential("robot", "wrong-horse", "a test"))
    wait_for(lambda: len(events.of(LoginNeeded)) == 2)
    running.job.logins.give("shut.lan", GOOD)
    assert all(delivered.error is None for delivered in running.job.wait().deliveries)


def test_two_registries_are_asked_for_each(begin: Begin) -> None:
    def closures(source: MemorySource) -> list[Closure]:
        return [source.add(f"{r}.lan/i:1", layer(r)) for r in ("one", "two", "open")]

    running = begin(Gate({"one.lan", "two.lan"}), closures)
    wait_for(lambda: sorted(running.job.wanted) == ["one.lan", "two.lan"])
    running.job.logins.leave_out("one.lan")
    running.job.logins.give("two.lan", GOOD)
    errors = [delivered.error is None for delivered in running.job.wait().deliveries]
    assert errors == [False, True, True]


@pytest.mark.parametrize("left_out", [True, False])
def test_a_shared_layer_comes_from_the_registry_that_answers(begin: Begin, left_out: bool) -> None:
    base = layer("base", 200_000)

    def closures(source: MemorySource) -> list[Closure]:
        return [source.add(f"{r}.lan/i:1", base, layer(r)) for r in ("shut", "open")]

    running = begin(Gate({"shut.lan"}), closures)
    wait_for(lambda: "open.lan/i:1" in running.target.names)
    assert running.target.received[descriptor_of(base).digest] == 2
    if left_out:
        running.job.logins.leave_out("shut.lan")
        shut, opened = running.job.wait().deliveries
        assert isinstance(shut.error, AccessDenied)
        assert opened.error is None
    else:
        running.job.logins.give("shut.lan", GOOD)
        assert all(delivered.error is None for delivered in running.job.wait().deliveries)
    assert running.target.received[descriptor_of(base).digest] == 2


def test_naming_waits_as_well(begin: Begin) -> None:
    gate = Gate(set())

    class Refusing(MemoryTarget):
        def tag(self, reference: Reference, closure: Closure, token: CancelToken) -> Digest:
            gate.check(reference.registry)
            return super().tag(reference, closure, token)

    gate.closed = {"r.lan"}
    running = begin(
        gate,
        lambda source: [source.add("r.lan/i:1")],
        target=Refusing(),
    )
    wait_for(lambda: running.job.wanted == ["r.lan"])
    running.job.logins.give("r.lan", GOOD)
    running.job.wait()
    assert "r.lan/i:1" in running.target.names


def test_a_stop_ends_the_wait(begin: Begin) -> None:
    running = begin(Gate({"shut.lan"}), lambda s: [s.add("shut.lan/i:1", layer("s"))])
    wait_for(lambda: bool(running.job.wanted))
    running.job.token.cancel()
    with pytest.raises(Stopped):
        running.job.wait()


@pytest.mark.parametrize("status", [402, 412, 451])
def test_what_no_login_helps_fails_at_once(begin: Begin, events: EventLog, status: int) -> None:
    running = begin(Gate({"shut.lan"}, status=status), many)
    assert len([d for d in running.job.wait().deliveries if d.error]) == 6
    assert not events.of(LoginNeeded)


def test_without_logins_a_refusal_fails(token: CancelToken, events: EventLog) -> None:
    source = GuardedSource(Gate({"shut.lan"}))
    closure = source.add("shut.lan/i:1", layer("s"))
    result = transfer(
        source,
        MemoryTarget(),
        [Delivery(closure.reference, closure.reference, closure)],
        state=ItemState.SAVING,
        transfers=1,
        retry=RetryPolicy(),
        sink=events,
        token=token,
    )
    assert isinstance(result.deliveries[0].error, AccessDenied)
    assert events.of(ItemChanged)[-1].state is ItemState.FAILED


def test_a_refusal_from_before_the_login_asks_nobody(events: EventLog) -> None:
    logins = Logins(CredentialStore(), events)
    refused = AccessDenied("no", registry="r.lan", status=401)
    before = logins.moment
    assert logins.refused(refused, before)
    logins.give("r.lan", GOOD)
    assert logins.refused(refused, before)
    assert logins.wanted("r.lan") == ""
    assert logins.refused(refused, logins.moment)
    assert logins.wanted("r.lan") == "no"
    assert len(events.of(LoginNeeded)) == 2
    assert not logins.give("other.lan", GOOD)
    assert logins.credentials.find("other.lan") == GOOD
