"""The plain twin on a terminal of its own: what is heard there, and what is answered."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.jobs.job_list import JobInfo, JobState, list_jobs
from tests.services import PATIENCE

FIRST = r"3\. Rehearse.*\n(.*\n)*?Choose \[\d\]: "
CHOOSE = r"Choose \[\d\]: "


class Conversation:
    """A run of `airgap-tui --plain`. `hear` reads on from what was heard last."""

    def __init__(self, environment: dict[str, str], cwd: Path, *arguments: str) -> None:
        self._screen, terminal = os.openpty()
        # setsid --ctty makes the terminal the one whose Ctrl-C the program gets.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", sys.executable, "-m", "airgap_tui", *arguments],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environment,
            cwd=cwd,
        )
        os.close(terminal)
        self.text = ""
        self._heard = 0
        self._open = True

    def hear(self, pattern: str, timeout: float = PATIENCE) -> re.Match[str]:
        """Wait until the program says this; it may break lines at any blank."""
        pattern = pattern.replace(" ", r"\s+")
        end = time.monotonic() + timeout
        while True:
            found = re.compile(pattern).search(self.text, self._heard)
            if found is not None:
                self._heard = found.end()
                return found
            assert self._open, f"{pattern!r} did not come before the end:\n{self.text}"
            assert time.monotonic() < end, f"{pattern!r} does not come:\n{self.text}"
            self._read(0.2)

    def answer(self, text: str = "") -> None:
        """Type a line; nothing is Enter alone."""
        os.write(self._screen, text.encode() + b"\n")

    def choose(self, text: str, question: str = CHOOSE) -> None:
        """Wait for the choice whose text begins so, and answer with its number."""
        number = self.hear(rf"(?m)^\s*(\d+)\. {text}")[1]
        self.hear(question)
        self.answer(number)

    def seal(self) -> None:
        """From Verify to the end: the bundle is carried on the disk that it is on."""
        self.choose("Go on to Export")
        self.hear("step 6 of 6: Export")
        self.choose("This disk is carried")
        self.hear(r"Signature \[1\]: ")
        self.answer()
        self.hear(r"Tool \[2\]: ")
        self.answer()
        self.hear("Transfer sheet.*: ")
        self.answer()
        self.choose("Seal it")
        self.hear("is ready to carry")
        self.choose("Finish")

    def press(self, key: bytes) -> None:
        os.write(self._screen, key)

    def end(self, timeout: float = PATIENCE) -> int:
        """Wait for the end; the exit code."""
        end = time.monotonic() + timeout
        while self._open:
            assert time.monotonic() < end, f"it does not end:\n{self.text}"
            self._read(0.2)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self._screen)

    def _read(self, seconds: float) -> None:
        if not select.select([self._screen], [], [], seconds)[0]:
            return
        try:
            data = os.read(self._screen, 65536)
        except OSError:  # the program closed its end
            data = b""
        self._open = bool(data)
        self.text += data.decode("utf-8", "replace").replace("\r\n", "\n")


Talk = Callable[..., Conversation]


@pytest.fixture
def talk(environment: dict[str, str], tmp_path: Path) -> Iterator[Talk]:
    """Begin a run: `talk()`; further variables of its environment by name."""
    begun: list[Conversation] = []

    def begin(*arguments: str, **variables: str) -> Conversation:
        everything = {**environment, "TERM": "vt100", **variables}
        begun.append(Conversation(everything, tmp_path, *(arguments or ("--plain",))))
        return begun[-1]

    yield begin
    for conversation in begun:
        conversation.close()


@pytest.fixture
def known(environment: dict[str, str]) -> Iterator[Callable[[], tuple[JobInfo, ...]]]:
    """The jobs there are, the latest first; none is left behind."""
    state = Path(environment["XDG_STATE_HOME"]) / "airgap-tui"
    yield lambda: list_jobs(state)
    for job in list_jobs(state):
        if job.state is JobState.RUNNING and job.occupant is not None:
            job.occupant.identity.send(signal.SIGKILL)


Known = Callable[[], tuple[JobInfo, ...]]
