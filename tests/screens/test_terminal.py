"""On a real terminal: how the wizard ends, and what it writes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import PATIENCE

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, sys
from pathlib import Path
from airgap_tui.engine.settings import Settings
from screens.app import WizardApp
from screens.look import Look
from tests.screens.gallery import SaveScreen
app = WizardApp(SaveScreen(), Settings(state_dir=Path(sys.argv[1])), Look.of(os.environ))
app.run(mouse=False)
sys.exit(app.return_code)
"""


class Terminal:
    """A program on a pseudo terminal of 80 x 24."""

    def __init__(self, state_dir: Path, environment: dict[str, str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.environ.update({"TERM": "xterm-256color", "PYTHONUTF8": "1", **environment})
            os.execv(sys.executable, [sys.executable, "-c", PROGRAM, str(state_dir)])  # noqa: S606
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.output = b""
        self.code: int | None = None

    def read_until(self, wanted: bytes) -> None:
        """Read what is written until `wanted` was there."""
        end = time.monotonic() + PATIENCE
        while wanted not in self.output:
            assert time.monotonic() < end, self.output[-2000:]
            self._read()

    def ended(self) -> int:
        """Read on until the program has ended; its exit code."""
        end = time.monotonic() + PATIENCE
        while self.code is None:
            assert time.monotonic() < end, "it does not end"
            self._read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
                self._read()
        return self.code

    def _read(self) -> None:
        if self.fd >= 0 and select.select([self.fd], [], [], 0.05)[0]:
            with contextlib.suppress(OSError):
                self.output += os.read(self.fd, 65536)

    def hang_up(self) -> None:
        """Close the terminal, as a dropped SSH line does."""
        os.close(self.fd)
        self.fd = -1

    def close(self) -> None:
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self.fd >= 0:
            os.close(self.fd)


@pytest.fixture
def terminal(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    started = Terminal(tmp_path, getattr(request, "param", {}))
    yield started
    started.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_puts_the_terminal_right(
    terminal: Terminal, number: signal.Signals
) -> None:
    terminal.read_until(b"F10")
    os.kill(terminal.pid, number)
    assert terminal.ended() == 143
    assert b"\x1b[?1049l" in terminal.output
    assert b"\x1b[?1000h" not in terminal.output
    assert b"Traceback" not in terminal.output


def test_it_ends_when_the_line_drops(terminal: Terminal) -> None:
    terminal.read_until(b"F10")
    terminal.hang_up()
    assert terminal.ended() == 143


def test_f10_ends_it(terminal: Terminal) -> None:
    terminal.read_until(b"F10")
    os.write(terminal.fd, b"\x1b[21~")
    assert terminal.ended() == 0


@pytest.mark.parametrize(
    ("terminal", "colours"),
    [({"TERM": "linux"}, True), ({"NO_COLOR": "1", "LC_ALL": "C", "PYTHONUTF8": "0"}, False)],
    indirect=["terminal"],
)
def test_the_console_gets_ascii_and_at_most_its_own_colours(
    terminal: Terminal, colours: bool
) -> None:
    terminal.read_until(b"F10")
    os.kill(terminal.pid, signal.SIGTERM)
    terminal.ended()
    assert terminal.output.isascii()
    assert b"38;2;" not in terminal.output
    assert b"38;5;" not in terminal.output
    assert (b"\x1b[31" in terminal.output) is colours
