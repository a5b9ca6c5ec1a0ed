"""The files of a carried tool on a medium, compared with what the inventory says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.carried_tool import CarriedTool
from airgap_tui.engine.bundle.findings import ABSENT, Finding
from airgap_tui.engine.bundle.inventory import Inventory
from airgap_tui.engine.bundle.media.stored_files import Storage, sha256_of
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, ContentMismatch, MalformedContent
from airgap_tui.engine.oci.digest import Digest

MAX_BYTES = 8 * 1024 * 1024
"""The largest list of checksums that is read: 3,000 files need 300 KB."""

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_UNKNOWN = "bundle.json does not know it: nothing vouches for it"


def format_sums(sums: Mapping[str, str]) -> bytes:
    """`airgap-tui/SHA256SUMS`, for names below that directory with their SHA-256 in hex."""
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()


def is_carried(storage: Storage) -> bool:
    """Whether the list of the tool's files is there: it is left out of data discs."""
    return storage.size(layout.TOOL_SUMS) is not None


def tool_sums(storage: Storage, tool: CarriedTool) -> dict[str, str]:
    """The files of the tool by their paths on the medium, with their SHA-256 in hex.

    Raises `NotFound`, `ContentMismatch` where the list is not the one that the inventory means, and
    `MalformedContent`.
    """
    raw = storage.read(layout.TOOL_SUMS, MAX_BYTES)
    if Digest.of(raw, tool.sums.algorithm) != tool.sums:
        raise ContentMismatch(
            f"{storage.location}: {layout.TOOL_SUMS} is not what {layout.INVENTORY} says",
            hint="Do not run that tool. Copy the medium again, or write it again.",
        )
    sums: dict[str, str] = {}
    for line in raw.decode("utf-8", "replace").splitlines():
        match = _LINE.fullmatch(line)
        path = f"{layout.TOOL}/{match[2]}" if match else ""
        if match is None or not layout.is_file_name(path) or path == layout.TOOL_SUMS:
            raise MalformedContent(f"{storage.location}: {layout.TOOL_SUMS} lists no files")
        sums[path] = match[1]
    return sums


def check_tool(storage: Storage, inventory: Inventory, token: CancelToken) -> list[Finding]:
    """What is wrong with the tool on a medium; one that is left out is in order."""
    if not inventory.id:
        return []
    there = {name for name, _size in storage.names(f"{layout.TOOL}/")}
    tool = inventory.carried
    if tool is None or (there and layout.TOOL_SUMS not in there):
        return [Finding(name, "", _UNKNOWN) for name in sorted(there)]
    if not there:
        return []
    try:
        sums = tool_sums(storage, tool)
    except AirgapError as error:
        return [Finding(layout.TOOL_SUMS, "", error.message)]
    return list(_compare(storage, sums, there - {layout.TOOL_SUMS}, token))


def _compare(
    storage: Storage, sums: Mapping[str, str], there: set[str], token: CancelToken
) -> Iterator[Finding]:
    for path in sorted(sums):
        token.check()
        if path not in there:
            yield Finding(path, "", ABSENT)
            continue
        try:
            actual = sha256_of(storage, path)
        except AirgapError as error:
            yield Finding(path, "", error.message)
            continue
        if actual != sums[path]:
            yield Finding(path, "", f"it is not what {layout.TOOL_SUMS} says")
    for path in sorted(there - sums.keys()):
        yield Finding(path, "", _UNKNOWN)
