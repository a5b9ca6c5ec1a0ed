"""`jobs`, `attach`, `stop`, `--detach` and `--then`, as a shell and a terminal see them."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.jobs.job_list import JobInfo, JobState, list_jobs
from tests import services
from tests.cli.conftest import Command
from tests.fakes.registry import FakeRegistry, Tokens
from tests.fakes.valve import Valve
from tests.images import build_image, layer
from tests.services import PATIENCE, wait_for

KEY, NEW_KEY = "correct-horse-battery", "newer-horse-battery"


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        yield registry


@pytest.fixture
def image(registry: FakeRegistry) -> str:
    layers = [layer(f"{n}", 40_000) for n in range(4)]
    return registry.add(build_image("team/x:1", layers))


@pytest.fixture
def valve(registry: FakeRegistry) -> Iterator[Valve]:
    valve = Valve(1)
    registry.script("GET", "/blobs/", valve, forever=True)
    yield valve
    valve.opened.set()


@pytest.fixture
def known(environment: dict[str, str]) -> Iterator[Callable[[], tuple[JobInfo, ...]]]:
    """The jobs there are; none is left behind."""
    state = Path(environment["XDG_STATE_HOME"]) / "airgap-tui"
    yield lambda: list_jobs(state)
    for job in list_jobs(state):
        if job.state is JobState.RUNNING and job.occupant is not None:
            job.occupant.identity.send(signal.SIGKILL)


Known = Callable[[], tuple[JobInfo, ...]]


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, environment: dict[str, str], cwd: Path, *arguments: str) -> None:
        self._screen, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "airgap_tui", *arguments],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**environment, "TERM": "xterm"},
            cwd=cwd,
            start_new_session=True,
        )
        os.close(terminal)
        self.text = ""

    def wait_for(self, pattern: str, timeout: float = PATIENCE) -> None:
        """Read until the text matches."""
        end = time.monotonic() + timeout
        while not re.search(pattern, self.text):
            assert time.monotonic() < end, f"{pattern!r} does not come:\n{self.text}"
            if select.select([self._screen], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self._screen, 65536).decode("utf-8", "replace")
                except OSError:  # the other end is closed
                    assert re.search(pattern, self.text), self.text
                    return

    def type(self, line: str) -> None:
        os.write(self._screen, line.encode() + b"\n")

    def end(self) -> int:
        """Its exit code; `text` is then all that it showed."""
        with self.process:
            reader = threading.Thread(target=self._drain, daemon=True)
            reader.start()
            try:
                code = self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()  # else the end of the block waits for it for ever
                raise
            reader.join(PATIENCE)
        os.close(self._screen)
        return code

    def _drain(self) -> None:
        while True:
            try:
                data = os.read(self._screen, 65536)
            except OSError:
                return
            if not data:
                return
            self.text += data.decode("utf-8", "replace")


def test_nothing_yet(command: Command) -> None:
    ended = command("jobs")
    assert (ended.code, ended.out) == (0, "")
    assert "There is no job" in ended.err
    assert command("jobs", "--json").document == {"jobs": []}
    for verb in ("attach", "stop"):
        ended = command(verb, "pod")
        assert ended.code == 4
        assert "there is no job" in ended.err


def test_detached_and_attached(command: Command, image: str, known: Known, tmp_path: Path) -> None:
    started = command("save", image, "-b", "pod", "--then", "verify", "--detach")
    assert started.code == 0, started.err
    identity = started.out.strip()
    assert "airgap-tui attach pod" in started.err
    attached = command("attach", identity)
    assert attached.code == 0, attached.err
    assert attached.out.count(image) == 2
    assert "Saved" in attached.out
    assert "Whole" in attached.out
    assert "1 image is saved" in attached.err
    assert "every byte read" in attached.err
    again = command("attach", "pod", "--json").document
    assert [(s["verb"], s["exitCode"]) for s in again["steps"]] == [("save", 0), ("verify", 0)]
    assert again["steps"][1]["result"]["ok"] is True
    listed = command("jobs")
    assert re.search(rf"{identity} +pod +save, then verify +Finished", listed.out)
    (job,) = command("jobs", "--json").document["jobs"]
    assert (job["id"], job["state"], job["exitCode"]) == (identity, "finished", 0)
    assert job["bundle"] == str(tmp_path / "pod")
    assert command("verify", "pod").code == 0
    stopping = command("stop", identity)
    assert stopping.code == 4
    assert "does not run: finished" in stopping.err


def test_the_id_comes_as_json(command: Command, image: str, known: Known) -> None:
    told = command("save", image, "-b", "pod", "--detach", "--json").document
    assert [job.id for job in known()] == [told["job"]]
    assert Path(told["directory"]).is_dir()
    assert command("attach", "--json").code == 0


def test_detaching_without_a_writable_home_names_the_variable(
    command: Command, image: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    (home / ".local").write_text("a file, for root may write to any directory")
    refused = command("save", image, "-b", "pod", "--detach", XDG_STATE_HOME="")
    assert refused.code == 4
    first, second = refused.err.splitlines()
    assert f"{home}/.local/state/airgap-tui cannot be written: " in first
    assert "set XDG_STATE_HOME to a directory with room that you may write to" in second
    state = str(tmp_path / "elsewhere")
    assert command("save", image, "-b", "pod", "--detach", XDG_STATE_HOME=state).code == 0
    attached = command("attach", "pod", XDG_STATE_HOME=state)
    assert attached.code == 0, attached.err


def test_then_verify_without_detaching(command: Command, image: str, known: Known) -> None:
    ended = command("save", image, "-b", "pod", "--then", "verify", "--json")
    assert ended.code == 0
    assert [step["verb"] for step in ended.document["steps"]] == ["save", "verify"]
    assert known() == ()


def test_other_verbs_detach_too(command: Command, image: str, known: Known) -> None:
    with FakeRegistry() as target:
        assert command("save", image, "-b", "pod").code == 0
        for arguments in (("verify", "pod"), ("push", "pod", target.host)):
            identity = command(*arguments, "--detach").out.strip()
            ended = command("attach", identity)
            assert ended.code == 0, ended.err
        assert target.manifests["team/x"]["1"]
    refused = command("load", "pod", "--host", "unix:///no/such/socket", "--detach")
    ended = command("attach", refused.out.strip())
    assert ended.code == 4
    assert "! load:" in ended.err


def test_stop_and_continue(command: Command, image: str, valve: Valve, known: Known) -> None:
    identity = command("save", image, "-b", "pod", "--detach").out.strip()
    valve.wait()
    services.wait_for(
        lambda: bool(re.search(r"Running \d+%", command("jobs").out)),
        what="the job tells how far it is",
    )
    stopped = command("stop", "pod")
    assert stopped.code == 0, stopped.err
    valve.opened.set()
    assert f"airgap-tui attach --continue {identity}" in stopped.err
    seen = command("attach", "pod")
    assert seen.code == 143
    assert "was stopped" in seen.err
    assert command("jobs", "--json").document["jobs"][0]["continuable"] is True
    ended = command("attach", "--continue", "pod")
    assert ended.code == 0, ended.err
    assert len(known()) == 2
    over = command("attach", "--continue", "pod")
    assert over.code == 4
    assert "nothing to continue" in over.err


def test_a_job_that_died_says_how_to_go_on(
    command: Command, image: str, valve: Valve, known: Known
) -> None:
    identity = command("save", image, "-b", "pod", "--detach").out.strip()
    valve.wait()
    assert command("stop", "--now", "pod").code == 0
    seen = command("attach", "pod")
    assert seen.code == 4
    assert "its process is gone" in seen.err
    assert f"airgap-tui attach --continue {identity}" in seen.err
    assert "Died" in command("jobs").out
    valve.opened.set()
    assert command("attach", "pod", "--continue").code == 0


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_leaving_leaves_it_running(
    command: Command,
    environment: dict[str, str],
    image: str,
    valve: Valve,
    known: Known,
    tmp_path: Path,
    sent: signal.Signals,
) -> None:
    assert command("save", image, "-b", "pod", "--detach").code == 0
    valve.wait()
    terminal = Terminal(environment, tmp_path, "attach")
    terminal.wait_for(r"\d+%")
    terminal.process.send_signal(sent)
    assert terminal.end() == (130 if sent is signal.SIGINT else 143)
    assert "pod goes on without you" in terminal.text
    assert "airgap-tui attach pod" in terminal.text
    (job,) = known()
    assert job.state is JobState.RUNNING
    valve.opened.set()
    assert command("attach").code == 0


def test_a_revoked_key_is_asked_for_on_the_terminal(
    command: Command, environment: dict[str, str], known: Known, tmp_path: Path
) -> None:
    with FakeRegistry(tokens=Tokens({"robot": KEY}, anonymous=False)) as private:
        assert private.tokens is not None
        valve = Valve(1)
        private.script("GET", "/blobs/", valve, forever=True)
        image = private.add(build_image("a/b:1", [layer(f"{n}", 30_000) for n in range(3)]))
        logged_in = command(
            "login", private.host, "-u", "robot", "--password-stdin", stdin=KEY.encode()
        )
        assert logged_in.code == 0, logged_in.err
        identity = command("save", image, "-b", "pod", "--detach").out.strip()
        valve.wait()
        private.tokens.users = {"robot": NEW_KEY}
        private.tokens.expire()
        valve.opened.set()
        wait_for(lambda: bool(known()[0].snapshot.logins))
        assert "Waits for a login" in command("jobs").out
        listed = command("jobs", "--json").document["jobs"]
        assert listed[0]["waitsForLogin"] == [private.host]
        elsewhere = Terminal(environment, tmp_path, "attach")
        elsewhere.wait_for(rf"{private.host} is waited for|Give another login")
        elsewhere.process.send_signal(signal.SIGTERM)
        assert elsewhere.end() in (143, -signal.SIGTERM)
        terminal = Terminal(environment, tmp_path, "attach", identity)
        terminal.wait_for(r"Give another login")
        terminal.type("")
        terminal.wait_for(r"User name")
        terminal.type("robot")
        terminal.wait_for(r"not shown")
        terminal.type(NEW_KEY)
        assert terminal.end() == 0, terminal.text
        assert NEW_KEY not in terminal.text
        assert "1 image is saved" in terminal.text
        job = known()[0]
        for path in job.directory.path.iterdir():
            assert NEW_KEY not in path.read_text()


def test_several_that_are_meant(command: Command, image: str, known: Known) -> None:
    for bundle in ("one", "two"):
        command("save", image, "-b", bundle, "--detach")
        assert command("attach", bundle).code == 0
    prefix = known()[0].id[:4]
    ended = command("attach", prefix)
    assert ended.code == 2
    assert "2 jobs are meant" in ended.err


def test_a_bundle_that_is_being_saved_is_not_saved_twice(
    command: Command, image: str, valve: Valve, known: Known
) -> None:
    identity = command("save", image, "-b", "pod", "--detach").out.strip()
    valve.wait()
    second = command("save", image, "-b", "pod", "--detach")
    assert second.code == 4
    assert f"airgap-tui attach {identity}" in second.err
    assert json.loads(command("save", image, "-b", "pod", "--json").out)["error"]["exit_code"] == 4
