"""What of the tool is on a medium: every file, by its name below `airgap-tui/`.

Wheels are unpacked so that a Python can import from there. Those that several targets use lie there
once, in a directory that is named for who uses it. The same choice gives the same files.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.media.extent import reading
from airgap_tui.engine.carry.executable import Executable
from airgap_tui.engine.carry.own_package import package_files
from airgap_tui.engine.carry.target import EVERY, Target
from airgap_tui.engine.errors import EnvironmentFailure

TARGETS = "targets.txt"
_EVERYBODY = "any"
_MOST = 256 * 1024 * 1024
_UNFIT = re.compile(r"[^0-9A-Za-z]")


@dataclass(frozen=True, slots=True)
class ToolFile:
    """`read` gives the content, until the next file is asked for."""

    name: str
    read: Callable[[], bytes]

    @property
    def path(self) -> str:
        """Its name on the medium."""
        return f"{layout.TOOL}/{self.name}"


def tool_files(
    executables: Iterable[Executable], wheels: Mapping[Target, tuple[Path, ...]]
) -> Iterator[ToolFile]:
    """All files but their own list of checksums.

    Raises `EnvironmentFailure` for a name that no medium holds, and as `package_files` does."""
    yield ToolFile(layout.TOOL_RUN, partial(_shipped, "run"))
    for executable in sorted(executables, key=lambda one: one.machine):
        name = f"{layout.TOOL_PROGRAM}{executable.machine}"
        yield ToolFile(name, partial(_content, executable.path))
    if not wheels:
        return
    folders = _folders(wheels)
    yield ToolFile("start.py", partial(_shipped, "start.py"))
    yield ToolFile(TARGETS, partial(_table, wheels, folders))
    for name, path in package_files():
        yield _checked(f"{_EVERYBODY}/{name}", partial(_content, path), path)
    for wheel in sorted(folders, key=lambda path: (folders[path], path.name)):
        yield from _unpacked(wheel, folders[wheel])


def _folders(wheels: Mapping[Target, tuple[Path, ...]]) -> dict[Path, str]:
    """The directory of each wheel, named for the targets that use it."""
    users: dict[Path, set[Target]] = {}
    for target, paths in wheels.items():
        for path in paths:
            users.setdefault(path, set()).add(target)
    return {path: _folder(targets, frozenset(wheels)) for path, targets in users.items()}


def _folder(users: set[Target], every: frozenset[Target]) -> str:
    if users == every:
        return _EVERYBODY
    pythons = sorted({one.python for one in users}, key=[t.python for t in EVERY].index)
    machines = sorted({one.machine for one in users})
    parts = []
    if len(pythons) != len({one.python for one in every}):
        parts += [f"py{_UNFIT.sub('', python)}" for python in pythons]
    if machines != sorted({one.machine for one in every}):
        parts += machines
    return "-".join(parts)


def _table(wheels: Mapping[Target, tuple[Path, ...]], folders: Mapping[Path, str]) -> bytes:
    """What `start.py` reads: a line for each target, with the directories that it needs."""
    lines = []
    for target in sorted(wheels, key=EVERY.index):
        needed = {_EVERYBODY, *(folders[path] for path in wheels[target])}
        lines.append(f"{target.python} {target.machine} {' '.join(sorted(needed))}\n")
    return "".join(lines).encode()


def _unpacked(wheel: Path, folder: str) -> Iterator[ToolFile]:
    with reading(wheel), zipfile.ZipFile(wheel) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        for member in sorted(members, key=lambda one: one.filename):
            if member.file_size > _MOST:
                raise EnvironmentFailure(f"{wheel.name} holds a file of {member.file_size} bytes")
            yield _checked(f"{folder}/{member.filename}", partial(archive.read, member), wheel)


def unpacked_bytes(wheels: Iterable[Path]) -> int:
    """What the program's own files and these wheels take when they are unpacked."""
    total = 0
    for _name, path in package_files():
        with reading(path):
            total += path.stat().st_size
    for wheel in wheels:
        with reading(wheel), zipfile.ZipFile(wheel) as archive:
            total += sum(member.file_size for member in archive.infolist())
    return total


def _checked(name: str, read: Callable[[], bytes], origin: Path) -> ToolFile:
    file = ToolFile(name, read)
    if not layout.is_file_name(file.path):
        raise EnvironmentFailure(
            f"{origin.name} holds {name}, a name that is not allowed on a medium",
            hint="Leave the tool out with --no-tool, and report this.",
        )
    return file


def _content(path: Path) -> bytes:
    with reading(path):
        return path.read_bytes()


def _shipped(name: str) -> bytes:
    return (files(__package__) / "medium" / name).read_bytes()


def sums_of(tool: Iterable[ToolFile], check: Callable[[], None]) -> dict[str, tuple[str, int]]:
    """SHA-256 in hex and size of each file, by its name; `check` is called between them."""
    sums = {}
    for file in tool:
        check()
        content = file.read()
        sums[file.name] = (hashlib.sha256(content).hexdigest(), len(content))
    return sums
