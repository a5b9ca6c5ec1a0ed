"""Prepares the place of a bundle for a writer: the existing inventory or a new one, and the files
that every layout has. Whatever describes the old state is removed before anything changes."""

from __future__ import annotations

import os
from pathlib import Path

from airgap_tui.engine.bundle import layout, names
from airgap_tui.engine.bundle.durable import replace_file, writing
from airgap_tui.engine.bundle.inventory import MAX_BYTES, Inventory
from airgap_tui.engine.bundle.media.storage import DirectoryStorage
from airgap_tui.engine.events import Level, Note, Sink
from airgap_tui.engine.oci.platform import Platform


def begun_inventory(path: Path, job: str, platform: Platform | None, sink: Sink) -> Inventory:
    """The inventory of the bundle at a path that is locked, marked as being written; its signature
    and checksums are gone. Raises as `Inventory.parse` does, and `EnvironmentFailure`."""
    storage = DirectoryStorage(path)
    if storage.extent(layout.INVENTORY) is not None:
        inventory = Inventory.parse(storage.read(layout.INVENTORY, MAX_BYTES), str(path))
    else:
        inventory = Inventory.new(path.absolute().name, platform)
        inventory.imported = job == "import"
    inventory.saving = True
    if _unseal(path):
        text = f"{path} changes, so its signature is gone; sign it when it is finished"
        sink(Note(text, Level.WARNING))
    return inventory


def lay_out(path: Path) -> None:
    """Make what an OCI layout has even without content. Raises `EnvironmentFailure`, `NoRoom`."""
    storage = DirectoryStorage(path)
    with writing(path):
        (path / layout.BLOBS / "sha256").mkdir(parents=True, exist_ok=True)
    files = (
        (layout.INDEX, names.index_json(Inventory.new("", None))),
        (layout.OCI_LAYOUT, layout.OCI_LAYOUT_CONTENT),
    )
    for name, content in files:
        if storage.extent(name) is None:
            replace_file(path / name, content, path / layout.PARTIAL / f"{name}.new")


def _unseal(path: Path) -> bool:
    """Take away what speaks of the bundle as it was; whether it was signed."""
    signed = any(os.path.lexists(path / name) for name in layout.SIGNATURES)
    with writing(path):
        for name in layout.SEALED:
            (path / name).unlink(missing_ok=True)
    return signed
