"""Writes one archive file: compressed with all cores, durable, and under its name only once whole.

Beside it stands a checksum over the contents, as `tar xO FILE | md5sum` prints it: two archives of
one image differ in their bytes, but not in that.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from airgap_tui.engine.bundle.durable import (
    disk_failure,
    replace_file,
    sync_directory,
    write_all,
    writing,
)
from airgap_tui.engine.bundle.encoding.codec import Codec, Compression
from airgap_tui.engine.bundle.encoding.compression import encoder
from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.errors import EnvironmentFailure, MalformedContent, NoRoom

_ENCODERS = (("pixz",), ("xz", "-c", "-T0"))
_TAIL = 500
_PATIENCE = 600.0
_NEARLY_FULL = 64 * 1024
_CHECKSUM = re.compile(r"([0-9a-f]{32}) [ *]-\n(?:# ([^\n]*)\n)?")
_LONGEST_CHECKSUM = 4096


class ArchiveWriter:
    """Takes a tar's bytes; use as a context manager. Leaving it without `finish` removes the file.

    xz is made by pixz, else by xz, else by the standard library.
    `mode` is the file's mode before the umask.
    """

    def __init__(self, path: Path, codec: Codec, threads: int, mode: int = 0o666) -> None:
        self.path = path
        self._partial = path.with_name(f".{path.name}.partial")
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(self._partial, flags, mode)
        program = _program() if codec is Codec.XZ else None
        self._program = None if program is None else _Program(program, self._file, path)
        self._encoder = encoder(Compression(codec), self._write, None, threads)
        if self._program is not None:
            self._encoder = encoder(Compression(Codec.NONE), self._program.write)

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        """Raises `NoRoom`."""
        self._encoder.write(data)

    def finish(self) -> int:
        """Make the file durable under its name; its size in bytes."""
        self._encoder.finish()
        if self._program is not None:
            self._program.finish()
        with writing(self.path):
            os.fsync(self._file)
            size = os.fstat(self._file).st_size
            self._close()
            os.replace(self._partial, self.path)
            sync_directory(self.path.parent)
        return size

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._file < 0:
            return
        self._encoder.abort()
        if self._program is not None:
            self._program.kill()
        self._close()
        with suppress(OSError):
            self._partial.unlink(missing_ok=True)

    def _write(self, data: bytes | bytearray | memoryview) -> None:
        try:
            write_all(self._file, memoryview(data))
        except OSError as error:
            raise disk_failure(error, self.path) from error

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _program() -> list[str] | None:
    for command in _ENCODERS:
        if (found := shutil.which(command[0])) is not None:
            return [found, *command[1:]]
    return None


class _Program:
    """A compressor that writes the file itself."""

    def __init__(self, command: list[str], file: int, path: Path) -> None:
        self._path = path
        self._name = Path(command[0]).name
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in _end
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=file, stderr=self._errors, bufsize=0
        )

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pipe = self._process.stdin
        try:
            if pipe is not None:
                write_all(pipe.fileno(), memoryview(data))
        except BrokenPipeError:
            self.finish()
            raise self._failure("it ended early") from None

    def finish(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            code = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise self._failure("it does not end") from None
        self._errors.seek(0)
        said = self._errors.read(_TAIL).decode("utf-8", "replace").strip()
        if code:
            raise self._failure(said or f"exit code {code}")
        self._errors.close()

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        self._errors.close()

    def _failure(self, reason: str) -> EnvironmentFailure:
        # pixz does not say why it could not write.
        full = "no space left" in reason.lower() or Room.at(self._path).free < _NEARLY_FULL
        said = f"{self._path} cannot be written: {self._name}: {reason}"
        if full:
            return NoRoom(said, hint="Make room there and run the same again.")
        return EnvironmentFailure(said)


@dataclass(frozen=True, slots=True)
class ContentsChecksum:
    """The file beside an archive: `md5` over the contents, and a note of what it is made from."""

    md5: str
    note: str = ""

    @staticmethod
    def path_for(archive: Path) -> Path:
        return archive.with_name(f"{archive.name}.contents.md5")

    @classmethod
    def read(cls, archive: Path) -> ContentsChecksum | None:
        """What stands beside an archive; None where nothing does. Raises `MalformedContent`."""
        path = cls.path_for(archive)
        try:
            with path.open("rb") as file:
                text = file.read(_LONGEST_CHECKSUM).decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise EnvironmentFailure(f"{path} cannot be read: {error.strerror}") from None
        match = _CHECKSUM.fullmatch(text)
        if match is None:
            raise MalformedContent(f"{path} is not a checksum as md5sum writes it")
        return cls(match[1], match[2] or "")

    def write(self, archive: Path) -> None:
        """`tar xO -f ARCHIVE | md5sum -c` takes the file."""
        path = self.path_for(archive)
        note = f"# {self.note}\n" if self.note else ""
        replace_file(
            path, f"{self.md5}  -\n{note}".encode(), path.with_name(f".{path.name}.partial")
        )
