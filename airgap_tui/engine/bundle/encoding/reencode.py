"""Re-encoding one layer: the original, whole in its partial file, becomes a new blob.

The same original, codec and level give the same bytes, so that an interrupted run is repeated
without harm; the original goes only when its replacement is durable and recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from airgap_tui.engine.buffer import buffer
from airgap_tui.engine.bundle.blob_store import BlobStore
from airgap_tui.engine.bundle.encoding.codec import (
    HEAD,
    Codec,
    Compression,
    detect,
    layer_media_type,
)
from airgap_tui.engine.bundle.inventory import LayerRecord
from airgap_tui.engine.bundle.media.extent import Extent, FileReader, reading
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest

_CODECS = {
    media_types.OCI_LAYER: Codec.NONE,
    media_types.DOCKER_LAYER: Codec.NONE,
    media_types.OCI_LAYER_GZIP: Codec.GZIP,
    media_types.DOCKER_LAYER_GZIP: Codec.GZIP,
    media_types.OCI_LAYER_ZSTD: Codec.ZSTD,
    media_types.DOCKER_LAYER_ZSTD: Codec.ZSTD,
}


def codec_of(blob: Descriptor) -> Codec | None:
    """How a layer of a known kind is compressed, by its media type; None for anything else."""
    return _CODECS.get(blob.media_type)


def wants_reencoding(blob: Descriptor, compression: Compression | None) -> bool:
    """Whether this is a layer of a known kind with another codec than the wanted one."""
    codec = codec_of(blob)
    return compression is not None and codec is not None and codec is not compression.codec


def finder(reader: BundleReader, compression: Compression | None) -> Callable[[Descriptor], bool]:
    """Tells of a blob whether a save with this compression finds it in the bundle: as it is, or
    re-encoded."""
    replaced: set[Digest] = set()
    if compression is not None:
        media_type = layer_media_type("oci", compression.codec)
        replaced = {
            record.replaces
            for digest, record in reader.inventory.layers.items()
            if record.replaces is not None
            and record.media_type == media_type
            and reader.extent(digest) is not None
        }

    def finds(blob: Descriptor) -> bool:
        return reader.holds(blob) or (
            blob.digest in replaced and wants_reencoding(blob, compression)
        )

    return finds


def reencode(
    original: Path,
    blob: Descriptor,
    compression: Compression,
    store: BlobStore,
    threads: int,
    token: CancelToken,
) -> tuple[Descriptor, LayerRecord]:
    """Store the layer's content anew, also where it does not shrink: what was asked for is what is
    there. Raises `MalformedContent` for a layer that cannot be decoded.
    """
    # Most saves keep layers as they came: the codecs would be a tenth of their start.
    from airgap_tui.engine.bundle.encoding.compression import encoder
    from airgap_tui.engine.bundle.encoding.decompression import decoder

    with reading(original):
        size = original.stat().st_size
        with original.open("rb") as file:
            codec = detect(file.read(HEAD))
    media_type = layer_media_type("oci", compression.codec)
    hasher, unpacked = Digest("sha256", "").hasher(), 0
    plain = decoder(codec, FileReader(Extent(original, 0, size)), f"the layer {blob.digest}")
    with closing(plain), store.begin() as file_:
        # The plain size is known beforehand only where nothing has to be decoded.
        pledge = size if codec is Codec.NONE else None
        encode = encoder(compression, file_.write, pledge, threads)
        try:
            while count := plain.readinto(buffer()):
                token.check()
                hasher.update(buffer()[:count])
                unpacked += count
                encode.write(buffer()[:count])
        except BaseException:
            encode.abort()
            raise
        encode.finish()
        diff_id = Digest.from_hasher(hasher)
        new = file_.commit(media_type)
    return new, LayerRecord(diff_id, unpacked, blob.digest, media_type)
