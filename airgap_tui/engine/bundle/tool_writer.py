"""Puts the tool into a bundle's directory: what is right stays, what does not belong is removed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.carried_tool import CarriedTool
from airgap_tui.engine.bundle.durable import replace_file, writing
from airgap_tui.engine.bundle.media.storage import DirectoryStorage
from airgap_tui.engine.bundle.media.stored_files import sha256_of
from airgap_tui.engine.bundle.seal import Seal
from airgap_tui.engine.bundle.tool_files import check_tool, format_sums, is_carried
from airgap_tui.engine.cancel import CancelToken

Content = Callable[[], bytes]


def holds_tool(seal: Seal, tool: CarriedTool, token: CancelToken) -> bool:
    """Whether just this tool is in the bundle: every byte of it is read."""
    if seal.bundle.inventory.carried != tool:
        return False
    storage = DirectoryStorage(seal.path)
    return is_carried(storage) and not check_tool(storage, seal.bundle.inventory, token)


def write_tool(
    seal: Seal,
    tool: CarriedTool,
    files: Iterable[tuple[str, Content]],
    sums: Mapping[str, str],
    token: CancelToken,
) -> None:
    """Write the tool, and then the inventory that knows it. `files` are paths with what gives their
    content; `sums` are their SHA-256 in hex, by path.

    What was said of the bundle as it was is removed first: checksums, notes and signatures. Nothing
    waits for the disk: whoever uses the files compares them first. Raises `NoRoom` and
    `EnvironmentFailure`.
    """
    for name in layout.SEALED:
        seal.remove(name)
    root, storage = seal.path, DirectoryStorage(seal.path)
    with writing(root / layout.TOOL_SUMS):
        (root / layout.TOOL_SUMS).unlink(missing_ok=True)
    for path, content in files:
        token.check()
        if storage.extent(path) is None or sha256_of(storage, path) != sums[path]:
            put_file(root, path, content())
    for path, _size in list(storage.names(f"{layout.TOOL}/")):
        if path not in sums:
            with writing(root / path):
                (root / path).unlink()
    listed = {path.removeprefix(f"{layout.TOOL}/"): sha256 for path, sha256 in sums.items()}
    raw = format_sums(listed)
    replace_file(root / layout.TOOL_SUMS, raw, root / layout.PARTIAL / "tool.new")
    seal.write_inventory(tool)


def remove_tool(seal: Seal) -> tuple[str, ...]:
    """Take the tool's files out of the bundle's directory; which were there. The inventory may go
    on knowing it: so the signature of it stays."""
    storage = DirectoryStorage(seal.path)
    names = tuple(name for name, _size in storage.names(f"{layout.TOOL}/"))
    if not names:
        return ()
    for name in (layout.CHECKSUMS, layout.START_HERE):
        seal.remove(name)
    with writing(seal.path / layout.TOOL):
        for name in sorted(names, key=lambda name: name != layout.TOOL_SUMS):
            (seal.path / name).unlink()
        _remove_folders(seal.path / layout.TOOL)
    return names


def _remove_folders(root: Path) -> None:
    for directory, _below, _files in os.walk(root, topdown=False):
        if not os.listdir(directory):
            os.rmdir(directory)


def put_file(root: Path, path: str, content: bytes) -> None:
    """Write one of the tool's files; it is on the disk once everything is synced."""
    target, work = root / path, root / layout.PARTIAL / "tool.new"
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        work.write_bytes(content)
        if layout.is_program(path):
            work.chmod(0o755)
        os.replace(work, target)
