"""A source over sample images in memory, which can break off and lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from airgap_tui.engine.bundle.closure import closure_below
from airgap_tui.engine.bundle.encoding.codec import Compression
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import NotFound, TemporaryFailure
from airgap_tui.engine.oci.content import Closure, Reader
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest, parse
from airgap_tui.engine.oci.platform import DEFAULT_PLATFORM, Platform
from airgap_tui.engine.oci.reference import Reference
from tests.images import SampleImage, SampleIndex

Sample = SampleImage | SampleIndex
REGISTRY = "nvcr.io"


def reference_of(sample: Sample) -> Reference:
    return Reference.parse(f"{REGISTRY}/{sample.name}")


class SampleSource:
    """Implements `content.Source`. Breaks off each blob once after `break_after` bytes, and gives
    wrong bytes for the digests in `lies`, as often as they say. `asked` counts bytes sent."""

    def __init__(self, samples: Iterable[Sample], *, break_after: int | None = None) -> None:
        self._samples = {reference_of(sample).tagged_name: sample for sample in samples}
        self._content = {
            digest: data
            for sample in self._samples.values()
            for digest, data in sample.blobs.items()
        }
        self._documents = {
            str(Digest.of(raw)): (media_type, raw)
            for sample in self._samples.values()
            for media_type, raw in sample.documents
        }
        self._break_after = break_after
        self.lies: dict[str, int] = {}
        self.opened: list[tuple[str, int]] = []
        self.sent: dict[str, int] = {}

    def resolve(
        self, reference: Reference, platform: Platform | None, token: CancelToken
    ) -> Closure:
        sample = self._samples.get(reference.tagged_name)
        if sample is None:
            raise NotFound(f"there is no {reference}")
        media_type, raw = sample.documents[-1]
        root = parse(raw, media_type)
        index_digest = None
        descriptor = root.descriptor
        if isinstance(root, Index) and platform is not None:
            index_digest = root.digest
            descriptor = root.choose(platform, str(reference))
        closure = closure_below(reference, descriptor, self._load)
        platforms = closure.platforms or ((platform,) if platform else ())
        return Closure(
            reference,
            closure.root,
            closure.documents,
            closure.blobs,
            platforms,
            index_digest,
        )

    def open(
        self, reference: Reference, blob: Descriptor, offset: int, token: CancelToken
    ) -> Reader:
        name = str(blob.digest)
        data = self._content[name]
        if self.lies.get(name):
            self.lies[name] -= 1
            data = bytes(len(data))
        first = name not in {digest for digest, _ in self.opened}
        self.opened.append((name, offset))
        stop = self._break_after if first else None
        return _Sender(self, name, data, offset, stop)

    def _load(self, descriptor: Descriptor) -> Manifest | Index:
        media_type, raw = self._documents[str(descriptor.digest)]
        return parse(raw, media_type)


class _Sender:
    def __init__(
        self, source: SampleSource, name: str, data: bytes, offset: int, stop: int | None
    ) -> None:
        self._source, self._name, self._data = source, name, data
        self._position, self._stop = offset, stop

    def readinto(self, buffer: memoryview, /) -> int:
        end = len(self._data) if self._stop is None else min(self._stop, len(self._data))
        piece = self._data[self._position : min(end, self._position + min(len(buffer), 30_000))]
        if not piece and self._position < len(self._data):
            raise TemporaryFailure("connection reset")
        buffer[: len(piece)] = piece
        self._position += len(piece)
        sent = self._source.sent
        sent[self._name] = sent.get(self._name, 0) + len(piece)
        return len(piece)

    def close(self) -> None:
        pass


def save(
    path: Path,
    samples: Sequence[Sample],
    *,
    source: SampleSource | None = None,
    platform: Platform | None = DEFAULT_PLATFORM,
    compression: Compression | None = None,
    finish: bool = True,
) -> dict[str, Digest]:
    """Fill a bundle with samples, one blob after the other; the digests that it gave, by name."""
    source, token = source or SampleSource(samples), CancelToken()
    digests = {}
    with BundleWriter.open(path, "save", platform, compression, threads=2) as bundle:
        for sample in samples:
            reference = reference_of(sample)
            closure = source.resolve(reference, platform, token)
            for blob in closure.blobs:
                if not bundle.has(reference, blob, token):
                    receive(bundle, source, reference, blob)
            digests[reference.tagged_name] = bundle.tag(reference, closure, token)
        if finish:
            bundle.finish(token)
    return digests


def receive(
    bundle: BundleWriter, source: SampleSource, reference: Reference, blob: Descriptor
) -> int:
    """One blob, as the copy loop does it; the bytes that were reported."""
    reported = 0
    token = CancelToken()

    def report(count: int) -> None:
        nonlocal reported
        reported += count

    while True:
        try:
            bundle.receive(
                reference,
                blob,
                lambda offset: source.open(reference, blob, offset, token),
                report,
                token,
            )
            return reported
        except TemporaryFailure:
            continue
