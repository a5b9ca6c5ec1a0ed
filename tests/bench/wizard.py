"""The wizard as it feels: first paint, keys while a job works at full speed, and what watching
costs the job."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from airgap_tui.engine.jobs.chain import Chain, Step
from airgap_tui.engine.jobs.directory import JobDirectory
from airgap_tui.engine.jobs.job_list import JobInfo, JobState, list_jobs
from airgap_tui.engine.jobs.save import SaveResult
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.oci.reference import Reference
from tests import services
from tests.bench import busy_job

ROOT = Path(__file__).resolve().parents[2]
WIZARD = [sys.executable, "-m", "airgap_tui"]
BARE = [sys.executable, "-m", "tests.bench.bare_app"]
LAST_LINE = "Nothing is sent over the network"
_PATIENCE = 60.0
FOCUS = "▸".encode()


class Screen:
    """A program on a pseudo terminal of 80 x 24, timed. Use with `with`."""

    def __init__(self, command: Sequence[str], home: Path) -> None:
        self.begun = time.perf_counter()
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.chdir(home)
            os.environ.update(
                HOME=str(home), PYTHONPATH=str(ROOT), TERM="xterm-256color", LANG="C.UTF-8"
            )
            os.execv(command[0], list(command))  # noqa: S606
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.set_blocking(self._fd, False)

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_exception: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._fd)

    def until(self, text: str | bytes) -> float:
        """Seconds until the text is written."""
        wanted = text.encode() if isinstance(text, str) else text
        begun, output = time.perf_counter(), b""
        while wanted not in output:
            left = _PATIENCE - (time.perf_counter() - begun)
            if left <= 0 or not select.select([self._fd], [], [], left)[0]:
                raise TimeoutError(f"{wanted!r} did not come: {output[-2000:]!r}")
            output += os.read(self._fd, 65536)
        return time.perf_counter() - begun

    def swallow(self, seconds: float) -> None:
        """Take what is written in this time."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if select.select([self._fd], [], [], left)[0]:
                os.read(self._fd, 65536)

    def rest(self) -> None:
        """Take what is written until the program has nothing left to do: what it asks and imports
        after its first paint is done."""
        worked, quiet = self._worked(), 0
        while quiet < 3:
            self.swallow(0.3)
            before, worked = worked, self._worked()
            quiet = quiet + 1 if worked - before < 0.02 else 0

    def _worked(self) -> float:
        """Seconds that the program has kept a processor busy."""
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def press(self, keys: bytes) -> None:
        os.write(self._fd, keys)


def first_paint(command: Sequence[str], text: str, home: Path) -> float:
    """Seconds from the start of the process to the text on the screen."""
    with Screen(command, home) as screen:
        screen.until(text)
        return time.perf_counter() - screen.begun


def key_delays(home: Path, presses: int) -> list[float]:
    """Seconds from a key to its repaint, while a job of 1,000 images is watched and works."""
    with _busy(home) as job, Screen(WIZARD, home) as screen:
        services.wait_for(lambda: len(job.moment.snapshot.transfers) == busy_job.TRANSFERS)
        screen.until("Show the running save")
        screen.press(b"\r")
        screen.until("more rows")
        screen.press(b"\x1b[F")  # End: rows that rest, so that only a key moves the focus mark
        screen.swallow(2)
        delays = []
        for number in range(presses):
            # The two rows before the end, in turn.
            screen.press(b"\x1b[A" if number % 2 == 0 else b"\x1b[B")
            delays.append(screen.until(FOCUS))
            screen.swallow(0.03 + 0.013 * (number % 17))
        return delays


@contextlib.contextmanager
def _busy(home: Path) -> Iterator[JobDirectory]:
    references = tuple(Reference.parse(name) for name in busy_job.names())
    chain = Chain((Step("save", SaveSpec(references, home / "pod")),))
    directory = JobDirectory.create(state_dir(home), chain)
    command = [sys.executable, "-m", "tests.bench.busy_job", str(directory.path)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        yield directory
    finally:
        process.terminate()
        process.wait(30)


def state_dir(home: Path) -> Path:
    return home / ".local" / "state" / "airgap-tui"


def unwatched(home: Path, bundle: Path, references: Sequence[str]) -> float:
    """Seconds that the command line's save says it took, in a session of its own as a worker is:
    the kernel shares its processors out between sessions."""
    command = [*WIZARD, "save", *references, "-b", str(bundle), "--json", "--progress", "none"]
    done = subprocess.run(
        command, env=_environment(home), capture_output=True, check=True, start_new_session=True
    )
    return float(json.loads(done.stdout)["seconds"])


def watched(home: Path, bundle: Path, references: Sequence[str]) -> float:
    """The same of a worker's save that the wizard watches."""
    command = [*WIZARD, "save", *references, "-b", str(bundle), "--detach"]
    with Screen(WIZARD, home) as screen:
        screen.until(LAST_LINE)
        screen.rest()
        subprocess.run(command, env=_environment(home), capture_output=True, check=True)
        screen.until("Show the running save")
        screen.press(b"\r")
        screen.until("Saving")
        while (job := _latest(home)).state is JobState.RUNNING:
            screen.swallow(0.2)
    result = job.directory.ended[0].result
    assert isinstance(result, SaveResult), job.directory.ended[0].error
    return result.seconds


def _latest(home: Path) -> JobInfo:
    return list_jobs(state_dir(home))[0]


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(home)}
