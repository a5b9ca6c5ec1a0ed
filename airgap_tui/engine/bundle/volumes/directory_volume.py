"""A volume as a directory on its medium: each file gets its name only once it is whole and durable,
`volume.json` last.

A note of the volume lies in `.partial` until then, so that an interrupted one is continued and
nothing else is taken for one.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from queue import Empty, SimpleQueue

from airgap_tui.engine.buffer import buffer
from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.blob_store import BlobStore
from airgap_tui.engine.bundle.durable import (
    read_note,
    replace_file,
    sync_directory,
    sync_file_system,
    writing,
)
from airgap_tui.engine.bundle.lock import BundleLock
from airgap_tui.engine.bundle.media.extent import reading
from airgap_tui.engine.bundle.media.storage import DirectoryStorage
from airgap_tui.engine.bundle.tool_writer import put_file
from airgap_tui.engine.bundle.volumes.arrangement import Content, VolumeLayout
from airgap_tui.engine.bundle.volumes.tar_volume import Open, Report
from airgap_tui.engine.bundle.volumes.volume import MAX_BYTES, Volume
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AirgapError,
    ContentMismatch,
    TemporaryFailure,
    UnsafeContent,
    UsageError,
)
from airgap_tui.engine.oci.content import Reader
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest

_NOTE = f"{layout.PARTIAL}/volume"
_THREADS = 4
"""Each reads, hashes and writes past the cache in turn: with two, a quick disk waits for them."""
_LONGEST_NOTE = 1000


def check_directory(root: Path, laid: VolumeLayout) -> None:
    """Raise `UsageError` where something else than this volume lies at its place, and
    `UnsafeContent` where a link would lead out of it."""
    if root.is_symlink() or (root / layout.PARTIAL).is_symlink():
        raise UnsafeContent(f"{root} is a link or holds one; a volume holds none")
    with reading(root):
        if not root.exists():
            return
        if not root.is_dir():
            raise UsageError(f"{root} is a file; the volume is a directory of that name")
        if _note(root) == _note_of(laid) or layout.is_new(root):
            return
    there = volume_at(root)
    if there is not None and (there.set_id, there.number) == (
        laid.volume.set_id,
        laid.volume.number,
    ):
        return
    raise UsageError(
        f"{root} exists and is not this volume",
        hint="Remove it, or choose another directory for the volumes.",
    )


def volume_at(root: Path) -> Volume | None:
    """The finished volume in a directory; None where there is none that can be read."""
    try:
        storage = DirectoryStorage(root)
        return Volume.parse(storage.read(layout.VOLUME, MAX_BYTES), str(root))
    except AirgapError:
        return None


def is_finished(root: Path, laid: VolumeLayout) -> bool:
    """Whether the volume is there, each file with its size; content is not read."""
    found = None if (root / layout.PARTIAL).exists() else volume_at(root)
    if found is None or not laid.is_described_by(found):
        return False
    try:
        storage = DirectoryStorage(root)
        extents = ((storage.extent(content.path), content.size) for content in laid.contents)
        return all(extent is not None and extent.size == size for extent, size in extents)
    except AirgapError:
        return False


def write_directory(
    root: Path,
    laid: VolumeLayout,
    opener: Open,
    report: Report,
    token: CancelToken,
    *,
    again: bool = False,
) -> None:
    """Write or continue the volume. `again` reads what is there and replaces what is wrong.

    Raises `ContentMismatch` where the bundle's content is not what its name says, `NoRoom`,
    `BundleLocked`, and as `check_directory`.
    """
    check_directory(root, laid)
    with writing(root):
        root.mkdir(exist_ok=True)
    lock = BundleLock(root, "export")
    try:
        with writing(root):
            replace_file(root / _NOTE, _note_of(laid), root / f"{_NOTE}.new")
            (root / layout.VOLUME).unlink(missing_ok=True)
        _Writer(root, laid, opener, report, token, again).run()
        with writing(root):
            (root / _NOTE).unlink()
    finally:
        lock.release()
        with suppress(OSError):
            (root / layout.PARTIAL).rmdir()


class _Writer:
    def __init__(
        self,
        root: Path,
        laid: VolumeLayout,
        opener: Open,
        report: Report,
        token: CancelToken,
        again: bool,
    ) -> None:
        self._root = root
        self._laid = laid
        self._opener = opener
        self._report = report
        self._token = token
        self._again = again
        self._store = BlobStore(root)
        self._storage = DirectoryStorage(root)
        self._putting = threading.Lock()

    def run(self) -> None:
        queue: SimpleQueue[Content] = SimpleQueue()
        for content in sorted(self._laid.contents, key=lambda c: (-c.size, c.path)):
            if content.part is not None:
                queue.put(content)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="export") as pool:
            for work in [pool.submit(self._work, queue) for _ in range(_THREADS)]:
                work.result()
        self._drop_others()
        if any(_is_of_tool(content) for content in self._laid.contents):
            sync_file_system(self._root)
        for content in reversed(self._laid.contents):
            if content.part is None:
                self._token.check()
                target = self._root / content.path
                with writing(target):
                    target.parent.mkdir(parents=True, exist_ok=True)
                replace_file(target, content.made, self._root / layout.PARTIAL / "made.new")
                self._report(content, content.size)

    def _work(self, queue: SimpleQueue[Content]) -> None:
        with suppress(Empty):
            while True:
                content = queue.get_nowait()
                try:
                    self._write(content)
                except BaseException:
                    with suppress(Empty):
                        while True:
                            queue.get_nowait()
                    raise

    def _write(self, content: Content) -> None:
        if self._is_there(content):
            self._report(content, content.size)
            return
        if _is_of_tool(content):
            self._write_tool(content)
            return
        digest = layout.digest_of_path(content.path) or Digest("sha256", content.sha256)
        target, whole = self._root / content.path, self._copied(content, digest)
        if target.parent == self._store.path(digest).parent:
            self._store.keep(whole, digest)
            return
        with writing(target):
            for folder in self._new_folders(target.parent):
                folder.mkdir(exist_ok=True)
                sync_directory(folder.parent)
            os.replace(whole, target)
            sync_directory(target.parent)

    def _write_tool(self, content: Content) -> None:
        """One of thousands of small files: all of them are synced together, by `run`."""
        raw = b""
        with closing(self._opener(content, 0)) as reader:
            while count := reader.readinto(buffer()):
                raw += buffer()[:count]
        if hashlib.sha256(raw).hexdigest() != content.sha256:
            raise ContentMismatch(
                f"{content.path}: its content is not what the bundle says",
                hint="Give the same command with --no-tool, or remove the bundle's directory"
                f" {layout.TOOL}.",
            )
        with self._putting:
            put_file(self._root, content.path, raw)
        self._report(content, content.size)

    def _copied(self, content: Content, digest: Digest) -> Path:
        """The file, whole in its partial file. What an earlier run left of it may be wrong, where
        the power failed; then it is begun again."""
        begun, reported = self._store.partial(digest).exists(), 0

        def report(count: int) -> None:
            nonlocal reported
            reported += count
            self._report(content, count)

        def opener(offset: int) -> Reader:
            report(offset)
            return self._opener(content, offset)

        blob = Descriptor("", digest, content.size)
        while True:
            try:
                whole = self._store.download(blob, opener, report, self._token)
                if reported < content.size:  # an earlier run left all of it
                    report(content.size - reported)
                return whole
            except (ContentMismatch, TemporaryFailure) as error:
                if not begun or isinstance(error, TemporaryFailure):
                    raise ContentMismatch(
                        f"{content.part.source if content.part else content.path}: {error.message}",
                        hint="Run the save again: it fetches that blob again.",
                    ) from None
                begun = False
                report(-reported)

    def _new_folders(self, folder: Path) -> Iterator[Path]:
        if folder != self._root:
            yield from self._new_folders(folder.parent)
            if not folder.exists():
                yield folder

    def _is_there(self, content: Content) -> bool:
        extent = self._storage.extent(content.path)
        if extent is None or extent.size != content.size:
            return False
        if not (self._again or _is_of_tool(content)):
            return True
        hasher = Digest("sha256", "").hasher()
        try:
            with reading(extent.path), extent.path.open("rb", buffering=0) as file:
                while count := file.readinto(buffer()):
                    self._token.check()
                    hasher.update(buffer()[:count])
        except AirgapError as error:
            if isinstance(error, UnsafeContent) or self._token.cancelled:
                raise
            return False
        return hasher.hexdigest() == content.sha256

    def _drop_others(self) -> None:
        """Files of a bundle that do not belong to this volume."""
        wanted = {content.path for content in self._laid.contents}
        for name, _size in list(self._storage.names()):
            if name not in wanted:
                with writing(self._root / name):
                    (self._root / name).unlink()


def _is_of_tool(content: Content) -> bool:
    return content.path.startswith(f"{layout.TOOL}/")


def _note(root: Path) -> bytes:
    try:
        return read_note(root / _NOTE, _LONGEST_NOTE)
    except (FileNotFoundError, NotADirectoryError):
        return b""


def _note_of(laid: VolumeLayout) -> bytes:
    return f"{laid.volume.set_id} {laid.volume.number}\n".encode()
