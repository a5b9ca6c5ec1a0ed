"""A terminal with a person's keys: tmux around a shell, 80 columns by 24 rows unless told.

Closing it sends SIGHUP to what runs in it, as a dropped line does.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

import pytest

from tests import services
from tests.e2e.command import ROOT

_EVERY = 0.05


class Terminal:
    """Use with `with`. `screen` is what is seen; `wait` waits for a text on it."""

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
        self, *texts: str, timeout: float = 30, until: Callable[[], bool] | None = None
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
        self._do("send-keys", *keys)

    def reach(self, control: str, key: str = "Tab") -> None:
        """Press the key until the focus is on a control that begins so. Each press is waited for:
        one that is only slow must not be pressed again, for it would lead too far."""
        end = time.monotonic() + 1
        while time.monotonic() < end and not self._focused.startswith(control):
            time.sleep(_EVERY)
        for _ in range(20):
            before = self._focused
            if before.startswith(control):
                return
            self.press(key)
            end = time.monotonic() + 5
            while time.monotonic() < end and self._focused in ("", before):
                time.sleep(_EVERY)
        pytest.fail(f"{control} cannot be reached:\n{self.screen}", pytrace=False)

    @property
    def _focused(self) -> str:
        """What stands behind the mark of the focus."""
        return self.screen.partition("\u25b8 ")[2].partition("\n")[0]

    def type(self, text: str) -> None:
        """The text, letter by letter."""
        self._do("send-keys", "-l", text)

    def burst(self, text: str) -> None:
        """The text in one piece, as it comes over a slow line or out of a terminal's clipboard;
        Enter in it is `\\r`."""
        self._do("set-buffer", "--", text)
        self._do("paste-buffer", "-d", "-r")

    def start(self, *arguments: str) -> None:
        """Begin the program, without a verb the wizard, and note in the end how it ended."""
        words = shlex.join([sys.executable, "-m", "airgap_tui", *arguments])
        self.type(f'clear; {words}; echo "ended with $?."')
        self.press("Enter")

    def ended(self, timeout: float = 30) -> int:
        """The exit code, once the program has ended."""
        end = time.monotonic() + timeout
        while True:
            found = re.search(r"ended with (\d+)\.", self.screen)
            if found:
                return int(found[1])
            if time.monotonic() > end:
                pytest.fail(f"it has not ended within {timeout} s:\n{self.screen}", pytrace=False)
            time.sleep(_EVERY)

    @property
    def process(self) -> int:
        """The program that runs in the shell."""
        shell = self._do("display-message", "-p", "#{pane_pid}").strip()
        children = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        assert len(children) == 1, children
        return int(children[0])

    def _do(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._tmux, "-S", str(self._socket), *arguments],
            capture_output=True,
            text=True,
            timeout=20,
        )
        if done.returncode:
            pytest.fail(f"tmux {arguments[0]}: {done.stderr}", pytrace=False)
        return done.stdout
