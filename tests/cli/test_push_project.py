"""`push` into a Harbor that lacks the project: what a shell sees without the flag and with it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.engine.bundle.sample_source import save
from tests.fakes.harbor import FakeHarbor
from tests.images import SampleImages

PASSWORD = "correct-horse-battery"
USERS = {"admin": PASSWORD, "ann": PASSWORD}


@pytest.fixture
def harbor() -> Iterator[FakeHarbor]:
    with FakeHarbor(dict(USERS), admins=frozenset({"admin"})) as harbor:
        yield harbor


def logged_in(harbor: FakeHarbor, user: str) -> str:
    """A login of the user, as GitLab hands it over."""
    auth = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
    return json.dumps({"auths": {harbor.host: {"auth": auth}}})


@pytest.fixture
def bundle(tmp_path: Path, sample_images: SampleImages) -> Path:
    save(tmp_path / "pod", sample_images.images[:2])
    return tmp_path / "pod"


def test_the_flag_is_named_and_then_does_it(
    command: Command, harbor: FakeHarbor, bundle: Path
) -> None:
    login = logged_in(harbor, "admin")
    push = ("push", str(bundle), f"{harbor.host}/ngc")
    refused = command(*push, DOCKER_AUTH_CONFIG=login)
    assert refused.code == 4
    said = " ".join(refused.err.split())
    assert f"project ngc does not exist in {harbor.host}" in said
    assert "--create-project" in said
    done = command(*push, "--create-project", "--json", DOCKER_AUTH_CONFIG=login)
    assert done.code == 0, done.err
    assert f"Project ngc is created in {harbor.host}" in done.err
    for item in done.document["items"]:
        assert item["digest"] == item["target_digest"]
    for ended in (refused, done):
        assert PASSWORD not in ended.out + ended.err


def test_a_login_that_may_not_is_told_who_may(
    command: Command, harbor: FakeHarbor, bundle: Path
) -> None:
    push = ("push", str(bundle), f"{harbor.host}/ngc", "--create-project")
    ended = command(*push, DOCKER_AUTH_CONFIG=logged_in(harbor, "ann"))
    assert ended.code == 4
    said = " ".join(ended.err.split())
    assert "does not let ann from DOCKER_AUTH_CONFIG create project ngc (403)" in said
    assert "Harbor administrators may" in said
    assert harbor.manifests == {}
