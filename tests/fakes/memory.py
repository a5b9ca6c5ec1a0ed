"""A source and a target in memory, with scripted faults: for the copy loop alone."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ContentMismatch, NotFound
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.content import Closure, Opener, Reader, Report
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Manifest
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference

CHUNK = 50_000


def descriptor_of(data: bytes, media_type: str = media_types.OCI_LAYER_GZIP) -> Descriptor:
    return Descriptor(media_type, Digest.of(data), len(data))


def closure_of(reference: Reference, *layers: bytes) -> Closure:
    """An image of these layers, with a config that is its name."""
    config = descriptor_of(str(reference).encode(), media_types.OCI_CONFIG)
    root = Manifest.build(config, [descriptor_of(layer) for layer in layers])
    return Closure(reference, root, (root,), root.blobs)


class MemorySource:
    """Blobs by digest. `faults[digest]` are called in turn, once an opening, with the offset; what
    they raise comes from the reader after half of what is left."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}
        self.faults: dict[Digest, list[Callable[[int], Exception | None]]] = {}
        self.opened: list[tuple[Digest, int]] = []
        self._lock = threading.Lock()

    def add(self, reference: str, *layers: bytes) -> Closure:
        closure = closure_of(Reference.parse(reference), *layers)
        for blob, data in zip(
            closure.blobs, dict.fromkeys((str(closure.reference).encode(), *layers)), strict=True
        ):
            self.blobs[blob.digest] = data
        return closure

    def resolve(
        self, reference: Reference, platform: Platform | None, token: CancelToken
    ) -> Closure:
        raise NotFound(f"{reference} is not looked up here")

    def open(
        self, reference: Reference, blob: Descriptor, offset: int, token: CancelToken
    ) -> Reader:
        with self._lock:
            self.opened.append((blob.digest, offset))
            faults = self.faults.get(blob.digest) or []
            fault = faults.pop(0)(offset) if faults else None
        return _MemoryReader(self.blobs[blob.digest][offset:], fault)


class _MemoryReader:
    def __init__(self, data: bytes, fault: Exception | None) -> None:
        self._data = data[: len(data) // 2] if fault else data
        self._fault = fault

    def readinto(self, buffer: memoryview, /) -> int:
        count = min(len(buffer), len(self._data))
        buffer[:count] = self._data[:count]
        self._data = self._data[count:]
        if not count and self._fault:
            raise self._fault
        return count

    def close(self) -> None:
        pass


class MemoryTarget:
    """Keeps blobs per repository, and continues a broken blob where `resumes` says so."""

    def __init__(self, *, scoped: bool = False, resumes: bool = True) -> None:
        self.blobs: dict[tuple[str, Digest], bytes] = {}
        self.names: dict[str, Digest] = {}
        self.received: Counter[Digest] = Counter()
        self.refused: dict[str, Exception] = {}
        self._scoped = scoped
        self._resumes = resumes
        self._partial: dict[tuple[str, Digest], bytearray] = {}

    def scope(self, reference: Reference) -> str:
        return reference.repository if self._scoped else ""

    def has(self, reference: Reference, blob: Descriptor, token: CancelToken) -> bool:
        return (self.scope(reference), blob.digest) in self.blobs

    def receive(
        self,
        reference: Reference,
        blob: Descriptor,
        opener: Opener,
        report: Report,
        token: CancelToken,
    ) -> None:
        if reference.repository in self.refused:
            raise self.refused[reference.repository]
        key = (self.scope(reference), blob.digest)
        self.received[blob.digest] += 1
        if not self._resumes:
            self._partial.pop(key, None)
        data = self._partial.setdefault(key, bytearray())
        buffer = memoryview(bytearray(CHUNK))
        with closing(opener(len(data))) as reader:
            while count := reader.readinto(buffer):
                data += buffer[:count]
                report(count)
        del self._partial[key]
        if Digest.of(data) != blob.digest:
            raise ContentMismatch(f"the digest should be {blob.digest} and is {Digest.of(data)}")
        self.blobs[key] = bytes(data)

    def tag(self, reference: Reference, closure: Closure, token: CancelToken) -> Digest:
        missing = [b for b in closure.needed if not self.has(reference, b, token)]
        assert not missing, f"{reference} is named before {missing} are there"
        self.names[reference.tagged_name] = closure.root.digest
        return closure.root.digest
