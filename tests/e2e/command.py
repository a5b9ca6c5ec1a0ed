"""The program as its users run it: a child process, its output read, its JSON parsed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PASSWORDS = ("correct-horse-battery", "wrong-horse-battery")
"""The passwords of the end-to-end tests' registries: no output may hold one."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of a run."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on stdout."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value

    def item(self, ending: str) -> dict[str, Any]:
        """The one item whose reference ends so."""
        (item,) = [i for i in self.document["items"] if i["reference"].endswith(ending)]
        return dict(item)


def command(*arguments: str | Path) -> list[str]:
    """The command line of the tree under test."""
    warnings = ["-W", "always::ResourceWarning"]
    return [sys.executable, *warnings, "-m", "airgap_tui", *map(str, arguments)]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **(more or {})}


def start(
    *arguments: str | Path,
    more: Mapping[str, str] | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
) -> subprocess.Popen[str]:
    """Begin a run; `finish` waits for it."""
    return subprocess.Popen(
        command(*arguments),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(more),
    )


def finish(process: subprocess.Popen[str], timeout: float = 120) -> Finished:
    """Wait for the end. However it ended, the output holds no traceback, leak or password."""
    with process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            pytest.fail(f"still running after {timeout} s:\n{out}{err}")
    for unwanted in ("Traceback", "ResourceWarning", *PASSWORDS):
        assert unwanted not in out + err, f"{out}{err}"
    return Finished(process.returncode, out, err)


def airgap_tui(
    *arguments: str | Path,
    code: int | None = 0,
    more: Mapping[str, str] | None = None,
    given: str | None = None,
    timeout: float = 120,
) -> Finished:
    """Run to the end; `code` is what it has to end with, `given` its standard input."""
    process = start(
        *arguments, more=more, stdin=subprocess.DEVNULL if given is None else subprocess.PIPE
    )
    if given is not None:
        assert process.stdin is not None
        process.stdin.write(given)
    finished = finish(process, timeout)
    if code is not None and finished.code != code:
        pytest.fail(
            f"airgap-tui {' '.join(map(str, arguments))} ended with {finished.code},"
            f" not {code}:\n{finished.out}{finished.err}",
            pytrace=False,
        )
    return finished
