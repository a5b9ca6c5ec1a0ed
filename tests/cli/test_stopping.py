"""Ctrl-C and its kin, on real processes: once stops cleanly, twice ends at once."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest

from airgap_tui.cli.stopping import StopSignals
from airgap_tui.engine.cancel import CancelToken
from tests.services import PATIENCE

STUBBORN = """
import sys, time
from airgap_tui.cli.output import Output
from airgap_tui.cli.running import run_job
from airgap_tui.engine.events import Note

def job(sink, token):
    sink(Note("working"))
    while not token.cancelled:
        time.sleep(0.01)
    sink(Note("cancelled, and going on"))
    time.sleep(600)

run_job(Output(progress="plain"), job)
"""


class Child:
    """A command under way, whose stderr can be waited for."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._queue: Queue[str] = Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._queue.put(line)

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not any(text in line for line in self.lines):
            try:
                self.lines.append(self._queue.get(timeout=max(0.01, deadline - time.monotonic())))
            except Empty:
                pytest.fail(f"{text!r} was not said, but {self.lines}")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        code = self.process.wait(PATIENCE)
        self._thread.join(PATIENCE)
        while not self._queue.empty():
            self.lines.append(self._queue.get())
        return code


@contextmanager
def child(arguments: list[str], environment: dict[str, str], cwd: Path) -> Iterator[Child]:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=cwd,
    )
    try:
        yield Child(process)
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


@pytest.fixture
def silent_registry() -> Iterator[tuple[str, threading.Event]]:
    """A host that takes connections and never answers; the event says that one has come."""
    asked = threading.Event()
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                taken.append(connection)
                asked.set()

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", asked
        server.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)
    for connection in taken:
        connection.close()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
def test_the_first_signal_stops_a_save_and_says_how_to_continue(
    number: signal.Signals,
    code: int,
    silent_registry: tuple[str, threading.Event],
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    host, asked = silent_registry
    arguments = ["-m", "airgap_tui", "save", f"{host}/x:1", "-b", "a bundle", "--quiet"]
    with child(arguments, environment, tmp_path) as command:
        assert asked.wait(PATIENCE)
        command.send(number)
        assert command.ended() == code
    text = "".join(command.lines)
    assert "Stopping; what is saved is kept." in text
    assert f"To continue: airgap-tui save {host}/x:1 -b 'a bundle' --quiet" in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        (signal.SIGINT, signal.SIGINT, 130),
        (signal.SIGTERM, signal.SIGTERM, 143),
        (signal.SIGTERM, signal.SIGINT, 130),
    ],
)
def test_the_second_signal_ends_a_job_that_does_not_stop(
    first: signal.Signals,
    second: signal.Signals,
    code: int,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    with child(["-c", STUBBORN], environment, tmp_path) as command:
        command.wait_for("working")
        command.send(first)
        command.wait_for("cancelled, and going on")
        begun = time.monotonic()
        command.send(second)
        assert command.ended() == code
        assert time.monotonic() - begun < 10


def test_a_signal_that_was_ignored_stays_ignored(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """As under nohup, and for the background jobs of a script."""
    script = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + STUBBORN
    with child(["-c", script], environment, tmp_path) as command:
        command.wait_for("working")
        command.send(signal.SIGHUP)
        command.send(signal.SIGINT)
        command.wait_for("cancelled, and going on")
        command.send(signal.SIGHUP)
        command.send(signal.SIGTERM)
        assert command.ended() == 143


def test_signals_are_as_before_when_the_job_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    from airgap_tui.cli.output import Output
    from airgap_tui.cli.running import run_job

    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    assert run_job(Output(progress="none"), lambda _sink, _token: 42) == 42
    assert before == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    assert signal.set_wakeup_fd(-1) == -1


def test_a_signal_while_they_are_put_back_leaves_nothing_half_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a Ctrl-C that comes when the work has just ended."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    put_back = signal.signal

    def interrupted(number: signal.Signals, handler: Any) -> Any:
        replaced = put_back(number, handler)
        signal.raise_signal(signal.SIGINT)
        return replaced

    with pytest.raises(KeyboardInterrupt), StopSignals(CancelToken(), lambda: None, lambda: None):
        monkeypatch.setattr(signal, "signal", interrupted)
    monkeypatch.undo()
    assert [signal.getsignal(number) for number in numbers] == before
    assert signal.set_wakeup_fd(-1) == -1
    assert not any(thread.name == "signals" for thread in threading.enumerate())
