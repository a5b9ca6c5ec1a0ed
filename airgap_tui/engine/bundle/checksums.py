"""`SHA256SUMS`: lets `sha256sum -c` check a bundle without this program."""

from __future__ import annotations

import re
from collections.abc import Mapping

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.errors import MalformedContent

MAX_BYTES = 64 * 1024 * 1024
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def format_checksums(sums: Mapping[str, str]) -> bytes:
    """The file's content for names with their SHA-256 in hex, sorted by name."""
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()


def parse_checksums(raw: bytes, where: str) -> dict[str, str]:
    """Names with their SHA-256 in hex; raises `MalformedContent` for a foreign name or line."""
    sums: dict[str, str] = {}
    for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None or not layout.is_file_name(match[2]):
            raise MalformedContent(f"{where}: {layout.CHECKSUMS}, line {number} is not a checksum")
        sums[match[2]] = match[1]
    return sums
