"""`login --for`: everything is planned before anything is written, and each place gets its own."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from airgap_tui.engine.credentials import private_file
from airgap_tui.engine.credentials.places import Kind, Login, Place
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import EnvironmentFailure, UsageError
from airgap_tui.engine.jobs import login_places

SECRET = "a-password-of-the-places-test"
LOGIN = Login("reg.lan:5000", "me", SECRET, "vault-password")


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    return {"HOME": str(tmp_path), "ENROOT_SYSCONF_PATH": str(tmp_path)}


def test_every_place_is_planned_without_a_trace_and_then_written(
    environment: dict[str, str], tmp_path: Path
) -> None:
    places = [Place(kind) for kind in Kind]
    planned = login_places.plan(places, LOGIN, environment)
    assert list(tmp_path.iterdir()) == []
    assert SECRET not in repr(planned) + repr(LOGIN)
    kept = login_places.keep(planned)
    assert login_places.exit_code(kept) == 0
    assert SECRET not in repr(kept) + str([one.to_json() for one in kept])
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == len(Kind) - 1, "the exports have no file"
    for path in written:
        private = path.name != "docker-login-playbook.yml"
        assert path.stat().st_mode & 0o777 == (0o600 if private else 0o644), path
    found = CredentialStore.load(environment)
    origins = [login.origin for _software, login in found.held("reg.lan:5000")]
    assert len(origins) == 5
    assert all(login.secret == SECRET for _software, login in found.held("reg.lan:5000"))


def test_named_files(environment: dict[str, str], tmp_path: Path) -> None:
    for kind in Kind:
        path = tmp_path / f"of-{kind.value}"
        place = Place.parse(f"{kind.value}={path}")
        assert place == Place(kind, path)
        login_places.keep(login_places.plan([place], LOGIN, environment))
        assert path.is_file()


@pytest.mark.parametrize("text", ["floppy", "", "enroot=", "=x"])
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(UsageError):
        Place.parse(text)


def test_one_file_for_two_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    places = [Place(Kind.DOCKER, tmp_path / "f"), Place(Kind.PODMAN, tmp_path / "f")]
    with pytest.raises(UsageError, match="is named for docker and for podman"):
        login_places.plan(places, LOGIN, environment)
    assert len(login_places.plan([places[0], places[0]], LOGIN, environment)) == 1


def test_a_place_that_cannot_take_the_login_stops_all(
    environment: dict[str, str], tmp_path: Path
) -> None:
    blank = replace(LOGIN, secret="two words")
    with pytest.raises(UsageError, match="enroot"):
        login_places.plan([Place(Kind.DOCKER), Place(Kind.ENROOT)], blank, environment)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changed_in_the_meantime_is_left_alone(
    environment: dict[str, str], tmp_path: Path
) -> None:
    planned = login_places.plan([Place(Kind.DOCKER), Place(Kind.PODMAN)], LOGIN, environment)
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text("{}")
    docker, podman = login_places.keep(planned)
    assert docker.error is not None and "by another program" in docker.error.message
    assert docker.to_json()["error"]
    assert podman.error is None
    assert (tmp_path / ".docker/config.json").read_text() == "{}"
    assert login_places.exit_code((docker, podman)) == 1
    assert login_places.exit_code((docker,)) == 4


def test_what_wins_over_it_is_told(environment: dict[str, str]) -> None:
    old = replace(LOGIN, secret="another")
    login_places.keep(login_places.plan([Place(Kind.DOCKER)], old, environment))
    kept = login_places.keep(login_places.plan([Place(Kind.ENROOT)], LOGIN, environment))
    assert login_places.winner(kept, LOGIN, environment).endswith(".docker/config.json")
    kept = login_places.keep(login_places.plan([Place(Kind.DOCKER)], LOGIN, environment))
    assert login_places.winner(kept, LOGIN, environment) == ""


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailure, match="cannot be written"):
        private_file.replace(tmp_path / "file" / "below", b"x")
    with pytest.raises(EnvironmentFailure, match="is not the name of a file"):
        private_file.read(Path("a\0b"))
    assert os.listdir(tmp_path) == ["file"]
