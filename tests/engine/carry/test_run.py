"""`run` on a medium: where it keeps what it compiles and copies."""

from __future__ import annotations

import os
import pwd
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

PYTHON = """#!/bin/sh
for word; do
    case $word in pycache_prefix=*) printf '%s\\n' "${word#*=}" ;; esac
done
"""
"""Fits every medium, and does nothing but tell where it would keep what it compiles."""


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    """A medium with the real `run`, below a directory with that interpreter."""
    root = tmp_path / "airgap-tui"
    root.mkdir()
    run = (files("airgap_tui.engine.carry") / "medium" / "run").read_text("utf-8")
    for name, text in {"run": run, "targets.txt": ""}.items():
        (root / name).write_text(text, "utf-8")
    (root / "SHA256SUMS").write_text(f"{'0' * 64}  run\n{'0' * 64}  targets.txt\n", "ascii")
    python = tmp_path / "python"
    python.write_text(PYTHON, "ascii")
    python.chmod(0o755)
    return root


def cache_of(medium: Path, **environment: str) -> Path:
    done = subprocess.run(
        ["sh", str(medium / "run")],
        env={
            "PATH": os.environ["PATH"],
            "AIRGAP_PYTHON": str(medium.parent / "python"),
            **environment,
        },
        cwd=medium.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(done.stdout.strip()).parent


def test_the_cache_is_where_the_variables_say(medium: Path, tmp_path: Path) -> None:
    assert cache_of(medium, HOME=str(tmp_path)) == tmp_path / ".cache/airgap-tui"
    own = tmp_path / "own"
    assert cache_of(medium, HOME="/h", XDG_CACHE_HOME=str(own)) == own / "airgap-tui"


@pytest.mark.parametrize("variables", [{}, {"HOME": ""}, {"XDG_CACHE_HOME": "relative"}])
def test_without_them_it_is_in_the_home_that_the_system_knows(
    medium: Path, variables: dict[str, str]
) -> None:
    home = Path(pwd.getpwuid(os.geteuid()).pw_dir)
    assert cache_of(medium, **variables) == home / ".cache/airgap-tui"
