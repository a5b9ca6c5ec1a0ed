"""On the offline side nothing goes to the internet: not a connection, not a name that is looked up.

The wizard and its workers run in a network namespace where only loopback is up, and every attempt
of theirs is recorded by an audit hook before the system could refuse it.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import services
from tests.e2e.command import ROOT
from tests.e2e.offline_walk import PHASES
from tests.engine.bundle.sample_source import save
from tests.images import SampleImages

pytestmark = pytest.mark.distribution

HOOK = """
import json, os, sys

_FILE = os.open(os.environ["RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_LOOKED_UP = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")

def _hook(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        socket, address = arguments[0], arguments[-1]
        entry = [os.getpid(), event, socket.family.name, repr(address)]
        host = address[0] if isinstance(address, tuple) else ""
    elif event in _LOOKED_UP:
        host = arguments[0]
        entry = [os.getpid(), event, "name", repr(host)]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode()
    os.write(_FILE, (json.dumps([*entry, host or ""]) + "\\n").encode())

sys.addaudithook(_hook)
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Something that was to leave a process; `host` is empty for a socket of this machine."""

    phase: str
    process: int
    event: str
    family: str
    text: str
    host: str

    @property
    def local(self) -> bool:
        if self.family == "AF_UNIX" or self.host in ("", "localhost"):
            return True
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return address.is_loopback or address.is_unspecified


def attempts(record: Path) -> list[Attempt]:
    found, phase = [], ""
    for line in record.read_text().splitlines():
        if line.startswith("phase "):
            phase = line.removeprefix("phase ")
        else:
            found.append(Attempt(phase, *json.loads(line)))
    return found


@pytest.fixture
def offline(tmp_path: Path) -> list[str]:
    """What goes before a command so that only loopback is there, with the hook in every Python."""
    unshare, ip = shutil.which("unshare"), shutil.which("ip")
    if unshare is None or ip is None:
        pytest.skip("unshare or ip is not installed")
    own = [] if os.geteuid() == 0 else ["--map-root-user"]
    prefix = [unshare, *own, "--net", "--", "sh", "-c", f'{ip} link set lo up && exec "$@"', "sh"]
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, timeout=30)
    if tried.returncode != 0:
        pytest.skip(f"no network namespace can be made here: {tried.stderr.strip()}")
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(HOOK)
    return prefix


def run(prefix: list[str], directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(directory / "hooks"), str(ROOT)])
    record = {"RECORD": str(directory / "record"), "PYTHONPATH": paths, "HOME": str(directory)}
    return subprocess.run(
        [*prefix, sys.executable, *arguments],
        env={**os.environ, **record},
        capture_output=True,
        text=True,
        timeout=300,
        cwd=directory,
    )


def test_an_attempt_to_leave_is_seen(offline: list[str], tmp_path: Path) -> None:
    """Without this the test below could pass because nothing is recorded at all."""
    program = (
        "import socket\n"
        "for call in (lambda: socket.create_connection(('192.0.2.1', 443), timeout=1),\n"
        "             lambda: socket.getaddrinfo('nvcr.io', 443)):\n"
        "    try:\n        call()\n    except OSError as error:\n        print(error)\n"
    )
    assert run(offline, tmp_path, "-c", program).returncode == 0
    away = [attempt.host for attempt in attempts(tmp_path / "record") if not attempt.local]
    assert "192.0.2.1" in away and "nvcr.io" in away


def test_the_whole_offline_side_stays_on_this_machine(
    offline: list[str], tmp_path: Path, sample_images: SampleImages
) -> None:
    services.program("docker-registry")
    save(tmp_path / "pod", sample_images.images)
    assert {r.partition("/")[0] for r in names(tmp_path / "pod")} == {"nvcr.io"}
    record = tmp_path / "record"
    done = run(offline, tmp_path, "-m", "tests.e2e.offline_walk", str(tmp_path), str(record))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    found = attempts(record)
    assert [attempt for attempt in found if not attempt.local] == []
    spoken = [attempt for attempt in found if attempt.family != "AF_UNIX"]
    assert not any(attempt.phase in ("welcome", "open", "verify") for attempt in spoken)
    walker = spoken[0].process
    assert any(attempt.process != walker and attempt.phase == "push" for attempt in spoken), (
        "the worker that pushes is recorded too"
    )
    phases = [line for line in record.read_text().splitlines() if line.startswith("phase ")]
    assert phases == [f"phase {name}" for name in PHASES]


def names(bundle: Path) -> list[str]:
    return [item["reference"] for item in json.loads((bundle / "bundle.json").read_text())["items"]]
