"""Files that hold an archive of images, plain or compressed, opened for reading.

xz goes through the programs pixz or xz where they are, since they use all cores; they are started
from a list of arguments and never see a file name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from airgap_tui.engine.bundle.archives.names import archive_codec, existing_archive
from airgap_tui.engine.bundle.encoding.codec import Codec
from airgap_tui.engine.bundle.encoding.decompression import check_growth, decoder
from airgap_tui.engine.bundle.media.extent import Extent, FileReader
from airgap_tui.engine.errors import EnvironmentFailure, MalformedContent
from airgap_tui.engine.oci.content import Reader

_DECODERS = {
    Codec.XZ: (("pixz", "-d"), ("xz", "-d", "-c", "-T0")),
    Codec.BZIP2: (("lbzip2", "-d", "-c"),),
}
_TAIL = 500
_PATIENCE = 10.0


class ArchiveReader:
    """The decoded bytes of a file: a `Reader` that knows how far in the file it is."""

    def __init__(self, reader: Reader, position: Callable[[], int], size: int) -> None:
        self._reader = reader
        self._position = position
        self.size = size

    @property
    def position(self) -> int:
        """Bytes of the file, of `size`, that have been read."""
        return self._position()

    def readinto(self, buffer: memoryview, /) -> int:
        return self._reader.readinto(buffer)

    def close(self) -> None:
        """Ends the decoding program, where there is one."""
        self._reader.close()


def open_archive(path: Path) -> ArchiveReader:
    """Open a file, plain or compressed.

    Raises `NotFound` here, and `MalformedContent` while reading.
    """
    codec = archive_codec(path)
    with existing_archive(path):
        size = path.stat().st_size
        for command in _DECODERS.get(codec, ()):
            if (program := shutil.which(command[0])) is not None:
                decoding = _ProgramReader([program, *command[1:]], path)
                return ArchiveReader(decoding, decoding.position, size)
        file = _Counting(FileReader(Extent(path, 0, size)))
    return ArchiveReader(decoder(codec, file, str(path)), lambda: file.count, size)


class _Counting:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.count = 0

    def readinto(self, buffer: memoryview, /) -> int:
        count = self._reader.readinto(buffer)
        self.count += count
        return count

    def close(self) -> None:
        self._reader.close()


class _ProgramReader:
    """What a program writes that gets the file as its input."""

    def __init__(self, command: list[str], path: Path) -> None:
        self._path = path
        self._name = Path(command[0]).name
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close
        # Not buffered, and open as long as the program: both then share one position.
        self._file = path.open("rb", buffering=0)
        self._process = subprocess.Popen(
            command, stdin=self._file, stdout=subprocess.PIPE, stderr=self._errors, bufsize=0
        )
        self._ended = False
        self._position = 0
        self._given = 0

    def position(self) -> int:
        # At the end pixz has not read its own index, which is not content.
        if not self._file.closed:
            status = os.fstat(self._file.fileno())
            self._position = status.st_size if self._ended else self._file.tell()
        return self._position

    def readinto(self, buffer: memoryview, /) -> int:
        if self._ended:
            return 0
        pipe = self._process.stdout
        count = os.readv(pipe.fileno(), [buffer]) if pipe else 0
        self._given += count
        check_growth(self.position(), self._given, str(self._path))
        if not count:
            self._ended = True
            try:
                code = self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                raise EnvironmentFailure(
                    f"{self._path} cannot be decoded: {self._name} does not end"
                ) from None
            if code:
                self._errors.seek(0)
                said = self._errors.read(_TAIL).decode("utf-8", "replace").strip()
                raise MalformedContent(
                    f"{self._path} cannot be decoded: {self._name}: {said}",
                    hint="It is cut off or damaged: copy it again from where it came.",
                )
        return count

    def close(self) -> None:
        if self._file.closed:
            return
        process = self._process
        if process.poll() is None:
            process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
        self.position()
        for file in (self._file, process.stdout, self._errors):
            if file is not None:
                file.close()
