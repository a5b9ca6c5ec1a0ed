"""`run` on a medium: where it keeps what it compiles and copies."""

from __future__ import annotations

import os
import platform
import pwd
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

START = "import sys; print(sys.pycache_prefix)"


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    """A medium with the real `run`, and a program that only tells where its cache is."""
    root = tmp_path / "airgap-tui"
    root.mkdir()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    content = {
        "run": (files("airgap_tui.engine.carry") / "medium" / "run").read_text("utf-8"),
        "start.py": START,
        "targets.txt": f"{version} {platform.machine()} any\n",
    }
    for name, text in content.items():
        (root / name).write_text(text, "utf-8")
    sums = "".join(f"{'0' * 64}  {name}\n" for name in sorted(content))
    (root / "SHA256SUMS").write_text(sums, "ascii")
    return root


def cache_of(medium: Path, **environment: str) -> Path:
    done = subprocess.run(
        ["sh", str(medium / "run")],
        env={"PATH": os.environ["PATH"], "AIRGAP_PYTHON": sys.executable, **environment},
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
