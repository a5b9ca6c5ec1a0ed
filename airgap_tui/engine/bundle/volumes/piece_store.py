"""A blob that arrives in pieces, from media in any order, assembled in one file.

What has arrived is recorded once it is on the disk, so that a killed import asks only for the rest.
"""

from __future__ import annotations

import os
from contextlib import closing, suppress
from pathlib import Path

from airgap_tui.engine.buffer import buffer
from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.durable import disk_failure, sync_directory, writing
from airgap_tui.engine.bundle.media.extent import Extent, FileReader, reading
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ContentMismatch
from airgap_tui.engine.oci.content import Report
from airgap_tui.engine.oci.digest import Digest

_MOST_BYTES = 16 * 1024 * 1024


class PieceStore:
    """The pieces below a bundle's directory, for one writing process."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, digest: Digest) -> Path:
        """The file that the pieces of a blob are written into."""
        return self._root / layout.PARTIAL / f"pieces-{digest.algorithm}-{digest.hex}"

    def arrived(self, digest: Digest) -> dict[int, int]:
        """The sizes of the pieces that are on the disk, by their offsets."""
        found: dict[int, int] = {}
        if not self.path(digest).exists():  # a kill came before the record of a blob was dropped
            return found
        with suppress(OSError), self._record(digest).open("rb") as file:
            for line in file.read(_MOST_BYTES).split(b"\n")[:-1]:
                offset, _, size = line.partition(b" ")
                if offset.isdigit() and size.isdigit():
                    found[int(offset)] = int(size)
        return found

    def begun(self, digest: Digest) -> int:
        """Bytes of the disk that a piece took which was being written when a kill came."""
        try:
            taken = self.path(digest).lstat().st_blocks * 512
        except OSError:
            return 0
        return max(0, taken - sum(self.arrived(digest).values()))

    def waiting(self) -> tuple[Digest, ...]:
        """The blobs of which pieces are here."""
        found = []
        with writing(self._root):
            for path in sorted((self._root / layout.PARTIAL).glob("pieces-*-*")):
                _, algorithm, hexadecimal = path.name.split("-", 2)
                name = f"{layout.BLOBS}/{algorithm}/{hexadecimal}"
                if (digest := layout.digest_of_path(name)) is not None:
                    found.append(digest)
        return tuple(found)

    def take(
        self,
        digest: Digest,
        offset: int,
        place: Extent,
        sha256: str,
        report: Report,
        token: CancelToken,
    ) -> None:
        """Copy one piece to its place and verify it. Raises `ContentMismatch` and `NoRoom`."""
        path, position = self.path(digest), offset
        hasher = Digest("sha256", sha256).hasher()
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with writing(path):
            if not path.exists():
                self.forget(digest)
            descriptor = os.open(path, flags, 0o666)
        try:
            with closing(FileReader(place)) as reader:
                while count := reader.readinto(buffer()):
                    token.check()
                    hasher.update(buffer()[:count])
                    _write_at(descriptor, buffer()[:count], position, path)
                    position += count
                    report(count)
            if position != offset + place.size or hasher.hexdigest() != sha256:
                raise ContentMismatch(
                    f"the piece of {digest} at byte {offset} is not what {layout.VOLUME} says"
                )
            with writing(path):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._remember(digest, offset, place.size)

    def is_complete(self, digest: Digest, size: int) -> bool:
        """Whether every byte of a blob of this size has arrived."""
        pieces, position = self.arrived(digest), 0
        while position < size and pieces.get(position):
            position += pieces[position]
        return position == size

    def check(self, digest: Digest, size: int, token: CancelToken) -> Path:
        """The file, of which all pieces are here, compared with the digest of the whole.

        Raises `ContentMismatch`; the pieces are dropped then."""
        path, hasher = self.path(digest), digest.hasher()
        with reading(path):
            os.truncate(path, size)
        with closing(FileReader(Extent(path, 0, size))) as reader:
            while count := reader.readinto(buffer()):
                token.check()
                hasher.update(buffer()[:count])
        actual = Digest.from_hasher(hasher, digest.algorithm)
        if actual != digest:
            self.drop(digest)
            raise ContentMismatch(f"the pieces of {digest} make {actual} together")
        return path

    def drop(self, digest: Digest) -> None:
        """Forget the pieces of a blob."""
        with writing(self._root):
            self._record(digest).unlink(missing_ok=True)
            self.path(digest).unlink(missing_ok=True)

    def forget(self, digest: Digest) -> None:
        """Forget the record of a blob whose file has become the blob."""
        with writing(self._root):
            self._record(digest).unlink(missing_ok=True)

    def _record(self, digest: Digest) -> Path:
        return self._root / layout.PARTIAL / f"arrived-{digest.algorithm}-{digest.hex}"

    def _remember(self, digest: Digest, offset: int, size: int) -> None:
        path = self._record(digest)
        with writing(path):
            new = not path.exists()
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(path, flags, 0o666)
            try:
                # A line that a kill cut off is ended, so that it does not run into this one.
                os.write(descriptor, b"\n%d %d\n" % (offset, size))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if new:
                sync_directory(path.parent)


def _write_at(descriptor: int, data: memoryview, position: int, path: Path) -> None:
    try:
        while data:
            count = os.pwrite(descriptor, data, position)
            data, position = data[count:], position + count
    except OSError as error:
        raise disk_failure(error, path) from error
