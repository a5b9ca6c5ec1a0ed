"""The two seams of the copy loop: a `Source` that content comes from, a `Target` that it goes to.

A registry, a bundle and an opened medium implement them; `jobs.transfer` joins any pair. Between
them travel descriptors and plain bytes, so deduplication, order, retry, resume and progress live
once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ContentMismatch
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest, Hasher
from airgap_tui.engine.oci.manifest import Index, Manifest
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference

CHUNK = 1024 * 1024
"""Bytes moved at once: large enough that hashing and sockets mostly run without the GIL."""


@dataclass(frozen=True, slots=True)
class Closure:
    """Everything that a name needs, as the source has it.

    `root` is what the name points at. `documents` are all manifests and indexes below and including
    `root`, children first, so that storing them in order never leaves one dangling. `blobs` are the
    distinct configs and layers. `index_digest` is the index that `root` was chosen from, if any.
    `signatures` are closures that refer to this one (referrers, cosign tags).
    """

    reference: Reference
    root: Manifest | Index
    documents: tuple[Manifest | Index, ...]
    blobs: tuple[Descriptor, ...]
    platforms: tuple[Platform, ...] = ()
    index_digest: Digest | None = None
    signatures: tuple[Closure, ...] = field(default=())

    @property
    def size(self) -> int:
        """Bytes of all documents and blobs, each once; without the signatures."""
        return sum(len(document.raw) for document in self.documents) + sum(
            blob.size for blob in self.blobs
        )

    @property
    def needed(self) -> tuple[Descriptor, ...]:
        """The distinct blobs of the closure and of its signatures."""
        blobs = [*self.blobs]
        for signature in self.signatures:
            blobs += signature.needed
        return tuple({blob.digest: blob for blob in blobs}.values())

    @property
    def digests(self) -> tuple[Digest, ...]:
        """Of all documents and blobs, of the signatures too; sorted."""
        every = (self, *self.signatures)
        documents = {document.digest for one in every for document in one.documents}
        return tuple(sorted(documents | {blob.digest for blob in self.needed}))

    @property
    def images(self) -> tuple[Manifest, ...]:
        """The image manifests among the documents."""
        return tuple(d for d in self.documents if isinstance(d, Manifest) and d.is_image)


class Reader(Protocol):
    """A blob's bytes, in order. Use with `contextlib.closing`."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the start of `buffer`; return the count of bytes, 0 at the end. Raises
        `TemporaryFailure` where a retry from the current offset may help."""
        ...

    def close(self) -> None: ...


OpenAt = Callable[[int], Reader]
"""Opens the blob at an offset in bytes."""


class Opener(Protocol):
    """As `OpenAt`; `held` are the bytes that the target has, where it reads them once more to check
    them, and goes on behind them."""

    def __call__(self, offset: int, held: int = 0, /) -> Reader: ...


Report = Callable[[int], None]
"""Takes the number of bytes moved since the last call; negative where bytes are thrown away."""


class Source(Protocol):
    """Where content comes from."""

    def resolve(
        self, reference: Reference, platform: Platform | None, token: CancelToken
    ) -> Closure:
        """Everything that the name needs, for one platform or for all (None).

        Raises `NotFound`, `AccessDenied`, `MalformedContent` or `ConnectionFailure`."""
        ...

    def open(
        self, reference: Reference, blob: Descriptor, offset: int, token: CancelToken
    ) -> Reader:
        """The bytes of a blob that `reference` needs, from `offset` on, unverified.

        Raises as `resolve` does, and `TemporaryFailure`.
        """
        ...


class Target(Protocol):
    """Where content goes to. Called from several threads, for distinct blobs."""

    def scope(self, reference: Reference) -> str:
        """Within one scope a blob is stored once: a repository, or the whole bundle ("")."""
        ...

    def has(self, reference: Reference, blob: Descriptor, token: CancelToken) -> bool:
        """Whether the target already has the whole blob."""
        ...

    def receive(
        self,
        reference: Reference,
        blob: Descriptor,
        opener: Opener,
        report: Report,
        token: CancelToken,
    ) -> None:
        """Store one blob. On return it is verified and durable.

        `opener` gives bytes from the offset that the target wants; a second call after a
        `TemporaryFailure` resumes where possible. Raises `ContentMismatch`, `NoRoom`."""
        ...

    def tag(self, reference: Reference, closure: Closure, token: CancelToken) -> Digest:
        """Store the documents of a closure whose blobs the target has, and name its root; then
        those of its signatures, within the same scope.

        Returns the digest under which the target holds the root."""
        ...


class VerifyingReader:
    """Counts and hashes what a reader gives; a blob that differs ends in `ContentMismatch`.

    `hasher` and `offset` continue a hash that was begun over the first `offset` bytes.
    """

    def __init__(
        self, reader: Reader, blob: Descriptor, *, hasher: Hasher | None = None, offset: int = 0
    ) -> None:
        self._reader = reader
        self._blob = blob
        self._hasher = hasher or blob.digest.hasher()
        self._offset = offset

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._reader.readinto(buffer)
        if count:
            self._hasher.update(buffer[:count])
            self._offset += count
        ended = count == 0 and len(buffer) > 0
        if self._offset > self._blob.size or (ended and self._offset < self._blob.size):
            raise ContentMismatch(
                f"{self._blob.digest} has {self._offset} bytes or more, not {self._blob.size}"
                if not ended
                else f"{self._blob.digest} ends after {self._offset} of {self._blob.size} bytes"
            )
        if self._offset == self._blob.size:
            check_digest(self._hasher, self._blob)
        return count

    def close(self) -> None:
        self._reader.close()


def check_digest(hasher: Hasher, blob: Descriptor) -> None:
    """Raise `ContentMismatch` unless the hash taken is the blob's digest."""
    actual = Digest.from_hasher(hasher, blob.digest.algorithm)
    if actual != blob.digest:
        raise ContentMismatch(f"the digest should be {blob.digest} and is {actual}")
