"""A login refused while names are looked up: asked for, and what needs no login comes meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential, basic
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import Stopped
from airgap_tui.engine.events import ItemState, LoginNeeded, LoginSettled, discard
from airgap_tui.engine.jobs import save
from airgap_tui.engine.jobs.save import SaveResult
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.jobs.verify import VerifySpec
from airgap_tui.engine.jobs.verify import run as verify
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.retry import RetryPolicy
from airgap_tui.engine.settings import Network, Settings
from tests.conftest import EventLog
from tests.engine.jobs.attended import Attended
from tests.fakes.faults import refused
from tests.fakes.registry import FakeRegistry, Tokens, failure
from tests.images import build_image, layer
from tests.services import wait_for

RIGHT, WRONG = Credential("robot", "newer-horse", "a test"), Credential("robot", "old", "a test")
SETTINGS = Settings(Network(retry=RetryPolicy(attempts=2, first_wait=0.01)), transfers=2)


Saving = Attended[SaveResult]
Begin = Callable[..., Saving]


@pytest.fixture
def private() -> Iterator[FakeRegistry]:
    """Reads only with the right login."""
    with FakeRegistry(tokens=Tokens({"robot": RIGHT.secret}, anonymous=False)) as registry:
        yield registry


@pytest.fixture
def public() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        yield registry


@pytest.fixture
def begin(tmp_path: Path, events: EventLog) -> Iterator[Begin]:
    """Starts a save of images with these logins, and a person who may be asked."""
    begun: list[Saving] = []

    def start(*names: str, given: dict[str, Credential | None] | None = None) -> Saving:
        spec = SaveSpec(tuple(map(Reference.parse, names)), tmp_path / "pod", SETTINGS)
        saving = Attended(
            CredentialStore(given or {}),
            events,
            lambda sink, token, logins: save.run(spec, sink, token, logins=logins),
        )
        begun.append(saving)
        return saving

    yield start
    for saving in begun:
        saving.token.cancel()


def image_in(registry: FakeRegistry, name: str) -> str:
    return registry.add(build_image(f"{name}:1", [layer(f"{name} {n}", 20_000) for n in range(3)]))


def asked(registry: FakeRegistry) -> int:
    """How often the login was tried."""
    return len(registry.seen("GET", "/token"))


def test_the_others_are_saved_and_a_login_brings_the_rest(
    begin: Begin, private: FakeRegistry, public: FakeRegistry, events: EventLog, tmp_path: Path
) -> None:
    shut, opened = image_in(private, "team/secret"), image_in(public, "team/x")
    saving = begin(shut, opened, given={private.host: WRONG})
    wait_for(lambda: bool(saving.wanted) and saving.state(opened) is ItemState.DONE)
    assert saving.wanted == [private.host]
    assert saving.state(shut) is ItemState.RETRYING
    (needed,) = events.of(LoginNeeded)
    assert "refused the login" in needed.reason and "wrong, revoked or expired" in needed.reason
    assert saving.thread.is_alive()

    assert saving.logins.give(private.host, RIGHT)
    result = saving.wait()
    assert [(item.reference, item.state) for item in result.items] == [
        (shut, ItemState.DONE),
        (opened, ItemState.DONE),
    ]
    assert result.exit_code == 0
    assert result.unique == result.downloaded > 60_000
    assert events.of(LoginSettled) == [LoginSettled(private.host, True)]
    snapshot = saving.progress.snapshot()
    assert snapshot.logins == () and snapshot.done == snapshot.total
    assert verify(VerifySpec(tmp_path / "pod"), discard, CancelToken()).ok


def test_a_registry_that_refuses_is_not_asked_for_every_image(
    begin: Begin, private: FakeRegistry
) -> None:
    names = [image_in(private, f"team/i{n}") for n in range(40)]
    saving = begin(*names, given={private.host: WRONG})
    wait_for(lambda: all(saving.state(name) is ItemState.RETRYING for name in names))
    assert 1 <= asked(private) <= 8, "as many as are looked up at once"
    saving.logins.give(private.host, RIGHT)
    assert saving.wait().exit_code == 0


def test_a_wrong_login_that_is_answered_403_is_waited_for(
    begin: Begin, private: FakeRegistry
) -> None:
    """As ghcr.io answers it."""
    right = basic(RIGHT.username, RIGHT.secret)
    assert private.tokens is not None
    private.tokens.answer = lambda seen: (
        None if seen.headers.get("Authorization") == right else failure(403, "DENIED", "denied")
    )
    saving = begin(image_in(private, "team/secret"), given={private.host: WRONG})
    wait_for(lambda: bool(saving.wanted))
    saving.logins.give(private.host, RIGHT)
    assert saving.wait().exit_code == 0


def test_a_login_that_is_refused_too_is_asked_for_again(
    begin: Begin, private: FakeRegistry, events: EventLog
) -> None:
    saving = begin(image_in(private, "team/secret"), given={private.host: WRONG})
    wait_for(lambda: bool(saving.wanted))
    saving.logins.give(private.host, Credential("robot", "mistyped", "a test"))
    wait_for(lambda: len(events.of(LoginNeeded)) == 2)
    saving.logins.give(private.host, RIGHT)
    assert saving.wait().exit_code == 0


def test_left_out_fails_only_what_is_refused(
    begin: Begin, private: FakeRegistry, public: FakeRegistry, events: EventLog
) -> None:
    shut, opened = image_in(private, "team/secret"), image_in(public, "team/x")
    saving = begin(shut, opened, given={private.host: WRONG})
    wait_for(lambda: bool(saving.wanted))
    assert saving.logins.leave_out(private.host)
    result = saving.wait()
    states = {item.reference: item.state for item in result.items}
    assert states == {shut: ItemState.FAILED, opened: ItemState.DONE}
    assert "refused the login" in result.items[0].error
    assert len(events.of(LoginNeeded)) == 1


def test_a_stop_ends_the_wait_and_nothing_is_noted_as_failed(
    begin: Begin, private: FakeRegistry, public: FakeRegistry
) -> None:
    shut, opened = image_in(private, "team/secret"), image_in(public, "team/x")
    saving = begin(shut, opened, given={private.host: WRONG})
    wait_for(lambda: bool(saving.wanted) and saving.state(opened) is ItemState.DONE)
    saving.token.cancel()
    with pytest.raises(Stopped):
        saving.wait()
    assert saving.state(shut) is ItemState.RETRYING


@pytest.mark.parametrize("given", [False, True], ids=["no login", "a login without the right"])
def test_what_no_other_login_is_known_to_help_fails_at_once(
    begin: Begin, private: FakeRegistry, public: FakeRegistry, events: EventLog, given: bool
) -> None:
    """A mistyped name is answered just so by many registries: nobody should wait for it."""
    opened = image_in(public, "team/x")
    names = [f"{private.host}/team/mistyped:1", opened]
    if given:
        private.script("GET", "/manifests/", refused(403, "DENIED"), forever=True)
    saving = begin(*names, given={private.host: RIGHT} if given else {})
    result = saving.wait()
    assert [item.state for item in result.items] == [ItemState.FAILED, ItemState.DONE]
    assert not events.of(LoginNeeded)
