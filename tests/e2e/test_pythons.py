"""Install the package on every supported Python of this machine, and rehearse the crossing there.

The suite itself runs on one Python; this is what shows that the others work.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ORIGINAL_ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
OLDEST = 10


def interpreters() -> dict[str, Path]:
    """Minor version ("3.12") to interpreter: PATH's `python3.X`, then pyenv's."""
    pyenv = Path(ORIGINAL_ENVIRONMENT.get("PYENV_ROOT") or Path.home() / ".pyenv")
    directories = [Path(part) for part in ORIGINAL_ENVIRONMENT.get("PATH", "").split(os.pathsep)]
    directories += sorted(pyenv.glob("versions/*/bin"))
    found: dict[str, Path] = {}
    for directory in directories:
        if directory.name == "shims":  # pyenv's, which run only the versions that are switched on
            continue
        for path in sorted(directory.glob("python3.*")):
            match = re.fullmatch(r"python(3\.(\d+))", path.name)
            if match and int(match[2]) >= OLDEST:
                found.setdefault(match[1], path)
    return dict(sorted(found.items(), key=lambda pair: int(pair[0].partition(".")[2])))


INTERPRETERS = interpreters()


def run(*command: str | Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=600,
        check=False,
        env=environment,
        cwd="/",
    )
    if done.returncode:
        pytest.fail(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}", False)
    return done


@pytest.mark.pythons
@pytest.mark.parametrize("version", INTERPRETERS or [pytest.param("", id="none")])
def test_installs_and_rehearses(version: str, tmp_path: Path) -> None:
    if not version:
        pytest.skip("no python3.X, X >= 10, on PATH or in pyenv")
    python = INTERPRETERS[version]
    # pip needs the machine's own settings; the package must not see the checkout.
    environment = {
        name: value
        for name, value in ORIGINAL_ENVIRONMENT.items()
        if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    venv = tmp_path / "venv"
    usable = subprocess.run(
        [str(python), "-c", "import ensurepip, venv"], capture_output=True, timeout=60, check=False
    )
    if usable.returncode:
        pytest.skip(f"{python} has no ensurepip or venv module")
    run(python, "-m", "venv", venv, environment=environment)
    pip: list[str | Path] = [
        venv / "bin/python",
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
    ]
    run(*pip, "install", "--quiet", ROOT, environment=environment)
    run(*pip, "check", environment=environment)
    private = {**environment, "HOME": str(tmp_path), "PYTHONWARNINGS": "error"}
    said = run(venv / "bin/airgap-tui", "--version", environment=private).stdout
    assert "airgap-tui" in said
    run(venv / "bin/airgap-tui", "rehearse", environment=private)
