"""doctor: findings with a purpose and a remedy, nothing sent, no secret shown."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import Stopped
from airgap_tui.engine.events import JobFinished, JobStarted
from airgap_tui.engine.jobs import doctor, machine_checks, network_checks
from airgap_tui.engine.jobs.check import Check, Standing
from airgap_tui.engine.jobs.doctor import DoctorResult, DoctorSpec
from airgap_tui.engine.jobs.survival import SCOPE, Survival
from airgap_tui.engine.settings import Network, Settings
from tests import services
from tests.conftest import EventLog, StartDistribution
from tests.services import PATIENCE


def test_everything_is_looked_at(tmp_path: Path, events: EventLog, token: CancelToken) -> None:
    result = doctor.run(DoctorSpec(tmp_path), events, token)
    names = [check.name for check in result.checks]
    for name in ("Python", "Compression", "Disk", "Docker", "Podman", "pixz", "skopeo", "xorriso"):
        assert name in names
    for name in ("Proxy", "CA", "Logins", "Terminal", "Session", "Clock"):
        assert name in names
    assert all(check.purpose for check in result.checks), "each says what it is for"
    for check in result.checks:
        if check.standing in (Standing.ABSENT, Standing.FAILED):
            assert check.remedy, check.name
    assert result.exit_code == 0
    assert isinstance(events[0], JobStarted)
    assert events[-1] == JobFinished("doctor", 0)


def test_the_result_is_json_and_tells_what_failed() -> None:
    good = Check("A", Standing.GOOD, "fine", "x")
    bad = Check("B", Standing.FAILED, "see nvapi-KEYKEYKEY", "y", "mend it")
    value = json.loads(json.dumps(DoctorResult((good, bad)).to_json()))
    assert value["ok"] is False
    assert value["checks"][0] == {
        "name": "A",
        "standing": "good",
        "finding": "fine",
        "purpose": "x",
        "remedy": None,
    }
    assert "KEYKEYKEY" not in json.dumps(value)
    assert DoctorResult((good, bad)).exit_code == 4
    assert DoctorResult((good, Check("C", Standing.WARNING, "", "", ""))).exit_code == 0


def test_it_can_be_stopped(tmp_path: Path, events: EventLog, token: CancelToken) -> None:
    token.cancel()
    with pytest.raises(Stopped):
        doctor.run(DoctorSpec(tmp_path), events, token)


def test_nothing_leaves_the_machine(tmp_path: Path) -> None:
    """No name is looked up and no network connection is tried, whatever DOCKER_HOST says."""
    script = f"""
import socket, sys
from pathlib import Path

def refuse(*arguments, **options):
    print("network used:", arguments, file=sys.stderr)
    raise SystemExit(9)

socket.getaddrinfo = socket.gethostbyname = refuse
connect = socket.socket.connect
def local_only(self, address):
    if self.family != socket.AF_UNIX:
        refuse(address)
    return connect(self, address)
socket.socket.connect = local_only

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.jobs.doctor import DoctorSpec, run
result = run(DoctorSpec(Path({str(tmp_path)!r})), lambda event: None, CancelToken())
print(*(c.finding for c in result.checks if c.name == "Docker"))
"""
    for host in ("", "tcp://docker.example.org:2376", "ssh://root@docker.example.org"):
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            env={**os.environ, "DOCKER_HOST": host},
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        if host:
            assert host in done.stdout
            assert "not asked" in done.stdout


@pytest.mark.parametrize(
    ("room", "standing", "finding"),
    [
        (Room(1_800_000_000_000, "ext4"), Standing.GOOD, "1.8 TB free (ext4)"),
        (Room(5_190_000_000, "xfs"), Standing.WARNING, "5.1 GB free (xfs)"),
    ],
)
def test_the_disk(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    room: Room,
    standing: Standing,
    finding: str,
) -> None:
    monkeypatch.setattr(Room, "at", lambda _path: room)
    (check,) = doctor.disk(tmp_path)
    assert check.standing is standing
    assert finding in check.finding


def test_fat_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Room, "at", lambda _path: Room(10**12, "vfat", 4 * 2**30 - 1))
    _, check = doctor.disk(tmp_path)
    assert check.finding == "vfat takes no file over 4.2 GB"
    assert "exFAT" in check.remedy


def test_a_disk_in_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Room, "at", lambda _path: Room(10**12, "tmpfs"))
    checks = list(doctor.disk(tmp_path))
    assert any("is lost when the machine stops" in check.finding for check in checks)


def test_an_engine_that_is_not_there_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")
    check = doctor.engine("docker", "Docker", "load")
    assert check.standing in (Standing.ABSENT, Standing.WARNING)
    assert check.remedy


def test_an_address_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "nonsense")
    check = doctor.engine("docker", "Docker", "load")
    assert check.standing is Standing.WARNING
    assert "DOCKER_HOST" in check.finding


@pytest.mark.docker
def test_a_running_engine_is_told_with_version_store_and_room(
    docker_engine: services.DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    check = doctor.engine("docker", "Docker", "load")
    assert check.standing is Standing.GOOD
    assert "is running, and you may use it" in check.finding
    assert docker_engine.client.version()["Version"] in check.finding
    assert "image store" in check.finding
    assert "free in" in check.finding


@pytest.mark.parametrize(
    ("environment", "standing", "finding"),
    [
        ({}, Standing.GOOD, "none is set"),
        ({"https_proxy": "http://p:1", "no_proxy": "localhost"}, Standing.GOOD, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a, 127.0.0.1"}, Standing.GOOD, "a, 127"),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "*"}, Standing.GOOD, "except *"),
        ({"https_proxy": "http://p:1"}, Standing.WARNING, "does not name localhost"),
        ({"all_proxy": "http://p:1"}, Standing.WARNING, "does not name localhost"),
        ({"http_proxy": "http://p:1"}, Standing.WARNING, "only http_proxy is set"),
        ({"https_proxy": ""}, Standing.GOOD, "none is set"),
    ],
)
def test_the_proxy(environment: dict[str, str], standing: Standing, finding: str) -> None:
    check = network_checks.proxy(environment)
    assert check.standing is standing
    assert finding in check.finding
    assert bool(check.remedy) == (standing is not Standing.GOOD)


def test_a_password_in_the_proxy_is_masked() -> None:
    check = network_checks.proxy({"https_proxy": "http://me:pw@p:1", "no_proxy": "localhost"})
    assert "pw" not in json.dumps(check.to_json())


def test_authorities(tmp_path: Path, authority: services.CertificateAuthority) -> None:
    (tmp_path / "empty.pem").write_text("")
    (system,) = network_checks.trusted_cas(Network(), {})
    assert system.standing is Standing.GOOD
    (given,) = network_checks.trusted_cas(Network(ca_file=authority.certificate), {})
    assert given.standing is Standing.GOOD
    assert "--ca" in given.finding
    for path, problem in (
        (tmp_path / "empty.pem", "no certificate in PEM form"),
        (tmp_path / "absent.pem", "No such file"),
    ):
        (check,) = network_checks.trusted_cas(Network(), {"REQUESTS_CA_BUNDLE": str(path)})
        assert check.standing is Standing.FAILED
        assert problem in check.finding
        assert "REQUESTS_CA_BUNDLE" in check.finding
        assert check.remedy
    (tmp_path / "directory").mkdir()
    (check,) = network_checks.trusted_cas(Network(), {"SSL_CERT_DIR": str(tmp_path / "directory")})
    assert check.standing is Standing.FAILED


def test_a_client_certificate(tmp_path: Path, authority: services.CertificateAuthority) -> None:
    good = Network(client_certificate=authority.certificate, client_key=authority.key)
    assert [c.standing for c in network_checks.trusted_cas(good, {})] == [Standing.GOOD] * 2
    (tmp_path / "bad.pem").write_text("nothing")
    bad = Network(client_certificate=tmp_path / "bad.pem")
    check = list(network_checks.trusted_cas(bad, {}))[-1]
    assert check.standing is Standing.FAILED
    assert "bad.pem cannot be used" in check.finding


def test_logins_are_told_by_registry_and_place_without_secrets(tmp_path: Path) -> None:
    secret = base64.b64encode(b"robot:geheimnis").decode()
    config = {
        "auths": {"harbor.lan": {"auth": secret}, "empty.lan": {}},
        "credHelpers": {"helped.lan": "absent-helper"},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    environment = {
        "DOCKER_CONFIG": str(tmp_path),
        "HOME": str(tmp_path),
        "NGC_API_KEY": "nvapi-geheimnis2",
    }
    check = network_checks.logins(environment)
    assert check.standing is Standing.GOOD
    assert "harbor.lan" in check.finding
    assert "config.json" in check.finding
    assert "helped.lan" in check.finding
    assert "docker-credential-absent-helper" in check.finding
    assert "nvcr.io (NGC_API_KEY)" in check.finding
    assert "empty.lan" not in check.finding
    assert "geheim" not in check.finding
    assert secret not in check.finding


def test_a_login_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    check = network_checks.logins({"DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path)})
    assert check.standing is Standing.WARNING
    assert "is not JSON" in check.finding


def test_without_a_login_the_way_to_one_is_told(tmp_path: Path) -> None:
    check = network_checks.logins({"HOME": str(tmp_path)})
    assert check.standing is Standing.ABSENT
    assert check.remedy == "airgap-tui login nvcr.io"


def test_a_logout_that_ends_programs_is_told_with_the_remedy() -> None:
    check = machine_checks.sessions(Survival((), "this system ends them", "Run loginctl"))
    assert check.standing is Standing.WARNING
    assert (check.finding, check.remedy) == ("This system ends them", "Run loginctl")
    assert machine_checks.sessions(Survival()).standing is Standing.GOOD
    assert "in a scope" in machine_checks.sessions(Survival(SCOPE)).finding


def test_the_clock() -> None:
    assert machine_checks.clock().standing is Standing.GOOD
    check = machine_checks.clock(0.0)
    assert check.standing is Standing.FAILED
    assert check.finding == "1970-01-01 00:00 UTC is in the past"


@pytest.mark.parametrize(
    ("name", "standing"),
    [("xterm", Standing.GOOD), ("dumb", Standing.ABSENT), ("", Standing.ABSENT)],
)
def test_the_terminal(name: str, standing: Standing) -> None:
    assert machine_checks.terminal({"TERM": name}).standing is standing


def test_programs_that_are_not_there_are_told_with_what_they_are_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xz").write_text("#!/bin/sh\n")
    (tmp_path / "xz").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    checks = {check.name: check for check in machine_checks.programs()}
    assert checks["xz"].standing is Standing.GOOD
    assert checks["xz"].finding == str(tmp_path / "xz")
    assert checks["xorriso"].standing is Standing.ABSENT
    assert "ISO" in checks["xorriso"].purpose
    assert "apt install" in checks["xorriso"].remedy


@pytest.mark.distribution
def test_online_a_registry_that_answers_and_one_that_does_not(
    distribution: services.Distribution, token: CancelToken
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"127.0.0.1:{server.getsockname()[1]}"
    good, bad = network_checks.registries((distribution.host, closed), Network(), token)
    assert (good.name, good.standing) == (distribution.host, Standing.GOOD)
    assert (bad.name, bad.standing) == (closed, Standing.FAILED)


@pytest.mark.distribution
def test_online_a_registry_that_wants_a_login_answers(
    start_distribution: StartDistribution, token: CancelToken
) -> None:
    registry = start_distribution(htpasswd={"user": "password"})
    (check,) = network_checks.registries((registry.host,), Network(), token)
    assert check.standing is Standing.GOOD
    assert check.finding.startswith("answers: ")


def test_online_a_host_that_is_no_registry(tmp_path: Path, token: CancelToken) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(
                    b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
                )

        thread = threading.Thread(target=answer)
        thread.start()
        host = f"127.0.0.1:{server.getsockname()[1]}"
        spec = DoctorSpec(tmp_path, Settings(), online=True, registries=(host,))
        result = doctor.run(spec, lambda _event: None, token)
        thread.join(PATIENCE)
    check = result.checks[-1]
    assert check.name == host
    assert check.standing is Standing.WARNING
    assert "not as a registry" in check.finding
