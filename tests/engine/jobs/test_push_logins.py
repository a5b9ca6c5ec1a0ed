"""A login refused at any time of a push: asked for once, waited for, and nothing fails of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied, Stopped
from airgap_tui.engine.events import (
    ItemChanged,
    ItemState,
    LoginNeeded,
    LoginSettled,
    discard,
)
from airgap_tui.engine.jobs import push, save
from airgap_tui.engine.jobs.push import PushResult, PushSpec
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.retry import RetryPolicy
from airgap_tui.engine.settings import Network, Settings
from tests.conftest import EventLog
from tests.engine.bundle.sample_source import save as keep
from tests.engine.jobs.attended import Attended
from tests.fakes.harbor import FakeHarbor
from tests.fakes.registry import Answer, FakeRegistry, Fault, Seen, Tokens
from tests.images import build_image, layer
from tests.services import wait_for

RIGHT, WRONG = Credential("robot", "newer-horse", "a test"), Credential("robot", "old", "a test")
QUICK = Network(retry=RetryPolicy(attempts=2, first_wait=0.01))
BASE = layer("a layer of all", 30_000)
IMAGES = [build_image(f"team/i{n}:1", [BASE, layer(f"of {n}", 20_000)]) for n in range(3)]


Pushing = Attended[PushResult]
Begin = Callable[..., Pushing]


@pytest.fixture
def private() -> Iterator[FakeRegistry]:
    with FakeRegistry(tokens=Tokens({"robot": RIGHT.secret}, anonymous=False)) as registry:
        yield registry


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("push-logins") / "pod"
    keep(path, IMAGES)
    return path


@pytest.fixture
def begin(bundle: Path, tmp_path: Path, events: EventLog) -> Iterator[Begin]:
    """Starts a push with this login, and a person who may be asked for another."""
    begun: list[Pushing] = []

    def start(
        registry: FakeRegistry,
        login: Credential = WRONG,
        *,
        of: Path | None = None,
        prefix: str = "",
        create: bool = False,
    ) -> Pushing:
        naming = Naming.parse(f"{registry.host}/{prefix}".rstrip("/"))
        settings = Settings(QUICK, transfers=2, state_dir=tmp_path / "state")
        spec = PushSpec(of or bundle, naming, settings, create_projects=create)
        pushing = Attended(
            CredentialStore({registry.host: login}),
            events,
            lambda sink, token, logins: push.run(spec, sink, token, logins=logins),
        )
        begun.append(pushing)
        return pushing

    yield start
    for pushing in begun:
        pushing.token.cancel()


def revoking(registry: FakeRegistry) -> Fault:
    """From that request on another password is right, and no token is good."""

    def fault(_seen: Seen, honest: Callable[[], Answer]) -> Answer:
        assert registry.tokens is not None
        registry.tokens.users = {"robot": RIGHT.secret}
        registry.tokens.expire()
        return honest()

    return fault


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("HEAD", "/manifests/"),
        ("HEAD", "/blobs/"),
        ("POST", "/uploads/"),
        ("PATCH", "/uploads/"),
        ("PUT", "/manifests/"),
    ],
    ids=["names", "what it lacks", "begin", "send", "naming"],
)
def test_whatever_is_asked_when_a_login_is_refused(
    method: str, path: str, begin: Begin, private: FakeRegistry, events: EventLog
) -> None:
    assert private.tokens is not None
    private.tokens.users = {"robot": WRONG.secret}
    private.script(method, path, revoking(private))
    pushing = begin(private)
    wait_for(lambda: bool(pushing.wanted))
    assert pushing.wanted == [private.host]
    wait_for(lambda: ItemState.RETRYING in pushing.states)
    assert ItemState.FAILED not in pushing.states
    assert pushing.logins.give(private.host, RIGHT)
    result = pushing.wait()
    assert [item.state for item in result.items] == [ItemState.DONE] * 3
    assert result.exit_code == 0
    (needed,) = events.of(LoginNeeded)
    assert "refused the login from a test (401)" in needed.reason
    assert events.of(LoginSettled) == [LoginSettled(private.host, True)]
    snapshot = pushing.progress.snapshot()
    assert snapshot.logins == () and snapshot.done == snapshot.total > 0
    assert set(private.manifests) == {"team/i0", "team/i1", "team/i2"}


def test_what_is_there_already_is_known_once_a_login_is_given(
    begin: Begin, private: FakeRegistry, events: EventLog
) -> None:
    for image in IMAGES[:2]:
        private.add(image)
    pushing = begin(private)
    wait_for(lambda: bool(pushing.wanted))
    assert ItemState.FAILED not in pushing.states
    pushing.logins.give(private.host, RIGHT)
    states = [item.state for item in pushing.wait().items]
    assert states == [ItemState.HELD, ItemState.HELD, ItemState.DONE]
    paused = [e for e in events.of(ItemChanged) if e.state is ItemState.RETRYING]
    assert paused and all("refused the login" in event.reason for event in paused)


def test_a_registry_that_refuses_is_not_asked_for_every_layer(
    begin: Begin, private: FakeRegistry
) -> None:
    pushing = begin(private)
    wait_for(lambda: bool(pushing.wanted))
    pushing.logins.give(private.host, Credential("robot", "mistyped", "a test"))
    wait_for(lambda: len(private.seen("GET", "/token")) > 2 and bool(pushing.wanted))
    assert len(private.seen("GET", "/token")) <= 4, "as many as are asked at once, twice"
    pushing.logins.give(private.host, RIGHT)
    assert pushing.wait().exit_code == 0


def test_left_out_fails_with_the_refusal(
    begin: Begin, private: FakeRegistry, events: EventLog
) -> None:
    pushing = begin(private)
    wait_for(lambda: bool(pushing.wanted))
    assert pushing.logins.leave_out(private.host)
    result = pushing.wait()
    assert {item.state for item in result.items} == {ItemState.FAILED}
    assert all("refused the login" in item.error for item in result.items)
    assert result.exit_code == 4
    assert len(events.of(LoginNeeded)) == 1


def test_a_stop_ends_the_wait(begin: Begin, private: FakeRegistry) -> None:
    pushing = begin(private)
    wait_for(lambda: bool(pushing.wanted))
    pushing.token.cancel()
    with pytest.raises(Stopped):
        pushing.wait()
    assert ItemState.FAILED not in pushing.states


# Projects


@pytest.fixture
def harbor() -> Iterator[FakeHarbor]:
    with FakeHarbor({"robot": RIGHT.secret}, admins=frozenset({"robot"})) as harbor:
        yield harbor


def test_projects_are_created_with_the_login_that_is_given(
    begin: Begin, harbor: FakeHarbor, events: EventLog
) -> None:
    pushing = begin(harbor, prefix="ngc", create=True)
    wait_for(lambda: bool(pushing.wanted) and pushing.states == {ItemState.RETRYING})
    assert "ngc" not in harbor.projects
    pushing.logins.give(harbor.host, RIGHT)
    assert pushing.wait().exit_code == 0
    assert harbor.projects["ngc"] == {"robot"} and harbor.manifests
    assert len(events.of(LoginNeeded)) == 1


def test_a_login_that_is_refused_as_a_project_is_created(
    begin: Begin, harbor: FakeHarbor, events: EventLog
) -> None:
    def revoked(_seen: Seen, honest: Callable[[], Answer]) -> Answer:
        harbor.users["robot"] = RIGHT.secret
        return honest()

    harbor.users["robot"] = WRONG.secret
    harbor.script("POST", "/api/v2.0/projects", revoked)
    pushing = begin(harbor, prefix="ngc", create=True)
    wait_for(lambda: bool(pushing.wanted) and pushing.states == {ItemState.RETRYING})
    pushing.logins.give(harbor.host, RIGHT)
    assert pushing.wait().exit_code == 0
    assert harbor.projects["ngc"] == {"robot"}
    assert len(events.of(LoginNeeded)) == 1


# An update, whose base the registry has


@pytest.fixture
def update(private: FakeRegistry, tmp_path: Path, begin: Begin) -> Path:
    """A bundle without the layer that the first push brought."""
    settings = Settings(QUICK, state_dir=tmp_path / "state")
    old = build_image("lab/x:1", [BASE])
    new = build_image("lab/x:2", [BASE, layer("the second month", 20_000)])
    receipt = tmp_path / "receipt.json"
    with FakeRegistry() as online:
        first, second = (Reference.parse(online.add(image)) for image in (old, new))
        token = CancelToken()
        assert save.run(SaveSpec((first,), tmp_path / "1", settings), discard, token).items
        spec = PushSpec(tmp_path / "1", Naming.parse(private.host), settings, receipt=receipt)
        store = CredentialStore({private.host: RIGHT})
        assert push.run(spec, discard, token, store).exit_code == 0
        spec_2 = SaveSpec((second,), tmp_path / "2", settings, have=(receipt,))
        assert save.run(spec_2, discard, token).exit_code == 0
    return tmp_path / "2"


def test_the_base_of_an_update_is_looked_for_with_the_login_that_is_given(
    update: Path, begin: Begin, private: FakeRegistry, events: EventLog
) -> None:
    pushing = begin(private, of=update)
    wait_for(lambda: bool(pushing.wanted) and pushing.states == {ItemState.RETRYING})
    pushing.logins.give(private.host, RIGHT)
    assert pushing.wait().exit_code == 0
    assert len(events.of(LoginNeeded)) == 1
    assert set(private.manifests["lab/x"]) > {"1", "2"}


def test_a_refused_login_is_not_taken_for_a_base_that_is_missing(
    update: Path, private: FakeRegistry, tmp_path: Path
) -> None:
    spec = PushSpec(update, Naming.parse(private.host), Settings(QUICK, state_dir=tmp_path / "s"))
    with pytest.raises(AccessDenied, match="refused the login from a test"):
        push.run(spec, discard, CancelToken(), CredentialStore({private.host: WRONG}))
