"""Copies the blobs and pieces of an import from media into the bundle that is kept.

Every byte is checked on its way. Where a medium fails, another one that has the blob is read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.closure import sizes_below
from airgap_tui.engine.bundle.linking import is_whole_file
from airgap_tui.engine.bundle.media.drive import is_drive
from airgap_tui.engine.bundle.media.extent import Extent, JoinedExtent, Place, open_place
from airgap_tui.engine.bundle.names import present, root_of
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.volumes.piece_store import PieceStore
from airgap_tui.engine.bundle.volumes.volume_medium import VolumeMedium
from airgap_tui.engine.bundle.volumes.volume_set import VolumeSet
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AirgapError,
    ContentError,
    ContentMismatch,
    EnvironmentFailure,
    NoRoom,
    NotFound,
    Stopped,
    TemporaryFailure,
    WriteRefused,
)
from airgap_tui.engine.events import (
    BlobDone,
    BlobDropped,
    BlobPlanned,
    BlobProgress,
    BlobStarted,
    Level,
    Note,
    Sink,
)
from airgap_tui.engine.jobs.in_parallel import in_parallel
from airgap_tui.engine.jobs.lacking import Lacking, LackingPiece, as_it_is, pieces_of
from airgap_tui.engine.oci.content import Reader
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest


class Taking:
    """Takes what lacks from one bundle, or one set of volumes.

    `problems` is why a blob could not be taken; `copied` and `linked` are bytes."""

    def __init__(
        self,
        reader: BundleReader,
        volumes: VolumeSet | None,
        writer: BundleWriter,
        sink: Sink,
        token: CancelToken,
    ) -> None:
        self._reader = reader
        self._volumes = volumes
        self._writer = writer
        self._sink = sink
        self._token = token
        self._lock = threading.Lock()
        self._pieces = PieceStore(writer.path)
        self._broken: list[Digest] = []
        self._bad_pieces: set[tuple[Digest, int]] = set()
        self._bad_wholes: set[Digest] = set()
        self.problems: dict[Digest, AirgapError] = {}
        self.copied = 0
        self.linked = 0

    def take(self, lacking: Lacking, threads: int) -> None:
        """Raises `Stopped`, and `NoRoom` and `WriteRefused` where it is the disk of the kept bundle
        that fails; what else goes wrong is in `problems`."""
        self.problems.update(lacking.refused)
        self._bad_wholes.update(lacking.refused)
        blobs = lacking.blobs
        order = sorted(blobs, key=lambda digest: (-blobs[digest], digest))
        # Several files read at once would only move a disc's head about.
        threads = 1 if any(map(is_drive, self._reader.locations)) else threads
        in_parallel(lambda digest: self._take(digest, blobs[digest]), order, threads, self._token)
        for piece in (*lacking.pieces, *self._pieces_of_broken()):
            self._take_piece(piece)
        self._join_pieces()
        for medium in self._volumes.media if self._volumes is not None else ():
            self._miss_files(medium)

    def is_damaged(self, medium: VolumeMedium) -> bool:
        """Whether something that could not be taken is on this volume: it has to come again."""
        return any(self._is_bad(file.path) for file in medium.volume.files)

    def _is_bad(self, path: str) -> bool:
        piece = layout.piece_of_path(path)
        if piece is not None:
            return piece in self._bad_pieces or piece[0] in self._bad_wholes
        return layout.digest_of_path(path) in self.problems

    def drop_pieces(self, digests: Iterable[Digest]) -> None:
        """Forget pieces that nothing waits for any more."""
        for digest in digests:
            self._pieces.drop(digest)

    def _take(self, digest: Digest, size: int) -> None:
        """One blob, from the first medium that has it whole."""
        name, blob = str(digest), Descriptor("", digest, size)
        problem: AirgapError | None = None
        try:
            places = self._places(digest)
        except AirgapError as error:
            places, problem = (), error
        begun = (self._writer.path / layout.partial_path(digest)).exists()
        for place in (*places, *(places[:1] if begun else ())):
            try:
                self._take_from(place, blob)
            except (Stopped, NoRoom, WriteRefused):
                raise
            except (ContentError, EnvironmentFailure) as error:
                problem = problem or self._told(place, error)
                continue
            self._sink(BlobDone(name))
            return
        problem = problem or NotFound(f"{digest} is not there")
        with self._lock:
            if self._volumes is not None and digest in self._volumes.cut:
                self._broken.append(digest)
            else:
                self.problems[digest] = problem
        self._sink(BlobDropped(name, problem.message))

    def _places(self, digest: Digest) -> tuple[Place, ...]:
        if self._volumes is not None:
            return self._volumes.copies(layout.blob_path(digest))
        place = self._reader.extent(digest)
        return () if place is None else (place,)

    def _take_from(self, place: Place, blob: Descriptor) -> None:
        name, taken = str(blob.digest), 0

        def report(count: int) -> None:
            nonlocal taken
            taken += count
            self._sink(BlobProgress(name, count))

        def opener(offset: int) -> Reader:
            self._sink(BlobStarted(name, offset))
            return open_place(place, offset)

        if place.size != blob.size:
            raise ContentMismatch(f"{blob.digest} has {place.size} bytes, not {blob.size}")
        if isinstance(place, Extent) and is_whole_file(place):
            self._sink(BlobStarted(name))
            if self._writer.link(blob, place.path, report, self._token):
                with self._lock:
                    self.linked += blob.size
                return
        try:
            self._writer.take(blob, opener, report, self._token)
        except TemporaryFailure as error:
            raise ContentMismatch(error.message) from None
        finally:
            with self._lock:
                self.copied += taken

    def _told(self, place: Place, error: AirgapError) -> AirgapError:
        """The error, with the volume that it was met on."""
        if self._volumes is not None and not isinstance(place, JoinedExtent):
            error.message = f"{self._volumes.label(place)}: {error.message}"
        self._sink(Note(error.message, Level.WARNING))
        return error

    def _pieces_of_broken(self) -> tuple[LackingPiece, ...]:
        """Where a blob is wrong whose pieces are all here, one piece is: the others are kept, and
        its volume is known."""
        if self._volumes is None or not self._broken:
            return ()
        return pieces_of(self._volumes, frozenset(self._broken), self._pieces)

    def _miss_files(self, medium: VolumeMedium) -> None:
        """Note what the volume lists, and neither it nor the kept bundle has."""
        for file in medium.volume.files:
            digest = layout.digest_of_path(file.path)
            if digest is None or digest in self.problems or self._writer.is_stored(digest):
                continue
            problem = ContentMismatch(f"{medium.label}: {file.path} is not there, and is listed")
            self._sink(Note(problem.message, Level.WARNING))
            self.problems[digest] = problem

    def _take_piece(self, piece: LackingPiece) -> None:
        """One piece, from the first medium that has it whole."""
        blob = f"{piece.digest}/{piece.offset}"
        self._sink(BlobPlanned(blob, piece.size, ()))
        problem: AirgapError | None = None
        for medium in piece.media:
            self._sink(BlobStarted(blob))
            try:
                self._take_piece_from(medium, piece, blob)
            except (Stopped, NoRoom, WriteRefused):
                raise
            except (ContentError, EnvironmentFailure) as error:
                error.message = f"{medium.label}: {error.message}"
                self._sink(Note(error.message, Level.WARNING))
                problem = problem or error
                continue
            self._sink(BlobDone(blob))
            return
        assert problem is not None  # noqa: S101 - a piece lies on one medium at least
        self.problems[piece.digest] = problem
        self._bad_pieces.add((piece.digest, piece.offset))
        self._sink(BlobDropped(blob, problem.message))

    def _take_piece_from(self, medium: VolumeMedium, piece: LackingPiece, blob: str) -> None:
        path = layout.piece_path(piece.digest, piece.offset)

        def report(count: int) -> None:
            self.copied += count
            self._sink(BlobProgress(blob, count))

        place = medium.place(path)
        if place is None:
            raise ContentMismatch(f"{path} is not there, and is listed")
        sha256 = medium.volume.by_path[path].sha256
        self._pieces.take(piece.digest, piece.offset, place, sha256, report, self._token)

    def _join_pieces(self) -> None:
        """Make blobs of pieces that have all arrived."""
        waiting = self._pieces.waiting()
        if not waiting:
            return
        kept = as_it_is(self._writer)
        roots = [root_of(item) for item in present(self._reader.inventory)]
        sizes = sizes_below(roots, lambda descriptor: _document(kept, descriptor))
        for digest in waiting:
            size = sizes.get(digest)
            if kept.size(digest) is not None:
                self._pieces.drop(digest)
            elif size is not None and self._pieces.is_complete(digest, size):
                try:
                    path = self._pieces.check(digest, size, self._token)
                except ContentMismatch as error:
                    self.problems[digest] = error
                    self._bad_wholes.add(digest)
                    self._sink(Note(error.message, Level.WARNING))
                    continue
                self._writer.keep(path, digest)
                self._pieces.forget(digest)


def _document(kept: BundleReader, descriptor: Descriptor) -> Manifest | Index:
    return kept.document(descriptor.digest, descriptor.media_type)
