"""An archive streamed to an engine unchanged; its `manifest.json` and configs are read on the way.

So it is known afterwards which names, image IDs and layers the engine must have.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from airgap_tui.engine.bundle.archives.tar_stream import Chunks, Kind, TarStream
from airgap_tui.engine.errors import MalformedContent
from airgap_tui.engine.json_text import parse_json
from airgap_tui.engine.oci.digest import Digest, Hasher
from airgap_tui.engine.oci.image_config import ImageConfig

_LARGEST_MANIFEST = 16 * 1024 * 1024
_LARGEST_CONFIG = 1024 * 1024
"""Small layers go by the same names, so what is larger is not looked at."""

_CONFIG = re.compile(r"(?:blobs/sha256/([0-9a-f]{64})|([0-9a-f]{64})\.json)")


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """One image as `manifest.json` tells of it; `image_id` None where its file has another name.
    `diff_ids` as in `ImageConfig`, empty where the config was not found."""

    names: tuple[str, ...]
    image_id: Digest | None
    diff_ids: tuple[Digest, ...] = ()


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
        """Part of `Reader`, for the tar reader: keeps what it hands out, to pass it on."""
        view = self._source.take()
        if view:
            self._passed.append(bytes(view))
        return view

    def chunks(self) -> Iterator[bytes]:
        """Raises `MalformedContent` and `UnsafeContent` for what is not such an archive."""
        found = False
        layers: dict[Digest, tuple[Digest, ...]] = {}
        stream = TarStream(self, self._what, self._contents)
        for member in stream:
            image_id = _named_by(member.name) if member.kind is Kind.FILE else None
            if member.kind is Kind.FILE and member.name == "manifest.json":
                self.entries = self._read(stream.read(_LARGEST_MANIFEST))
                found = True
            elif image_id is not None and member.size <= _LARGEST_CONFIG:
                layers[image_id] = _layers(stream.read(_LARGEST_CONFIG))
            yield from self._drained()
            for _ in stream.chunks():
                yield from self._drained()
        if not found:
            raise MalformedContent(
                f"{self._what} is not an archive of images: it has no manifest.json",
                hint="An archive is expected as docker save or podman save writes it.",
            )
        self.entries = tuple(
            replace(entry, diff_ids=layers.get(entry.image_id, ())) if entry.image_id else entry
            for entry in self.entries
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
    image_id = _named_by(str(entry.get("Config")))
    return ArchiveEntry(tuple(map(str, names)) if isinstance(names, list) else (), image_id)


def _named_by(path: str) -> Digest | None:
    """The image ID that the path of a config tells."""
    match = _CONFIG.fullmatch(path)
    return None if match is None else Digest("sha256", match[1] or match[2])


def _layers(raw: bytes) -> tuple[Digest, ...]:
    try:
        return ImageConfig.parse(raw).diff_ids
    except MalformedContent:
        return ()  # a small layer, or a manifest
