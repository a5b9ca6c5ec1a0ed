"""The copy loop with a registry as its target: an upload that breaks goes on, and is told so."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.events import BlobStarted, Event, ItemState, LoginNeeded
from airgap_tui.engine.jobs.logins import Logins
from airgap_tui.engine.jobs.shipments import Delivery
from airgap_tui.engine.jobs.transfer import Transferred, transfer
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.progress import Progress
from airgap_tui.engine.registry.target import RegistryTarget
from tests.conftest import EventLog
from tests.engine.registry.exchange import QUICK
from tests.fakes import faults
from tests.fakes.memory import MemorySource
from tests.fakes.registry import FakeRegistry
from tests.images import noise

BIG = noise("big", 1_000_000) * 8
DIGEST = Digest.of(BIG)
Push = Callable[..., Transferred]


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        yield registry


@pytest.fixture
def push(fake: FakeRegistry) -> Iterator[Push]:
    """Push one image with a large layer."""
    source = MemorySource()
    closure = source.add(f"{fake.host}/a/b:1", BIG)
    target = RegistryTarget(fake.host, QUICK, CredentialStore())

    def run(sink: Callable[[Event], None], logins: Logins | None = None) -> Transferred:
        return transfer(
            source,
            target,
            [Delivery(closure.reference, closure.reference, closure)],
            state=ItemState.PUSHING,
            transfers=1,
            retry=QUICK.retry,
            sink=sink,
            token=CancelToken(),
            logins=logins,
        )

    yield run
    target.close()


def begun_at(events: EventLog) -> list[int]:
    return [e.offset for e in events.of(BlobStarted) if e.blob == str(DIGEST)]


def test_every_resume_that_goes_further_starts_the_count_anew(
    fake: FakeRegistry, push: Push, events: EventLog
) -> None:
    breaks = QUICK.retry.attempts + 2
    fake.upload_cuts += [4_000_000, *[300_000] * breaks]
    result = push(events)
    assert result.deliveries[0].error is None
    assert begun_at(events) == [0, *(4_000_000 + 300_000 * n for n in range(breaks + 1))]
    assert fake.blobs["a/b"][str(DIGEST)] == BIG


def test_what_the_registry_has_is_not_told_as_to_be_sent_again(
    fake: FakeRegistry, push: Push
) -> None:
    progress = Progress()
    done: list[int] = []

    def sink(event: Event) -> None:
        progress.take(event)
        if isinstance(event, BlobStarted) and event.blob == str(DIGEST):
            done.append(progress.snapshot().done)

    fake.upload_cuts += [4_000_000, 1_000_000]
    push(sink)
    assert done == [0, 4_000_000, 5_000_000]
    ended = progress.snapshot()
    assert ended.done == ended.total


def test_after_a_pause_for_a_login_it_goes_on(
    fake: FakeRegistry, push: Push, events: EventLog
) -> None:
    logins = Logins(CredentialStore(), events)
    fake.upload_cuts.append(4_000_000)
    fake.script("GET", "uploads", faults.refused(403, "DENIED"))

    def sink(event: Event) -> None:
        events(event)
        if events.of(LoginNeeded):
            logins.give(fake.host, Credential("user", "opal-lantern-42", "the test"))

    result = push(sink, logins)
    assert result.deliveries[0].error is None
    assert events.of(LoginNeeded)
    assert begun_at(events) == [0, 4_000_000]
