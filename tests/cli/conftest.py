"""The command line in a process of its own: what a shell sees of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        value: dict[str, Any] = json.loads(self.out)
        return value


Command = Callable[..., Ended]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Like a fresh account's."""
    state = tmp_path / "state"
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "AIRGAP_TUI_"))},
        "HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "XDG_STATE_HOME": str(state),
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "AIRGAP_TUI_CARRY_TOOL": "no",
    }


@pytest.fixture
def command(environment: dict[str, str], tmp_path: Path) -> Command:
    """Run `airgap-tui` with these arguments to its end."""

    def run(*arguments: str, stdin: bytes | None = None, **variables: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "airgap_tui", *arguments],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env={**environment, **variables},
            cwd=tmp_path,
            timeout=300,
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
