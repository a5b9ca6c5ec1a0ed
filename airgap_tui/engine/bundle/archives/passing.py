"""An archive on its way to an engine as it is, of which only `manifest.json` is read in passing.

So it is known afterwards which names and image IDs the engine must have.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from airgap_tui.engine.bundle.archives.tar_stream import Chunks, Kind, TarStream
from airgap_tui.engine.errors import MalformedContent
from airgap_tui.engine.json_text import parse_json
from airgap_tui.engine.oci.digest import Digest, Hasher

_LARGEST_MANIFEST = 16 * 1024 * 1024
_CONFIG = re.compile(r"(?:blobs/sha256/([0-9a-f]{64})|([0-9a-f]{64})\.json)")


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """One image as `manifest.json` tells of it; `image_id` None where its file has another name."""

    names: tuple[str, ...]
    image_id: Digest | None


class PassingArchive:
    """`chunks` is the archive, byte for byte; `entries` is known when it has ended.

    `contents` as in `TarStream`.
    """

    def __init__(self, source: Chunks, what: str, contents: Hasher | None = None) -> None:
        self._source = source
        self._what = what
        self._contents = contents
        self._passed: deque[bytes] = deque()
        self.entries: tuple[ArchiveEntry, ...] = ()

    def take(self) -> memoryview:
        """The source of the tar that is looked into: keeps what it hands out, to pass it on."""
        view = self._source.take()
        if view:
            self._passed.append(bytes(view))
        return view

    def chunks(self) -> Iterator[bytes]:
        """Raises `MalformedContent` and `UnsafeContent` for what is not such an archive."""
        found = False
        stream = TarStream(self, self._what, self._contents)
        for member in stream:
            if member.name == "manifest.json" and member.kind is Kind.FILE:
                self.entries = self._read(stream.read(_LARGEST_MANIFEST))
                found = True
            yield from self._drained()
            for _ in stream.chunks():
                yield from self._drained()
        if not found:
            raise MalformedContent(
                f"{self._what} is not an archive of images: it has no manifest.json",
                hint="Expected is what docker save or podman save writes.",
            )
        yield from self._drained()

    def _drained(self) -> Iterator[bytes]:
        while self._passed:
            yield self._passed.popleft()

    def _read(self, raw: bytes) -> tuple[ArchiveEntry, ...]:
        try:
            entries = parse_json(raw, f"{self._what}: manifest.json")
            return tuple(_entry(entry) for entry in entries)
        except (ValueError, TypeError, AttributeError):
            raise MalformedContent(f"{self._what}: manifest.json is not a list of images") from None


def _entry(entry: dict[str, object]) -> ArchiveEntry:
    names = entry.get("RepoTags") or []
    match = _CONFIG.fullmatch(str(entry.get("Config")))
    image_id = None if match is None else Digest("sha256", match[1] or match[2])
    return ArchiveEntry(tuple(map(str, names)) if isinstance(names, list) else (), image_id)
