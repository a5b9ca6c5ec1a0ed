"""Pushing where a project is missing: said before anything is sent, and mended where asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied
from airgap_tui.engine.events import BlobProgress, Level, Note
from airgap_tui.engine.jobs import destination, projects, push, worker
from airgap_tui.engine.jobs.chain import Chain, Step
from airgap_tui.engine.jobs.destination import DestinationAnswers
from airgap_tui.engine.jobs.job_list import list_jobs
from airgap_tui.engine.jobs.push import PushResult, PushSpec
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.retry import RetryPolicy
from airgap_tui.engine.settings import Network, Settings
from tests.conftest import EventLog
from tests.engine.bundle.sample_source import save
from tests.fakes import faults
from tests.fakes.harbor import FakeHarbor
from tests.fakes.registry import Fault
from tests.images import SampleImages
from tests.services import Distribution, wait_for

PASSWORD = "correct-horse-battery"
USERS = {name: PASSWORD for name in ("admin", "ann", "robot$all")}
QUICK = Settings(Network(retry=RetryPolicy(attempts=2, first_wait=0.01)))


@pytest.fixture
def harbor() -> Iterator[FakeHarbor]:
    with FakeHarbor(dict(USERS), admins=frozenset({"admin"})) as harbor:
        yield harbor


@pytest.fixture
def older() -> Iterator[FakeHarbor]:
    with FakeHarbor(dict(USERS), admins=frozenset({"admin"}), older=True) as harbor:
        yield harbor


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, sample_images: SampleImages) -> Path:
    """Two images of a team, with a layer in common."""
    path = tmp_path_factory.mktemp("projects") / "pod"
    save(path, sample_images.images[:2])
    return path


def as_user(harbor: FakeHarbor, user: str = "admin", secret: str = PASSWORD) -> CredentialStore:
    return CredentialStore({harbor.host: Credential(user, secret, "the test")})


def pushed(
    harbor: FakeHarbor,
    bundle: Path,
    sink: EventLog,
    *,
    create: bool,
    prefix: str = "ngc",
    user: str = "admin",
) -> PushResult:
    naming = Naming.parse(f"{harbor.host}/{prefix}".rstrip("/"))
    spec = PushSpec(bundle, naming, QUICK, create_projects=create)
    return push.run(spec, sink, CancelToken(), as_user(harbor, user))


def notes(events: EventLog) -> list[str]:
    return [note.text for note in events.of(Note)]


@pytest.mark.parametrize("kind", ["harbor", "older"])
def test_without_being_asked_nothing_is_created_and_the_flag_is_named(
    kind: str, request: pytest.FixtureRequest, bundle: Path, events: EventLog
) -> None:
    harbor: FakeHarbor = request.getfixturevalue(kind)
    result = pushed(harbor, bundle, events, create=False)
    assert result.exit_code == 4
    for item in result.items:
        assert f"project ngc does not exist in {harbor.host}" in item.error
        assert "--create-project" in item.hint
    assert not events.of(BlobProgress) and not harbor.seen("POST")
    assert "ngc" not in harbor.projects


@pytest.mark.parametrize("kind", ["harbor", "older"])
def test_asked_for_it_is_created_before_anything_is_sent(
    kind: str, request: pytest.FixtureRequest, bundle: Path, events: EventLog
) -> None:
    harbor: FakeHarbor = request.getfixturevalue(kind)
    result = pushed(harbor, bundle, events, create=True)
    assert result.exit_code == 0
    assert [item.digest for item in result.items] == [item.target_digest for item in result.items]
    assert notes(events)[0] == f"Project ngc is created in {harbor.host}"
    created = harbor.requests.index(harbor.seen("POST", "/api/")[0])
    assert created < harbor.requests.index(harbor.seen("POST", "/uploads/")[0])
    assert harbor.public == {"ngc": "false"}
    again = EventLog()
    assert pushed(harbor, bundle, again, create=True).exit_code == 0
    assert len(harbor.seen("POST", "/api/")) == 1
    assert not [text for text in notes(again) if "roject" in text]


def test_without_a_prefix_each_first_component_is_one(
    harbor: FakeHarbor, bundle: Path, events: EventLog, sample_images: SampleImages
) -> None:
    wanted = {image.repository.partition("/")[0] for image in sample_images.images[:2]}
    assert pushed(harbor, bundle, events, create=True, prefix="").exit_code == 0
    assert set(harbor.public) == wanted


def test_a_login_that_may_not_create_ends_it_before_anything_is_sent(
    harbor: FakeHarbor, bundle: Path, events: EventLog
) -> None:
    with pytest.raises(AccessDenied, match=r"does not let ann .* create project ngc \(403\)"):
        pushed(harbor, bundle, events, create=True, user="ann")
    assert not harbor.seen("POST", "/uploads/")


def test_what_is_not_told_is_left_alone(harbor: FakeHarbor, bundle: Path, events: EventLog) -> None:
    harbor.projects["ngc"] = set()
    result = pushed(harbor, bundle, events, create=True, user="ann")
    assert result.exit_code == 4
    assert "unauthorized" in result.items[0].error or "(401)" in result.items[0].error
    (warning,) = [note for note in events.of(Note) if note.level is Level.WARNING]
    assert "does not tell this login whether project ngc exists" in warning.text
    assert not harbor.seen("POST", "/api/")


def test_one_that_was_created_but_may_not_be_written_is_not_called_missing(
    harbor: FakeHarbor, bundle: Path, events: EventLog
) -> None:
    harbor.all_create = True
    result = pushed(harbor, bundle, events, create=True, user="robot$all")
    assert "ngc" in harbor.projects and result.exit_code == 4
    assert "does not exist" not in result.items[0].error
    assert "(401)" in result.items[0].error


@pytest.mark.distribution
def test_a_registry_without_projects_needs_none(
    distribution: Distribution, bundle: Path, repository: str, events: EventLog
) -> None:
    naming = Naming.parse(f"{distribution.host}/{repository}")
    spec = PushSpec(bundle, naming, QUICK, create_projects=True)
    assert push.run(spec, events, CancelToken(), CredentialStore()).exit_code == 0
    assert f"{distribution.host} is not a Harbor: it needs no projects" in notes(events)


def test_a_job_of_its_own_creates_it_too(harbor: FakeHarbor, bundle: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    settings = Settings(QUICK.network, state_dir=state)
    naming = Naming.parse(f"{harbor.host}/ngc")
    chain = Chain((Step("push", PushSpec(bundle, naming, settings, create_projects=True)),))
    login = Credential("admin", PASSWORD, "typed")
    job = worker.start(chain, state, logins={harbor.host: login})
    wait_for(lambda: _ended(state) is not None, 60)
    assert _ended(state) == 0, job.directory.log.read_text()
    assert harbor.projects["ngc"] == {"admin"} and harbor.manifests


def test_a_job_does_not_wait_for_another_login_that_would_not_help(
    harbor: FakeHarbor, bundle: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    spec = PushSpec(bundle, Naming.parse(f"{harbor.host}/ngc"), Settings(QUICK.network))
    login = Credential("admin", PASSWORD, "typed")
    worker.start(Chain((Step("push", spec),)), state, logins={harbor.host: login})
    wait_for(lambda: _ended(state) is not None, 60)
    assert _ended(state) == 4
    assert not harbor.seen("PUT"), "what has failed is not named either"


def _ended(state: Path) -> int | None:
    (job,) = list_jobs(state)
    return job.exit_code


# Before Review


def asked(
    harbor: FakeHarbor, *repositories: str, user: str = "admin", secret: str = PASSWORD
) -> DestinationAnswers:
    naming, store = Naming.parse(harbor.host), as_user(harbor, user, secret)
    return destination.ask(naming, repositories, QUICK, CancelToken(), store)


@pytest.mark.parametrize("kind", ["harbor", "older"])
def test_what_is_missing_is_said_created_and_then_good(
    kind: str, request: pytest.FixtureRequest, token: CancelToken
) -> None:
    harbor: FakeHarbor = request.getfixturevalue(kind)
    found = asked(harbor, "ngc/nvidia/cuda", "ngc/nvidia/nemo")
    assert found.missing == ("ngc",) and not found.good
    assert found.project is not None
    assert found.project.finding == "Project ngc does not exist"
    assert found.login is not None and found.login.good
    projects.create(harbor.host, found.missing, QUICK, token, as_user(harbor))
    assert asked(harbor, "ngc/nvidia/cuda").good
    assert harbor.uploads == {}, "what was begun to find out is ended"


def test_one_repository_of_each_project_is_tried(harbor: FakeHarbor, token: CancelToken) -> None:
    names = ("library/a", "nvidia/cuda", "nvidia/nemo", "nim/meta/x")
    found = asked(harbor, *names)
    assert found.missing == ("nvidia", "nim")
    assert found.project is not None
    assert found.project.finding == "Projects nvidia, nim do not exist"
    projects.create(harbor.host, found.missing, QUICK, token, as_user(harbor))
    assert asked(harbor, *names).good


def test_who_is_no_member_may_not_write_and_nothing_is_called_missing(harbor: FakeHarbor) -> None:
    found = asked(harbor, "library/a", user="ann")
    assert found.missing == () and found.project is not None
    assert found.project.finding.startswith("You may read, not write")


@pytest.mark.parametrize("fault", [faults.status(500), faults.refused(403, "DENIED")])
def test_an_upload_that_cannot_be_ended_says_nothing_of_writing(
    fault: Fault, harbor: FakeHarbor
) -> None:
    """Some registries want a right to delete for it."""
    harbor.script("DELETE", "uploads", fault, forever=True)
    assert asked(harbor, "library/a").good
    assert harbor.seen("DELETE", "uploads")


def test_a_wrong_login_comes_first(harbor: FakeHarbor) -> None:
    found = asked(harbor, "ngc/a", secret="wrong-horse-battery")
    assert found.missing == () and found.project is None
    assert found.login is not None and not found.login.good


def test_creating_with_a_login_that_is_refused(harbor: FakeHarbor, token: CancelToken) -> None:
    with pytest.raises(AccessDenied):
        projects.create(harbor.host, ("ngc",), QUICK, token, as_user(harbor, "ann", "no-such-word"))
    assert "ngc" not in harbor.projects
