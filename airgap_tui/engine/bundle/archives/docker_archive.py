"""A `docker load` archive, generated on the fly from open bundles; it is never on a disk.

Each layer is in it once, however many images share it. Every byte is checked against its digest
while it passes. The archive is an OCI layout as well, so that Docker's containerd store keeps the
manifests' digests, unless layers had to be turned to plain ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.encoding.codec import HEAD, Codec, detect
from airgap_tui.engine.bundle.encoding.decompression import decoder
from airgap_tui.engine.bundle.names import CONTAINERD_NAME, REF_NAME
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.volumes.tar_member import directory, header
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ContentError, ContentMismatch, MalformedContent, NotFound
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.content import CHUNK, VerifyingReader
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest, Hasher
from airgap_tui.engine.oci.manifest import Manifest
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.read_ahead import ReadAhead
from airgap_tui.engine.oci.reference import Reference

_BLOCK = 512
_RECORD = 20 * _BLOCK
_DECODED_AHEAD = 6


EVERYTHING = frozenset(Codec)
ANY_ENGINE = frozenset(Codec) - {Codec.ZSTD}
"""What the layers in an archive may be for every engine; Docker before 23.0 cannot read zstd."""

PLAIN = frozenset({Codec.NONE})


class BrokenBlob(ContentMismatch):
    """Content of a bundle that is not what its digest says; the archive under way is useless."""

    def __init__(self, digest: Digest, error: ContentError | NotFound) -> None:
        super().__init__(error.message, hint="airgap-tui verify  lists everything that is damaged.")
        self.digest = digest


@dataclass(frozen=True, slots=True)
class LoadImage:
    """An image of a bundle and the tagged names that it is to get."""

    bundle: BundleReader
    manifest: Manifest
    names: tuple[Reference, ...]
    platform: Platform | None = None

    @property
    def image_id(self) -> Digest:
        return self.manifest.config.digest


@dataclass(frozen=True, slots=True)
class _Blob:
    """A member: stored content as it is, or (`plain`) what a compressed layer unpacks to."""

    bundle: BundleReader
    stored: Descriptor
    plain: Codec | None
    name: str
    size: int


Reported = Callable[[Digest, int], None]
"""Takes the digest of the stored blob and the bytes of its member that went out."""


@dataclass(slots=True)
class DockerArchive:
    """The archive of the images that are added. `reads` are the codecs that layers may keep; others
    are turned to plain ones. `oci`: whether to write `oci-layout` and `index.json`, of which some
    Podman read one image only.
    """

    token: CancelToken
    reads: frozenset[Codec] = ANY_ENGINE
    oci: bool = True
    report: Reported = field(default=lambda _digest, _count: None)
    images: list[LoadImage] = field(init=False, default_factory=list)
    _blobs: dict[Digest, _Blob] = field(init=False, default_factory=dict)

    def add(self, image: LoadImage) -> None:
        """Plan one more image. Raises `NotFound` for absent content, `MalformedContent`,
        and `BrokenBlob` for a layer that has to be decoded to learn its size and cannot be."""
        bundle, manifest = image.bundle, image.manifest
        diff_ids = bundle.config(manifest).diff_ids
        if len(diff_ids) != len(manifest.layers):
            raise MalformedContent(
                f"{image.image_id}: the config names {len(diff_ids)} layers and the manifest"
                f" {len(manifest.layers)}"
            )
        blobs = [self._stored(bundle, manifest.config)]
        for layer, diff_id in zip(manifest.layers, diff_ids, strict=True):
            known = self._blobs.get(layer.digest) or self._stored(bundle, layer)
            if known.plain is None and self._must_be_plain(bundle, layer):
                known = self._as_plain(bundle, layer, diff_id)
            blobs.append(known)
        self._blobs.update((blob.stored.digest, blob) for blob in blobs)
        self.images.append(image)

    @property
    def members(self) -> Mapping[Digest, int]:
        """The stored blobs that the archive needs, with the bytes that each is inside it."""
        return {digest: blob.size for digest, blob in self._blobs.items()}

    @property
    def size(self) -> int:
        """Bytes of the whole archive, without extended headers for large sizes."""
        small = sum(_padded(len(data)) + _BLOCK for _, data in self._documents())
        large = sum(_padded(blob.size) + _BLOCK for blob in self._blobs.values())
        whole = len(self._directories()) + small + large + 2 * _BLOCK
        return whole + -whole % _RECORD

    def chunks(self, contents: Hasher | None = None) -> Iterator[bytes | memoryview]:
        """The archive; each chunk is valid until the next one. `contents` as in `TarStream`.

        Raises `BrokenBlob`, `Stopped`, and `EnvironmentFailure` for what cannot be read.
        """
        before = self._directories()
        written = len(before)
        yield before
        for name, data in self._documents():
            if contents is not None:
                contents.update(data)
            whole = header(name, len(data)) + data + bytes(-len(data) % _BLOCK)
            written += len(whole)
            yield whole
        for digest, blob in self._blobs.items():
            before = header(blob.name, blob.size)
            yield before
            for chunk in self._content(digest, blob):
                if contents is not None:
                    contents.update(chunk)
                yield chunk
            padding = bytes(-blob.size % _BLOCK)
            if padding:
                yield padding
            written += len(before) + blob.size + len(padding)
        yield bytes(2 * _BLOCK + -(written + 2 * _BLOCK) % _RECORD)

    def _must_be_plain(self, bundle: BundleReader, layer: Descriptor) -> bool:
        # Some publishers label zstd layers gzip; only the content counts for a reader.
        return self.reads != EVERYTHING and self._codec(bundle, layer) not in self.reads

    def _codec(self, bundle: BundleReader, layer: Descriptor) -> Codec:
        head = bytearray(min(HEAD, layer.size))
        with closing(bundle.open_blob(layer.digest)) as reader:
            reader.readinto(memoryview(head))
        return detect(head)

    def _stored(self, bundle: BundleReader, blob: Descriptor) -> _Blob:
        if bundle.size(blob.digest) is not None and not bundle.holds(blob):
            raise ContentMismatch(
                f"{bundle.storage.location}: {blob.digest} is damaged, or its size is not what the"
                " manifest says",
                hint="airgap-tui verify  lists everything that is damaged.",
            )
        if not bundle.holds(blob):
            raise NotFound(
                f"{bundle.storage.location} does not hold {blob.digest} whole",
                hint="Run the save again on the online side, or bring the volume that has it.",
            )
        return _Blob(bundle, blob, None, layout.blob_path(blob.digest), blob.size)

    def _as_plain(self, bundle: BundleReader, layer: Descriptor, diff_id: Digest) -> _Blob:
        codec = self._codec(bundle, layer)
        record = bundle.inventory.layers.get(layer.digest)
        size = record.uncompressed_size if record is not None else 0
        if not size:
            size = self._measured(bundle, layer, codec)
        return _Blob(bundle, layer, codec, layout.blob_path(diff_id), size)

    def _measured(self, bundle: BundleReader, layer: Descriptor, codec: Codec) -> int:
        """The size that a tar header needs before the content: the layer is decoded once for it."""
        size = 0
        with self._reading(bundle, layer, codec) as reader:
            while chunk := _taken(reader, layer):
                size += len(chunk)
        return size

    def _reading(self, bundle: BundleReader, blob: Descriptor, codec: Codec) -> closing[ReadAhead]:
        checked = VerifyingReader(bundle.open_blob(blob.digest), blob)
        plain = decoder(codec, checked, str(blob.digest))
        depth = 3 if codec is Codec.NONE else _DECODED_AHEAD
        return closing(ReadAhead(plain, token=self.token, depth=depth, chunk=CHUNK))

    def _content(self, digest: Digest, blob: _Blob) -> Iterator[memoryview]:
        left = blob.size
        with self._reading(blob.bundle, blob.stored, blob.plain or Codec.NONE) as reader:
            while chunk := _taken(reader, blob.stored):
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
                self.report(digest, len(chunk))
        if left:
            raise BrokenBlob(
                digest, MalformedContent(f"{digest} unpacks to a different size than recorded")
            )

    def _directories(self) -> bytes:
        """As `docker save` writes them: Apptainer 1.4 makes none that the archive does not name."""
        above = {blob.name.rpartition("/")[0] for blob in self._blobs.values()}
        return b"".join(map(directory, (layout.BLOBS, *sorted(above))))

    def _documents(self) -> list[tuple[str, bytes]]:
        """The small members: first, so that a reader knows early what it gets."""
        plain = any(blob.plain is not None for blob in self._blobs.values())
        found = []
        if self.oci and not plain:
            found.append((layout.OCI_LAYOUT, layout.OCI_LAYOUT_CONTENT))
            found.append((layout.INDEX, self._index()))
            manifests = {image.manifest.digest: image.manifest.raw for image in self.images}
            found += [(layout.blob_path(digest), raw) for digest, raw in manifests.items()]
        found.append((layout.DOCKER_MANIFEST, self._docker_manifest()))
        return found

    def _index(self) -> bytes:
        entries = []
        for image in self.images:
            for name in image.names:
                text = name.tagged_name
                annotations = {CONTAINERD_NAME: text}
                if layout.is_ref_name(text):
                    annotations[REF_NAME] = text
                manifest = image.manifest
                entry = Descriptor(
                    manifest.media_type,
                    manifest.digest,
                    len(manifest.raw),
                    annotations=annotations,
                    platform=image.platform,
                )
                entries.append(entry.to_json())
        value = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}
        return json.dumps(value, separators=(",", ":")).encode()

    def _docker_manifest(self) -> bytes:
        entries: dict[Digest, dict[str, list[str] | str]] = {}
        for image in self.images:
            entry = entries.setdefault(
                image.manifest.digest,
                {
                    "Config": layout.blob_path(image.image_id),
                    "RepoTags": [],
                    "Layers": [self._blobs[layer.digest].name for layer in image.manifest.layers],
                },
            )
            tags = entry["RepoTags"]
            if isinstance(tags, list):
                tags += [name.tagged_name for name in image.names if name.tag]
        return json.dumps(list(entries.values()), separators=(",", ":")).encode()


def _taken(reader: ReadAhead, blob: Descriptor) -> memoryview:
    try:
        return reader.take()
    except (ContentError, NotFound) as error:
        raise BrokenBlob(blob.digest, error) from None


def _padded(size: int) -> int:
    return size + -size % _BLOCK
