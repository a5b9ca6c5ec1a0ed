"""Which files are taken for the tool: by what they are, whatever their names."""

from __future__ import annotations

import struct
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.carry.executable import read_executable
from airgap_tui.engine.errors import NotFound, UsageError


def elf(
    machine: int = 62, kind: int = 2, bits: int = 2, segments: tuple[int, ...] = (1, 1)
) -> bytes:
    """An ELF header with program headers of these types."""
    identification = b"\x7fELF" + bytes([bits, 1, 1]) + bytes(9)
    numbers = struct.pack(
        "<HHIQQQIHHHHHH", kind, machine, 1, 0, 64, 0, 0, 64, 56, len(segments), 0, 0, 0
    )
    return identification + numbers + b"".join(struct.pack("<I", t) + bytes(52) for t in segments)


@pytest.mark.parametrize(("machine", "name"), [(62, "x86_64"), (183, "aarch64")])
def test_a_static_program(machine: int, name: str, tmp_path: Path) -> None:
    path = tmp_path / "any name"
    path.write_bytes(elf(machine) + b"code")
    found = read_executable(path)
    assert (found.machine, found.size) == (name, path.stat().st_size)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"#!/bin/sh\n", "not a Linux executable"),
        (b"", "not a Linux executable"),
        (elf(bits=1), "64-bit"),
        (elf()[:40], "64-bit"),
        (elf(kind=1), "an object file"),
        (elf(segments=()), "an object file"),
        (elf(machine=243), "is not for"),
        (elf(segments=(6, 3, 1)), "dynamically linked"),
    ],
)
def test_what_is_none_is_refused_with_the_reason(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "airgap-tui"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        read_executable(path)


def test_a_real_program_of_the_host_and_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="dynamically linked"):
        read_executable(Path(sys.executable).resolve())
    with pytest.raises(UsageError, match="not a regular file"):
        read_executable(tmp_path)
    with pytest.raises(NotFound):
        read_executable(tmp_path / "none")


def test_no_content_breaks_it(tmp_path: Path) -> None:
    path = tmp_path / "file"

    @given(st.binary(max_size=200))
    def reads_or_refuses(tail: bytes) -> None:
        path.write_bytes(b"\x7fELF\x02\x01" + tail)
        with suppress(UsageError):
            read_executable(path)

    reads_or_refuses()
