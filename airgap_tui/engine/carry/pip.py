"""Downloads wheels with pip, which knows the indexes, proxies and CAs that are configured."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from airgap_tui.engine import own_program
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.carry.target import Target
from airgap_tui.engine.errors import EnvironmentFailure, NotFound
from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.redaction import redact

_SECONDS = 600.0
_POLL = 0.1
_RETRIES = "2"
_MOST_SAID = 64 * 1024
_GLIBC = ("2_28", "2_27", "2_26", "2_25", "2_24", "2_17")
"""The oldest hosts are those of RHEL 8, with glibc 2.28."""

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|AUTH_CONFIG|^AIRGAP_TUI_", re.IGNORECASE)
_OF_PIP = re.compile(r"PIP_.+|.+_proxy", re.IGNORECASE)
"""Variables that may hold a login and are set for pip to use."""

_NO_PIP = (
    "Install it (Debian, Ubuntu: python3-pip), name an executable of airgap-tui with --tool FILE,"
    " or leave the tool out with --no-tool."
)
_NO_INDEX = (
    "Check the network, and pip's own settings: pip config list. --tool FILE carries an executable"
    " of airgap-tui instead, --no-tool leaves the tool out."
)


def download(
    command: Sequence[str],
    requirements: Iterable[str],
    target: Target,
    directory: Path,
    token: CancelToken,
) -> None:
    """Have a pip write wheels into a directory; each line names one version and its hashes.

    Raises `EnvironmentFailure` where it does not get them, and `Stopped`.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt", dir=directory) as wanted:
        wanted.write("".join(f"{line}\n" for line in requirements))
        wanted.flush()
        _run([*command, *_arguments(target), "-d", str(directory), "-r", wanted.name], token)


def platform_tags(target: Target) -> tuple[str, ...]:
    """The platforms whose wheels the target takes, the best first."""
    machine = target.machine
    return (*(f"manylinux_{one}_{machine}" for one in _GLIBC), f"manylinux2014_{machine}")


def _arguments(target: Target) -> list[str]:
    platforms = [word for tag in platform_tags(target) for word in ("--platform", tag)]
    return [
        *("--disable-pip-version-check", "--no-input", "download", "--quiet", "--no-deps"),
        *("--require-hashes", "--only-binary=:all:", "--implementation", "cp"),
        *("--python-version", target.python, "--abi", f"cp{target.python.replace('.', '')}"),
        *platforms,
    ]


def find_pip() -> list[str]:
    """A pip that works: that of this Python, of the system's, or one by its own name. Raises
    `NotFound`."""
    pythons = [] if own_program.is_one_file() else [sys.executable]
    commands = [[python, "-m", "pip"] for python in (*pythons, shutil.which("python3")) if python]
    commands += [[pip] for pip in (shutil.which("pip3"), shutil.which("pip")) if pip]
    for command in commands:
        try:
            done = subprocess.run(
                [*command, "--version"],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                env=_environment(os.environ),
                timeout=60,
                check=False,
            )
        except (OSError, subprocess.SubprocessError):
            continue
        if done.returncode == 0:
            return command
    raise NotFound("there is no pip here to fetch the wheels to carry", hint=_NO_PIP)


def _run(command: list[str], token: CancelToken) -> None:
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=_environment(os.environ),
            )
        except OSError as error:
            raise NotFound(f"pip cannot be run: {error.strerror}", hint=_NO_PIP) from None
        try:
            code = _wait(process, token)
        finally:
            process.kill()
            process.wait()
        if code:
            said.seek(0)
            text = said.read(_MOST_SAID).decode("utf-8", "replace")
            lines = [line.strip() for line in text.splitlines() if line.startswith("ERROR:")]
            reason = lines[-1].removeprefix("ERROR:").strip() if lines else f"it ended with {code}"
            raise EnvironmentFailure(
                f"pip cannot fetch the wheels to carry: {redact(harmless(reason))[:300]}",
                hint=_NO_INDEX,
            )


def _wait(process: subprocess.Popen[bytes], token: CancelToken) -> int:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        token.check()
        try:
            return process.wait(_POLL)
        except subprocess.TimeoutExpired:
            continue
    raise EnvironmentFailure(
        f"pip did not fetch the wheels to carry within {_SECONDS:.0f} s", hint=_NO_INDEX
    )


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What pip needs, without the keys of registries and without this program's own modules. It
    gives up early where nothing answers, unless told otherwise: the images go without the tool."""
    usual = {"PIP_RETRIES": _RETRIES}
    return usual | {
        name: value
        for name, value in environment.items()
        if _OF_PIP.fullmatch(name)
        or (name != "PYTHONPATH" and not _SECRET.search(name) and redact(value) == value)
    }
