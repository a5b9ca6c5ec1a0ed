"""Logins into a running job: over its socket, from its user, from memory to memory."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied, EnvironmentFailure
from airgap_tui.engine.jobs.chain import Chain, Step
from airgap_tui.engine.jobs.control import Control, give_login, leave_out
from airgap_tui.engine.jobs.directory import JobDirectory, Occupant
from airgap_tui.engine.jobs.identity import Identity
from airgap_tui.engine.jobs.job_list import JobInfo, describe
from airgap_tui.engine.jobs.logins import Logins
from airgap_tui.engine.jobs.verify import VerifySpec
from tests import services
from tests.conftest import EventLog

SECRET = "correct-horse-battery"


@pytest.fixture
def logins(events: EventLog) -> Logins:
    """Two registries are waiting."""
    logins = Logins(CredentialStore(), events)
    for registry in ("nvcr.io", "harbor.lan"):
        assert logins.refused(AccessDenied("no", registry=registry, status=401), logins.moment)
    return logins


@pytest.fixture
def control(logins: Logins) -> Iterator[Control]:
    with Control(logins) as control:
        yield control


@pytest.fixture
def job(control: Control, tmp_path: Path) -> JobInfo:
    chain = Chain((Step("verify", VerifySpec(tmp_path / "pod")),))
    directory = JobDirectory.create(tmp_path / "state", chain)
    directory.occupy(Occupant(Identity.own(), "ops", control.name))
    return describe(directory)


def test_a_login_arrives(job: JobInfo, logins: Logins) -> None:
    assert give_login(job, "nvcr.io", Credential("$oauthtoken", SECRET, "typed", "token"))
    found = logins.credentials.find("nvcr.io")
    assert found is not None
    assert (found.username, found.secret, found.identity_token) == ("$oauthtoken", SECRET, "token")
    assert not logins.wanted("nvcr.io")
    assert logins.wanted("harbor.lan")
    assert not give_login(job, "nvcr.io", Credential("again", SECRET, "typed"))


def test_images_are_left_out(job: JobInfo, logins: Logins) -> None:
    assert leave_out(job, "harbor.lan")
    refused = AccessDenied("no", registry="harbor.lan", status=401)
    assert not logins.refused(refused, logins.moment)
    assert not leave_out(job, "elsewhere.lan")


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\n",
        b"nonsense\n",
        b"[]\n",
        b"3\n",
        b'{"registry": "a"}\n',
        b'{"login": {}}\n',
        b'{"registry": "a", "login": {"username": 1, "secret": "", "identity_token": ""}}\n',
    ],
)
def test_anything_else_changes_nothing(control: Control, logins: Logins, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(f"\0{control.name}")
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert b"error" in connection.recv(1000)
    assert logins.wanted("nvcr.io")
    assert logins.wanted("harbor.lan")


def test_another_user_is_not_heard(control: Control, logins: Logins) -> None:
    services.need_root()
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if python is None:
        pytest.skip("there is no Python that another user may run")
    script = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX); s.settimeout(10)\n"
        "s.connect('\\0' + sys.argv[1])\n"
        "try:\n"
        "    s.sendall(sys.argv[2].encode() + b'\\n'); print(s.recv(100))\n"
        "except OSError as error: print('refused', error)\n"
    )
    question = json.dumps({"registry": "nvcr.io", "leave_out": True})
    done = subprocess.run(
        [python, "-I", "-c", script, control.name, question],
        user=65534,
        group=65534,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout
    assert "waited" not in done.stdout
    assert logins.wanted("nvcr.io")


def test_a_login_goes_to_the_job_alone(job: JobInfo, logins: Logins) -> None:
    """Whoever took over the socket's name is not given the secret."""
    assert job.occupant is not None
    identity = replace(job.occupant.identity, process=job.occupant.identity.process + 1)
    other = replace(job, occupant=replace(job.occupant, identity=identity))
    with pytest.raises(EnvironmentFailure, match="another program"):
        give_login(other, "nvcr.io", Credential("me", SECRET, "typed"))
    assert logins.credentials.find("nvcr.io") is None


def test_a_job_that_cannot_be_reached_is_told(job: JobInfo) -> None:
    assert job.occupant is not None
    silent = replace(job, occupant=replace(job.occupant, control="airgap-tui-no-such-job"))
    with pytest.raises(EnvironmentFailure, match="takes no login"):
        leave_out(silent, "nvcr.io")
    identity = replace(job.occupant.identity, host="dgx03")
    elsewhere = replace(job, occupant=replace(job.occupant, identity=identity))
    with pytest.raises(EnvironmentFailure, match="runs on dgx03"):
        leave_out(elsewhere, "nvcr.io")
    with pytest.raises(EnvironmentFailure, match="takes no login"):
        leave_out(replace(job, occupant=None), "nvcr.io")
