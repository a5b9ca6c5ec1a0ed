"""Builds airgap-tui as a single static executable, for hosts without Python.

`python3 -m airgap_tui.engine.carry.building FILE` in a source tree or from an installed package.
PyInstaller puts Python, this package and everything it imports into one program, staticx adds the C
library. Python is the distribution's own: staticx refuses those that carry paths of their libraries
(RUNPATH), as pyenv's do. Needs a network, and the programs gcc's binutils and patchelf.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from airgap_tui.engine.carry.executable import read_executable
from airgap_tui.engine.carry.locks import lock_of
from airgap_tui.engine.carry.own_package import package_files
from airgap_tui.engine.carry.target import EVERY
from airgap_tui.engine.errors import AirgapError, EnvironmentFailure, NotFound

_PYTHON = Path("/usr/bin/python3")
_PROGRAMS = {
    "patchelf": "patchelf",
    "objcopy": "binutils",
    "readelf": "binutils",
    "ldd": "libc-bin",
}
_TOOLS = ("pyinstaller>=6.10", "staticx>=0.14", "setuptools<81", "wheel")
_ENTRY = "from airgap_tui.__main__ import main\n\nmain()\n"
_WITH = (
    *("--collect-all", "airgap_tui", "--collect-all", "screens"),
    *("--collect-submodules", "textual", "--collect-data", "textual"),
    *("--collect-submodules", "rich", "--recursive-copy-metadata", "textual"),
)
"""What PyInstaller does not see by itself: modules that are imported by name, and data files."""

_OLDEST = (3, 10)
_LAST_LINES = 15


def build(target: Path, python: Path = _PYTHON) -> None:
    """Write the executable file. Raises `NotFound` for what has to be installed first, and
    `EnvironmentFailure` with the end of what a failing step said."""
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            raise NotFound(f"{program} is not installed", hint=f"Install the package {package}.")
    if not python.exists():
        raise NotFound(
            f"there is no {python}", hint="Install the package python3, or use --python."
        )
    with tempfile.TemporaryDirectory(prefix="airgap-tui-build-") as name:
        work = Path(name)
        _build_in(work, python)
        read_executable(work / "static")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(work / "static", target.with_name(f"{target.name}.new"))
        target.with_name(f"{target.name}.new").chmod(0o755)
        os.replace(target.with_name(f"{target.name}.new"), target)


def _build_in(work: Path, python: Path) -> None:
    tools, source = work / "tools", work / "source"
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    environment["PATH"] = f"{tools / 'bin'}:{environment.get('PATH', os.defpath)}"
    for name, path in package_files():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, source / name)
    (source / "entry.py").write_text(_ENTRY, "ascii")
    (work / "requirements.txt").write_text(_requirements(python), "ascii")

    def step(*command: str | Path) -> None:
        _run([str(word) for word in command], work, environment)

    step(python, "-m", "venv", tools)
    step(tools / "bin/pip", "install", "--quiet", *_TOOLS)
    step(tools / "bin/pip", "install", "--quiet", "--no-deps", "-r", "requirements.txt")
    # To collect all of a package PyInstaller imports it, --paths or not.
    environment["PYTHONPATH"] = str(source)
    step(
        *(tools / "bin/pyinstaller", "--onefile", "--strip", "--noconfirm", "--name", "airgap-tui"),
        *("--log-level", "WARN", *_WITH, source / "entry.py"),
    )
    del environment["PYTHONPATH"]
    step(tools / "bin/staticx", "--strip", "dist/airgap-tui", "static")


def _requirements(python: Path) -> str:
    """What the package depends on: the wheels of its lock, for a newer Python their versions."""
    command = [str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    version = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    machine = os.uname().machine
    targets = [target for target in EVERY if target.machine == machine]
    exact = [target for target in targets if target.python == version]
    if not targets or tuple(map(int, version.split("."))) < _OLDEST:
        raise EnvironmentFailure(f"airgap-tui is not made for Python {version} on {machine}")
    lines = (
        str(wheel) if exact else f"{wheel.name}=={wheel.version}"
        for wheel in lock_of((exact or targets)[-1])
    )
    return "".join(f"{line}\n" for line in lines)


def _run(command: list[str], work: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        cwd=work,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-_LAST_LINES:])
        raise EnvironmentFailure(f"{Path(command[0]).name} ended with {done.returncode}:\n{said}")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python3 -m airgap_tui.engine.carry.building")
    parser.add_argument("file", type=Path, help="the executable file to write")
    parser.add_argument(
        "--python", type=Path, default=_PYTHON, help="the distribution's own Python (%(default)s)"
    )
    options = parser.parse_args(arguments)
    try:
        build(options.file.absolute(), options.python)
    except AirgapError as error:
        sys.stderr.write(f"{error.message}\n{error.hint}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
