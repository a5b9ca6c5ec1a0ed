"""What `save --compress zstd` would save, estimated from a sample: the beginnings of the largest
layers are decoded, and re-encoded in memory. A layer's beginning stands for all of it, and the
largest layers for the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airgap_tui.engine.buffer import buffer
from airgap_tui.engine.bundle.encoding.codec import Buffer, Codec, Compression
from airgap_tui.engine.bundle.encoding.compression import encoder
from airgap_tui.engine.bundle.encoding.decompression import decoder
from airgap_tui.engine.bundle.encoding.reencode import codec_of
from airgap_tui.engine.bundle.inventory import SIGNATURE
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AirgapError, MalformedContent, Stopped
from airgap_tui.engine.events import ItemState, discard
from airgap_tui.engine.jobs.plan import PlannedBlob
from airgap_tui.engine.oci.content import Reader
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.registry.source import RegistrySource
from airgap_tui.engine.settings import Network

LEVELS = (Compression(Codec.ZSTD), Compression(Codec.ZSTD, 12))
"""What is tried: quick, and as small as is worth its time."""

_LAYERS = 6
_FROM_A_DISK = 4 * 1024 * 1024
_FROM_A_REGISTRY = 1024 * 1024
_MOST_DECODED = 16
"""A sample is given up where it grows to so many times its size: zeros say nothing of the rest."""

Opener = Callable[[Descriptor], Reader]


@dataclass(frozen=True, slots=True)
class Gain:
    """About `saved` of `total` bytes, where `sampled` bytes of `layers` layers were tried."""

    compression: Compression
    saved: int
    total: int
    sampled: int
    layers: int

    @property
    def percent(self) -> int:
        return round(100 * self.saved / self.total) if self.total else 0

    def to_json(self) -> dict[str, Any]:
        return {
            "compress": str(self.compression),
            "saved": self.saved,
            "percent": self.percent,
            "sampledBytes": self.sampled,
            "sampledLayers": self.layers,
        }


def of_bundle(path: Path, token: CancelToken) -> tuple[Gain, ...]:
    """What there is to gain in a finished bundle; nothing where no layer can be tried.

    Raises as `BundleReader.open` and `BundleReader.closure` do."""
    bundle = BundleReader.open(path)
    layers: dict[str, Descriptor] = {}
    for item in bundle.items:
        token.check()
        if item.state is ItemState.DONE and item.kind != SIGNATURE:
            for blob in bundle.closure(item).blobs:
                if bundle.holds(blob):
                    layers[str(blob.digest)] = blob
    return _gains(
        tuple(layers.values()), lambda blob: bundle.open_blob(blob.digest), _FROM_A_DISK, token
    )


def of_plan(
    blobs: Sequence[PlannedBlob], network: Network, credentials: CredentialStore, token: CancelToken
) -> tuple[Gain, ...]:
    """The same before anything is saved: reads the first megabyte of the largest layers, and no
    more. What cannot be read is not counted."""
    references = {blob.descriptor.digest: blob.reference for blob in blobs}
    with closing(RegistrySource(network, credentials, discard)) as source:

        def open_layer(blob: Descriptor) -> Reader:
            return source.open(references[blob.digest], blob, 0, token)

        layers = tuple(blob.descriptor for blob in blobs)
        return _gains(layers, open_layer, _FROM_A_REGISTRY, token)


def _gains(
    blobs: Sequence[Descriptor], open_layer: Opener, most: int, token: CancelToken
) -> tuple[Gain, ...]:
    total = sum(blob.size for blob in blobs)
    layers = [blob for blob in blobs if codec_of(blob) in (Codec.GZIP, Codec.NONE)]
    layers.sort(key=lambda blob: (-blob.size, blob.digest))
    tried, read = 0, 0
    encoded = [0.0 for _ in LEVELS]
    for layer in layers[:_LAYERS]:
        found = _try(layer, open_layer, most, token)
        if found is None:
            continue
        size, sizes = found
        tried, read = tried + 1, read + size
        # By the whole layer's weight, not the sample's: the largest count most.
        encoded = [sum_ + n / size * layer.size for sum_, n in zip(encoded, sizes, strict=True)]
    weight = sum(layer.size for layer in layers[:_LAYERS]) if tried == len(layers[:_LAYERS]) else 0
    if not weight:
        return ()
    all_layers = sum(layer.size for layer in layers)
    return tuple(
        Gain(level, max(0, round(all_layers * (1 - size / weight))), total, read, tried)
        for level, size in zip(LEVELS, encoded, strict=True)
    )


def _try(
    layer: Descriptor, open_layer: Opener, most: int, token: CancelToken
) -> tuple[int, list[int]] | None:
    """How many bytes of the layer were tried, and what each level makes of them."""
    codec = codec_of(layer)
    assert codec is not None  # noqa: S101 - only layers are tried
    sizes = [0 for _ in LEVELS]

    def counting(index: int) -> Callable[[Buffer], None]:
        def add(data: Buffer) -> None:
            sizes[index] += len(data)

        return add

    try:
        with closing(_Beginning(open_layer(layer), most)) as beginning:
            reader = decoder(codec, beginning, str(layer.digest))
            encoders = [
                encoder(level, counting(index), threads=1) for index, level in enumerate(LEVELS)
            ]
            for data in _plain(reader, beginning, token):
                for one in encoders:
                    one.write(data)
            for one in encoders:
                one.finish()
    except Stopped:
        raise
    except AirgapError:
        return None
    return (beginning.taken, sizes) if beginning.taken else None


def _plain(reader: Reader, beginning: _Beginning, token: CancelToken) -> Iterable[memoryview]:
    left = beginning.most * _MOST_DECODED
    while left > 0:
        token.check()
        try:
            count = reader.readinto(buffer())
        except MalformedContent:
            if beginning.cut:  # it goes on, where we do not
                return
            raise
        if not count:
            return
        left -= count
        yield buffer()[:count]


class _Beginning:
    """A reader of at most so many bytes of another."""

    def __init__(self, reader: Reader, most: int) -> None:
        self._reader = reader
        self.most = most
        self.taken = 0
        self.cut = False

    def readinto(self, target: memoryview, /) -> int:
        room = min(len(target), self.most - self.taken)
        if not room:
            self.cut = True
            return 0
        count = self._reader.readinto(target[:room])
        self.taken += count
        return count

    def close(self) -> None:
        self._reader.close()
