"""A volume laid out before its first byte is written: its lists, and every offset in a tar.

All digests are known by then: blobs are named by theirs, pieces were hashed when their blob was
checked. So the lists can come first in a tar, and a tar that broke off can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.checksums import format_checksums
from airgap_tui.engine.bundle.volumes import tar_member
from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.bundle.volumes.packing import Part
from airgap_tui.engine.bundle.volumes.volume import Volume, VolumeFile
from airgap_tui.engine.oci.digest import Digest

UNKNOWN = "0" * 64
"""Stands for the SHA-256 of a file that was not read yet."""


@dataclass(frozen=True, slots=True)
class Content:
    """One file to be written: `part` says where in the bundle it comes from; `made` holds it where
    it was made here. `sha256` in hex."""

    path: str
    size: int
    sha256: str
    part: Part | None = None
    made: bytes = b""


@dataclass(frozen=True, slots=True)
class VolumeLayout:
    """`contents` in the order in which they are written; `size` is that of the tar, or of all files
    together. `name` is the volume's file or directory on the medium."""

    name: str
    form: Form
    volume: Volume
    contents: tuple[Content, ...]
    size: int

    def is_described_by(self, found: Volume) -> bool:
        """Whether this is what a medium's own list says, as far as digests are known."""
        if len(found.files) != len(self.volume.files):
            return False
        files = tuple(
            replace(there, sha256=UNKNOWN) if here.sha256 == UNKNOWN else there
            for there, here in zip(found.files, self.volume.files, strict=True)
        )
        return replace(found, files=files) == self.volume

    def members(self) -> Iterator[tuple[int, bytes, Content]]:
        """In a tar, where each member begins, and its header."""
        position = 0
        for content in self.contents:
            header = tar_member.header(content.path, content.size)
            yield position, header, content
            position += len(header) + content.size + tar_member.padding(content.size)


def lay_out(
    name: str,
    form: Form,
    identity: Volume,
    parts: Sequence[Part],
    sums: Mapping[str, str],
    made: Mapping[str, bytes],
) -> VolumeLayout:
    """`identity` is the volume without its files; `sums` gives each part's SHA-256 in hex; `made`
    the content of those that are not in the bundle."""
    listed = {part.path: sums[part.path] for part in parts}
    checksums_size = len(format_checksums({**listed, layout.VOLUME: UNKNOWN}))
    files = sorted(
        [
            VolumeFile(layout.CHECKSUMS, checksums_size),
            *(VolumeFile(part.path, part.size, listed[part.path]) for part in parts),
        ],
        key=lambda file: file.path,
    )
    volume = replace(identity, files=tuple(files))
    raw = volume.format()
    if form is Form.TAR:
        volume, raw = _placed(volume)
    volume_sum = Digest.of(raw).hex
    checksums = format_checksums({**listed, layout.VOLUME: volume_sum})
    by_path = {part.path: part for part in parts}
    contents = [Content(layout.VOLUME, len(raw), volume_sum, made=raw)]
    for file in volume.files:
        if file.path == layout.CHECKSUMS:
            digest = Digest.of(checksums).hex
            contents.append(Content(file.path, len(checksums), digest, made=checksums))
        elif file.path in made:
            contents.append(Content(file.path, file.size, file.sha256, made=made[file.path]))
        else:
            contents.append(Content(file.path, file.size, file.sha256, by_path[file.path]))
    laid = VolumeLayout(name, form, volume, tuple(contents), 0)
    if form is Form.TAR:
        start, header, last = list(laid.members())[-1]
        end = start + len(header) + last.size + tar_member.padding(last.size)
        return replace(laid, size=end + len(tar_member.END))
    return replace(laid, size=sum(content.size for content in contents))


def _placed(volume: Volume) -> tuple[Volume, bytes]:
    """With the offsets of the contents in a tar that begins with `volume.json`.

    Its own length moves them, and their digits make its length: both only grow until they agree."""
    headers = [len(tar_member.header(file.path, file.size)) for file in volume.files]
    length = 0
    while True:
        position = len(tar_member.header(layout.VOLUME, length)) + length
        position += tar_member.padding(length)
        files = []
        for file, header in zip(volume.files, headers, strict=True):
            position += header
            files.append(replace(file, offset=position))
            position += file.size + tar_member.padding(file.size)
        placed = replace(volume, files=tuple(files))
        raw = placed.format()
        if len(raw) == length:
            return placed, raw
        length = len(raw)
