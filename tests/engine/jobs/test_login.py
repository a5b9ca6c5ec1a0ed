"""`login`: only what the registry takes is kept, and what wins over it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AccessDenied, NotFound, TemporaryFailure, UsageError
from airgap_tui.engine.events import Note
from airgap_tui.engine.jobs import login
from airgap_tui.engine.jobs.login import LoginSpec
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.retry import RetryPolicy
from airgap_tui.engine.settings import Network, Settings
from tests.conftest import EventLog, StartDistribution
from tests.fakes.registry import FakeRegistry, Tokens
from tests.images import SampleImages

SECRET = "a-password-of-the-login-test"
QUICK = Settings(network=Network(retry=RetryPolicy(attempts=2, first_wait=0.01)))


@pytest.fixture(params=["basic", "tokens"])
def registry(request: pytest.FixtureRequest) -> Iterator[FakeRegistry]:
    users = {"user": SECRET}
    basic = users if request.param == "basic" else None
    tokens = Tokens(users=users) if request.param == "tokens" else None
    with FakeRegistry(basic=basic, tokens=tokens) as fake:
        yield fake


@pytest.fixture
def spec(registry: FakeRegistry, tmp_path: Path) -> LoginSpec:
    return LoginSpec(registry.host, "user", tmp_path / "config.json", QUICK)


def run(
    spec: LoginSpec, events: EventLog, token: CancelToken, secret: str, **environment: str
) -> login.LoginResult:
    home = {"HOME": str(spec.store.parent) if spec.store else "/nonexistent"}
    return login.run(spec, events, token, secret=secret, environment={**home, **environment})


def test_a_right_login_is_kept(
    registry: FakeRegistry, spec: LoginSpec, events: EventLog, token: CancelToken
) -> None:
    assert spec.store is not None
    result = run(spec, events, token, SECRET)
    assert list(json.loads(spec.store.read_text())["auths"]) == [registry.host]
    assert result.exit_code == 0
    assert result.to_json() == {
        "registry": registry.host,
        "username": "user",
        "keptIn": str(spec.store),
    }
    assert SECRET not in repr(result) + repr(spec) + repr(list(events))


def test_a_wrong_login_is_not_kept(spec: LoginSpec, events: EventLog, token: CancelToken) -> None:
    assert spec.store is not None
    with pytest.raises(AccessDenied, match="wrong, revoked or expired") as refused:
        run(spec, events, token, "wrong-password")
    assert refused.value.exit_code == 4
    assert refused.value.hint.startswith("Nothing was kept.")
    assert "wrong-password" not in str(refused.value)
    assert not spec.store.exists()


def test_an_image_is_tried_too(
    registry: FakeRegistry, spec: LoginSpec, events: EventLog, token: CancelToken,
    sample_images: SampleImages,
) -> None:  # fmt: skip
    assert spec.store is not None
    name = Reference.parse(registry.add(sample_images.base))
    absent = replace(name, tag="absent")
    with pytest.raises(NotFound):
        run(replace(spec, image=absent), events, token, SECRET)
    assert not spec.store.exists()
    run(replace(spec, image=name), events, token, SECRET)
    assert spec.store.exists()


def test_only_for_this_run(spec: LoginSpec, events: EventLog, token: CancelToken) -> None:
    assert spec.store is not None
    result = run(replace(spec, keep=False), events, token, SECRET)
    assert not spec.store.exists()
    assert result.to_json()["keptIn"] is None


def test_line_breaks_are_taken_out_and_told(
    spec: LoginSpec, events: EventLog, token: CancelToken
) -> None:
    run(spec, events, token, f"{SECRET[:5]}\n{SECRET[5:]}\n")
    assert [note.text for note in events.of(Note)] == [
        "this looks like a key with a line break; it was taken out"
    ]


def test_another_login_that_wins_is_told(
    registry: FakeRegistry, spec: LoginSpec, events: EventLog, token: CancelToken
) -> None:
    other = json.dumps({"auths": {registry.host: {"username": "other", "password": "secret"}}})
    result = run(spec, events, token, SECRET, DOCKER_AUTH_CONFIG=other)
    assert result.wins == "DOCKER_AUTH_CONFIG"
    assert "wins over" in events.of(Note)[0].text


@pytest.mark.parametrize(("username", "secret"), [("", "x"), ("user", ""), ("a:b", "x")])
def test_what_cannot_be_a_login(
    username: str, secret: str, spec: LoginSpec, events: EventLog, token: CancelToken
) -> None:
    with pytest.raises(UsageError):
        run(replace(spec, username=username), events, token, secret)


def test_an_old_key_of_ngc_is_refused_without_asking(
    tmp_path: Path, events: EventLog, token: CancelToken
) -> None:
    spec = LoginSpec("nvcr.io", "", tmp_path / "config.json", QUICK)
    with pytest.raises(AccessDenied, match="40-character"):
        run(spec, events, token, "a1" * 20)


def test_a_registry_that_is_not_there(
    registry: FakeRegistry, spec: LoginSpec, events: EventLog, token: CancelToken
) -> None:
    registry.stop()
    with pytest.raises(TemporaryFailure, match="cannot be reached"):
        run(spec, events, token, SECRET)


@pytest.mark.distribution
def test_a_real_registry(
    start_distribution: StartDistribution, tmp_path: Path, events: EventLog, token: CancelToken
) -> None:
    registry = start_distribution(htpasswd={"user": SECRET})
    spec = LoginSpec(registry.host, "user", tmp_path / "config.json", QUICK)
    with pytest.raises(AccessDenied):
        run(spec, events, token, "wrong-password")
    assert run(spec, events, token, SECRET).kept_in
