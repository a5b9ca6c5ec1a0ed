"""A file that is meant to be the tool for some machine: what its ELF header says."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine.bundle.media.extent import reading
from airgap_tui.engine.errors import NotFound, UsageError
from airgap_tui.engine.quantities import size as in_words

MAX_BYTES = 1024**3
_MACHINES = {62: "x86_64", 183: "aarch64"}
_KINDS = (2, 3)
_INTERPRETER = 3
_MOST_HEADERS = 256
_HINT = (
    "It is made by  python3 -m airgap_tui.engine.carry.building FILE  on a machine of that kind."
)


@dataclass(frozen=True, slots=True)
class Executable:
    """One static file; `machine` is what `uname -m` says where it runs."""

    path: Path
    machine: str
    size: int


def read_executable(path: Path) -> Executable:
    """Look at a file (ELF-64 object file format). Raises `NotFound`, and `UsageError` with the
    reason where it cannot be the tool."""
    with reading(path):
        if not path.exists():
            raise NotFound(f"there is no file {path}", hint=_HINT)
        if not path.is_file():
            raise UsageError(f"{path} is not a regular file", hint=_HINT)
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(64)
            if head[:4] != b"\x7fELF":
                raise UsageError(f"{path} is not a Linux executable", hint=_HINT)
            if len(head) < 64 or head[4] != 2 or head[5] != 1:
                raise UsageError(f"{path} is not a 64-bit executable", hint=_HINT)
            kind, machine = struct.unpack_from("<HH", head, 16)
            (offset,) = struct.unpack_from("<Q", head, 32)
            entry_size, entries = struct.unpack_from("<HH", head, 54)
            if kind not in _KINDS or not entries or entry_size < 56:
                raise UsageError(f"{path} is an object file, not an executable", hint=_HINT)
            if machine not in _MACHINES:
                raise UsageError(
                    f"{path} is not for {' or '.join(_MACHINES.values())}",
                    hint=_HINT,
                )
            file.seek(min(offset, size))
            table = file.read(entry_size * min(entries, _MOST_HEADERS))
    types = [struct.unpack_from("<I", table, at)[0] for at in range(0, len(table) - 3, entry_size)]
    if _INTERPRETER in types:
        raise UsageError(
            f"{path} is dynamically linked; a carried executable has to be static",
            hint=_HINT,
        )
    if size > MAX_BYTES:
        raise UsageError(f"{path} has {in_words(size)}, too much for airgap-tui", hint=_HINT)
    return Executable(path, _MACHINES[machine], size)
