"""What the shell gives a command: closed streams, a Ctrl-C before anything has begun."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken

START_AND_PRESS_CTRL_C = """
import os, signal, sys
from airgap_tui import __main__ as door

class Finder:
    pressed = False
    def find_spec(self, name, path=None, target=None):
        if name == "airgap_tui.cli.main" and not self.pressed:
            self.pressed = True
            os.kill(os.getpid(), signal.SIGINT)
        return None

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Finder())
sys.argv = ["airgap-tui", "--json", "jobs"]
door.main()
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    with BundleWriter.open(tmp_path / "pod", "save") as writer:
        writer.finish(CancelToken())
    return tmp_path / "pod"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_the_work_is_done_whatever_streams_are_closed(
    environment: dict[str, str], bundle: Path, tmp_path: Path, closed: str
) -> None:
    report = tmp_path / "report.json"
    words = [sys.executable, "-m", "airgap_tui", "verify", str(bundle), "--report", str(report)]
    done = subprocess.run(
        ["sh", "-c", f"{shlex.join(words)} {closed}"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert "unforeseen" not in done.stderr
    assert json.loads(report.read_text())["ok"] is True


def test_without_a_verb_closed_streams_are_no_terminal(environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{shlex.quote(sys.executable)} -m airgap_tui <&-"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2 and "need a terminal" in done.stderr


def test_ctrl_c_while_it_starts_is_a_stop_like_any_other(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START_AND_PRESS_CTRL_C],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "airgap-tui: stopped\n")
    assert json.loads(done.stdout)["error"]["exit_code"] == 130


def test_a_path_that_the_system_refuses_comes_with_a_remedy_not_with_the_log(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "airgap_tui", "verify", str(tmp_path / ("x" * 300))],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert done.returncode == 4
    assert "Choose a shorter name" in done.stderr and "Details" not in done.stderr
    assert not os.path.exists(tmp_path / "state" / "airgap-tui" / "log")
