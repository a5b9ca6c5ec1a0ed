"""Unpacks a `docker save` archive into a bundle's blobs while it streams by.

All forms are read: Docker before 25 (`<id>/layer.tar`), Docker since 25 and OCI layouts with a
`manifest.json` (`blobs/sha256/…`), Podman (`<diff id>.tar`). Which member is a layer and which is
JSON is told from the content, since the file that says it, `manifest.json`, mostly comes last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from airgap_tui.engine.bundle.archives.layer_intake import LayerIntake, StoredLayer
from airgap_tui.engine.bundle.archives.seen_layers import SeenLayers
from airgap_tui.engine.bundle.archives.tar_stream import Chunks, Kind, Member, TarStream
from airgap_tui.engine.bundle.encoding.codec import Codec, detect
from airgap_tui.engine.errors import AirgapError, ContentMismatch, MalformedContent, UnsafeContent
from airgap_tui.engine.events import (
    BlobDone,
    BlobDropped,
    BlobPlanned,
    BlobProgress,
    BlobStarted,
    Sink,
)
from airgap_tui.engine.json_text import parse_json
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest, Hasher
from airgap_tui.engine.oci.image_config import ImageConfig
from airgap_tui.engine.oci.manifest import Manifest, parse
from airgap_tui.engine.oci.platform import Platform

_HEAD = 512
_LARGEST_DOCUMENT = 16 * 1024 * 1024
_ALL_DOCUMENTS = 128 * 1024 * 1024
_MOST_MEMBERS = 200_000
_LONGEST_CHAIN = 8
_LAYER_NAME = re.compile(r"(?:blobs/sha256/([0-9a-f]{64})|([0-9a-f]{64})\.tar)")
_CONFIG_NAME = re.compile(r"(?:blobs/sha256/([0-9a-f]{64})|([0-9a-f]{64})\.json)")
_NOT_NEEDED = re.compile(r"(?:[0-9a-f]{64}/(?:json|VERSION)|repositories|VERSION)")


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    """An image whose layers and config are in the bundle, under the names that the archive gives.

    `names` are as written there, such as `ubuntu:22.04`. `manifest` is the archive's own where all
    its blobs were kept as they came, else a new one. `size` counts manifest, config and layers.
    """

    names: tuple[str, ...]
    manifest: Manifest
    platform: Platform

    @property
    def image_id(self) -> Digest:
        """The config's digest: what Docker calls the image ID."""
        return self.manifest.config.digest

    @property
    def size(self) -> int:
        return len(self.manifest.raw) + sum(blob.size for blob in self.manifest.blobs)


def take_apart(
    source: Chunks,
    intake: LayerIntake,
    *,
    what: str,
    sink: Sink,
    items: tuple[str, ...] = (),
    seen: SeenLayers | None = None,
    contents: Hasher | None = None,
) -> tuple[ArchivedImage, ...]:
    """Read an archive to its end and store its layers and configs in the bundle.

    `what` names the archive in errors, `items` are what its layers belong to in events. A layer
    that is not in the archive has to be in the bundle. `contents` as in `TarStream`. Raises
    `MalformedContent`, `ContentMismatch`, `UnsafeContent`, `EngineFailure`.
    """
    stream = TarStream(source, what, contents)
    passing = _Passing(stream, intake, what, sink, items, seen or SeenLayers())
    passing.read_members()
    return passing.images()


class _Passing:
    def __init__(
        self,
        stream: TarStream,
        intake: LayerIntake,
        what: str,
        sink: Sink,
        items: tuple[str, ...],
        seen: SeenLayers,
    ) -> None:
        self._stream = stream
        self._intake = intake
        self._what = what
        self._sink = sink
        self._items = items
        self._seen = seen
        self._documents: dict[str, bytes] = {}
        self._document_bytes = 0
        self._layers: dict[str, StoredLayer] = {}
        self._links: dict[str, str] = {}
        self._names: set[str] = set()

    def read_members(self) -> None:
        for member in self._stream:
            self._intake.token.check()
            if member.kind is Kind.DIRECTORY:
                continue
            if member.name in self._names or len(self._names) >= _MOST_MEMBERS:
                raise UnsafeContent(
                    f"{self._what}: {member.name!r} is there twice, or there are too many files"
                )
            self._names.add(member.name)
            if member.kind is Kind.LINK:
                self._links[member.name] = member.target
            elif _NOT_NEEDED.fullmatch(member.name) is None:
                self._file(member)

    def _file(self, member: Member) -> None:
        head = self._stream.read(_HEAD)
        codec = detect(head)
        if codec is Codec.NONE and head.lstrip()[:1] in (b"{", b"["):
            if self._document_bytes + member.size > _ALL_DOCUMENTS:
                raise UnsafeContent(f"{self._what} holds too much JSON")
            if member.size <= _LARGEST_DOCUMENT:
                whole = head + self._stream.read(member.size)
                with suppress(ValueError):
                    parse_json(whole, f"{self._what}: {member.name}")
                    self._documents[member.name] = whole
                    self._document_bytes += len(whole)
                    return
                head = whole
        if codec is not Codec.NONE or _is_tar(head, member.size):
            self._layers[member.name] = self._layer(member, head, codec)

    def _layer(self, member: Member, head: bytes, codec: Codec) -> StoredLayer:
        name = f"{self._what}: {member.name}"
        self._sink(BlobPlanned(name, member.size, self._items))
        self._sink(BlobStarted(name))
        reader = _Reported(head, self._stream, lambda count: self._sink(BlobProgress(name, count)))
        try:
            stored = self._intake.take(reader, codec, member.size, self._expected(member))
        except ContentMismatch as error:
            self._sink(BlobDropped(name, error.message))
            self._seen.forget(member.name, member.size)
            raise ContentMismatch(
                f"{name}: {error.message}", hint="Try again; then the archive itself is damaged."
            ) from None
        except AirgapError as error:
            self._sink(BlobDropped(name, error.message))
            raise
        self._sink(BlobDone(name))
        if codec is Codec.NONE:
            self._seen.note(member.name, member.size, stored.diff_id)
        return stored

    def _expected(self, member: Member) -> Digest | None:
        match = _LAYER_NAME.fullmatch(member.name)
        if match is not None:
            return Digest("sha256", match[1] or match[2])
        return self._seen.find(member.name, member.size)

    def images(self) -> tuple[ArchivedImage, ...]:
        entries = self._json("manifest.json")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise self._malformed("its manifest.json is not a list of images")
        return tuple(self._image(entry) for entry in entries)

    def _image(self, entry: dict[str, Any]) -> ArchivedImage:
        config_name, layer_names = entry.get("Config"), entry.get("Layers")
        names = entry.get("RepoTags") or []
        if not isinstance(config_name, str) or not _texts(layer_names or []) or not _texts(names):
            raise self._malformed("an entry of its manifest.json is of the wrong kind")
        raw = self._document(config_name)
        config = ImageConfig.parse(raw, f"{self._what}: {config_name}")
        paths: list[str] = list(layer_names or [])
        if len(paths) != len(config.diff_ids):
            raise self._malformed(
                f"{config_name} names {len(config.diff_ids)} layers and manifest.json {len(paths)}"
            )
        layers = [
            self._stored(path, diff_id)
            for path, diff_id in zip(paths, config.diff_ids, strict=True)
        ]
        manifest = self._own_manifest(raw, layers)
        media_type = media_types.OCI_CONFIG if manifest is None else manifest.config.media_type
        stored = self._intake.store.store(raw, media_type)
        return ArchivedImage(
            tuple(names), manifest or Manifest.build(stored, layers), config.platform
        )

    def _stored(self, path: str, diff_id: Digest) -> Descriptor:
        layer = self._layers.get(self._resolved(path))
        if layer is None:
            known = self._intake.store.layer_for(diff_id, self._intake.compression.codec)
            if known is None:
                raise self._malformed(f"the layer {path} is not in it")
            return _as_oci(known)
        if layer.diff_id != diff_id:
            raise ContentMismatch(
                f"{self._what}: the layer {path} should be {diff_id} and is {layer.diff_id}"
            )
        return _as_oci(layer.descriptor)

    def _resolved(self, path: str) -> str:
        path = "/".join(part for part in path.split("/") if part not in ("", "."))
        for _ in range(_LONGEST_CHAIN):
            if path not in self._links:
                break
            path = self._links[path]
        return path

    def _own_manifest(self, config: bytes, layers: Sequence[Descriptor]) -> Manifest | None:
        """The manifest inside the archive, if it names this config and the layers as stored."""
        digest = Digest.of(config)
        wanted = [layer.digest for layer in layers]
        for name, raw in self._documents.items():
            if not name.startswith("blobs/") or digest.hex.encode() not in raw:
                continue
            with suppress(MalformedContent):
                document = parse(raw)
                if (
                    isinstance(document, Manifest)
                    and document.config.digest == digest
                    and document.is_image
                    and [layer.digest for layer in document.layers] == wanted
                    and _digest_in(name, _CONFIG_NAME) in (None, document.digest)
                ):
                    return document
        return None

    def _document(self, name: str) -> bytes:
        raw = self._documents.get(self._resolved(name))
        if raw is None:
            raise self._malformed(f"it has no {name}")
        claimed = _digest_in(name, _CONFIG_NAME)
        if claimed is not None and Digest.of(raw) != claimed:
            raise ContentMismatch(f"{self._what}: {name} does not have that digest")
        return raw

    def _json(self, name: str) -> object:
        if name not in self._documents:
            raise self._malformed(f"it has no {name}")
        return parse_json(self._documents[name], f"{self._what}: {name}")

    def _malformed(self, reason: str) -> MalformedContent:
        return MalformedContent(
            f"{self._what} is not an archive of images: {reason}",
            hint="An archive is expected as docker save or podman save writes it.",
        )


class _Reported:
    """The first bytes, which have been read already, and the rest of a member; counts them."""

    def __init__(self, head: bytes, stream: TarStream, report: Callable[[int], None]) -> None:
        self._head = memoryview(head)
        self._stream = stream
        self._report = report

    def readinto(self, buffer: memoryview, /) -> int:
        if self._head:
            count = min(len(buffer), len(self._head))
            buffer[:count] = self._head[:count]
            self._head = self._head[count:]
        else:
            count = self._stream.readinto(buffer)
        if count:
            self._report(count)
        return count

    def close(self) -> None:
        pass


def _is_tar(head: bytes, size: int) -> bool:
    """Whether these are the first bytes of a tar: its magic, or for an empty layer only zeros."""
    if size < 2 * _HEAD or len(head) < _HEAD:
        return False
    return head[257:262] == b"ustar" or not head.strip(b"\0") or _old_header(head)


def _old_header(head: bytes) -> bool:
    """A header of Unix V7 has no magic, only its sum (tar(5))."""
    with suppress(ValueError):
        told = int(head[148:156].strip(b" \0") or b"-1", 8)
        return told == sum(head[:148]) + 8 * 0x20 + sum(head[156:_HEAD])
    return False


_OCI_TYPES = {
    media_types.DOCKER_LAYER: media_types.OCI_LAYER,
    media_types.DOCKER_LAYER_GZIP: media_types.OCI_LAYER_GZIP,
    media_types.DOCKER_LAYER_ZSTD: media_types.OCI_LAYER_ZSTD,
}


def _as_oci(layer: Descriptor) -> Descriptor:
    """As an OCI manifest names it, also where a registry's manifest named it before."""
    media_type = _OCI_TYPES.get(layer.media_type, layer.media_type)
    return Descriptor(media_type, layer.digest, layer.size)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _digest_in(name: str, grammar: re.Pattern[str]) -> Digest | None:
    match = grammar.fullmatch(name)
    return None if match is None else Digest("sha256", match[1] or match[2])
