"""What is told of an image between its look-up and its first layer: that it waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.events import ItemChanged, ItemState
from airgap_tui.engine.jobs import save
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.progress import Progress
from airgap_tui.engine.settings import Settings
from tests.conftest import EventLog
from tests.fakes.registry import FakeRegistry
from tests.fakes.valve import Valve
from tests.images import build_image, layer


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        yield registry


@pytest.fixture
def spec(registry: FakeRegistry, tmp_path: Path) -> SaveSpec:
    """A large image and a small one, a layer at a time."""
    sizes = {"team/large": 90_000, "team/small": 20_000}
    images = [build_image(f"{name}:1", [layer(name, size)]) for name, size in sizes.items()]
    references = tuple(Reference.parse(registry.add(image)) for image in images)
    return SaveSpec(references, tmp_path / "pod", Settings(transfers=1))


def test_what_has_been_looked_up_waits_for_its_first_layer(
    spec: SaveSpec, registry: FakeRegistry, token: CancelToken
) -> None:
    valve, progress = Valve(2), Progress()  # the configs come with looking up
    registry.script("GET", "/blobs/", valve, forever=True)
    arguments = (spec, progress.take, token, CredentialStore())
    thread = threading.Thread(target=save.run, args=arguments, daemon=True)
    thread.start()
    try:
        assert valve.held.wait(30)
        states = [item.state for item in progress.snapshot().items]
        assert states == [ItemState.SAVING, ItemState.WAITING]
    finally:
        valve.opened.set()
        thread.join(30)
    assert {item.state for item in progress.snapshot().items} == {ItemState.DONE}


def test_what_is_here_is_told_with_its_look_up(
    spec: SaveSpec, token: CancelToken, events: EventLog
) -> None:
    store = CredentialStore()
    save.run(spec, events, token, store)
    save.run(spec, events, token, store)
    for reference in spec.references:
        told = [e.state for e in events.of(ItemChanged) if e.item == str(reference)]
        assert told == [
            ItemState.RESOLVING,
            ItemState.WAITING,
            ItemState.SAVING,
            ItemState.DONE,
            ItemState.RESOLVING,
            ItemState.HELD,
        ]
