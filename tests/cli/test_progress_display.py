"""How a job shows on stderr: bars on a terminal, lines on a pipe, JSON lines for programs."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.console import Console

from airgap_tui.cli import narration
from airgap_tui.cli.bars import Bars
from airgap_tui.cli.narration import JsonLines, Lines, Silent
from airgap_tui.cli.output import Output
from airgap_tui.engine.events import (
    BlobDone,
    BlobPlanned,
    BlobProgress,
    BlobRetrying,
    BlobStarted,
    Event,
    HostPaused,
    ItemChanged,
    ItemState,
    JobFinished,
    JobStarted,
    Level,
    Note,
)
from airgap_tui.engine.progress import Progress
from airgap_tui.engine.redaction import remember

PYTORCH = "nvcr.io/nvidia/pytorch:25.06-py3"
CUDA = "nvcr.io/nvidia/cuda:12.9.1-base-ubuntu24.04"
LAYER = "sha256:" + "7c1d0f93a6b2" + "0" * 52

JOB = f"""
import time
from airgap_tui.cli.output import Output
from airgap_tui.cli.running import run_job
from airgap_tui.engine.events import *

def job(sink, token):
    sink(JobStarted("save", "/b", ({PYTORCH!r}, {CUDA!r})))
    sink(ItemChanged({PYTORCH!r}, ItemState.SAVING))
    sink(ItemSized({PYTORCH!r}, 2_000_000_000, 2_000_000_000))
    sink(BlobPlanned({LAYER!r}, 2_000_000_000, ({PYTORCH!r},)))
    sink(BlobStarted({LAYER!r}))
    sink(Note("a [bold]note[/] with \\x1b[31mcodes"))
    for _ in range(20):
        time.sleep(0.05)
        sink(BlobProgress({LAYER!r}, 100_000_000))
    sink(BlobDone({LAYER!r}))
    sink(ItemChanged({PYTORCH!r}, ItemState.DONE))
    sink(ItemChanged({CUDA!r}, ItemState.FAILED, "no such tag"))
    sink(JobFinished("save", 1))

run_job(Output(), job)
print("result")
"""


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def terminal(script: str, environment: dict[str, str], columns: int = 80) -> str:
    """What a process writes to a terminal of this width."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
        env=environment,
    )
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the other end is closed: Linux says EIO
            break
        if not part:
            break
        seen += part
    os.close(master)
    assert process.wait(60) == 0
    return seen.decode()


def on_screen(text: str) -> list[str]:
    """The lines that are left when everything that was erased is gone."""
    lines, row = [""], 0
    for token in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if token == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif token.endswith("A") and token.startswith("\x1b"):
            row = max(0, row - int(token[2:-1] or 1))
        elif token == "\x1b[2K":
            lines[row] = ""
        elif not token.startswith("\x1b") and token != "\r":
            lines[row] += token
    return [line.rstrip() for line in lines if line.strip()]


@pytest.fixture
def tty_environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "TERM": "xterm-256color"}


def test_bars_on_a_terminal_are_gone_afterwards(tty_environment: dict[str, str]) -> None:
    seen = terminal(JOB, tty_environment)
    assert "7c1d0f93a6b2 pytorch:25.06-py3" in seen
    assert re.search(r"GB of +2\.0 GB", seen)
    assert "━" in seen
    assert "1 saving, 1 waiting" in seen
    assert "time left not known yet" in seen
    assert on_screen(seen) == [
        "a [bold]note[/] with ?[31mcodes",
        f"{CUDA}: Failed: no such tag",
        "result",
    ]
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h"), "the cursor is shown again"


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_bars_keep_within_the_width(tty_environment: dict[str, str], columns: int) -> None:
    seen = terminal(JOB, tty_environment, columns)
    for line in re.split(r"\r?\n|\r", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)):
        if "Failed" not in line:
            assert len(line) <= columns, line


def test_no_colour_is_used_where_none_is_wanted(tty_environment: dict[str, str]) -> None:
    colour = r"\x1b\[[0-9;]*3[0-9][0-9;]*m"
    assert re.search(colour, terminal(JOB, tty_environment))
    assert not re.search(colour, terminal(JOB, {**tty_environment, "NO_COLOR": "1"}))


def test_ascii_is_drawn_where_the_locale_is_not_utf8(tty_environment: dict[str, str]) -> None:
    seen = terminal(JOB, {**tty_environment, "LC_ALL": "C", "PYTHONUTF8": "0",
                          "PYTHONCOERCECLOCALE": "0"})  # fmt: skip
    assert "━" not in seen
    assert "###" in seen


def test_a_dumb_terminal_gets_plain_lines(environment: dict[str, str]) -> None:
    seen = terminal(JOB, {**environment, "TERM": "dumb"})
    assert "\x1b" not in seen
    assert f"{PYTORCH}: Saving" in seen
    assert f"{PYTORCH}: Done, 2.0 GB" in seen


def test_a_pipe_gets_plain_lines(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", JOB], capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.stdout == "result\n"
    assert done.stderr.splitlines() == [
        f"{PYTORCH}: Saving, 2.0 GB",
        "a [bold]note[/] with ?[31mcodes",
        f"{PYTORCH}: Done, 2.0 GB",
        f"{CUDA}: Failed: no such tag",
    ]


def fold(display: narration.Display, clock: Clock, progress: Progress, *events: Event) -> None:
    for event in events:
        progress.take(event)
    display.draw(progress.snapshot(), events)


def test_lines_tell_the_total_at_most_every_ten_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    progress, lines = Progress(clock), Lines(verbose=False)
    fold(lines, clock, progress, JobStarted("save", "", ("x",)), BlobPlanned("a", 10**10, ("x",)))
    fold(lines, clock, progress, BlobStarted("a"))
    for _ in range(250):
        clock.now += 0.1
        fold(lines, clock, progress, BlobProgress("a", 10_000_000))
    assert capsys.readouterr().err.splitlines() == [
        "1.0 GB of 10.0 GB, 100 MB/s, time left not known yet, 10 s so far",
        "2.0 GB of 10.0 GB, 100 MB/s, about 1 min left, 20 s so far",
    ]
    clock.now += 11
    fold(lines, clock, progress)
    assert "no data for 11 s" in capsys.readouterr().err
    fold(lines, clock, progress, JobFinished("save", 0))
    clock.now += 60
    fold(lines, clock, progress)
    assert capsys.readouterr().err == ""


def test_retries_are_told_when_asked_and_pauses_always(capsys: pytest.CaptureFixture[str]) -> None:
    retry = BlobRetrying(LAYER, "the connection broke", 8, 500_000_000)
    pause = HostPaused("nvcr.io", 100, "too many requests (429)")
    for verbose in (False, True):
        lines = Lines(verbose=verbose)
        fold(lines, Clock(), Progress(Clock()), retry, pause)
    assert capsys.readouterr().err.splitlines() == [
        "nvcr.io asks us to wait 1 min 40 s: too many requests (429)",
        "layer 7c1d0f93a6b2: the connection broke; trying again in 8.0 s from 500 MB on",
        "nvcr.io asks us to wait 1 min 40 s: too many requests (429)",
    ]


def test_silence_lets_only_warnings_pass(capsys: pytest.CaptureFixture[str]) -> None:
    silent = Silent()
    fold(
        silent,
        Clock(),
        Progress(Clock()),
        Note("narration"),
        Note("careful", Level.WARNING),
        ItemChanged("x", ItemState.SAVING),
    )
    assert capsys.readouterr().err == "careful\n"


def test_json_lines_are_events_with_the_moved_bytes_summed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    remember("s3cret-word")
    clock = Clock()
    progress, lines = Progress(clock), JsonLines()
    fold(lines, clock, progress, JobStarted("save", "", ("x",)), BlobPlanned("a", 1000, ("x",)))
    for _ in range(30):
        clock.now += 0.1
        progress.take(BlobProgress("a", 10))
        lines.draw(progress.snapshot(), [])
    fold(lines, clock, progress, Note("a s3cret-word\n"), ItemChanged("x", ItemState.DONE))
    values = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [value["event"] for value in values][:3] == ["job-started", "blob-planned", "progress"]
    assert [v["done"] for v in values if v["event"] == "progress"][-1] >= 200
    assert sum(v["event"] == "progress" for v in values) <= 5
    assert values[-2] == {"event": "note", "text": "a ********\n", "level": "info"}
    assert values[-1]["state"] == "done"


def test_many_transfers_do_not_outgrow_the_window() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, height=12, markup=False)
    bars, progress = Bars(verbose=False, quiet=False, console=console), Progress(Clock())
    events: list[Event] = [JobStarted("save", "", ("x",))]
    for number in range(50):
        events += [
            BlobPlanned(f"sha256:{number:064}", 10, ("x",)),
            BlobStarted(f"sha256:{number:064}"),
        ]
    fold(bars, Clock(), progress, *events)
    text = screen.getvalue()
    bars.close()
    assert "and 43 more" in text
    assert text.count("\n") < 12
    fold(bars, Clock(), progress, BlobDone("sha256:" + "0" * 64))
    assert "and 42 more" not in screen.getvalue(), "nothing is drawn after the end"


@pytest.mark.parametrize(
    ("output", "mode"),
    [
        (Output(), "plain"),
        (Output(progress="bar"), "plain"),
        (Output(progress="none"), "none"),
        (Output(progress="json"), "json"),
        (Output(verbosity=-1), "none"),
        (Output(verbosity=-1, progress="plain"), "plain"),
    ],
)
def test_the_mode_on_a_pipe(output: Output, mode: str) -> None:
    assert output.progress_mode == mode


def test_a_closed_window_does_not_end_the_work(environment: dict[str, str], tmp_path: Path) -> None:
    script = JOB + f"\nopen({str(tmp_path / 'done')!r}, 'w').close()"
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
    )
    assert process.stderr is not None
    process.stderr.readline()
    process.stderr.close()
    assert process.wait(60) == 0
    assert (tmp_path / "done").exists()
