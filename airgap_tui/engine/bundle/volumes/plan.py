"""How a finished bundle goes onto volumes, in numbers: nothing is written, no layer is read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.inventory import MAX_BYTES
from airgap_tui.engine.bundle.needs import needs_of
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.signatures.signature import Signature
from airgap_tui.engine.bundle.tool_files import tool_sums
from airgap_tui.engine.bundle.volumes.arrangement import UNKNOWN, VolumeLayout, lay_out
from airgap_tui.engine.bundle.volumes.asked import Asked
from airgap_tui.engine.bundle.volumes.medium import Form, Medium
from airgap_tui.engine.bundle.volumes.packing import BundleFile, Part, pack
from airgap_tui.engine.bundle.volumes.start_here import Place, start_here
from airgap_tui.engine.bundle.volumes.volume import MAX_COUNT, Volume
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, ContentMismatch, NotFound, UsageError
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.quantities import count as counted

_SHARED = (
    layout.OCI_LAYOUT,
    layout.INDEX,
    layout.DOCKER_MANIFEST,
    layout.INVENTORY,
    *layout.SIGNATURES,
)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_BUNDLE_ID = re.compile(r"[0-9A-Za-z-]{0,64}")
_LONGEST_NAME = 40
_VERSION = 1
"""Changes where the same bundle would be packed in another way."""


@dataclass(frozen=True, slots=True)
class VolumePlan:
    """The volumes of one set. `sums` are the SHA-256 in hex of the files whose names do not tell;
    those of pieces are not known yet. `note` is the first volume's `START-HERE.txt`."""

    form: Form
    name: str
    identity: Volume
    volumes: tuple[tuple[Part, ...], ...]
    sums: Mapping[str, str]
    note: bytes
    epoch: int

    @property
    def count(self) -> int:
        return len(self.volumes)

    def name_of(self, number: int) -> str:
        """The file or directory of a volume on its medium."""
        return _name_of(self.name, self.form, number, self.count)

    def lay_out(self, number: int, sums: Mapping[str, str]) -> VolumeLayout:
        """A volume in full; `sums` are those of pieces, whose digests are unknown without."""
        parts = self.volumes[number - 1]
        found = {part.path: _sum_of(part, self.sums, sums) for part in parts}
        identity = replace(self.identity, number=number)
        made = {layout.START_HERE: self.note}
        return lay_out(self.name_of(number), self.form, identity, parts, found, made)


def plan_volumes(
    bundle: BundleReader,
    medium: Medium,
    form: Form,
    signature: Signature,
    token: CancelToken,
    *,
    with_tool: bool = False,
    update: bool = False,
) -> VolumePlan:
    """The volumes of a bundle, which is signed as `signature` says; the tool that is in the bundle
    goes onto the first with `with_tool`. `update` says that the bundle is not as it lies there, but
    without what the offline side has.

    Raises `UsageError` where it is not a finished bundle of ours or a volume is too small, and
    `ContentMismatch` where files of it are missing.
    """
    inventory, storage = bundle.inventory, bundle.storage
    where = storage.location
    if not inventory.id:
        raise UsageError(
            f"{where} was not saved by airgap-tui: it has no {layout.INVENTORY}",
            hint="Save its images into a new bundle.",
        )
    if inventory.saving:
        raise AirgapError(
            f"{where}: the last save did not finish",
            hint="Run the save again: it continues where it stopped.",
        )
    if not bundle.items:
        raise NotFound(f"{where} holds no image", hint="Save or import images into it first.")
    shared, sums = [], {}
    for name in _SHARED:
        if storage.extent(name) is not None:
            content = storage.read(name, MAX_BYTES)
            shared.append(BundleFile(name, len(content)))
            sums[name] = Digest.of(content).hex
    tool = _tool(bundle) if with_tool else {}
    blobs = needed_blobs(bundle, token)
    name = _NOT_IN_NAMES.sub("-", bundle.name).strip("-.")[:_LONGEST_NAME] or "bundle"
    total = sum(blob.size for blob in blobs)

    def note(count: int) -> bytes:
        place = Place(form, _name_of(name, form, 1, count), 1, count, bool(tool))
        return start_here(inventory, total, signature, place)

    # How long the note is depends on how many volumes there are, which depends on how long it is.
    reserved = max(len(note(1)), len(note(MAX_COUNT)))
    only_first = (BundleFile(layout.START_HERE, reserved), *tool)
    packed = pack(shared, only_first, blobs, medium, form)
    text = note(len(packed))
    first = [
        replace(part, size=len(text)) if part.path == layout.START_HERE else part
        for part in packed[0]
    ]
    identity = Volume(
        set_id=_set_id(
            {**sums, **{file.path: sha256 for file, sha256 in tool.items()}}, blobs, medium, form
        ),
        number=1,
        count=len(packed),
        files=(),
        bundle_id=inventory.id if _BUNDLE_ID.fullmatch(inventory.id) else "",
        bundle_name=bundle.name[:200],
        tool=inventory.tool[:200],
        asked=Asked(form, medium.option, with_tool, update, update and bool(signature.form)),
    )
    return VolumePlan(
        form=form,
        name=name,
        identity=identity,
        volumes=(tuple(first), *packed[1:]),
        sums={
            **sums,
            **{file.path: sha256 for file, sha256 in tool.items()},
            layout.START_HERE: Digest.of(text).hex,
        },
        note=text,
        epoch=_epoch(inventory.updated or inventory.created),
    )


def _tool(bundle: BundleReader) -> dict[BundleFile, str]:
    """The files of the tool that is in the bundle, with their SHA-256 in hex."""
    storage, tool = bundle.storage, bundle.inventory.carried
    if tool is None:
        raise UsageError(f"{storage.location} holds no airgap-tui to carry")
    sums = {**tool_sums(storage, tool), layout.TOOL_SUMS: tool.sums.hex}
    sizes = dict(storage.names(f"{layout.TOOL}/"))
    missing = sorted(sums.keys() - sizes.keys())
    if missing:
        raise ContentMismatch(
            f"{storage.location}: {counted(len(missing), 'file')} of the carried airgap-tui"
            f" missing, as {missing[0]}",
            hint=f"Remove the directory {layout.TOOL} there, and give the same command again.",
        )
    return {BundleFile(path, sizes[path]): sums[path] for path in sorted(sums)}


def _name_of(name: str, form: Form, number: int, count: int) -> str:
    text = name if count == 1 else f"{name}-{number:0{len(str(count))}}-of-{count}"
    return text if form is Form.DIRECTORY else f"{text}.{form.value}"


def needed_blobs(bundle: BundleReader, token: CancelToken) -> list[BundleFile]:
    """The blobs that finished items need. Raises `ContentMismatch` where files are missing."""
    needs = needs_of(bundle, token)
    assumed = bundle.inventory.assumed
    missing = [
        need
        for digest, need in needs.items()
        if not need.present and not need.optional and digest not in assumed
    ]
    broken = [need for need in needs.values() if need.present and need.problems]
    if missing or broken:
        raise ContentMismatch(
            f"{bundle.storage.location}: {counted(len(missing) + len(broken), 'file')} of finished"
            " images missing or damaged",
            hint="airgap-tui verify  names them; the same save again fetches just these.",
        )
    found = []
    for digest in sorted(digest for digest, need in needs.items() if need.present):
        extent = bundle.extent(digest)
        if extent is not None:
            found.append(BundleFile(layout.blob_path(digest), extent.size))
    return found


def _set_id(sums: Mapping[str, str], blobs: list[BundleFile], medium: Medium, form: Form) -> str:
    """The same for the same bundle, size and format, so that one volume can be made again."""
    hasher = hashlib.sha256()
    limits = f"{medium.capacity} {medium.largest_file}"
    hasher.update(f"airgap-tui volumes {_VERSION} {form.value} {limits}\n".encode())
    for name in sorted(sums):
        hasher.update(f"{sums[name]} {name}\n".encode())
    for blob in blobs:
        hasher.update(f"{blob.size} {blob.path}\n".encode())
    return hasher.hexdigest()[:32]


def _sum_of(part: Part, known: Mapping[str, str], pieces: Mapping[str, str]) -> str:
    digest = layout.digest_of_path(part.path)
    if digest is not None and digest.algorithm == "sha256":
        return digest.hex
    return pieces.get(part.path) or known.get(part.path) or UNKNOWN


def _epoch(text: str) -> int:
    """Seconds of a time in ISO 8601; 0 where it is none."""
    try:
        return max(0, int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()))
    except (ValueError, OverflowError):
        return 0
