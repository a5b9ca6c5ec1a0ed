"""`index.json` and `manifest.json`: the names of a bundle as other tools read them.

Both follow from the inventory. They are written for skopeo, podman, containerd and Docker, and are
never where this program takes names from: one that disagrees with the inventory is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.inventory import IMAGE, Inventory, Item
from airgap_tui.engine.errors import AirgapError, InvalidReference, MalformedContent, UnsafeContent
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.json_text import parse_json
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest
from airgap_tui.engine.oci.platform import DEFAULT_PLATFORM, Platform
from airgap_tui.engine.oci.reference import Reference

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
ITEM_NAME = "vnd.airgap-tui.item"
MAX_BYTES = 64 * 1024 * 1024
_DEEPEST = 8

Document = Callable[[Descriptor], "Manifest | Index"]


@dataclass(frozen=True, slots=True)
class DockerEntry:
    """One image of `manifest.json`: its config, its layers and its tagged names."""

    config: Digest
    layers: tuple[Digest, ...]
    names: tuple[str, ...]


def present(inventory: Inventory) -> tuple[Item, ...]:
    """The items that other tools get to see: those that are whole."""
    return tuple(
        item for item in inventory.items if item.state is ItemState.DONE and item.digest is not None
    )


def index_json(inventory: Inventory) -> bytes:
    """One entry per name, sorted by name: equal inventories give equal bytes."""
    entries = [_entry(item).to_json() for item in present(inventory)]
    value = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}
    return json.dumps(value, separators=(",", ":")).encode()


def root_of(item: Item) -> Descriptor:
    """The descriptor of an item's root, which is known once content was found for it."""
    if item.digest is None:
        raise MalformedContent(f"{item.name} has no digest yet")
    media_type = item.media_type or media_types.OCI_MANIFEST
    return Descriptor(media_type, item.digest, item.size, artifact_type=item.artifact_type)


def _entry(item: Item) -> Descriptor:
    if item.kind == IMAGE:
        # Readers cut index entries down by platform, so an item of one names it.
        annotations = {CONTAINERD_NAME: item.name}
        if layout.is_ref_name(item.name):
            annotations[REF_NAME] = item.name
        return replace(root_of(item), annotations=annotations, platform=item.platform)
    return replace(root_of(item), annotations={ITEM_NAME: item.name})


def manifest_json(inventory: Inventory, document: Document) -> bytes:
    """The `manifest.json` of docker-archive: every image that Docker can load, one platform a name.

    `document` reads a stored manifest. An image whose manifest cannot be read is left out.
    """
    wanted = inventory.platform or DEFAULT_PLATFORM
    entries: dict[Digest, dict[str, Any]] = {}
    for item in present(inventory):
        if item.kind != IMAGE:
            continue
        try:
            manifest = image_for(root_of(item), wanted, document)
        except AirgapError:
            continue
        if manifest is None or not _docker_reads(manifest):
            continue
        entry = entries.setdefault(
            manifest.digest,
            {
                "Config": layout.blob_path(manifest.config.digest),
                "RepoTags": [],
                "Layers": [layout.blob_path(layer.digest) for layer in manifest.layers],
            },
        )
        if item.reference.tag:
            entry["RepoTags"].append(item.name)
    return json.dumps(list(entries.values()), separators=(",", ":")).encode()


def image_for(root: Descriptor, wanted: Platform, document: Document) -> Manifest | None:
    """The one image that a name stands for in an engine: the platform's, or the first."""
    found = document(root)
    depth = 0
    while isinstance(found, Index):
        children = [c for c in found.manifests if c.platform is None or c.platform.known]
        depth += 1
        if depth > _DEEPEST:
            raise UnsafeContent(f"{root.digest}: indexes are nested too deeply")
        if not children:
            return None
        try:
            child = found.choose(wanted, "index")
        except AirgapError:
            child = children[0]
        found = document(child)
    return found if found.is_image else None


def _docker_reads(manifest: Manifest) -> bool:
    return all(layer.media_type in media_types.LAYERS for layer in manifest.layers)


def parse_index(raw: bytes, where: str) -> tuple[Descriptor, ...]:
    """The entries of `index.json`; raises `MalformedContent`."""
    value = _json(raw, f"{where}: {layout.INDEX}")
    entries = value.get("manifests") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise MalformedContent(f"{where}: {layout.INDEX} holds no list of manifests")
    return tuple(Descriptor.from_json(entry, f"{where}: {layout.INDEX}") for entry in entries)


def parse_docker_manifest(raw: bytes, where: str) -> tuple[DockerEntry, ...]:
    """The entries of `manifest.json`; raises `MalformedContent`."""
    name = f"{where}: {layout.DOCKER_MANIFEST}"
    value = _json(raw, name)
    if not isinstance(value, list):
        raise MalformedContent(f"{name} is not a list")
    return tuple(_docker_entry(entry, name) for entry in value)


def _docker_entry(entry: object, name: str) -> DockerEntry:
    if not isinstance(entry, dict):
        raise MalformedContent(f"{name}: an entry is not an object")
    layers, names = entry.get("Layers") or [], entry.get("RepoTags") or []
    paths = [entry.get("Config"), *layers] if isinstance(layers, list) else [None]
    found = [layout.digest_of_path(path) if isinstance(path, str) else None for path in paths]
    digests = [digest for digest in found if digest is not None]
    if len(digests) != len(found) or not isinstance(names, list):
        raise MalformedContent(f"{name}: an entry names something outside blobs")
    return DockerEntry(digests[0], tuple(digests[1:]), tuple(str(text) for text in names))


def _json(raw: bytes, name: str) -> Any:
    try:
        return parse_json(raw, name)
    except ValueError:
        raise MalformedContent(f"{name} is not JSON") from None


def entry_name(entry: Descriptor) -> str:
    """The name that an entry of `index.json` gives; empty where it gives none."""
    for key in (ITEM_NAME, CONTAINERD_NAME, REF_NAME):
        if name := entry.annotations.get(key, ""):
            return name
    return ""


def check_agreement(
    items: Iterable[Item],
    entries: Iterable[Descriptor] | None,
    docker_entries: Iterable[DockerEntry] | None,
    where: str,
) -> None:
    """Refuse name files that contradict the inventory; None is an absent file.

    Raises `MalformedContent`, which names the file and the name.
    """
    named = {item.name: item for item in items}
    hint = "Somebody changed it after it was saved. Save or copy the bundle again."
    if entries is not None:
        seen = set()
        for entry in entries:
            names = {
                entry.annotations[key]
                for key in (ITEM_NAME, CONTAINERD_NAME, REF_NAME)
                if key in entry.annotations
            }
            for name in sorted(names) or [""]:
                item = named.get(name)
                if item is None or item.digest != entry.digest:
                    raise MalformedContent(
                        f"{where}: {layout.INDEX} says that {name or 'something without a name'} is"
                        f" {entry.digest}, and {layout.INVENTORY} does not",
                        hint=hint,
                    )
                seen.add(name)
        for name in sorted(named.keys() - seen):
            raise MalformedContent(f"{where}: {layout.INDEX} leaves out {name}", hint=hint)
    tags = {tag for entry in docker_entries or () for tag in entry.names}
    for tag in sorted(tags - named.keys()):
        raise MalformedContent(
            f"{where}: {layout.DOCKER_MANIFEST} holds {tag}, and {layout.INVENTORY} does not",
            hint=hint,
        )


def foreign_items(
    entries: Iterable[Descriptor], where_name: str
) -> tuple[Mapping[str, Item], tuple[str, ...]]:
    """Items for a layout that another tool wrote, by its `index.json`; and the names that are none.

    A name that is only a tag goes under `localhost/<where_name>`, as podman does.
    """
    items: dict[str, Item] = {}
    refused = []
    for entry in entries:
        name = entry_name(entry)
        if not name:
            name = f"localhost/{where_name}@{entry.digest}"
        elif not set(":/@") & set(name):
            name = f"localhost/{where_name}:{name}"
        try:
            reference = Reference.parse(name)
        except InvalidReference:
            refused.append(name)
            continue
        item = Item(
            replace(reference, digest=None) if reference.tag else reference,
            ItemState.DONE,
            digest=entry.digest,
            media_type=entry.media_type,
            size=entry.size,
            platform=entry.platform,
            origin="archive",
        )
        items.setdefault(item.name, item)
    return items, tuple(refused)
