"""Writes one volume onto its medium, in any of the forms."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from airgap_tui.engine.buffer import buffer
from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.durable import writing
from airgap_tui.engine.bundle.media.extent import Extent, JoinedExtent, reading
from airgap_tui.engine.bundle.media.storage import open_storage
from airgap_tui.engine.bundle.media.stored_files import Storage
from airgap_tui.engine.bundle.volumes.arrangement import Content, VolumeLayout
from airgap_tui.engine.bundle.volumes.directory_volume import is_finished, write_directory
from airgap_tui.engine.bundle.volumes.file_sums import read_file_sums
from airgap_tui.engine.bundle.volumes.iso_volume import write_iso
from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.bundle.volumes.tar_volume import partial_path, write_tar
from airgap_tui.engine.bundle.volumes.volume import MAX_BYTES, Volume
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, NotFound, UsageError
from airgap_tui.engine.oci.content import Reader
from airgap_tui.engine.oci.digest import Digest


class VolumeWriter:
    """Writes volumes of the bundle in `source` into one directory; `epoch` is the date of all that
    has one."""

    def __init__(self, medium: Path, source: Storage, token: CancelToken, epoch: int) -> None:
        self._medium = medium
        self._source = source
        self._token = token
        self._epoch = epoch

    def begin(self) -> None:
        """Make the directory, where it is not there."""
        with writing(self._medium):
            self._medium.mkdir(parents=True, exist_ok=True)

    def check_writable(self) -> None:
        """Raise `WriteRefused` where nothing can be written into the directory, or into the one
        that it is to be made in."""
        with writing(self._medium):
            there = next(path for path in (self._medium, *self._medium.parents) if path.exists())
            if not there.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            if not os.access(there, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def is_finished(self, laid: VolumeLayout) -> bool:
        """Whether this very volume is there, by its lists and sizes; content is not read."""
        path = self._medium / laid.name
        if laid.form is Form.DIRECTORY:
            return is_finished(path, laid)
        try:
            if not path.is_file() or (laid.form is Form.TAR and path.stat().st_size != laid.size):
                return False
        except OSError:
            return False
        there = _volume_in(path)
        return there is not None and laid.is_described_by(there)

    def write(self, laid: VolumeLayout, report: Callable[[str, int], None], *, again: bool) -> str:
        """Write or continue a volume; the SHA-256 in hex of its file, empty for a directory.

        `again` compares one that is there, and replaces what is wrong. Raises `UsageError` where
        something else is there, `ContentMismatch`, `NoRoom`, `BundleLocked`, `EnvironmentFailure`
        and `Stopped`."""

        def told(content: Content, count: int) -> None:
            report(content.path, count)

        target = self._medium / laid.name
        if laid.form is Form.DIRECTORY:
            write_directory(target, laid, self._open, told, self._token, again=again)
            return ""
        self._check_place(target, laid)
        with writing(target), suppress(FileNotFoundError):
            if laid.form is Form.TAR:
                # What is right of it is kept, as of one that broke off.
                os.replace(target, partial_path(self._medium, laid.name))
            else:
                target.unlink()
        if laid.form is Form.TAR:
            return write_tar(self._medium, laid, self._open, told, self._token)
        return write_iso(self._medium, laid, self._extent, told, self._token, self._epoch)

    def sha256(self, name: str) -> str:
        """The SHA-256 in hex of a finished file."""
        path, hasher = self._medium / name, Digest("sha256", "").hasher()
        with reading(path), path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer()):
                self._token.check()
                hasher.update(buffer()[:count])
        return hasher.hexdigest()

    def _check_place(self, target: Path, laid: VolumeLayout) -> None:
        """A file that is there is this volume, or what is left of one: then it is listed beside."""
        if not target.exists():
            return
        there = _volume_in(target)
        if there is not None:
            ours = (there.set_id, there.number) == (laid.volume.set_id, laid.volume.number)
        else:
            ours = laid.name in read_file_sums(self._medium)
        if not ours:
            raise UsageError(
                f"{target} is there and is not this volume",
                hint="Remove it, or choose another directory for the volumes.",
            )

    def _open(self, content: Content, offset: int) -> Reader:
        assert content.part is not None  # noqa: S101 - what was made is not opened
        return self._source.open(content.part.source, content.part.start + offset)

    def _extent(self, content: Content) -> Extent:
        assert content.part is not None  # noqa: S101
        extent = self._source.extent(content.part.source)
        if extent is None:
            raise NotFound(f"{self._source.location} has no file {content.part.source}")
        if isinstance(extent, JoinedExtent):
            raise UsageError(
                f"{self._source.location} holds {content.part.source} in pieces",
                hint="Import the volumes into a bundle first, and export that.",
            )
        return Extent(extent.path, extent.offset + content.part.start, content.size)


def _volume_in(path: Path) -> Volume | None:
    """The volume in a file, by its list; None where there is none that can be read."""
    try:
        return Volume.parse(open_storage(path).read(layout.VOLUME, MAX_BYTES), str(path))
    except (AirgapError, OSError):
        return None
