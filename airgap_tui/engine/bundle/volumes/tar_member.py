"""Members of the tars written here: the length of each, and the exact bytes of its header.

Owner and time are zero, so the same files give the same tar. A reader that is told where a member's
content begins compares what stands before it with `header`.
"""

from __future__ import annotations

import tarfile

from airgap_tui.engine.bundle import layout

BLOCK = 512
END = bytes(2 * BLOCK)
"""What a tar ends with (POSIX, pax, "ustar Interchange Format")."""


def header(name: str, size: int) -> bytes:
    """What stands before the content of a regular file: one block, and where the name or the size
    does not fit into it a PAX header before."""
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o755 if layout.is_program(name) else 0o644
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def directory(name: str) -> bytes:
    """What stands for a directory."""
    member = tarfile.TarInfo(name)
    member.type = tarfile.DIRTYPE
    member.mode = 0o755
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def padding(size: int) -> int:
    """Zero bytes that follow a content of this size."""
    return -size % BLOCK
