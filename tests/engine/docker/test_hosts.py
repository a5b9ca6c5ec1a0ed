"""Which address is spoken to, for every way that people say it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from airgap_tui.engine.docker.hosts import find_host
from airgap_tui.engine.errors import EngineFailure, UsageError
from tests.images import compact


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Docker configuration directory."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


def add_context(config: Path, name: str, host: str) -> None:
    folder = config / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    endpoint = {"docker": {"Host": host, "SkipTLSVerify": False}}
    meta = {"Name": name, "Metadata": {}, "Endpoints": endpoint}
    (folder / "meta.json").write_bytes(compact(meta))


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("unix:///run/x.sock", "unix:///run/x.sock"),
        ("unix://run/x.sock", "unix:///run/x.sock"),
        ("/run/x.sock", "unix:///run/x.sock"),
        ("tcp://10.0.0.1:2375", "tcp://10.0.0.1:2375"),
        ("ssh://admin@dgx", "ssh://admin@dgx"),
    ],
)
def test_a_host_by_name_comes_first(text: str, url: str, config: Path) -> None:
    environment = {"DOCKER_HOST": "unix:///other", "DOCKER_CONTEXT": "other"}
    assert find_host(text, "docker", environment).url == url
    assert find_host(None, "docker", {"DOCKER_HOST": text}).url == url


@pytest.mark.parametrize("text", ["dgx", "ftp://x", "unix://", "npipe:////./pipe/x"])
def test_what_is_no_address(text: str, config: Path) -> None:
    with pytest.raises(UsageError, match="DOCKER_HOST"):
        find_host(None, "docker", {"DOCKER_HOST": text})


def test_contexts_in_the_order_of_the_docker_command(config: Path) -> None:
    add_context(config, "far", "tcp://far:2376")
    add_context(config, "near", "unix:///run/near.sock")
    assert find_host(None, "docker", {}).url == "unix:///var/run/docker.sock"
    (config / "config.json").write_text(json.dumps({"currentContext": "near"}))
    assert find_host(None, "docker", {}).url == "unix:///run/near.sock"
    found = find_host(None, "docker", {"DOCKER_CONTEXT": "far"})
    assert (found.url, found.origin) == ("tcp://far:2376", "the context far")
    host = {"DOCKER_CONTEXT": "far", "DOCKER_HOST": "unix:///x"}
    assert find_host(None, "docker", host).url == "unix:///x"


def test_a_context_that_is_not_there(config: Path) -> None:
    with pytest.raises(EngineFailure, match="no context gone"):
        find_host(None, "docker", {"DOCKER_CONTEXT": "gone"})


def test_tls_of_the_environment(config: Path, tmp_path: Path) -> None:
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_text("")
    environment = {
        "DOCKER_HOST": "tcp://dgx:2376",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(tmp_path),
    }
    tls = find_host(None, "docker", environment).tls
    assert tls is not None
    assert tls.ca_cert == str(tmp_path / "ca.pem")
    assert find_host("unix:///x", "docker", environment).tls is None
    with pytest.raises(UsageError, match="/nonexistent"):
        gone = {**environment, "DOCKER_CERT_PATH": "/nonexistent"}
        find_host(None, "docker", gone)


def test_podman_s_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    rootless = tmp_path / "podman/podman.sock"
    rootless.parent.mkdir()
    rootless.touch()
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    assert find_host(None, "podman", environment).url == f"unix://{rootless}"
    named = {**environment, "CONTAINER_HOST": "unix:///run/mine.sock", "DOCKER_HOST": "unix:///x"}
    assert find_host(None, "podman", named).url == "unix:///run/mine.sock"
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert find_host(None, "podman", {}).url == "unix:///run/podman/podman.sock"
