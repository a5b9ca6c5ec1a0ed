"""Reads a bundle in place: a source for push, load and serve, wherever its files are.

Needs no lock: a writer replaces its files in one step and never changes content.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from airgap_tui.engine.bundle import layout, names
from airgap_tui.engine.bundle.closure import closure_below, sizes_below
from airgap_tui.engine.bundle.damage import read_damaged
from airgap_tui.engine.bundle.inventory import MAX_BYTES, SIGNATURE, Inventory, Item
from airgap_tui.engine.bundle.media.extent import Place
from airgap_tui.engine.bundle.media.storage import DirectoryStorage, open_storage
from airgap_tui.engine.bundle.media.stored_files import Storage
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    ContentError,
    ContentMismatch,
    MalformedContent,
    NotFound,
    UsageError,
)
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.oci import image_config, manifest, media_types
from airgap_tui.engine.oci.content import Closure, Reader
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.image_config import ImageConfig
from airgap_tui.engine.oci.manifest import Index, Manifest
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference

if TYPE_CHECKING:
    from airgap_tui.engine.bundle.volumes.volume_set import VolumeSet

_GROWTH = {
    media_types.OCI_LAYER: 1.0,
    media_types.DOCKER_LAYER: 1.0,
    media_types.OCI_LAYER_ZSTD: 3.0,
    media_types.DOCKER_LAYER_ZSTD: 3.0,
}
_USUAL_GROWTH = 2.5


class BundleReader:
    """An opened bundle. Safe to use from several threads; `source` gives it to a transfer.

    `volumes` is its storage where it lies on the volumes of a set."""

    def __init__(
        self, storage: Storage, inventory: Inventory, inventory_digest: Digest | None = None
    ) -> None:
        """`inventory_digest` is of the bytes that the inventory was read from."""
        self.storage = storage
        self.volumes: VolumeSet | None = None
        self.inventory = inventory
        self.inventory_digest = inventory_digest
        self._bases: tuple[Storage, ...] = ()
        noted = isinstance(storage, DirectoryStorage)
        self._damaged = read_damaged(storage.location) if noted else frozenset[Digest]()

    @classmethod
    def open(cls, path: Path, *others: Path) -> BundleReader:
        """Open a directory, a tar file, an ISO image or a drive; with several paths, the volumes of
        one set that lie there; also an OCI layout of another tool.

        Raises `NotFound`, `UsageError` (no bundle, or not of one set), `UnsupportedBundle`,
        `MalformedContent` (also for name files that disagree with the inventory) and
        `UnsafeContent`.
        """
        storages = [open_storage(place) for place in dict.fromkeys((path, *others))]
        if len(storages) == 1 and storages[0].extent(layout.VOLUME) is None:
            return cls._open(storages[0], path)
        # Most bundles lie in one directory, and importing what sets need takes time.
        from airgap_tui.engine.bundle.volumes.volume_set import VolumeSet

        volumes = VolumeSet.of(storages)
        reader = cls._open(volumes, path)
        reader.volumes = volumes
        if volumes.missing and volumes.cut:
            roots = [names.root_of(item) for item in names.present(reader.inventory)]
            volumes.settle(sizes_below(roots, reader._load))
        return reader

    @classmethod
    def _open(cls, storage: Storage, path: Path) -> BundleReader:
        if storage.extent(layout.INVENTORY) is not None:
            raw = storage.read(layout.INVENTORY, MAX_BYTES)
            inventory = Inventory.parse(raw, str(path))
            if not inventory.saving:
                names.check_agreement(
                    names.present(inventory),
                    _index_entries(storage),
                    _docker_entries(storage),
                    str(path),
                )
            return cls(storage, inventory, Digest.of(raw))
        if storage.extent(layout.INDEX) is not None:
            return cls(storage, _foreign_inventory(storage))
        if path.is_dir() and layout.is_new(path):
            return cls(storage, Inventory.new(path.name, None))
        raise UsageError(
            f"{path} is not a bundle: it has neither {layout.INVENTORY} nor {layout.INDEX}",
            hint="Name the directory that save or import filled, or a tar or ISO of it.",
        )

    @property
    def locations(self) -> tuple[Path, ...]:
        """Its path, or the paths of its volumes."""
        if self.volumes is None:
            return (self.storage.location,)
        return tuple(medium.location for medium in self.volumes.media)

    @property
    def name(self) -> str:
        return self.inventory.name or self.storage.location.name

    @property
    def items(self) -> tuple[Item, ...]:
        return self.inventory.items

    def extent(self, digest: Digest) -> Place | None:
        """Where some content lies, to be sent from there; None where it is absent."""
        name = layout.blob_path(digest)
        own = self.storage.extent(name)
        if own is not None or not self._bases:
            return own
        return next((e for base in self._bases if (e := base.extent(name)) is not None), None)

    def lean_on(self, others: Iterable[BundleReader]) -> None:
        """Read what this bundle leaves out on purpose from these other open bundles."""
        if self.inventory.assumes:
            self._bases = tuple(other.storage for other in others if other is not self)

    def size(self, digest: Digest) -> int | None:
        """The size of some content; None where it is not there."""
        name = layout.blob_path(digest)
        own = self.storage.size(name)
        if own is not None or not self._bases:
            return own
        return next((n for base in self._bases if (n := base.size(name)) is not None), None)

    def stored(self) -> Iterator[Digest]:
        """The digests of all content, needed by an item or not."""
        for name, _size in self.storage.names(layout.BLOBS):
            if (digest := layout.digest_of_path(name)) is not None:
                yield digest

    def holds(self, blob: Descriptor) -> bool:
        """Whether content is there with its size and not noted as damaged."""
        try:
            size = self.size(blob.digest)
        except ContentError:
            return False
        return size == blob.size and blob.digest not in self._damaged

    def lacking(self, closure: Closure) -> tuple[Descriptor, ...]:
        """What of a closure should be here and is not whole: layers left out on purpose are not
        among it."""
        assumed = self.inventory.assumed if self.inventory.assumes else {}
        return tuple(
            blob for blob in closure.needed if not self.holds(blob) and blob.digest not in assumed
        )

    def document(self, digest: Digest, media_type: str = "") -> Manifest | Index:
        """A stored manifest or index, checked. Raises `NotFound`, `MalformedContent`,
        `ContentMismatch`."""
        raw = self._read(digest, manifest.MAX_BYTES)
        return manifest.parse(raw, media_type, f"{self.storage.location}: {digest}")

    def config(self, image: Manifest) -> ImageConfig:
        """An image's config, checked. Raises as `document` does."""
        raw = self._read(image.config.digest, image_config.MAX_BYTES)
        return ImageConfig.parse(raw, f"{self.storage.location}: {image.config.digest}")

    def check_config(self, image: Manifest) -> None:
        """Raises as `config` does, and `MalformedContent` where it is that of another image."""
        config = self.config(image)
        if len(config.diff_ids) != len(image.layers):
            raise MalformedContent(
                f"{image.digest} names {len(image.layers)} layers, and its config"
                f" {len(config.diff_ids)}"
            )

    def closure(self, item: Item) -> Closure:
        """Everything that an item needs, with the signatures of it that are there.

        Raises `NotFound`, `MalformedContent` or `ContentMismatch` where a manifest is not whole."""
        closure = closure_below(item.reference, names.root_of(item), self._load)
        signatures = tuple(
            closure_below(other.reference, names.root_of(other), self._load)
            for other in self.items
            if other.kind == SIGNATURE
            and other.subject == item.digest
            and other.digest
            and other.state is ItemState.DONE
        )
        platforms = closure.platforms or (() if item.platform is None else (item.platform,))
        return replace(
            closure, platforms=platforms, index_digest=item.index_digest, signatures=signatures
        )

    def uncompressed_size(self, image: Manifest) -> int:
        """Bytes of an image's layers when unpacked: as recorded, else estimated."""
        total = 0
        for layer in image.layers:
            record = self.inventory.layers.get(layer.digest)
            if record is not None and record.uncompressed_size:
                total += record.uncompressed_size
            else:
                total += round(layer.size * _GROWTH.get(layer.media_type, _USUAL_GROWTH))
        return total

    @property
    def source(self) -> BundleSource:
        """This bundle as the source of a transfer."""
        return BundleSource(self)

    def open_blob(self, digest: Digest, offset: int = 0) -> Reader:
        """Stored content from `offset` on, unverified. Raises `NotFound`."""
        name = layout.blob_path(digest)
        if self._bases and self.storage.extent(name) is None:
            for base in self._bases:
                if base.extent(name) is not None:
                    return base.open(name, offset)
        return self.storage.open(name, offset)

    def below(self, reference: Reference, root: Descriptor) -> Closure:
        """The closure of any stored manifest or index. Raises as `document` does."""
        return closure_below(reference, root, self._load)

    def _load(self, descriptor: Descriptor) -> Manifest | Index:
        return self.document(descriptor.digest, descriptor.media_type)

    def _read(self, digest: Digest, limit: int) -> bytes:
        raw = self.storage.read(layout.blob_path(digest), limit)
        if Digest.of(raw, digest.algorithm) != digest:
            raise ContentMismatch(
                f"{self.storage.location}: {digest} holds other content than its name says",
                hint="Run the save again: it fetches that blob again.",
            )
        return raw


class BundleSource:
    """Implements `content.Source` over an opened bundle."""

    def __init__(self, reader: BundleReader) -> None:
        self._reader = reader

    def resolve(
        self, reference: Reference, platform: Platform | None, token: CancelToken
    ) -> Closure:
        """The closure of a name; with a platform, of the one image that it names there."""
        token.check()
        reader = self._reader
        item = reader.inventory.find(reference)
        if item is None or item.digest is None:
            raise NotFound(
                f"{reader.storage.location} does not hold {reference}",
                hint="airgap-tui verify  lists what it holds.",
            )
        closure = reader.closure(item)
        if platform is None or not isinstance(closure.root, Index):
            return closure
        child = closure.root.choose(platform, str(reference))
        chosen = reader.below(reference, child)
        platforms = (child.platform,) if child.platform else ()
        return replace(chosen, platforms=platforms, index_digest=closure.root.digest)

    def open(
        self, reference: Reference, blob: Descriptor, offset: int, token: CancelToken
    ) -> Reader:
        token.check()
        return self._reader.open_blob(blob.digest, offset)


def _index_entries(storage: Storage) -> tuple[Descriptor, ...] | None:
    if storage.extent(layout.INDEX) is None:
        return None
    raw = storage.read(layout.INDEX, names.MAX_BYTES)
    return names.parse_index(raw, str(storage.location))


def _docker_entries(storage: Storage) -> tuple[names.DockerEntry, ...] | None:
    if storage.extent(layout.DOCKER_MANIFEST) is None:
        return None
    raw = storage.read(layout.DOCKER_MANIFEST, names.MAX_BYTES)
    return names.parse_docker_manifest(raw, str(storage.location))


_NOT_A_COMPONENT = re.compile(r"[^a-z0-9]+")


def _foreign_inventory(storage: Storage) -> Inventory:
    where = _NOT_A_COMPONENT.sub("-", storage.location.stem.lower()).strip("-") or "bundle"
    inventory = Inventory("", storage.location.name, "", platform=None)
    items, refused = names.foreign_items(_index_entries(storage) or (), where)
    if refused:
        raise MalformedContent(
            f"{storage.location}: {layout.INDEX} holds {refused[0]!r}, which is not an image name"
        )
    for item in items.values():
        inventory.put(item)
    return inventory
