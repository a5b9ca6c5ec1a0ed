"""The tool from the medium, on hosts that have nothing: no network, no pip, no venv, no Python.

The wheels and the executable file are the real ones. They are made once for a test run, and the
tests are skipped where the package index cannot be reached.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shlex
import shutil
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.carry import building
from airgap_tui.engine.carry.target import MACHINES, PYTHONS, Target
from airgap_tui.engine.errors import EnvironmentFailure, NotFound
from airgap_tui.engine.events import discard
from airgap_tui.engine.jobs import export
from airgap_tui.engine.jobs.carry import ToolSpec
from airgap_tui.engine.jobs.export_spec import ExportSpec
from tests import services
from tests.e2e.test_pythons import INTERPRETERS
from tests.engine.bundle.sample_source import save
from tests.images import build_image, layer
from tests.services import PATIENCE

TOKEN = CancelToken()
MACHINE = os.uname().machine
HERE = [v for v in INTERPRETERS if v in PYTHONS and MACHINE in MACHINES]
BARE = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("carried") / "pod"
    save(path, [build_image("team/app:1", [layer("from the medium"), layer("base")])])
    return path


@pytest.fixture(scope="module")
def volume(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk with the wheels for each Python of this machine."""
    if not HERE:
        pytest.skip(f"no Python of {', '.join(PYTHONS)} here")
    medium = tmp_path_factory.mktemp("disk")
    tool = ToolSpec(targets=tuple(Target(version, MACHINE) for version in HERE))
    try:
        result = export.run(ExportSpec(bundle, medium, tool=tool), discard, TOKEN)
    except (EnvironmentFailure, NotFound) as error:
        pytest.skip(error.message)
    return medium / result.items[0].reference


@pytest.fixture(scope="module")
def executable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tool as one file: takes a minute or two."""
    path = tmp_path_factory.mktemp("static") / "airgap-tui"
    try:
        building.build(path)
    except (EnvironmentFailure, NotFound) as error:
        pytest.skip(f"{error.message}: {error.hint}")
    return path


def without_network(
    command: list[str], home: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """In a network namespace of its own, which has no interface that is up."""
    services.need_root()
    return subprocess.run(
        [services.program("unshare"), "-n", *command],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**BARE, "HOME": str(home), **variables},
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("version", HERE or [pytest.param("", id="none")])
def test_the_wheels_run_from_the_medium(version: str, volume: Path, tmp_path: Path) -> None:
    """Python is started with -I and -S there: it sees no site-packages, pip or venv of the host."""
    python = str(INTERPRETERS[version])
    run = ["sh", str(volume / "airgap-tui/run")]
    done = without_network([*run, "verify", str(volume)], tmp_path, AIRGAP_PYTHON=python)
    assert done.returncode == 0, done.stderr
    assert "nvcr.io/team/app:1" in done.stdout
    assert not list(volume.rglob("__pycache__"))


def test_a_job_of_its_own_is_started_from_the_medium(volume: Path, tmp_path: Path) -> None:
    run = ["sh", str(volume / "airgap-tui/run")]
    python = str(INTERPRETERS[HERE[-1]])
    started = without_network(
        [*run, "export", str(volume), str(tmp_path / "copy"), "--detach"],
        tmp_path,
        AIRGAP_PYTHON=python,
    )
    assert started.returncode == 0, started.stderr
    attached = without_network([*run, "attach"], tmp_path, AIRGAP_PYTHON=python)
    assert attached.returncode == 0, attached.stderr
    copy = tmp_path / "copy" / volume.name
    assert (copy / "airgap-tui/run").read_bytes() == (volume / "airgap-tui/run").read_bytes()


@pytest.fixture
def noexec(volume: Path, tmp_path: Path) -> Iterator[Path]:
    """The volume on a file system from which nothing may be executed."""
    services.need_root()
    place = tmp_path / "noexec"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "noexec", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        shutil.copytree(volume, place / "pod")
        yield place / "pod"
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_where_nothing_may_be_executed_libraries_are_copied(noexec: Path, tmp_path: Path) -> None:
    run = ["sh", str(noexec / "airgap-tui/run"), "verify", str(noexec)]
    python = str(INTERPRETERS[HERE[0]])
    for _ in range(2):
        done = without_network(run, tmp_path, AIRGAP_PYTHON=python)
        assert done.returncode == 0, done.stderr
    (copy,) = (tmp_path / ".cache/airgap-tui").glob("tool-*")
    assert list(copy.rglob("*.so")) and (copy / "any/airgap_tui").is_dir()


def test_a_damaged_medium_is_not_copied_from(noexec: Path, tmp_path: Path) -> None:
    for library in noexec.rglob("airgap-tui/**/*.so"):
        library.write_bytes(bytes(library.stat().st_size))
    run = ["sh", str(noexec / "airgap-tui/run"), "--version"]
    done = without_network(run, tmp_path, AIRGAP_PYTHON=str(INTERPRETERS[HERE[0]]))
    assert done.returncode != 0 and "is damaged" in done.stderr
    assert not list((tmp_path / ".cache/airgap-tui").glob("tool-*"))


def test_a_file_more_is_not_imported(volume: Path, tmp_path: Path) -> None:
    extra = volume / "airgap-tui/any/simplejson.py"
    extra.write_text("raise SystemExit('imported')\n")
    try:
        done = without_network(["sh", str(volume / "airgap-tui/run"), "--version"], tmp_path)
    finally:
        extra.unlink()
    assert done.returncode == 3 and "SHA256SUMS" in done.stderr
    assert "imported" not in done.stderr


def test_without_a_python_that_fits_it_says_which_do(volume: Path, tmp_path: Path) -> None:
    """The script finds the Pythons of the system by their full paths: it is given another table."""
    other = tmp_path / "other" / "airgap-tui"
    other.mkdir(parents=True)
    shutil.copy(volume / "airgap-tui/run", other)
    (other / "targets.txt").write_text("3.10 sparc any\n")
    sums = f"{'0' * 64}  run\n{'0' * 64}  targets.txt\n"
    (other / "SHA256SUMS").write_text(sums)
    done = without_network(["sh", str(other / "run"), "--version"], tmp_path)
    assert done.returncode == 4
    assert "Python 3.10 on sparc" in done.stderr and "AIRGAP_PYTHON=" in done.stderr


# --- the one file, where there is nothing else


@pytest.fixture
def empty_root(executable: Path, bundle: Path, tmp_path: Path) -> Iterator[Path]:
    """A directory to be the root of a host: the tool, a bundle, /tmp and /proc."""
    services.need_root()
    root = tmp_path / "root"
    for name in ("tmp", "proc", "dev", "home"):
        (root / name).mkdir(parents=True)
    shutil.copy(executable, root / "airgap-tui")
    shutil.copytree(bundle, root / "pod")
    os.mknod(root / "dev/null", 0o20666, os.makedev(1, 3))
    subprocess.run(["mount", "-t", "proc", "proc", str(root / "proc")], check=True)
    try:
        yield root
    finally:
        subprocess.run(["umount", str(root / "proc")], check=True)


def in_root(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("chroot") or "/usr/sbin/chroot", str(root), "/airgap-tui", *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={"HOME": "/home", "PATH": "/bin", "LD_LIBRARY_PATH": "/none"},
        timeout=300,
        check=False,
    )


@pytest.mark.static
def test_the_executable_alone_does_everything(
    empty_root: Path, executable: Path, tmp_path: Path
) -> None:
    """In one test: the executable file takes a minute to make for each worker of pytest-xdist."""
    assert in_root(empty_root, "--version").stdout.startswith("airgap-tui ")
    verified = in_root(empty_root, "verify", "/pod")
    assert verified.returncode == 0 and "nvcr.io/team/app:1" in verified.stdout
    rehearsed = in_root(empty_root, "rehearse", "--directory", "/home")
    assert rehearsed.returncode == 0, rehearsed.stderr
    _carries_itself(empty_root)
    _works_on_after_its_start(empty_root)
    _draws_its_first_screen(empty_root)
    _leaves_the_hosts_environment_to_its_children(executable, tmp_path)


def _carries_itself(root: Path) -> None:
    exported = in_root(root, "export", "/pod", "/medium")
    assert exported.returncode == 0, exported.stderr
    carried = root / "medium/pod/airgap-tui" / f"airgap-tui-{MACHINE}"
    assert carried.read_bytes() == (root / "airgap-tui").read_bytes()
    assert os.access(carried, os.X_OK)
    again = subprocess.run(
        ["sh", str(root / "medium/pod/airgap-tui/run"), "--version"],
        capture_output=True,
        text=True,
        env={**BARE, "HOME": str(root / "home")},
    )
    assert again.stdout.startswith("airgap-tui "), again.stderr


def _works_on_after_its_start(root: Path) -> None:
    started = in_root(root, "export", "/pod", "/second", "--no-tool", "--detach")
    assert started.returncode == 0, started.stderr
    attached = in_root(root, "attach", started.stdout.strip())
    assert attached.returncode == 0, attached.stderr
    assert (root / "second/pod/volume.json").exists()
    services.wait_for(lambda: not list((root / "tmp").iterdir()), PATIENCE, "what it unpacked goes")


def _draws_its_first_screen(root: Path) -> None:
    process, terminal = pty.fork()
    if not process:
        os.chroot(root)
        os.chdir("/")
        environment = {"HOME": "/home", "TERM": "xterm-256color", "PATH": "/bin"}
        os.execve("/airgap-tui", ["airgap-tui"], environment)  # noqa: S606 - in a child of its own
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    drawn, end = b"", time.monotonic() + PATIENCE
    try:
        while b"Carry container images" not in drawn and time.monotonic() < end:
            if select.select([terminal], [], [], 1.0)[0]:
                with suppress(OSError):
                    drawn += os.read(terminal, 65536)
        assert b"Carry container images" in drawn, drawn[-2000:]
    finally:
        os.close(terminal)
        os.kill(process, signal.SIGTERM)
        os.waitpid(process, 0)


def _leaves_the_hosts_environment_to_its_children(executable: Path, home: Path) -> None:
    """A helper that is started by it must not load the libraries that it brought."""
    helper, told = home / "docker-credential-told", home / "told"
    answer = '{"Username": "u", "Secret": "p"}'
    helper.write_text(f"#!/bin/sh\nenv >{shlex.quote(str(told))}\necho '{answer}'\n")
    helper.chmod(0o755)
    (home / "config.json").write_text('{"credHelpers": {"127.0.0.1:1": "told"}}')
    environment = {
        "PATH": f"{home}:/usr/bin:/bin",
        "HOME": str(home),
        "DOCKER_CONFIG": str(home),
        "LD_LIBRARY_PATH": "/of/the/host",
    }
    subprocess.run(
        [str(executable), "logins", "127.0.0.1:1/team/app"],
        capture_output=True,
        env=environment,
        timeout=300,
        check=False,
    )
    lines = told.read_text().splitlines()
    assert "LD_LIBRARY_PATH=/of/the/host" in lines
    assert not [line for line in lines if line.startswith(("_PYI_", "_MEI", "STATICX"))]
