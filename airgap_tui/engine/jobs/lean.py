"""A finished bundle without the layers that the offline side has: what `export --have` writes.

The bundle itself stays as it is. What goes onto the media has another inventory, which says what it
assumes, so a signature of the whole bundle does not cover it and is made anew.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.durable import read_note, replace_file, writing
from airgap_tui.engine.bundle.inventory import MAX_BYTES, Inventory
from airgap_tui.engine.bundle.media.extent import Extent, Place
from airgap_tui.engine.bundle.media.stored_files import Storage, StoredFiles
from airgap_tui.engine.bundle.names import present
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.signatures import ssh_signature
from airgap_tui.engine.bundle.signatures.signature import Signature, Standing
from airgap_tui.engine.bundle.signatures.signed_bundle import (
    MAX_SIGNATURE_BYTES,
    allowed_signers,
    check,
)
from airgap_tui.engine.bundle.signatures.ssh_signer import Signer
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.events import Note, Sink
from airgap_tui.engine.jobs.export_spec import Carrying, ExportSpec
from airgap_tui.engine.jobs.known import known_of
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.quantities import count, size
from airgap_tui.engine.settings import STATE_REMEDY, Settings

_SIGNED = "signed"


class _Lean(StoredFiles):
    """The files of a bundle, some of them replaced by `made` ones, others hidden."""

    def __init__(self, whole: Storage, made: Mapping[str, Path], hidden: frozenset[str]) -> None:
        self.location = whole.location
        self._whole = whole
        self._made = made
        self._hidden = hidden

    def extent(self, name: str) -> Place | None:
        made = self._made.get(name)
        if made is not None:
            return Extent(made, 0, made.stat().st_size)
        return None if name in self._hidden else self._whole.extent(name)

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        for name, length in self._whole.names(prefix):
            if name not in self._hidden and name not in self._made:
                yield name, length
        for name, path in self._made.items():
            if name.startswith(prefix):
                yield name, path.stat().st_size


@contextlib.contextmanager
def without_known(
    whole: BundleReader,
    spec: ExportSpec,
    signer: Signer | None,
    sink: Sink,
    token: CancelToken,
) -> Iterator[Carrying]:
    """The bundle less what receipts and delivery codes say that the offline side has.

    Raises as `known_of` and, with a `signer`, that does, and `UsageError` for a signed
    bundle without a key to sign anew with.
    """
    storage, settings = whole.storage, spec.settings
    if spec.key is None and any(storage.extent(name) is not None for name in layout.SIGNATURES):
        raise UsageError(
            f"{storage.location} is signed as a whole, and --have leaves out a part of it",
            hint="Name the key with --sign: what is carried is signed again, the bundle stays.",
        )
    known = known_of(spec.have, spec.codes, settings, sink, token)
    inventory = Inventory.parse(storage.read(layout.INVENTORY, MAX_BYTES), str(storage.location))
    closures = [whole.closure(item) for item in present(inventory)]
    before = inventory.assumed.keys()
    inventory.assumes = known.assumptions(closures, inventory.assumes)
    left_out = {
        digest: length
        for digest in inventory.assumed.keys() - before
        if (length := whole.size(digest)) is not None
    }
    files = count(len(left_out), "layer")
    total = sum(left_out.values())
    sink(Note(f"The offline side has {files} of the bundle: {size(total)} are left out"))
    content = inventory.format()
    made = {layout.INVENTORY: content}
    signature = Signature()
    if signer is not None:
        signature, made[layout.SSH_SIGNATURE] = _signed(content, signer, settings, token)
    hidden = {layout.blob_path(digest) for digest in left_out} | set(layout.SIGNATURES)
    with writing(settings.state_dir, STATE_REMEDY):
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        directory = tempfile.TemporaryDirectory(prefix="lean-", dir=settings.state_dir)
    with directory as name:
        paths = {file: Path(name) / file for file in made}
        for file, data in made.items():
            with writing(paths[file]):
                paths[file].write_bytes(data)
        lean = _Lean(storage, paths, frozenset(hidden))
        yield Carrying(BundleReader(lean, inventory, Digest.of(content)), signature, total)


def _signed(
    content: bytes, signer: Signer, settings: Settings, token: CancelToken
) -> tuple[Signature, bytes]:
    """The signature of an earlier run, where this key made one of the same content: an ECDSA key
    and one in hardware never make the same again, and then an export that was stopped would go on
    with volumes of another set."""
    allowed = allowed_signers(settings.trust)
    fingerprint = ssh_signature.fingerprint_of_key(signer.key, token)
    kept = settings.state_dir / _SIGNED / f"{Digest.of(fingerprint.encode() + content).hex}.sig"
    with contextlib.suppress(OSError):
        proof = read_note(kept, MAX_SIGNATURE_BYTES)
        found = check(content, proof, allowed, token)
        if found.standing in (Standing.GOOD, Standing.UNKNOWN_KEY):
            return found, proof
    proof = signer.sign(content)
    with writing(settings.state_dir, STATE_REMEDY):
        kept.parent.mkdir(parents=True, exist_ok=True)
    replace_file(kept, proof, kept.with_name(f".{kept.name}.new"))
    return check(content, proof, allowed, token), proof
