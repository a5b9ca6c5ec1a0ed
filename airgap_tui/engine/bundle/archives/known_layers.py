"""Stored layers by their content and by the layer they replace, so that none is made twice."""

from __future__ import annotations

from airgap_tui.engine.bundle.blob_store import BlobStore
from airgap_tui.engine.bundle.encoding.codec import Codec, layer_media_type
from airgap_tui.engine.bundle.inventory import Inventory, LayerRecord
from airgap_tui.engine.bundle.inventory_file import InventoryFile
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest


class KnownLayers:
    """The layers of an inventory, for many threads."""

    def __init__(self, file: InventoryFile, store: BlobStore) -> None:
        self._file = file
        self._store = store
        self._by_diff_id: dict[Digest, Digest] = {}
        self._by_original: dict[Digest, Digest] = {}
        for digest, record in file.inventory.layers.items():
            self._index(digest, record)

    def record(self, digest: Digest, record: LayerRecord) -> None:
        """Note what is known of a stored layer."""

        def change(inventory: Inventory) -> None:
            inventory.layers[digest] = record
            self._index(digest, record)

        self._file.change(change)

    def with_content(self, diff_id: Digest, codec: Codec) -> Descriptor | None:
        """A stored layer with this unpacked content and codec."""
        return self._stored(self._by_diff_id, diff_id, codec)

    def replacing(self, original: Digest, codec: Codec) -> Descriptor | None:
        """The stored layer of this codec that a layer of the source was re-encoded to."""
        return self._stored(self._by_original, original, codec)

    def _index(self, digest: Digest, record: LayerRecord) -> None:
        if record.diff_id is not None:
            self._by_diff_id[record.diff_id] = digest
        if record.replaces is not None:
            self._by_original[record.replaces] = digest

    def _stored(self, index: dict[Digest, Digest], key: Digest, codec: Codec) -> Descriptor | None:
        def look(inventory: Inventory) -> tuple[Digest, str] | None:
            digest = index.get(key)
            record = inventory.layers.get(digest) if digest is not None else None
            return None if digest is None or record is None else (digest, record.media_type)

        found = self._file.look(look)
        if found is None:
            return None
        digest, media_type = found
        size = self._store.size(digest)
        wanted = (layer_media_type("oci", codec), layer_media_type("docker", codec))
        if size is None or media_type not in wanted:
            return None
        return Descriptor(media_type, digest, size)
