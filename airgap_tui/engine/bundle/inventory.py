"""What a bundle holds: `bundle.json`, read with bounds and written with sorted items.

Fields that this version does not know, of the same schema, are kept when it is written again.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airgap_tui import __version__
from airgap_tui.engine.bundle.fields import Fields, parse_value
from airgap_tui.engine.errors import MalformedContent, UnsupportedBundle
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.json_text import parse_json
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.platform import DEFAULT_PLATFORM, Platform
from airgap_tui.engine.oci.reference import Reference

if TYPE_CHECKING:
    from airgap_tui.engine.bundle.carried_tool import CarriedTool
    from airgap_tui.engine.bundle.receipts.assumption import Assumption

SCHEMA = 1
MAX_BYTES = 64 * 1024 * 1024
"""The largest inventory that is read: a thousand images with ten thousand layers need three MB."""

ALL_PLATFORMS = "all"
IMAGE = "image"
SIGNATURE = "signature"
ARTIFACT = "artifact"

_BROKEN = "Copy the bundle again from where it was saved, or save into a new directory."
_STATES = {s.value: s for s in (ItemState.DONE, ItemState.FAILED, ItemState.WAITING)}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that the bundle was asked to carry; `reference` is its name, without a pin.

    `digest`, `media_type` and `size` are the root manifest's; `bytes` counts everything below it.
    `platform` None is an index with all its platforms. `index_digest` is the index that one
    platform was chosen from, `source_digest` the root's digest at the source where ours differs.
    `signatures_lost` spoke of that one. `subject` is what a signature signs. `origin` is registry,
    docker, podman or archive. `saved_at` is UTC in ISO 8601.
    """

    reference: Reference
    state: ItemState = ItemState.WAITING
    kind: str = IMAGE
    digest: Digest | None = None
    media_type: str = ""
    size: int = 0
    bytes: int = 0
    platform: Platform | None = None
    index_digest: Digest | None = None
    source_digest: Digest | None = None
    origin: str = "registry"
    signatures_lost: tuple[str, ...] = ()
    subject: Digest | None = None
    error: str = ""
    saved_at: str = ""
    artifact_type: str = ""
    unknown: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        """The key of an item: what the content is called on the other side."""
        return self.reference.tagged_name

    @property
    def digests(self) -> frozenset[Digest]:
        """Every digest of its root, here and at the source."""
        known = (self.digest, self.index_digest, self.source_digest)
        return frozenset(digest for digest in known if digest is not None)

    @classmethod
    def from_json(cls, value: object) -> Item:
        """Read one entry of `items`; raises `MalformedContent`."""
        fields = Fields(value, "items")
        state = fields.text("state", ItemState.DONE.value)
        if state not in _STATES:
            raise MalformedContent(f"bundle.json: an item has the unknown state {state!r}")
        return cls(
            reference=parse_value(fields.text("reference"), Reference.parse, "items: reference"),
            state=_STATES[state],
            kind=fields.text("kind", IMAGE),
            digest=fields.parsed("digest", Digest.parse),
            media_type=fields.text("mediaType"),
            size=fields.count("size"),
            bytes=fields.count("bytes"),
            platform=fields.parsed("platform", _platform),
            index_digest=fields.parsed("indexDigest", Digest.parse),
            source_digest=fields.parsed("sourceDigest", Digest.parse),
            origin=fields.text("origin", "registry"),
            signatures_lost=fields.texts("signaturesLost"),
            subject=fields.parsed("subject", Digest.parse),
            error=fields.text("error"),
            saved_at=fields.text("savedAt"),
            artifact_type=fields.text("artifactType"),
            unknown=fields.rest(),
        )

    def to_json(self) -> dict[str, Any]:
        platform = "" if self.platform is None else str(self.platform)
        if self.platform is None and self.media_type in media_types.INDEXES:
            platform = ALL_PLATFORMS
        known = {
            "kind": self.kind,
            "reference": self.name,
            "state": self.state.value,
            "digest": _text(self.digest),
            "mediaType": self.media_type,
            "size": self.size,
            "bytes": self.bytes,
            "platform": platform,
            "indexDigest": _text(self.index_digest),
            "sourceDigest": _text(self.source_digest),
            "origin": self.origin,
            "signaturesLost": list(self.signatures_lost),
            "subject": _text(self.subject),
            "error": self.error,
            "savedAt": self.saved_at,
            "artifactType": self.artifact_type,
        }
        return {**{key: value for key, value in known.items() if value}, **self.unknown}


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """What is known of a stored layer besides its digest: `diff_id` is of its unpacked content, of
    `uncompressed_size` bytes; `replaces` is the layer at the source that it was re-encoded from."""

    diff_id: Digest | None = None
    uncompressed_size: int = 0
    replaces: Digest | None = None
    media_type: str = ""
    unknown: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def from_json(cls, value: object) -> LayerRecord:
        fields = Fields(value, "layers")
        return cls(
            diff_id=fields.parsed("diffId", Digest.parse),
            uncompressed_size=fields.count("uncompressedSize"),
            replaces=fields.parsed("replaces", Digest.parse),
            media_type=fields.text("mediaType"),
            unknown=fields.rest(),
        )

    def to_json(self) -> dict[str, Any]:
        known = {
            "diffId": _text(self.diff_id),
            "uncompressedSize": self.uncompressed_size,
            "replaces": _text(self.replaces),
            "mediaType": self.media_type,
        }
        return {**{key: value for key, value in known.items() if value}, **self.unknown}


@dataclass(slots=True)
class Inventory:
    """The content of `bundle.json`. Whoever changes one guards it against other threads.

    `saving` is true while a save is under way or was interrupted: only afterwards do `index.json`
    and `manifest.json` have to agree with it. `platform` None stands for all. `imported` says that
    it was merged from media, and so is on the offline side.
    """

    id: str
    name: str
    created: str
    updated: str = ""
    platform: Platform | None = DEFAULT_PLATFORM
    tool: str = __version__
    saving: bool = False
    layers: dict[Digest, LayerRecord] = field(default_factory=dict)
    assumes: tuple[Assumption, ...] = ()
    carried: CarriedTool | None = None
    imported: bool = False
    unknown: Mapping[str, Any] = field(default_factory=dict)
    _items: dict[str, Item] = field(default_factory=dict)

    @classmethod
    def new(cls, name: str, platform: Platform | None) -> Inventory:
        """An empty one for a directory of this name, which need not be UTF-8."""
        text = os.fsencode(name).decode(errors="replace")
        return cls(uuid.uuid4().hex, text, now(), platform=platform)

    @property
    def items(self) -> tuple[Item, ...]:
        """All items, sorted by name."""
        return tuple(self._items[name] for name in sorted(self._items))

    @property
    def assumed(self) -> dict[Digest, Assumption]:
        """The layers that are left out, each with the first receipt that lists it."""
        found: dict[Digest, Assumption] = {}
        for assumption in self.assumes:
            for digest in assumption.layers:
                found.setdefault(digest, assumption)
        return found

    def put(self, item: Item) -> None:
        """Add an item, or replace the one of the same name."""
        self._items[item.name] = item

    def remove(self, reference: Reference) -> Item | None:
        return self._items.pop(reference.tagged_name, None)

    def named(self, reference: Reference) -> Item | None:
        """The item of this name, whatever its content is."""
        return self._items.get(reference.tagged_name)

    def snapshot(self) -> Inventory:
        """A copy that later changes do not touch."""
        return replace(self, layers=dict(self.layers), _items=dict(self._items))

    def find(self, reference: Reference) -> Item | None:
        """The item of this name; where the reference has a digest, only if its content is that."""
        item = self.named(reference)
        if item is None or reference.digest is None or not reference.tag:
            return item
        return item if not item.digests or reference.digest in item.digests else None

    @classmethod
    def parse(cls, raw: bytes, where: str) -> Inventory:
        """Read the file's bytes; `where` names the bundle.

        Raises `UnsupportedBundle` for a newer schema and `MalformedContent` for anything else.
        """
        try:
            value = parse_json(raw, f"{where}: bundle.json")
        except ValueError:
            raise MalformedContent(f"{where}: bundle.json is not JSON", hint=_BROKEN) from None
        try:
            return cls._parse(value, where)
        except MalformedContent as error:
            raise MalformedContent(f"{where}: {error.message}", hint=_BROKEN) from None

    @classmethod
    def _parse(cls, value: object, where: str) -> Inventory:
        fields = Fields(value, "the inventory")
        schema = fields.count("schemaVersion")
        tool = Fields(fields.take("tool", {}), "tool").text("version")
        if schema > SCHEMA:
            written_by = f" (written by airgap-tui {tool})" if tool else ""
            raise UnsupportedBundle(
                f"{where} has schema {schema}{written_by}; this version reads up to {SCHEMA}",
                hint="Use the airgap-tui that wrote it, or a newer one.",
            )
        if schema < 1:
            raise MalformedContent("bundle.json has no schemaVersion")
        items, layers = fields.take("items", []), fields.take("layers", {})
        assumes = fields.take("assumes", [])
        carried = fields.take("carried", None)
        listed = isinstance(items, list) and isinstance(assumes, list)
        if not listed or not isinstance(layers, dict):
            raise MalformedContent("bundle.json: items or layers are of the wrong kind")
        inventory = cls(
            id=fields.text("id"),
            name=fields.text("name"),
            created=fields.text("created"),
            updated=fields.text("updated"),
            platform=fields.parsed("platform", _platform),
            tool=tool,
            saving=bool(fields.take("saving", False)),
            assumes=_assumptions(assumes),
            carried=_carried(carried),
            imported=bool(fields.take("imported", False)),
            unknown=fields.rest(),
        )
        for item in map(Item.from_json, items):
            if item.name in inventory._items:
                raise MalformedContent(f"bundle.json holds {item.name} twice")
            inventory.put(item)
        for text, record in layers.items():
            inventory.layers[parse_value(text, Digest.parse, "layers")] = LayerRecord.from_json(
                record
            )
        return inventory

    def format(self) -> bytes:
        """The bytes of `bundle.json`."""
        return format_json(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The file as it is written; `updated` and `tool` are those of the caller's setting."""
        return {
            "schemaVersion": SCHEMA,
            "id": self.id,
            "name": self.name,
            "tool": {"name": "airgap-tui", "version": self.tool},
            "created": self.created,
            **({"updated": self.updated} if self.updated else {}),
            "platform": ALL_PLATFORMS if self.platform is None else str(self.platform),
            **({"saving": True} if self.saving else {}),
            "items": [item.to_json() for item in self.items],
            "layers": {
                str(digest): self.layers[digest].to_json() for digest in sorted(self.layers)
            },
            **({"assumes": [one.to_json() for one in self.assumes]} if self.assumes else {}),
            **({"carried": self.carried.to_json()} if self.carried else {}),
            **({"imported": True} if self.imported else {}),
            **self.unknown,
        }


def format_json(value: dict[str, Any]) -> bytes:
    """What `Inventory.to_json` gave, as it is written."""
    return json.dumps(value, indent=1).encode() + b"\n"


def now() -> str:
    """The time in UTC, as `2026-01-31T12:00:00Z`."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _carried(value: object) -> CarriedTool | None:
    if value is None:
        return None
    from airgap_tui.engine.bundle.carried_tool import CarriedTool

    return CarriedTool.from_json(value)


def _assumptions(listed: list[object]) -> tuple[Assumption, ...]:
    if not listed:
        return ()
    from airgap_tui.engine.bundle.receipts.assumption import Assumption

    return tuple(map(Assumption.from_json, listed))


def _platform(text: str) -> Platform | None:
    return None if text == ALL_PLATFORMS else Platform.parse(text)


def _text(value: object) -> str:
    return "" if value is None else str(value)
