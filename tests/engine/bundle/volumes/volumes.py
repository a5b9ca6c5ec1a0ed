"""Volumes made from a bundle by hand: what a writer of them makes, and what none would make."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.checksums import format_checksums
from airgap_tui.engine.bundle.inventory import MAX_BYTES, Inventory
from airgap_tui.engine.bundle.volumes import tar_member
from airgap_tui.engine.bundle.volumes.volume import Volume, VolumeFile
from tests.services import program

SET = "5e7" + "0" * 29
Contents = dict[str, bytes]
Form = Callable[[Path, Volume, Contents], Path]


def cut(bundle: Path, count: int, piece: int, set_id: str = SET) -> list[tuple[Volume, Contents]]:
    """A bundle as volumes: blobs above `piece` bytes in pieces, all dealt out in turn."""
    shared = {
        name: (bundle / name).read_bytes() for name in layout.FILES if (bundle / name).exists()
    }
    inventory = Inventory.parse(shared["bundle.json"], "here")
    contents: list[Contents] = [dict(shared) for _ in range(count)]
    number = 0
    for path in sorted(bundle.glob("blobs/*/*")):
        name, data = str(path.relative_to(bundle)), path.read_bytes()
        digest = layout.digest_of_path(name)
        assert digest is not None
        parts = {name: data}
        if len(data) > piece:
            parts = {
                layout.piece_path(digest, at): data[at : at + piece]
                for at in range(0, len(data), piece)
            }
        for part, content in parts.items():
            contents[number % count][part] = content
            number += 1
    assert len(shared["bundle.json"]) < MAX_BYTES
    return [
        (volume_of(inventory, set_id, number, count, files), files)
        for number, files in enumerate(contents, 1)
    ]


def volume_of(
    inventory: Inventory, set_id: str, number: int, count: int, contents: Mapping[str, bytes]
) -> Volume:
    files = tuple(
        VolumeFile(name, len(data), hashlib.sha256(data).hexdigest())
        for name, data in sorted(contents.items())
    )
    return Volume(set_id, number, count, files, inventory.id, inventory.name, "1.0")


def with_checksums(volume: Volume, contents: Contents) -> tuple[Volume, Contents]:
    """Add the list of checksums, which also covers `volume.json`."""
    sums = {file.path: file.sha256 for file in volume.files}
    size = len(format_checksums({**sums, layout.VOLUME: "0" * 64}))
    own = (*volume.files, VolumeFile(layout.CHECKSUMS, size))
    whole = changed(volume, sorted(own, key=lambda file: file.path))
    sums[layout.VOLUME] = hashlib.sha256(whole.format()).hexdigest()
    return whole, {**contents, layout.CHECKSUMS: format_checksums(sums)}


def changed(volume: Volume, files: list[VolumeFile]) -> Volume:
    """The volume with another list of files."""
    return Volume(
        volume.set_id, volume.number, volume.count, tuple(files),
        volume.bundle_id, volume.bundle_name, volume.tool,
    )  # fmt: skip


def as_directory(target: Path, volume: Volume, contents: Contents) -> Path:
    target = target / f"volume-{volume.number}"
    volume, contents = with_checksums(volume, contents)
    for name, data in {**contents, layout.VOLUME: volume.format()}.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(data)
    return target


def as_tar(target: Path, volume: Volume, contents: Contents) -> Path:
    """`volume.json` first, with the offsets of all others."""
    target.mkdir(parents=True, exist_ok=True)
    path = target / f"volume-{volume.number}.tar"
    placed = placed_in_tar(volume)
    with path.open("wb") as file:
        for name, data in [(layout.VOLUME, placed.format())] + [
            (one.path, contents[one.path]) for one in placed.files
        ]:
            file.write(tar_member.header(name, len(data)) + data)
            file.write(bytes(tar_member.padding(len(data))))
        file.write(tar_member.END)
    return path


def placed_in_tar(volume: Volume) -> Volume:
    """With offsets; those change the size of the list itself, until they fit."""
    size = 0
    while True:
        at = tar_member.BLOCK + size + tar_member.padding(size)
        files = []
        for file in volume.files:
            at += len(tar_member.header(file.path, file.size))
            files.append(VolumeFile(file.path, file.size, file.sha256, at))
            at += file.size + tar_member.padding(file.size)
        placed = changed(volume, files)
        if len(placed.format()) == size:
            return placed
        size = len(placed.format())


def as_iso(target: Path, volume: Volume, contents: Contents) -> Path:
    tree = as_directory(target / "trees", volume, contents)
    path = target / f"volume-{volume.number}.iso"
    tool = program("xorriso")
    command = [tool, "-as", "mkisofs", "-quiet", "-R", "-J", "-o", str(path), str(tree)]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    return path


FORMS: tuple[Form, ...] = (as_directory, as_tar, as_iso)
