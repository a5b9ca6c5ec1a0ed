"""One layer of an archive on its way into a bundle: hashed plain, compressed, hashed again, stored.

The bytes pass once. Nothing but the compressed result is written, and memory does not grow with
the layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from airgap_tui.engine.bundle.encoding.codec import Codec, Compression, layer_media_type
from airgap_tui.engine.bundle.encoding.compression import encoder
from airgap_tui.engine.bundle.encoding.decompression import decoder
from airgap_tui.engine.bundle.inventory import LayerRecord
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ContentMismatch
from airgap_tui.engine.oci.content import CHUNK, Reader
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest


class BlobSink(Protocol):
    """Content under way whose digest is not known beforehand: `writer.BlobFile`."""

    def write(self, data: bytes | bytearray | memoryview, /) -> object: ...
    def commit(self, media_type: str) -> Descriptor: ...
    def abort(self) -> None: ...


class LayerStore(Protocol):
    """The part of `writer.BundleWriter` that takes layers and configs."""

    def begin_blob(self) -> BlobSink: ...
    def store(self, data: bytes, media_type: str) -> Descriptor: ...
    def layer_for(self, diff_id: Digest, codec: Codec) -> Descriptor | None: ...
    def record_layer(self, digest: Digest, record: LayerRecord) -> None: ...


@dataclass(frozen=True, slots=True)
class StoredLayer:
    """A layer in the bundle; `diff_id` and `size` are of its unpacked bytes."""

    diff_id: Digest
    size: int
    descriptor: Descriptor


@dataclass(slots=True)
class LayerIntake:
    """Stores layers as `compression` says; those that come as gzip or zstd stay as they are."""

    store: LayerStore
    compression: Compression
    threads: int
    token: CancelToken

    def take(
        self, content: Reader, codec: Codec, size: int, expected: Digest | None
    ) -> StoredLayer:
        """Read a layer of `size` bytes to its end and store it.

        `expected` is the digest of the bytes as they come, where the archive claims to know it. A
        plain layer that the bundle has under it is only hashed, not compressed again. Raises
        `ContentMismatch` and `MalformedContent`, and whatever reading or storing raises.
        """
        if codec is Codec.NONE:
            known = None if expected is None else self._known(expected)
            if known is None:
                return self._encoded(content, size, expected)
            return self._only_hashed(content, known)
        if codec in (Codec.GZIP, Codec.ZSTD):
            return self._kept(content, codec, expected)
        # No image format has a media type for the other codecs.
        checked = _Tee(content, expected, None)
        with closing(decoder(codec, checked, "a layer")) as plain:
            stored = self._encoded(plain, None, None)
        checked.check()
        return stored

    def _known(self, diff_id: Digest) -> StoredLayer | None:
        descriptor = self.store.layer_for(diff_id, self.compression.codec)
        return None if descriptor is None else StoredLayer(diff_id, 0, descriptor)

    def _only_hashed(self, content: Reader, known: StoredLayer) -> StoredLayer:
        hasher, size = known.diff_id.hasher(), 0
        for chunk in self._chunks(content):
            hasher.update(chunk)
            size += len(chunk)
        _check(Digest.from_hasher(hasher, known.diff_id.algorithm), known.diff_id)
        return StoredLayer(known.diff_id, size, known.descriptor)

    def _encoded(self, content: Reader, size: int | None, expected: Digest | None) -> StoredLayer:
        blob = self.store.begin_blob()
        work = encoder(self.compression, blob.write, size, self.threads)
        hasher, count = _SHA256.hasher(), 0
        try:
            for chunk in self._chunks(content):
                hasher.update(chunk)
                work.write(chunk)
                count += len(chunk)
            work.finish()
            diff_id = Digest.from_hasher(hasher)
            _check(diff_id, expected)
        except BaseException:
            work.abort()
            blob.abort()
            raise
        return self._settled(blob, diff_id, count, self.compression.codec)

    def _kept(self, content: Reader, codec: Codec, expected: Digest | None) -> StoredLayer:
        blob = self.store.begin_blob()
        try:
            checked = _Tee(content, expected, blob)
            hasher, count = _SHA256.hasher(), 0
            for chunk in self._chunks(decoder(codec, checked, "a layer")):
                hasher.update(chunk)
                count += len(chunk)
            checked.check()
        except BaseException:
            blob.abort()
            raise
        return self._settled(blob, Digest.from_hasher(hasher), count, codec)

    def _settled(self, blob: BlobSink, diff_id: Digest, size: int, codec: Codec) -> StoredLayer:
        known = self.store.layer_for(diff_id, codec)
        if known is not None:
            blob.abort()
            return StoredLayer(diff_id, size, known)
        media_type = layer_media_type("oci", codec)
        descriptor = blob.commit(media_type)
        self.store.record_layer(
            descriptor.digest,
            LayerRecord(diff_id=diff_id, uncompressed_size=size, media_type=media_type),
        )
        return StoredLayer(diff_id, size, descriptor)

    def _chunks(self, content: Reader) -> Iterator[memoryview]:
        buffer = memoryview(bytearray(CHUNK))
        while count := content.readinto(buffer):
            self.token.check()
            yield buffer[:count]


_SHA256 = Digest.of(b"")


def _check(actual: Digest, expected: Digest | None) -> None:
    if expected is not None and actual != expected:
        raise ContentMismatch(f"the archive calls a layer {expected}, and its bytes are {actual}")


class _Tee:
    """Passes bytes on as they come, stores them, and knows their digest at the end."""

    def __init__(self, content: Reader, expected: Digest | None, blob: BlobSink | None) -> None:
        self._content = content
        self._expected = expected
        self._blob = blob
        self._hasher = (expected or _SHA256).hasher()

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._content.readinto(buffer)
        if count:
            if self._expected is not None:
                self._hasher.update(buffer[:count])
            if self._blob is not None:
                self._blob.write(buffer[:count])
        return count

    def check(self) -> None:
        if self._expected is not None:
            _check(Digest.from_hasher(self._hasher, self._expected.algorithm), self._expected)

    def close(self) -> None:
        self._content.close()
