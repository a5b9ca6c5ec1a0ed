"""A volume as one tar file: an OCI archive and a docker archive at once where there is only one.

Written under another name until it is whole. One that broke off is compared with what it should
hold, member by member, and continued behind the last right byte.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine.buffer import buffer
from airgap_tui.engine.bundle.durable import sync_directory, writing
from airgap_tui.engine.bundle.media.extent import reading
from airgap_tui.engine.bundle.stream_file import StreamFile
from airgap_tui.engine.bundle.volumes import tar_member
from airgap_tui.engine.bundle.volumes.arrangement import Content, VolumeLayout
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import BundleLocked, ContentMismatch
from airgap_tui.engine.oci.content import Reader
from airgap_tui.engine.oci.digest import Digest, Hasher

Open = Callable[[Content, int], Reader]
"""The bytes of a file from an offset on."""

Report = Callable[[Content, int], None]
"""So many more bytes of a file are on the medium, or fewer."""


def partial_path(directory: Path, name: str) -> Path:
    """Where a file is while it is written."""
    return directory / f".{name}.partial"


def open_partial(path: Path) -> int:
    """The partial file, begun or continued; one process at a time has it. Raises `BundleLocked`."""
    with writing(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise BundleLocked(
                f"{path} is being written by another export",
                hint="Wait until that is finished, or stop it.",
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
    return descriptor


def write_tar(
    directory: Path, laid: VolumeLayout, opener: Open, report: Report, token: CancelToken
) -> str:
    """Write or continue the volume in `directory`; the SHA-256 of the file, in hex.

    Raises `ContentMismatch` where the bundle's content is not what its name says, `NoRoom`, and
    `BundleLocked`.
    """
    path = partial_path(directory, laid.name)
    while True:
        writer = _Writer(path, laid, opener, report, token)
        try:
            sha256 = writer.run()
            break
        except _BrokenRemains:
            writer.take_back_all()
    with writing(path):
        os.replace(path, directory / laid.name)
        sync_directory(directory)
    return sha256


class _BrokenRemains(Exception):
    """What an earlier run left of a member was not what it should be; it is cut off now."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to go on: behind `done` bytes of the content of a member; `done` None is before its
    header. `hasher` has seen those bytes."""

    index: int
    position: int
    done: int | None
    hasher: Hasher


class _Writer:
    def __init__(
        self, path: Path, laid: VolumeLayout, opener: Open, report: Report, token: CancelToken
    ) -> None:
        self._path = path
        self._opener = opener
        self._report = report
        self._token = token
        self._members = list(laid.members())
        self._end = laid.size - len(tar_member.END)
        self._whole = Digest("sha256", "").hasher()
        self._reported: dict[str, int] = {}

    def run(self) -> str:
        descriptor = open_partial(self._path)
        try:
            place = self._kept(descriptor)
            with writing(self._path):
                os.ftruncate(descriptor, place.position)
                os.lseek(descriptor, place.position, os.SEEK_SET)
        except BaseException:
            os.close(descriptor)
            raise
        with closing(StreamFile(self._path, descriptor, place.position, self._whole)) as out:
            for index in range(place.index, len(self._members)):
                continued = place if index == place.index and place.done is not None else None
                self._write(out, index, continued)
            out.write(tar_member.END)
            out.finish()
        return self._whole.hexdigest()

    def take_back_all(self) -> None:
        """What was reported is reported again."""
        for _start, _header, content in self._members:
            self._take_back(content)

    def _write(self, out: StreamFile, index: int, continued: _Place | None) -> None:
        start, header, content = self._members[index]
        hasher, done = Digest("sha256", "").hasher(), 0
        if continued is not None and continued.done is not None:
            hasher, done = continued.hasher, continued.done
        else:
            out.write(header)
        if content.part is None:
            out.write(memoryview(content.made)[done:])
            hasher.update(content.made[done:])
            self._tell(content, content.size - done)
        elif done < content.size:
            self._copy(out, content, done, hasher)
        if hasher.hexdigest() != content.sha256:
            if continued is not None:
                out.close()
                with writing(self._path):
                    os.truncate(self._path, start)
                raise _BrokenRemains
            raise ContentMismatch(
                f"{content.part.source if content.part else content.path} holds other content"
                " than its name says",
                hint="Run the save again: it fetches that blob again.",
            )
        out.write(bytes(tar_member.padding(content.size)))

    def _copy(self, out: StreamFile, content: Content, done: int, hasher: Hasher) -> None:
        with closing(self._opener(content, done)) as reader:
            while done < content.size:
                self._token.check()
                room = out.room()[: content.size - done]
                count = reader.readinto(room)
                if not count:
                    raise ContentMismatch(
                        f"{content.path} ends after {done} of {content.size} bytes",
                        hint="Run the save again: it fetches that blob again.",
                    )
                hasher.update(room[:count])
                out.filled(count)
                done += count
                self._tell(content, count)

    def _kept(self, descriptor: int) -> _Place:
        """How far the file is right. Updates the hash of the whole as far."""
        with reading(self._path):
            size = os.fstat(descriptor).st_size
            for index, (start, header, content) in enumerate(self._members):
                before, hasher = self._whole.copy(), Digest("sha256", "").hasher()
                nothing = _Place(index, start, None, hasher)
                content_start = start + len(header)
                if os.pread(descriptor, len(header), start) != header:
                    return nothing
                self._whole.update(header)
                done = self._reread(descriptor, content_start, size, content, hasher)
                position = content_start + done
                padding = bytes(tar_member.padding(content.size))
                if done == content.size and hasher.hexdigest() != content.sha256:
                    self._take_back(content)
                    self._whole = before
                    return nothing
                if os.pread(descriptor, len(padding), position) != padding or done < content.size:
                    return _Place(index, position, done, hasher)
                self._whole.update(padding)
        return _Place(len(self._members), self._end, None, self._whole)

    def _reread(
        self, descriptor: int, start: int, size: int, content: Content, hasher: Hasher
    ) -> int:
        done, there = 0, min(content.size, max(0, size - start))
        while done < there:
            self._token.check()
            room = buffer()[: there - done]
            count = os.preadv(descriptor, [room], start + done)
            if not count:
                break
            hasher.update(room[:count])
            self._whole.update(room[:count])
            done += count
            self._tell(content, count)
        return done

    def _tell(self, content: Content, count: int) -> None:
        self._reported[content.path] = self._reported.get(content.path, 0) + count
        self._report(content, count)

    def _take_back(self, content: Content) -> None:
        if count := self._reported.pop(content.path, 0):
            self._report(content, -count)
