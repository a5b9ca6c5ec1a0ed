"""All logins of a machine together: which of them wins, and what is said about it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied

KEY = "nvapi-" + "k" * 64


def write(path: Path, **logins: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    auths = {
        registry.replace("_", "."): {"auth": base64.b64encode(f"{user}:secret".encode()).decode()}
        for registry, user in logins.items()
    }
    path.write_text(json.dumps({"auths": auths}))


def username(store: CredentialStore, registry: str, repository: str = "") -> str | None:
    found = store.find(registry, repository)
    return None if found is None else found.username


def test_nothing_anywhere(tmp_path: Path) -> None:
    store = CredentialStore.load({"HOME": str(tmp_path)})
    assert store.find("nvcr.io", "nvidia/cuda") is None
    assert store.problems == ()


def test_the_order(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    write(tmp_path / ".config/containers/auth.json", reg_lan="podman")
    assert username(CredentialStore.load(home), "reg.lan") == "podman"
    runtime = {**home, "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    write(tmp_path / "run/containers/auth.json", reg_lan="runtime")
    assert username(CredentialStore.load(runtime), "reg.lan") == "runtime"
    write(tmp_path / ".docker/config.json", reg_lan="docker")
    assert username(CredentialStore.load(runtime), "reg.lan") == "docker"
    write(tmp_path / "named.json", reg_lan="named")
    named = {**runtime, "REGISTRY_AUTH_FILE": str(tmp_path / "named.json")}
    assert username(CredentialStore.load(named), "reg.lan") == "named"
    inline = {**named, "DOCKER_AUTH_CONFIG": (tmp_path / "named.json").read_text()}
    found = CredentialStore.load(inline).find("reg.lan")
    assert found is not None
    assert found.origin == "DOCKER_AUTH_CONFIG"
    given = Credential("given", "secret", "this run")
    assert username(CredentialStore.load(inline, {"reg.lan": given}), "reg.lan") == "given"


def test_docker_config_of_the_environment(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere/config.json", reg_lan="elsewhere")
    write(tmp_path / ".docker/config.json", reg_lan="home")
    environment = {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path / "elsewhere")}
    assert username(CredentialStore.load(environment), "reg.lan") == "elsewhere"


def test_the_ngc_key_wins_over_files_and_is_for_nvcr_alone(tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", nvcr_io="somebody", reg_lan="docker")
    environment = {"HOME": str(tmp_path), "NGC_API_KEY": KEY}
    store = CredentialStore.load(environment)
    found = store.find("nvcr.io", "nvidia/cuda")
    assert found is not None
    assert (found.username, found.secret, found.origin) == ("$oauthtoken", KEY, "NGC_API_KEY")
    for other in ("evilnvcr.io", "nvcr.io.example", "nvcr.io:443", "docker.io"):
        assert store.find(other) is None
    assert username(store, "reg.lan") == "docker"


def test_the_key_of_the_ngc_program(tmp_path: Path) -> None:
    found = CredentialStore.load({"HOME": str(tmp_path), "NGC_CLI_API_KEY": KEY}).find("nvcr.io")
    assert found is not None
    assert found.origin == "NGC_CLI_API_KEY"


@pytest.mark.parametrize("text", [f"{KEY}\n", f" {KEY}\r\n", f"{KEY[:20]}\n{KEY[20:]}"])
def test_line_breaks_in_a_key(text: str, tmp_path: Path) -> None:
    store = CredentialStore.load({"HOME": str(tmp_path), "NGC_API_KEY": text})
    found = store.find("nvcr.io")
    assert found is not None
    assert found.secret == KEY
    assert store.remarks == ("NGC_API_KEY looks like a key with a line break; it was taken out",)


def test_keys_of_the_dgx_registry_are_refused_in_plain_words(tmp_path: Path) -> None:
    store = CredentialStore.load({"HOME": str(tmp_path), "NGC_API_KEY": "a1" * 20})
    assert store.find("docker.io") is None
    with pytest.raises(AccessDenied, match="which NGC no longer takes") as refused:
        store.find("nvcr.io")
    assert "nvapi-" in refused.value.hint
    assert "a1" * 20 not in str(refused.value)


def test_a_broken_file_is_told_and_does_not_stop_the_rest(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text("{ broken")
    write(tmp_path / ".config/containers/auth.json", reg_lan="podman")
    store = CredentialStore.load({"HOME": str(tmp_path)})
    assert username(store, "reg.lan") == "podman"
    assert len(store.problems) == 1
    assert "not JSON" in store.problems[0]


def test_a_helper_that_is_missing_is_told_once(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(json.dumps({"credsStore": "is-absent"}))
    store = CredentialStore.load({"HOME": str(tmp_path)})
    assert store.find("reg.lan") is None
    assert store.find("reg.lan", "a/b") is None
    assert store.problems == ("the credential helper docker-credential-is-absent is not installed",)


def test_without_the_login_of_one_registry_the_others_stay(tmp_path: Path) -> None:
    write(tmp_path / ".docker" / "config.json", nvcr_io="a", reg_lan="b")
    store = CredentialStore.load({"HOME": str(tmp_path), "NGC_API_KEY": KEY})
    without = store.without("nvcr.io")
    assert without.find("nvcr.io") is None
    assert username(without, "reg.lan") == "b"
    assert store.find("nvcr.io") is not None
