"""Manifests and indexes (OCI image spec, manifest.md and image-index.md), with their raw bytes.

The bytes are what was hashed and signed, so they are kept and carried; the fields are only a view.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airgap_tui.engine.errors import MalformedContent, NotFound
from airgap_tui.engine.json_text import parse_json
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.platform import Platform

MAX_BYTES = 4 * 1024 * 1024
"""The largest manifest that is read or written: registries take no larger one."""

_ATTESTATION = "vnd.docker.reference.type"


@dataclass(frozen=True, slots=True)
class Document:
    """What a manifest and an index have in common."""

    raw: bytes
    media_type: str
    digest: Digest
    artifact_type: str = ""
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def descriptor(self) -> Descriptor:
        """A descriptor of the document itself."""
        return Descriptor(
            self.media_type, self.digest, len(self.raw), artifact_type=self.artifact_type
        )


@dataclass(frozen=True, slots=True)
class Manifest(Document):
    """One image (or artifact): a config and layers, in order from the base up."""

    config: Descriptor = field(kw_only=True)
    layers: tuple[Descriptor, ...] = ()

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config and layers, each distinct digest once."""
        return tuple({blob.digest: blob for blob in (self.config, *self.layers)}.values())

    @property
    def is_image(self) -> bool:
        """False for artifacts (signatures, charts, …), which no engine can load."""
        return self.config.media_type in media_types.IMAGE_CONFIGS and not self.artifact_type

    @classmethod
    def build(
        cls,
        config: Descriptor,
        layers: Sequence[Descriptor],
        *,
        media_type: str = media_types.OCI_MANIFEST,
        annotations: Mapping[str, str] | None = None,
        artifact_type: str = "",
        subject: Descriptor | None = None,
    ) -> Manifest:
        """A new manifest; equal arguments give equal bytes."""
        value: dict[str, Any] = {"schemaVersion": 2, "mediaType": media_type}
        if artifact_type:
            value["artifactType"] = artifact_type
        value["config"] = config.to_json()
        value["layers"] = [layer.to_json() for layer in layers]
        if subject is not None:
            value["subject"] = subject.to_json()
        if annotations:
            value["annotations"] = dict(sorted(annotations.items()))
        return _manifest(json.dumps(value, separators=(",", ":")).encode(), media_type, value)


@dataclass(frozen=True, slots=True)
class Index(Document):
    """Several manifests, usually one per platform."""

    manifests: tuple[Descriptor, ...] = ()

    def choose(self, wanted: Platform, name: str) -> Descriptor:
        """The manifest for a platform: the best match, the first of equally good ones.

        Raises `NotFound`, which names `name` and the available platforms.
        """
        ranked = [
            (preference, child)
            for child in self.manifests
            if child.platform is not None
            and _ATTESTATION not in child.annotations
            and (preference := child.platform.preference(wanted)) is not None
        ]
        if not ranked:
            there = ", ".join(str(platform) for platform in self.platforms) or "none that it names"
            raise NotFound(
                f"{name} has no image for {wanted}; it has {there}",
                hint="Choose one of them with --platform, or all with --platform all.",
            )
        return min(ranked, key=lambda pair: pair[0])[1]

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """The platforms that can be chosen, in the index's order."""
        return tuple(
            child.platform
            for child in self.manifests
            if child.platform is not None and child.platform.known
        )

    @classmethod
    def build(
        cls,
        manifests: Sequence[Descriptor],
        *,
        media_type: str = media_types.OCI_INDEX,
        annotations: Mapping[str, str] | None = None,
    ) -> Index:
        """A new index; equal arguments give equal bytes."""
        value: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": media_type,
            "manifests": [child.to_json() for child in manifests],
        }
        if annotations:
            value["annotations"] = dict(sorted(annotations.items()))
        return _index(json.dumps(value, separators=(",", ":")).encode(), media_type, value)


def parse(raw: bytes, content_type: str = "", where: str = "manifest") -> Manifest | Index:
    """Read a manifest or an index from its bytes.

    `content_type` is what the server or descriptor says; parameters are ignored, and a disagreement
    with the body's own `mediaType` is an error (distribution spec, "Pulling manifests"). `where`
    names the document in the `MalformedContent` raised.
    """
    if len(raw) > MAX_BYTES:
        raise MalformedContent(f"{where}: a manifest of more than {MAX_BYTES} bytes is refused")
    try:
        value = parse_json(raw, where)
    except ValueError:
        raise MalformedContent(f"{where}: the manifest is not JSON") from None
    if not isinstance(value, dict):
        raise MalformedContent(f"{where}: the manifest is not an object")
    said = content_type.partition(";")[0].strip().lower()
    media_type = _media_type(value, said, where)
    if media_type in media_types.INDEXES:
        return _index(raw, media_type, value, where)
    return _manifest(raw, media_type, value, where)


def _media_type(value: dict[str, Any], said: str, where: str) -> str:
    inside = value.get("mediaType") or ""
    known = media_types.INDEXES | media_types.MANIFESTS
    if said in media_types.SCHEMA1 or value.get("schemaVersion") == 1:
        raise MalformedContent(
            f"{where}: this is a manifest of the old schema 1, which holds no content digests",
            hint="Its publisher has to push it again with a current tool.",
        )
    if inside and said in known and inside != said:
        raise MalformedContent(f"{where}: sent as {said}, but the manifest says {inside}")
    if inside and not isinstance(inside, str):
        raise MalformedContent(f"{where}: mediaType is not a text")
    media_type = inside or (said if said in known else "")
    if not media_type:
        media_type = media_types.OCI_INDEX if "manifests" in value else media_types.OCI_MANIFEST
    if media_type not in known:
        raise MalformedContent(f"{where}: {media_type} is neither a manifest nor an index")
    return str(media_type)


def _descriptors(value: object, where: str) -> tuple[Descriptor, ...]:
    if not isinstance(value, list):
        raise MalformedContent(f"{where}: a list of descriptors is missing")
    return tuple(Descriptor.from_json(item, where) for item in value)


def _common(raw: bytes, value: dict[str, Any], where: str) -> dict[str, Any]:
    annotations = value.get("annotations") or {}
    subject = value.get("subject")
    if not isinstance(annotations, dict):
        raise MalformedContent(f"{where}: annotations are not an object")
    return {
        "raw": raw,
        "digest": Digest.of(raw),
        "artifact_type": str(value.get("artifactType") or ""),
        "subject": None if subject is None else Descriptor.from_json(subject, where),
        "annotations": {str(key): str(text) for key, text in annotations.items()},
    }


def _manifest(
    raw: bytes, media_type: str, value: dict[str, Any], where: str = "manifest"
) -> Manifest:
    return Manifest(
        media_type=media_type,
        config=Descriptor.from_json(value.get("config"), where),
        layers=_descriptors(value.get("layers"), where),
        **_common(raw, value, where),
    )


def _index(raw: bytes, media_type: str, value: dict[str, Any], where: str = "index") -> Index:
    return Index(
        media_type=media_type,
        manifests=_descriptors(value.get("manifests"), where),
        **_common(raw, value, where),
    )
