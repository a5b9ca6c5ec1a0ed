"""A terminal with a person's keys: tmux around a shell, 80 columns by 24 rows unless told.

Closing it sends SIGHUP to what runs in it, as a dropped line does.
"""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

import pytest

from tests import services
from tests.e2e.command import ROOT
from tests.services import PATIENCE

_EVERY = 0.05
_QUIET = 0.03
"""Seconds in which what is through with its work does not run at all."""
_ESCAPE = 0.25
"""Seconds after which Escape is a key, and not the begin of another."""
_MOST_BUSY = 20.0
"""Seconds after which a key is pressed all the same."""
_MARK = re.compile(r"^(\[.\]|\(.\)) ")


class Terminal:
    """Use with `with`. `screen` is what is seen; `wait` waits for a text on it.

    Keys are pressed when what runs has done all that it had to do, and it has taken them when
    `press` returns: what is on the screen then is its answer, or tells that it is under way.
    """

    def __init__(
        self,
        directory: Path,
        more: Mapping[str, str] | None = None,
        *,
        columns: int = 80,
        rows: int = 24,
    ) -> None:
        self._tmux = services.program("tmux")
        self._socket = directory / f"tmux-{os.urandom(3).hex()}"
        self.directory = directory
        environment = {
            "HOME": str(directory),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "SHELL": "/bin/sh",
            "PYTHONPATH": str(ROOT),
            "PS1": "shell> ",
            "AIRGAP_TUI_CARRY_TOOL": "no",
            **(more or {}),
        }
        words = [f"{name}={value}" for name, value in environment.items()]
        shell = shlex.join(["env", "-i", *words, "TERM=screen-256color", "bash", "--norc", "-i"])
        size = ("-x", str(columns), "-y", str(rows))
        self._do("-f", "/dev/null", "new-session", "-d", *size, "-c", str(directory), shell)
        who = self._do("display-message", "-p", "#{pid} #{pane_pid} #{pane_tty}")
        self._server, self._shell, self._tty = who.split()
        self._runs = 0
        self.wait("shell>")

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the window: what runs in it gets SIGHUP."""
        subprocess.run([self._tmux, "-S", str(self._socket), "kill-server"], capture_output=True)

    @property
    def screen(self) -> str:
        """The rows that are seen, without the blanks at their ends."""
        return self._do("capture-pane", "-p")

    def wait(
        self, *texts: str, timeout: float = PATIENCE, until: Callable[[], bool] | None = None
    ) -> str:
        """The screen, once all the texts are on it (and `until` holds)."""
        end = time.monotonic() + timeout
        while True:
            screen = self.screen
            if all(text in screen for text in texts) and (until is None or until()):
                return screen
            if time.monotonic() > end:
                pytest.fail(f"{texts} did not come within {timeout} s:\n{screen}", pytrace=False)
            time.sleep(_EVERY)

    def press(self, *keys: str) -> None:
        """Keys by tmux' names: Enter, Escape, Tab, F10, Down, C-c, or a letter."""
        self._send("send-keys", *keys)
        if "Escape" in keys:
            time.sleep(_ESCAPE)
            self._settle()

    def reach(self, control: str, key: str = "Tab") -> None:
        """Press the key until the focus is on a control that begins so."""
        name = _MARK.sub("", control)
        end = time.monotonic() + PATIENCE
        while True:
            self._settle()
            screen = self.screen
            if screen.partition("\u25b8 ")[2].startswith(control):
                return
            if time.monotonic() > end:
                pytest.fail(f"{control} cannot be reached:\n{screen}", pytrace=False)
            if name not in screen:
                time.sleep(_EVERY * 4)  # it may come yet, or be out of sight
            self._do("send-keys", key)

    def type(self, text: str) -> None:
        """The text, letter by letter."""
        self._send("send-keys", "-l", text)

    def burst(self, text: str) -> None:
        """The text in one piece, as it comes over a slow line or out of a terminal's clipboard;
        Enter in it is `\\r`."""
        self._do("set-buffer", "--", text)
        self._send("paste-buffer", "-d", "-r")

    def _send(self, *arguments: str) -> None:
        self._settle()
        self._do(*arguments)
        self._settle()

    def start(self, *arguments: str) -> None:
        """Begin the program, without a verb the wizard, and note in the end how it ended."""
        words = shlex.join([sys.executable, "-m", "airgap_tui", *arguments])
        self._runs += 1
        self.type(f'clear; {words}; echo "run {self._runs} ended with $?."')
        self.press("Enter")

    def ended(self, timeout: float = PATIENCE) -> int:
        """The exit code, once the program that was begun last has ended."""
        end = time.monotonic() + timeout
        while True:
            found = re.search(rf"run {self._runs} ended with (\d+)\.", self.screen)
            if found:
                return int(found[1])
            if time.monotonic() > end:
                pytest.fail(f"it has not ended within {timeout} s:\n{self.screen}", pytrace=False)
            time.sleep(_EVERY)

    @property
    def process(self) -> int:
        """The program that runs in the shell."""
        children = self._children()
        assert len(children) == 1, children
        return int(children[0])

    def _children(self) -> list[str]:
        return Path(f"/proc/{self._shell}/task/{self._shell}/children").read_text().split()

    def _settle(self) -> None:
        """Return once what runs here has read all that was typed, has done what it had to do, and
        waits. A busy machine takes longer, and is waited for: who wants to run is no one who
        waits."""
        end = time.monotonic() + _MOST_BUSY
        while time.monotonic() < end:
            before = self._turns()
            time.sleep(_QUIET)
            if before and before == self._turns():
                return

    def _turns(self) -> dict[str, list[str]]:
        """How often each thread has had its turn; nothing while one runs or input is unread."""
        found = {}
        try:
            terminal = os.open(self._tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                unread = fcntl.ioctl(terminal, termios.FIONREAD, struct.pack("i", 0))
            finally:
                os.close(terminal)
            for process in (self._server, self._shell, *self._children()):
                for thread in Path(f"/proc/{process}/task").iterdir():
                    status = (thread / "status").read_text()
                    if "\nState:\tS" not in status:
                        return {}
                    found[thread.name] = re.findall(r"ctxt_switches:\t(\d+)", status)
        except (FileNotFoundError, ProcessLookupError):  # one has just ended
            return {}
        return {} if any(unread) else found

    def _do(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._tmux, "-S", str(self._socket), *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        if done.returncode:
            pytest.fail(f"tmux {arguments[0]}: {done.stderr}", pytrace=False)
        return done.stdout
