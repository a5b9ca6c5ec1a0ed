"""The blobs of a bundle while they are written: in `.partial` first, under their digest once whole.

A partial file outlives its process: the next one hashes what is there and asks for the rest.
"""

from __future__ import annotations

import itertools
import os
import stat
import threading
import time
from contextlib import closing
from pathlib import Path
from types import TracebackType

from airgap_tui.engine.buffer import BUFFER, buffer
from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.durable import (
    DirectorySync,
    sync_directory,
    writing,
)
from airgap_tui.engine.bundle.hashed_file import HashedFile
from airgap_tui.engine.bundle.linking import link_file
from airgap_tui.engine.bundle.media.extent import reading
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ContentMismatch, EnvironmentFailure, TemporaryFailure
from airgap_tui.engine.oci.content import OpenAt, Reader, Report, check_digest
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest

_LEAST_WRITE = 256 * 1024
"""Small reads are gathered to this before they are hashed and written, and to a whole buffer where
that takes no longer than `_QUICK` seconds: so a kill loses little of what came slowly."""

_QUICK = 0.1

_LARGE = 16 * 1024 * 1024
"""From this size on a download is written past the page cache."""

_FRESH = "new-"


class BlobFile:
    """Content on its way into a bundle whose digest is known only at its end.

    Use as a context manager: leaving it without `commit` drops what was written.
    """

    def __init__(self, store: BlobStore, path: Path, algorithm: str) -> None:
        self._store = store
        self._algorithm = algorithm
        hasher = Digest(algorithm, "").hasher()
        self._output = HashedFile(path, os.O_TRUNC, hasher)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._output.size

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        """Hash and write all of it. Raises `NoRoom`."""
        self._output.write(memoryview(data).cast("B"))

    def commit(self, media_type: str) -> Descriptor:
        """Make the content durable under its digest, which the descriptor tells."""
        output = self._output
        digest = Digest.from_hasher(output.hasher, self._algorithm)
        if self._store.size(digest) == output.size:
            self.abort()
        else:
            output.sync()
            output.close()
            self._store.keep(output.path, digest)
        return Descriptor(media_type, digest, output.size)

    def abort(self) -> None:
        if self._output.descriptor >= 0:
            self._output.close()
            self._output.path.unlink(missing_ok=True)

    def __enter__(self) -> BlobFile:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.abort()


class BlobStore:
    """The blobs and partial files below a bundle's directory, for one writing process."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._numbers = itertools.count()
        self._syncs: dict[str, DirectorySync] = {}
        self._lock = threading.Lock()
        with writing(root):
            for leftover in (root / layout.PARTIAL).iterdir():
                # What a killed writer was making; downloads are kept, and continued.
                if leftover.name.startswith(_FRESH) or leftover.suffix == ".new":
                    leftover.unlink()

    def path(self, digest: Digest) -> Path:
        return self._root / layout.blob_path(digest)

    def partial(self, digest: Digest) -> Path:
        return self._root / layout.partial_path(digest)

    def size(self, digest: Digest) -> int | None:
        """The size of stored content; None where it is not there."""
        try:
            status = os.lstat(self.path(digest))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def begin(self, algorithm: str = "sha256") -> BlobFile:
        name = f"{layout.PARTIAL}/{_FRESH}{next(self._numbers)}"
        return BlobFile(self, self._root / name, algorithm)

    def put(self, data: bytes, digest: Digest) -> None:
        """Store small content, replacing whatever lies under its digest."""
        try:
            if self.size(digest) == len(data) and self.path(digest).read_bytes() == data:
                return
        except OSError:
            pass  # what cannot be read is written again
        output = HashedFile(
            self._root / f"{layout.PARTIAL}/{_FRESH}{next(self._numbers)}",
            os.O_TRUNC,
            digest.hasher(),
        )
        try:
            output.write(memoryview(data))
            check_digest(output.hasher, Descriptor("", digest, len(data)))
            output.sync()
        except BaseException:
            output.path.unlink(missing_ok=True)
            raise
        finally:
            output.close()
        self.keep(output.path, digest)

    def download(
        self, blob: Descriptor, opener: OpenAt, report: Report, token: CancelToken
    ) -> Path:
        """Fetch a blob into its partial file, resuming what is there, and verify it.

        Raises `ContentMismatch` (the file is dropped), `TemporaryFailure` (it stays), `NoRoom`.
        """
        path = self.partial(blob.digest)
        output = self._continued(path, blob, token)
        try:
            if output.size < blob.size:
                if blob.size >= _LARGE:
                    output.go_past_the_cache()
                with closing(opener(output.size)) as reader:
                    step = _LEAST_WRITE
                    while output.size < blob.size:
                        begun = time.monotonic()
                        room = buffer()[: min(step, blob.size - output.size)]
                        _fill(room, reader, output, blob, report, token)
                        quick = time.monotonic() - begun < _QUICK
                        step = min(step * 2, BUFFER) if quick else max(step // 2, _LEAST_WRITE)
            try:
                check_digest(output.hasher, blob)
            except ContentMismatch:
                path.unlink(missing_ok=True)
                raise
            output.sync()
        finally:
            output.close()
        return path

    def link(self, blob: Descriptor, source: Path, report: Report, token: CancelToken) -> bool:
        """Reflink or hard-link a file that is the whole blob, and verify it; False where the
        file systems cannot. Raises `ContentMismatch`."""
        path = self._root / f"{layout.PARTIAL}/{_FRESH}{next(self._numbers)}"
        if not link_file(source, path):
            return False
        try:
            hasher = blob.digest.hasher()
            with reading(path), path.open("rb", buffering=0) as file:
                while count := file.readinto(buffer()):
                    token.check()
                    hasher.update(buffer()[:count])
                    report(count)
                os.fsync(file.fileno())
            check_digest(hasher, blob)
            self.keep(path, blob.digest)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return True

    def keep(self, path: Path, digest: Digest) -> None:
        """Move a complete, synced file to its place among the blobs, durably."""
        target = self.path(digest)
        with writing(target):
            directory = self._directory(digest.algorithm)
            os.replace(path, target)
            directory.sync()

    def drop(self, digest: Digest) -> None:
        """Remove stored content that is wrong."""
        with writing(self.path(digest)):
            self.path(digest).unlink(missing_ok=True)

    def is_whole(self, digest: Digest, token: CancelToken) -> bool:
        """Whether stored content matches its digest; reads all of it."""
        try:
            return self._hash(digest, digest.algorithm, token) == digest.hex
        except EnvironmentFailure:
            return False

    def sha256(self, digest: Digest, token: CancelToken) -> str:
        """The SHA-256 in hex of content that is stored under another digest."""
        return self._hash(digest, "sha256", token)

    def drop_partial_files(self) -> None:
        """Remove the partial files of content that nobody waits for."""
        with writing(self._root):
            for algorithm in layout.ALGORITHMS:
                for path in (self._root / layout.PARTIAL).glob(f"{algorithm}-*"):
                    path.unlink()

    def _hash(self, digest: Digest, algorithm: str, token: CancelToken) -> str:
        hasher, path = Digest(algorithm, "").hasher(), self.path(digest)
        with reading(path), path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer()):
                token.check()
                hasher.update(buffer()[:count])
        return hasher.hexdigest()

    def _directory(self, algorithm: str) -> DirectorySync:
        with self._lock:
            if algorithm not in self._syncs:
                path = self._root / layout.BLOBS / algorithm
                path.mkdir(parents=True, exist_ok=True)
                sync_directory(path.parent)
                self._syncs[algorithm] = DirectorySync(path)
            return self._syncs[algorithm]

    def _continued(self, path: Path, blob: Descriptor, token: CancelToken) -> HashedFile:
        """The partial file with its content hashed; truncated where it cannot become the blob."""
        output = HashedFile(path, 0, blob.digest.hasher())
        try:
            with reading(path):
                there = os.fstat(output.descriptor).st_size
                if there <= blob.size:
                    while output.size < there:
                        token.check()
                        count = os.readv(output.descriptor, [buffer()])
                        output.hasher.update(buffer()[:count])
                        output.size += count
                whole = output.size == blob.size and there == blob.size
                actual = Digest.from_hasher(output.hasher, blob.digest.algorithm)
                if there > blob.size or (whole and actual != blob.digest):
                    os.ftruncate(output.descriptor, 0)
                    os.lseek(output.descriptor, 0, os.SEEK_SET)
                    output.hasher, output.size = blob.digest.hasher(), 0
        except BaseException:
            output.close()
            raise
        output.mark_flushed()
        return output


def _fill(
    room: memoryview,
    reader: Reader,
    output: HashedFile,
    blob: Descriptor,
    report: Report,
    token: CancelToken,
) -> None:
    """Fill the room from the reader; what came is written even if the reader fails."""
    filled = 0
    try:
        while filled < len(room):
            token.check()
            count = reader.readinto(room[filled:])
            if not count:
                raise TemporaryFailure(
                    f"{blob.digest} ended after {output.size + filled} of {blob.size} bytes"
                )
            filled += count
            report(count)
    finally:
        if filled:
            output.write(room[:filled])
