"""The values of `volume.json`: which volume of which set this is, and every file on it.

A volume is a bundle with some blobs absent. The file is written in one form only: the same volume
has the same bytes. It comes from a medium, so reading it believes nothing.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.volumes import tar_member
from airgap_tui.engine.bundle.volumes.asked import Asked
from airgap_tui.engine.errors import MalformedContent, UnsafeContent, UnsupportedBundle
from airgap_tui.engine.json_text import parse_json
from airgap_tui.engine.plain_text import harmless

SCHEMA = 1
MAX_BYTES = 64 * 1024 * 1024
"""The largest `volume.json` that is read: 50,000 files need eight MB."""

MAX_FILES = 400_000
MAX_COUNT = 9_999
"""Volumes of one set."""

_MAX_SIZE = 2**60
_LARGEST_BLOB = 2**44
_ID = re.compile(r"[0-9a-f]{32}")
_BUNDLE_ID = re.compile(r"[0-9A-Za-z-]{0,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_TEXT = 200
_BROKEN = "Copy the volume again, or write it again: airgap-tui export --only-volume."


@dataclass(frozen=True, slots=True)
class VolumeFile:
    """One file. `sha256` in hex is empty only for `SHA256SUMS`, which lists `volume.json` itself;
    `offset` is where its content begins in a tar, None elsewhere."""

    path: str
    size: int
    sha256: str = ""
    offset: int | None = None

    def to_json(self) -> dict[str, Any]:
        value: dict[str, Any] = {"path": self.path, "size": self.size}
        if self.sha256:
            value["sha256"] = self.sha256
        if self.offset is not None:
            value["offset"] = self.offset
        return value


@dataclass(frozen=True, slots=True)
class Volume:
    """`number` of `count` volumes of the set `set_id` that `bundle_id` was cut into. `files` are
    sorted by path and name everything on the volume but `volume.json`. `tool` is the version that
    wrote the bundle, `asked` what the export was asked for."""

    set_id: str
    number: int
    count: int
    files: tuple[VolumeFile, ...]
    bundle_id: str = ""
    bundle_name: str = ""
    tool: str = ""
    asked: Asked | None = None
    by_path: Mapping[str, VolumeFile] = field(init=False, compare=False, hash=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_path", {file.path: file for file in self.files})

    @property
    def size(self) -> int:
        """The sizes of all files together."""
        return sum(file.size for file in self.files)

    def format(self) -> bytes:
        """The bytes of `volume.json`: one file a line, sorted."""
        head: dict[str, Any] = {
            "schemaVersion": SCHEMA,
            "set": self.set_id,
            "number": self.number,
            "count": self.count,
            "bundle": {"id": self.bundle_id, "name": self.bundle_name},
            "tool": {"name": "airgap-tui", "version": self.tool},
        }
        if self.asked is not None:
            head["export"] = self.asked.to_json()
        lines = ",\n".join(_compact(file.to_json()) for file in self.files)
        return f'{_compact(head)[:-1]},"files":[\n{lines}\n]}}\n'.encode()

    @classmethod
    def parse(cls, raw: bytes, where: str) -> Volume:
        """Read the bytes of a `volume.json`; `where` names the medium.

        Raises `UnsupportedBundle` for a newer schema, `UnsafeContent` for a path that no volume
        holds, and `MalformedContent` for anything else that is not as it is written here.
        """
        where = f"{where}: {layout.VOLUME}"
        if len(raw) > MAX_BYTES:
            raise UnsafeContent(
                f"{where} has {len(raw)} bytes; more than {MAX_BYTES} are refused", hint=_BROKEN
            )
        try:
            value = parse_json(raw, where)
        except ValueError:
            raise MalformedContent(f"{where} is not JSON", hint=_BROKEN) from None
        return _Parsing(where).volume(value)


class _Parsing:
    """Takes one `volume.json` apart; every complaint names the medium."""

    def __init__(self, where: str) -> None:
        self._where = where

    def volume(self, value: object) -> Volume:
        top = self._object(value, "it")
        schema = self._count(top, "schemaVersion", 2**31)
        tool = self._text(self._object(top.get("tool", {}), "tool"), "version")
        if schema > SCHEMA:
            written_by = f" (written by airgap-tui {tool})" if tool else ""
            raise UnsupportedBundle(
                f"{self._where} has schema {schema}{written_by}; this version reads up to {SCHEMA}",
                hint="Use the airgap-tui that wrote it, or a newer one.",
            )
        if schema < 1:
            raise self._malformed("has no schemaVersion")
        count = self._count(top, "count", MAX_COUNT)
        number = self._count(top, "number", MAX_COUNT)
        if not 1 <= number <= count:
            raise self._malformed(f"is number {number} of {count}")
        bundle = self._object(top.get("bundle", {}), "bundle")
        return Volume(
            set_id=self._matching(top, "set", _ID),
            number=number,
            count=count,
            files=self._files(top.get("files")),
            bundle_id=self._matching(bundle, "id", _BUNDLE_ID),
            bundle_name=self._text(bundle, "name"),
            tool=tool,
            asked=Asked.from_json(top.get("export")),
        )

    def _files(self, value: object) -> tuple[VolumeFile, ...]:
        if not isinstance(value, list):
            raise self._malformed("holds no list of files")
        if len(value) > MAX_FILES:
            raise UnsafeContent(
                f"{self._where} lists {len(value)} files; more than {MAX_FILES} are refused"
            )
        files = tuple(self._file(entry) for entry in value)
        for before, after in itertools.pairwise(files):
            if before.path == after.path:
                raise self._malformed(f"lists {after.path} twice")
            if before.path > after.path:
                raise self._malformed("does not list its files sorted by path")
        self._check_offsets(files)
        return files

    def _file(self, value: object) -> VolumeFile:
        entry = self._object(value, "a file")
        path = entry.get("path")
        if not isinstance(path, str):
            raise self._malformed("is wrong: a file has no path")
        if not layout.is_file_name(path) or path == layout.VOLUME:
            raise UnsafeContent(
                f"{self._where} lists {harmless(path)[:100]!r}, which no volume holds",
                hint=_BROKEN,
            )
        size = self._count(entry, "size", _MAX_SIZE)
        sha256 = ""
        if path != layout.CHECKSUMS:
            sha256 = self._matching(entry, "sha256", _SHA256)
        digest = layout.digest_of_path(path)
        if digest is not None and digest.algorithm == "sha256" and digest.hex != sha256:
            raise self._malformed(f"gives {path} another digest than its name says")
        piece = layout.piece_of_path(path)
        if piece is not None and piece[1] + size > _LARGEST_BLOB:
            raise self._malformed(f"gives {path} an impossible place")
        offset = None if "offset" not in entry else self._count(entry, "offset", _MAX_SIZE)
        return VolumeFile(path, size, sha256, offset)

    def _check_offsets(self, files: tuple[VolumeFile, ...]) -> None:
        """In a tar every file has its place, after a header and apart from the others."""
        placed = [(file.offset, file) for file in files if file.offset is not None]
        if placed and len(placed) != len(files):
            raise self._malformed("gives an offset for some files only")
        end = 0
        for offset, file in sorted(placed, key=lambda place: place[0]):
            if offset % tar_member.BLOCK or offset < end + tar_member.BLOCK:
                raise self._malformed(f"gives {file.path} an impossible offset")
            end = offset + file.size + tar_member.padding(file.size)

    def _object(self, value: object, what: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._malformed(f"is wrong: {what} is not an object")
        return value

    def _count(self, fields: dict[str, Any], key: str, most: int) -> int:
        value = fields.get(key, 0)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise self._malformed(f"is wrong: {key} is not a count up to {most}")
        return value

    def _text(self, fields: dict[str, Any], key: str) -> str:
        value = fields.get(key, "")
        if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
            raise self._malformed(f"is wrong: {key} is not a short text")
        return harmless(value)

    def _matching(self, fields: dict[str, Any], key: str, pattern: re.Pattern[str]) -> str:
        value = fields.get(key, "")
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            raise self._malformed(f"is wrong: {key} is not what it must be")
        return value

    def _malformed(self, what: str) -> MalformedContent:
        return MalformedContent(f"{self._where} {what}", hint=_BROKEN)


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
