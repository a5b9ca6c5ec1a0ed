"""Docker's configuration file: every form in which logins stand there, and how one is added."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from airgap_tui.engine.credentials.credential import basic
from airgap_tui.engine.credentials.docker_config import DockerConfig, change, default_path
from airgap_tui.engine.errors import EnvironmentFailure
from airgap_tui.engine.redaction import redact

SECRET = "pass:word-of-somebody"


def encoded(username: str, secret: str) -> str:
    return base64.b64encode(f"{username}:{secret}".encode()).decode()


def store(path: Path, registry: str, username: str, secret: str) -> str:
    """Keep a login; where it is then."""
    planned = change(path, registry, username, secret)
    assert SECRET not in repr(planned)
    planned.apply()
    return planned.place


def parse(**value: Any) -> DockerConfig:
    return DockerConfig.parse(json.dumps(value), "the file")


ENTRY = {"auth": encoded("user", SECRET)}


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        ("reg.lan:5000", "reg.lan:5000"),
        ("https://reg.lan:5000", "reg.lan:5000"),
        ("https://reg.lan:5000/v2/", "reg.lan:5000"),
        ("http://reg.lan/v1/", "reg.lan"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
        ("nvcr.io", "nvcr.io"),
    ],
)
def test_keys(key: str, registry: str) -> None:
    found = parse(auths={key: ENTRY}).find(registry, "a/b")
    assert found is not None
    assert (found.username, found.secret, found.origin) == ("user", SECRET, "the file")
    for other in ("lan", "reg.lan:5001", "evil" + registry, registry + ".example"):
        assert parse(auths={key: ENTRY}).find(other) is None


@pytest.mark.parametrize(
    ("entry", "username", "secret", "identity"),
    [
        (ENTRY, "user", SECRET, ""),
        ({"auth": ENTRY["auth"].rstrip("=")}, "user", SECRET, ""),
        ({"auth": encoded("user", SECRET + "\0\0")}, "user", SECRET, ""),
        ({"username": "user", "password": SECRET}, "user", SECRET, ""),
        ({**ENTRY, "identitytoken": "refresh"}, "user", SECRET, "refresh"),
        ({"auth": encoded("<token>", "refresh")}, "", "", "refresh"),
        ({"auth": encoded("00000000-0000-0000-0000-000000000000", ""), "identitytoken": "refresh"},
         "00000000-0000-0000-0000-000000000000", "", "refresh"),
        ({"auth": encoded("$oauthtoken", "nvapi-abc")}, "$oauthtoken", "nvapi-abc", ""),
    ],
)  # fmt: skip
def test_entries(entry: dict[str, str], username: str, secret: str, identity: str) -> None:
    found = parse(auths={"reg.lan": entry}).find("reg.lan")
    assert found is not None
    assert (found.username, found.secret, found.identity_token) == (username, secret, identity)


def test_a_password_that_is_no_utf_8_goes_as_it_is(tmp_path: Path) -> None:
    auth = base64.b64encode("user:grün-wie-gras".encode("latin-1")).decode()
    found = parse(auths={"reg.lan": {"auth": auth}}).find("reg.lan")
    assert found is not None
    assert basic(found.username, found.secret) == f"Basic {auth}"
    path = tmp_path / "config.json"
    change(path, "reg.lan", found.username, found.secret).apply()
    assert json.loads(path.read_text()) == {"auths": {"reg.lan": {"auth": auth}}}


def test_entries_that_hold_nothing() -> None:
    for entry in ({}, {"auth": ""}, {"auth": encoded("", "")}, "text", None):
        assert parse(auths={"reg.lan": entry}).find("reg.lan") is None
    assert parse().find("reg.lan") is None
    assert parse(auths=None, credHelpers=[]).find("reg.lan") is None


def test_a_token_of_a_registry_is_told_and_not_used() -> None:
    auths = {"reg.lan": {"registrytoken": "t"}, "b.lan": {"registrytoken": "t", "auth": "YTpi"}}
    config = DockerConfig.parse(json.dumps({"auths": auths}), "file")
    assert config.find("reg.lan") is None and config.find("b.lan") is not None
    assert config.kept == (("b.lan", "file"),)
    (told,) = config.unusable
    assert (told.registry, told.remedy) == ("reg.lan", "Log in again: airgap-tui login reg.lan")


def test_the_longest_name_wins() -> None:
    config = parse(
        auths={
            "reg.lan": {"auth": encoded("all", "secret-1")},
            "reg.lan/team": {"auth": encoded("team", "secret-2")},
            "reg.lan/team/app": {"auth": encoded("app", "secret-3")},
        }
    )
    for repository, username in (
        ("", "all"),
        ("other", "all"),
        ("teammate/app", "all"),
        ("team", "team"),
        ("team/other", "team"),
        ("team/app", "app"),
        ("team/app/part", "app"),
    ):
        found = config.find("reg.lan", repository)
        assert found is not None
        assert found.username == username


@pytest.mark.parametrize("text", ["{", "[]", "null", '"text"', "[" * 100_000])
def test_a_file_that_is_no_configuration(text: str) -> None:
    with pytest.raises(EnvironmentFailure, match="the file is not JSON"):
        DockerConfig.parse(text, "the file")


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    assert DockerConfig.read(path).find("reg.lan") is None
    path.write_text("")
    assert DockerConfig.read(path).find("reg.lan") is None
    path.write_text(json.dumps({"auths": {"reg.lan": {"auth": "%%%"}}}))
    with pytest.raises(EnvironmentFailure, match="not base64"):
        DockerConfig.read(path).find("reg.lan")
    path.write_bytes(b" " * 5_000_000)
    with pytest.raises(EnvironmentFailure, match="larger"):
        DockerConfig.read(path)


def test_where_docker_keeps_it() -> None:
    assert default_path({"HOME": "/home/x"}) == Path("/home/x/.docker/config.json")
    assert default_path({"HOME": "/home/x", "DOCKER_CONFIG": "/y"}) == Path("/y/config.json")


# --- helpers ---


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker-credential-test` that keeps logins in a folder and notes how it was called."""
    folder = tmp_path / "helper"
    folder.mkdir()
    program = folder / "docker-credential-test"
    program.write_text(
        f"""#!/bin/sh
cat > {folder}/input.$1
echo "$@" >> {folder}/calls
if [ "$1" = store ]; then exit 0; fi
if [ -f {folder}/answer ]; then cat {folder}/answer; else
  echo "credentials not found in native keychain"; exit 1; fi
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def answer(helper: Path, username: str, secret: str) -> None:
    (helper / "answer").write_text(json.dumps({"Username": username, "Secret": secret}))


def test_a_helper_for_all(helper: Path) -> None:
    assert parse(credsStore="test", auths={"reg.lan": {}}).find("reg.lan") is None
    config = parse(credsStore="test", auths={"reg.lan": {}})
    answer(helper, "user", SECRET)
    found = config.find("reg.lan", "a/b")
    assert found is not None
    assert (found.username, found.secret) == ("user", SECRET)
    assert found.origin == "docker-credential-test"
    assert (helper / "input.get").read_text() == "reg.lan"
    assert SECRET not in repr(found)


def test_docker_hub_has_its_old_name_there(helper: Path) -> None:
    answer(helper, "user", SECRET)
    assert parse(credsStore="test").find("docker.io")
    assert (helper / "input.get").read_text() == "https://index.docker.io/v1/"


def test_a_helper_for_one_registry(helper: Path) -> None:
    answer(helper, "<token>", "refresh")
    config = parse(credHelpers={"reg.lan": "test"}, auths={"other.lan": ENTRY})
    found = config.find("reg.lan")
    assert found is not None
    assert (found.username, found.identity_token) == ("", "refresh")
    other = config.find("other.lan")
    assert other is not None
    assert other.username == "user"


def test_helpers_that_fail(helper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (helper / "answer").write_text("<html>")
    with pytest.raises(EnvironmentFailure, match="something other than a login"):
        parse(credsStore="test").find("reg.lan")
    with pytest.raises(EnvironmentFailure, match="docker-credential-absent is not installed"):
        parse(credsStore="absent").find("reg.lan")
    with pytest.raises(EnvironmentFailure, match="not the name"):
        parse(credsStore="../../bin/sh").find("reg.lan")
    (helper / "docker-credential-test").write_text("#!/bin/sh\necho locked; exit 2\n")
    with pytest.raises(EnvironmentFailure, match="failed: locked"):
        parse(credsStore="test").find("reg.lan")
    (helper / "docker-credential-test").write_text("#!/bin/sh\nexec sleep 20\n")
    monkeypatch.setattr("airgap_tui.engine.credentials.helper.TIMEOUT", 0.2)
    with pytest.raises(EnvironmentFailure, match="did not answer"):
        parse(credsStore="test").find("reg.lan")


def test_a_helper_is_asked_once_for_all_repositories(helper: Path) -> None:
    answer(helper, "user", SECRET)
    config = parse(credsStore="test")
    logins = [config.find("reg.lan", f"team/image{number}") for number in range(3)]
    assert {login.secret for login in logins if login is not None} == {SECRET}
    assert config.find("other.lan", "team/image")
    assert (helper / "calls").read_text().count("get") == 2


def test_a_helper_that_fails_is_not_waited_for_again(helper: Path) -> None:
    (helper / "docker-credential-test").write_text(
        f"#!/bin/sh\necho get >> '{helper}/calls'\necho locked; exit 2\n"
    )
    config = parse(credsStore="test")
    for number in range(3):
        with pytest.raises(EnvironmentFailure, match="failed: locked"):
            config.find("reg.lan", f"team/image{number}")
    assert (helper / "calls").read_text().count("get") == 1


# --- storing ---


def test_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.json"
    assert store(path, "reg.lan:5000", "user", SECRET) == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert json.loads(path.read_text()) == {"auths": {"reg.lan:5000": ENTRY}}
    found = DockerConfig.read(path).find("reg.lan:5000")
    assert found is not None
    assert found.secret == SECRET


def test_everything_else_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    before = {
        "HttpHeaders": {"X": "ü"},
        "auths": {"other.lan": ENTRY, "https://reg.lan/v2/": {"auth": "old"}},
        "proxies": {"default": {}},
    }
    path.write_text(json.dumps(before))
    path.chmod(0o644)
    store(path, "reg.lan", "user", SECRET)
    after = json.loads(path.read_text("utf-8"))
    assert after["auths"] == {"other.lan": ENTRY, "reg.lan": ENTRY}
    assert {k: v for k, v in after.items() if k != "auths"} == {
        k: v for k, v in before.items() if k != "auths"
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["config.json"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles.json", tmp_path / "config.json"
    real.write_text("{}")
    link.symlink_to(real)
    store(link, "docker.io", "user", SECRET)
    assert link.is_symlink()
    assert json.loads(real.read_text())["auths"] == {"https://index.docker.io/v1/": ENTRY}


def test_a_file_that_cannot_be_read_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for text in ("{ broken", "[]", '{"auths": []}'):
        path.write_text(text)
        with pytest.raises(EnvironmentFailure):
            store(path, "reg.lan", "user", SECRET)
        assert path.read_text() == text


def test_with_a_helper_no_secret_is_in_the_file(tmp_path: Path, helper: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"credsStore": "test"}))
    assert store(path, "docker.io", "user", SECRET) == "docker-credential-test"
    assert json.loads((helper / "input.store").read_text()) == {
        "ServerURL": "https://index.docker.io/v1/",
        "Username": "user",
        "Secret": SECRET,
    }
    assert json.loads(path.read_text()) == {
        "credsStore": "test",
        "auths": {"https://index.docker.io/v1/": {}},
    }
    assert SECRET not in (helper / "calls").read_text()


def test_what_was_read_is_masked_from_then_on() -> None:
    parse(auths={"reg.lan": {"auth": encoded("user", "a-secret-of-this-test")}}).find("reg.lan")
    assert "a-secret-of-this-test" not in redact("it was a-secret-of-this-test there")
