"""Makes a finished bundle ready to carry on the disk where it is: names, signature, the note for
whoever opens it, checksums, and everything physically on the disk.

Run again it changes nothing that is right, so it can be interrupted anywhere.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle import layout, remedies
from airgap_tui.engine.bundle.carried_tool import CarriedTool
from airgap_tui.engine.bundle.checksums import MAX_BYTES
from airgap_tui.engine.bundle.inventory import SIGNATURE, Item
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.room import mount_point
from airgap_tui.engine.bundle.seal import Seal, sealing
from airgap_tui.engine.bundle.signatures.signature import Signature
from airgap_tui.engine.bundle.signatures.ssh_signer import Signer
from airgap_tui.engine.bundle.tool_writer import remove_tool
from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.bundle.volumes.start_here import Place, start_here
from airgap_tui.engine.bundle.volumes.transfer_sheet import Sheet, SheetVolume
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ContentMismatch
from airgap_tui.engine.events import (
    ItemState,
    JobFinished,
    JobStarted,
    Note,
    Sink,
)
from airgap_tui.engine.jobs.carried import record
from airgap_tui.engine.jobs.carry import ToolSpec, settle
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.sheets import check_sheets, write_sheets
from airgap_tui.engine.jobs.sign import make_ready, signature_to_carry, signing
from airgap_tui.engine.jobs.unfinished import not_carried
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.quantities import count
from airgap_tui.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class SealSpec:
    """`key` None leaves the signature that is there, if any; else see `SignSpec`. `sheets` are
    transfer sheets to write, in the form that the end of each name says. `tool` None takes the tool
    out of the bundle, if it is there."""

    bundle: Path
    key: Path | None = None
    settings: Settings = field(default_factory=Settings)
    sheets: tuple[Path, ...] = ()
    tool: ToolSpec | None = None


@dataclass(frozen=True, slots=True)
class SealResult:
    """Items are failed where their save did not finish: the bundle is sealed without them.
    `mounted` is where the disk is mounted; `changed` are the files that were written."""

    items: tuple[ItemResult, ...]
    signature: Signature
    mounted: Path
    changed: tuple[str, ...]
    bytes: int
    seconds: float
    tool: CarriedTool | None = None

    @property
    def exit_code(self) -> int:
        return combined_exit_code(self.items)

    def to_json(self) -> dict[str, Any]:
        return {
            "items": [item.to_json() for item in self.items],
            "signature": self.signature.to_json(),
            "mounted": str(self.mounted),
            "changed": list(self.changed),
            "bytes": self.bytes,
            "tool": self.tool.to_json() if self.tool else None,
            "seconds": round(self.seconds, 3),
        }


def run(spec: SealSpec, sink: Sink, token: CancelToken) -> SealResult:
    """Seal a bundle. Raises as `sealing` and `Signer` do, `ContentMismatch` where files of a
    finished item are not there, and `SignatureRefused` for a signature that is not of it."""
    started = time.monotonic()
    check_sheets(spec.sheets)
    with signing(spec.key, sink, token) as signer, sealing(spec.bundle, "seal") as seal:
        if signer is not None:
            make_ready(seal, signer, spec.settings, token)
        names = tuple(item.name for item in seal.bundle.items)
        sink(JobStarted("seal", str(spec.bundle), names))
        items = _items(seal.bundle, sink, token)
        seal.write_names()
        tool = _tool(spec, seal, signer, sink, token)
        signature = signature_to_carry(seal, signer, spec.settings, token)
        content = sum(size for _name, size in seal.bundle.storage.names(layout.BLOBS))
        changed = _notes(seal, signature, content, tool is not None, token)
        token.check()
        sink(Note("Waiting until everything is on the disk"))
        seal.sync()
        record(seal.bundle, spec.settings.state_dir, sink, token)
        if spec.sheets:
            write_sheets(spec.sheets, _sheet(seal, signature, tool))
    result = SealResult(
        items,
        signature,
        mount_point(spec.bundle),
        changed,
        content,
        time.monotonic() - started,
        tool,
    )
    sink(JobFinished("seal", result.exit_code))
    return result


def _tool(
    spec: SealSpec, seal: Seal, signer: Signer | None, sink: Sink, token: CancelToken
) -> CarriedTool | None:
    if spec.tool is not None:
        return settle(seal, spec.tool, spec.settings, sink, token, signer=signer)
    if remove_tool(seal):
        sink(Note("airgap-tui itself is taken out of the bundle"))
    return None


def _sheet(seal: Seal, signature: Signature, tool: CarriedTool | None) -> Sheet:
    """The bundle as a set of one; its checksums stand for all of it."""
    storage = seal.bundle.storage
    sums = seal.read(layout.CHECKSUMS, MAX_BYTES) or b""
    volume = SheetVolume(
        1,
        Form.DIRECTORY.value,
        sum(size for _name, size in storage.names()),
        layout.CHECKSUMS,
        Digest.of(sums).hex,
    )
    return Sheet(seal.bundle.inventory, signature, (volume,), tool)


def _items(bundle: BundleReader, sink: Sink, token: CancelToken) -> tuple[ItemResult, ...]:
    lost = {result.reference: result for result in not_carried(bundle, sink)}
    results = []
    for item in bundle.items:
        token.check()
        if item.kind != SIGNATURE:
            results.append((lost.get(item.name) or _item(bundle, item)).told(sink))
    return tuple(results)


def _item(bundle: BundleReader, item: Item) -> ItemResult:
    absent = bundle.lacking(bundle.closure(item))
    if absent:
        raise ContentMismatch(
            f"{item.name}: {count(len(absent), 'file')} missing or damaged in the bundle, as"
            f" {absent[0].digest}",
            hint=remedies.not_whole(bundle),
        )
    return ItemResult(item.name, ItemState.DONE, str(item.digest or ""), item.bytes)


def _notes(
    seal: Seal, signature: Signature, content: int, tool: bool, token: CancelToken
) -> tuple[str, ...]:
    """`START-HERE.txt`, then the checksums, which cover it: gone while they are not right."""
    text = start_here(seal.bundle.inventory, content, signature, Place(tool=tool))
    changed = []
    if seal.read(layout.START_HERE, 1024 * 1024) != text:
        seal.remove(layout.CHECKSUMS)
        seal.write(layout.START_HERE, text)
        changed.append(layout.START_HERE)
    if seal.write_checksums(token):
        changed.append(layout.CHECKSUMS)
    return tuple(changed)
