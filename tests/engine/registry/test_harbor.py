"""Harbor's projects: which are there, who may create one, and that the login goes nowhere else."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import (
    AccessDenied,
    ConnectionFailure,
    NotFound,
    Stopped,
    TemporaryFailure,
    UsageError,
)
from airgap_tui.engine.registry.harbor import Harbor
from airgap_tui.engine.registry.session import Session
from airgap_tui.engine.settings import Network
from tests.engine.registry.conftest import StartFake
from tests.engine.registry.exchange import QUICK, logins
from tests.fakes import faults
from tests.fakes.harbor import FakeHarbor
from tests.fakes.registry import Answer, FakeRegistry, Fault
from tests.services import Distribution

PASSWORD = "correct-horse-battery"
USERS = {name: PASSWORD for name in ("admin", "ann", "robot$push", "robot$ngc+push")}


@pytest.fixture
def fake_harbor() -> Iterator[FakeHarbor]:
    with FakeHarbor(dict(USERS), admins=frozenset({"admin"})) as harbor:
        yield harbor


@contextmanager
def opened(
    registry: str, credentials: CredentialStore | None = None, network: Network = QUICK
) -> Iterator[Harbor]:
    credentials = credentials or CredentialStore()
    with (
        closing(Session(registry, network, credentials)) as session,
        closing(Harbor(session, network, credentials)) as harbor,
    ):
        yield harbor


Says = Callable[[], Answer]


def test_a_harbor_says_pong_and_gets_no_login_for_it(
    fake_harbor: FakeHarbor, token: CancelToken
) -> None:
    with opened(fake_harbor.host, logins(fake_harbor.host, "ann", PASSWORD)) as harbor:
        assert harbor.answers(token) and harbor.answers(token)
    (ping,) = fake_harbor.requests
    assert ping.path == "/api/v2.0/ping" and "Authorization" not in ping.headers


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404),
        Answer(200, [], b"<html>Pong</html>"),
        Answer(200, [], b"Pong" * 100_000),
        Answer(200, [], b"\xff\x00"),
        Answer(401, [], b"Pong"),
    ],
    ids=["not there", "a page", "endless", "bytes", "refused"],
)
def test_what_says_anything_else_is_none(
    fake: FakeRegistry, answer: Answer, token: CancelToken
) -> None:
    fake.script("GET", "/api/", lambda _seen, _honest: answer, forever=True)
    with opened(fake.host, logins(fake.host, "ann", PASSWORD)) as harbor:
        assert not harbor.answers(token)
        assert harbor.missing(("ngc",), token) == ()
    assert len(fake.requests) == 1, "and it is asked for no project"


@pytest.mark.distribution
def test_a_plain_registry_is_none(distribution: Distribution, token: CancelToken) -> None:
    with opened(distribution.host) as harbor:
        assert not harbor.answers(token)


def test_which_projects_are_missing(fake_harbor: FakeHarbor, token: CancelToken) -> None:
    fake_harbor.projects["ours"] = {"ann"}
    fake_harbor.projects["theirs"] = set()
    with opened(fake_harbor.host, logins(fake_harbor.host, "ann", PASSWORD)) as harbor:
        assert harbor.has("ours", token) is True
        assert harbor.has("ngc", token) is False
        assert harbor.has("theirs", token) is None, "it does not tell who is no member"
        assert harbor.missing(("ours", "ngc", "theirs", "a_b.c"), token) == ("ngc", "a_b.c")


def test_a_name_is_never_read_as_more_of_the_query(
    fake_harbor: FakeHarbor, token: CancelToken
) -> None:
    fake_harbor.projects["ours"] = {"ann"}
    with opened(fake_harbor.host, logins(fake_harbor.host, "ann", PASSWORD)) as harbor:
        assert harbor.has("ngc&project_name=ours#x", token) is False


@pytest.mark.parametrize(
    "fault",
    [faults.status(400), faults.status(500), faults.status(405), faults.no_answer("reset")],
    ids=["400", "500", "405", "reset"],
)
def test_what_is_no_answer_is_not_known(
    fake_harbor: FakeHarbor, fault: Fault, token: CancelToken
) -> None:
    fake_harbor.script("HEAD", "/projects", fault, forever=True)
    with opened(fake_harbor.host) as harbor:
        assert harbor.missing(("ngc",), token) == ()


def test_an_outage_that_passes_is_waited_for(fake_harbor: FakeHarbor, token: CancelToken) -> None:
    fake_harbor.script("GET", "/ping", faults.status(503))
    fake_harbor.script("HEAD", "/projects", faults.status(502), faults.no_answer("close"))
    with opened(fake_harbor.host) as harbor:
        assert harbor.missing(("ngc",), token) == ("ngc",)


def test_one_that_does_not_pass_is_said(fake_harbor: FakeHarbor, token: CancelToken) -> None:
    fake_harbor.script("GET", "/ping", faults.status(503), forever=True)
    with opened(fake_harbor.host) as harbor, pytest.raises(TemporaryFailure, match="503"):
        harbor.answers(token)
    assert len(fake_harbor.requests) == 3


def test_who_does_not_answer_is_not_asked_for_every_layer(
    fake_harbor: FakeHarbor, token: CancelToken
) -> None:
    fake_harbor.projects["theirs"] = set()
    refused = AccessDenied("no", registry=fake_harbor.host, status=401)
    credentials = logins(fake_harbor.host, "ann", PASSWORD)
    with opened(fake_harbor.host, credentials) as harbor:
        for _layer in range(5):
            assert harbor.explained("theirs/x", refused, token) is refused
        assert len(fake_harbor.seen("HEAD")) == 1
        credentials.give(fake_harbor.host, Credential("admin", PASSWORD, "given later"))
        assert harbor.has("theirs", token) is True, "another login may be told more"
    fake_harbor.script("GET", "/ping", faults.no_answer("reset"), forever=True)
    with opened(fake_harbor.host) as harbor:
        before = len(fake_harbor.requests)
        for _layer in range(5):
            assert harbor.explained("ngc/x", refused, token) is refused
        assert len(fake_harbor.requests) - before == 3


def test_stopping_stops_it(fake_harbor: FakeHarbor, token: CancelToken) -> None:
    token.cancel()
    with opened(fake_harbor.host) as harbor, pytest.raises(Stopped):
        harbor.missing(("ngc",), token)
    assert fake_harbor.requests == []


def test_a_project_is_created_for_its_members_alone(
    fake_harbor: FakeHarbor, token: CancelToken
) -> None:
    with opened(fake_harbor.host, logins(fake_harbor.host, "admin", PASSWORD)) as harbor:
        assert harbor.missing(("ngc",), token) == ("ngc",)
        assert harbor.create("ngc", token)
        assert harbor.missing(("ngc",), token) == ()
    assert fake_harbor.projects["ngc"] == {"admin"}
    assert fake_harbor.public == {"ngc": "false"}
    assert not [seen for seen in fake_harbor.requests if "Cookie" in seen.headers]


def test_one_that_somebody_else_created_meanwhile_counts(
    fake_harbor: FakeHarbor, token: CancelToken
) -> None:
    with opened(fake_harbor.host, logins(fake_harbor.host, "admin", PASSWORD)) as harbor:
        assert not harbor.create("library", token)


def test_an_answer_that_was_lost_is_no_failure(fake_harbor: FakeHarbor, token: CancelToken) -> None:
    fake_harbor.script("POST", "/projects", faults.no_answer("reset", done=True))
    with opened(fake_harbor.host, logins(fake_harbor.host, "admin", PASSWORD)) as harbor:
        harbor.create("ngc", token)
    assert "ngc" in fake_harbor.projects and len(fake_harbor.seen("POST")) == 2


@pytest.mark.parametrize(
    ("user", "text"),
    [
        ("ann", r"does not let ann from the test create project ngc \(403\): Only system admin"),
        ("robot$ngc+push", r"does not let robot\$ngc\+push .* \(403\): Only system level robot"),
    ],
)
def test_who_may_not_create_is_told_who_may(
    fake_harbor: FakeHarbor, user: str, text: str, token: CancelToken
) -> None:
    with (
        opened(fake_harbor.host, logins(fake_harbor.host, user, PASSWORD)) as harbor,
        pytest.raises(AccessDenied, match=text) as refused,
    ):
        harbor.create("ngc", token)
    assert refused.value.status == 403 and refused.value.registry == fake_harbor.host
    assert "administrators may" in refused.value.hint
    assert "only system-level ones" in refused.value.hint


def test_a_wrong_login_and_none(fake_harbor: FakeHarbor, token: CancelToken) -> None:
    wrong = "wrong-horse-battery"
    with (
        opened(fake_harbor.host, logins(fake_harbor.host, "ann", wrong)) as harbor,
        pytest.raises(
            AccessDenied, match=r"refused the login ann from the test \(401\)"
        ) as refused,
    ):
        harbor.create("ngc", token)
    encoded = base64.b64encode(f"ann:{wrong}".encode()).decode()
    said = f"{refused.value} {refused.value.hint} {refused.value!r}"
    assert wrong not in said and encoded not in said
    with (
        opened(fake_harbor.host) as harbor,
        pytest.raises(AccessDenied, match="does not let anybody without a login") as refused,
    ):
        harbor.create("ngc", token)
    assert f"airgap-tui login {fake_harbor.host}" in refused.value.hint


def test_a_name_that_is_not_taken_is_told_in_harbors_words(
    fake_harbor: FakeHarbor, token: CancelToken
) -> None:
    with (
        opened(fake_harbor.host, logins(fake_harbor.host, "admin", PASSWORD)) as harbor,
        pytest.raises(UsageError, match=r"named a__b \(400\): project name is not in lower case"),
    ):
        harbor.create("a__b", token)


@pytest.mark.parametrize("status", [400, 401, 403, 418, 507])
def test_words_of_a_server_are_bounded_and_harmless(
    fake_harbor: FakeHarbor, status: int, token: CancelToken
) -> None:
    def says(_seen: object, _honest: Says) -> Answer:
        text = "\\u001b[2J" + PASSWORD + "x" * 300_000
        body = f'{{"errors": [{{"code": "X", "message": "{text}'.encode()
        return Answer(status, [], body[:60_000] + b'"}]}')

    fake_harbor.script("POST", "/projects", says, forever=True)
    with (
        opened(fake_harbor.host, logins(fake_harbor.host, "admin", PASSWORD)) as harbor,
        pytest.raises((AccessDenied, UsageError, ConnectionFailure)) as refused,
    ):
        harbor.create("ngc", token)
    said = f"{refused.value} {refused.value.hint}"
    assert said.isprintable() and PASSWORD not in said and len(said) < 600
    assert "xxxx" in said


def test_the_login_goes_nowhere_else(
    fake_harbor: FakeHarbor, start_fake: StartFake, token: CancelToken
) -> None:
    other = start_fake()
    to_other = faults.redirected(f"{other.url}/elsewhere")
    fake_harbor.script("HEAD", "/projects", to_other)
    fake_harbor.script("POST", "/projects", to_other)
    other.script("POST", "/elsewhere", faults.status(401), forever=True)
    with opened(fake_harbor.host, logins(fake_harbor.host, "admin", PASSWORD)) as harbor:
        harbor.has("ngc", token)
        with pytest.raises(AccessDenied):
            harbor.create("ngc", token)
    assert len(other.requests) == 2
    assert not [seen for seen in other.requests if "Authorization" in seen.headers]


def test_why_a_push_is_refused(fake_harbor: FakeHarbor, token: CancelToken) -> None:
    fake_harbor.projects["ours"] = {"ann"}
    refused = AccessDenied("no", registry=fake_harbor.host, status=401, hint="Log in.")
    with opened(fake_harbor.host, logins(fake_harbor.host, "ann", PASSWORD)) as harbor:
        missing = harbor.explained("ngc/nvidia/cuda", refused, token)
        assert isinstance(missing, NotFound)
        assert f"project ngc does not exist in {fake_harbor.host}" in missing.message
        assert "--create-project" in missing.hint
        assert harbor.explained("ours/cuda", refused, token) is refused
    paid = AccessDenied("pay", registry=fake_harbor.host, status=402)
    with opened(fake_harbor.host) as harbor:
        before = len(fake_harbor.requests)
        assert harbor.explained("ngc/nvidia/cuda", paid, token) is paid
        assert len(fake_harbor.requests) == before
