"""How this program starts itself again: installed, as a single executable, or run from a medium.

A program in one file unpacks itself for as long as it runs, and its starter sets variables of its
own: what is started from here must not see those.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

WORKER = "--job-worker"
"""The argument by which the door knows that it is to be a job's worker."""

START = "AIRGAP_TUI_START"
"""What `start.py` on a medium calls the variable that holds its own path."""

_LIBRARIES = "LD_LIBRARY_PATH"
_OF_STARTERS = ("_PYI_", "_MEIPASS", "PYINSTALLER_", "STATICX_")


def is_one_file() -> bool:
    """Whether this program is a single executable file that has unpacked itself."""
    return bool(getattr(sys, "frozen", False))


def is_installed() -> bool:
    """Whether Python finds this program by its modules' names: installed, or in a source tree."""
    return not is_one_file() and not _start()


def _start() -> str:
    return str(getattr(sys.modules.get("__main__"), START, ""))


_FILE = os.environ.get("STATICX_PROG_PATH", "") if is_one_file() else ""


def executable_file() -> Path | None:
    """The one file that this program is; None where it is none."""
    return Path(_FILE or sys.executable) if is_one_file() else None


def leave_starter_behind() -> None:
    """Give the children of a program in one file the environment that it was started in."""
    if not is_one_file():
        return
    original = os.environ.pop(f"{_LIBRARIES}_ORIG", "")
    os.environ.pop(_LIBRARIES, None)
    if original:
        os.environ[_LIBRARIES] = original
    for name in [name for name in os.environ if name.startswith(_OF_STARTERS)]:
        del os.environ[name]


def worker_command(module: str) -> list[str]:
    """What starts a worker, but for its last argument; `module` does it where it can be found by
    its name."""
    if (file := executable_file()) is not None:
        return [str(file), WORKER]
    if start := _start():
        prefix = sys.pycache_prefix
        cache = ["-X", f"pycache_prefix={prefix}"] if prefix else []
        return [sys.executable, "-I", "-S", *cache, start, WORKER]
    return [sys.executable, "-m", module]
