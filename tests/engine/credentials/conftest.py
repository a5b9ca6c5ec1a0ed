"""Ansible for the tests that want the real one: installed, or in a throw-away environment."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ORIGINAL_ENVIRONMENT

Ansible = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def ansible_programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of `ansible-vault` and `ansible-playbook`; skips where they cannot be had."""
    found = shutil.which("ansible-vault", path=ORIGINAL_ENVIRONMENT.get("PATH"))
    if found is not None:
        return Path(found).parent
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # of all processes of this run: one of them installs
    directory = shared / "ansible-venv"
    with (shared / "ansible-venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "ready").exists():
            _install(directory)
            (directory / "ready").touch()
    return directory / "bin"


def _install(directory: Path) -> None:
    environment = {
        name: value
        for name, value in ORIGINAL_ENVIRONMENT.items()
        if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    pip = ["-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(directory)],
        [str(directory / "bin/python"), *pip, "ansible-core"],
    ):
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=300,
                check=False,
                env=environment,
            )
        except subprocess.TimeoutExpired:
            pytest.skip("ansible-core was not installed within 5 minutes")
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            pytest.skip(f"ansible-core cannot be installed here: {said}")


@pytest.fixture
def ansible(ansible_programs: Path, tmp_path: Path) -> Ansible:
    """Runs `ansible-vault` or `ansible-playbook` with a home of its own."""
    home = tmp_path / "ansible-home"
    home.mkdir()

    def run(
        name: str, *arguments: str, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(ansible_programs / name), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={
                "PATH": f"{ansible_programs}:{os.environ['PATH']}",
                "HOME": str(home),
                "LC_ALL": "C.UTF-8",
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_REMOTE_TEMP": str(home / "tmp"),
                "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            },
        )
        if check and done.returncode:
            pytest.fail(f"{name} ended with {done.returncode}:\n{done.stdout}{done.stderr}", False)
        return done

    return run
