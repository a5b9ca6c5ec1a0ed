"""What is written at the end of a save from what has been stored: names and checksums."""

from __future__ import annotations

from airgap_tui.engine.bundle import layout, names
from airgap_tui.engine.bundle.blob_store import BlobStore
from airgap_tui.engine.bundle.inventory import MAX_BYTES, Inventory
from airgap_tui.engine.bundle.media.stored_files import Storage, sha256_of
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.oci import manifest
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest


def name_files(inventory: Inventory, storage: Storage) -> tuple[tuple[str, bytes], ...]:
    """Name and content of `index.json` and `manifest.json`."""

    def document(descriptor: Descriptor) -> Manifest | Index:
        raw = storage.read(layout.blob_path(descriptor.digest), manifest.MAX_BYTES)
        return manifest.parse(raw, descriptor.media_type, str(descriptor.digest))

    return (
        (layout.INDEX, names.index_json(inventory)),
        (layout.DOCKER_MANIFEST, names.manifest_json(inventory, document)),
    )


def checksums_of(storage: Storage, store: BlobStore, token: CancelToken) -> dict[str, str]:
    """SHA-256 in hex by name, of the files and of all blobs; those that are named by theirs are not
    read again."""
    sums = {}
    for name, _size in storage.names():
        token.check()
        digest = layout.digest_of_path(name)
        if digest is not None and digest.algorithm == "sha256":
            sums[name] = digest.hex
        elif digest is not None:
            sums[name] = store.sha256(digest, token)
        elif name in layout.FILES:
            sums[name] = Digest.of(storage.read(name, MAX_BYTES)).hex
        elif name.startswith(f"{layout.TOOL}/"):
            sums[name] = sha256_of(storage, name)
    return sums
