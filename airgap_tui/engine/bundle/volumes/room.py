"""Whether a disk has room for volumes, checked before the first byte is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.bundle.volumes.arrangement import VolumeLayout
from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.bundle.volumes.tar_volume import partial_path
from airgap_tui.engine.errors import NoRoom
from airgap_tui.engine.quantities import count, size

_PER_FILE = 4096
_PER_VOLUME = 1024 * 1024


def check_room(directory: Path, volumes: Sequence[VolumeLayout]) -> None:
    """Raise `NoRoom` where the volumes do not all fit, or one of their files is larger than the
    file system takes. What is there of them from an earlier run counts."""
    room, needed = Room.at(directory), room_needed(directory, volumes)
    if needed > room.free:
        hint = "Choose a disk with more room."
        if len(volumes) > 1 and room_of_largest(volumes) <= room.free + _all_there(
            directory, volumes
        ):
            hint = (
                "One of them fits: --change-disks writes one onto each disk in turn,"
                " --only-volume just those that are named."
            )
        raise NoRoom(
            f"{directory} has {size(room.free, down=True)} free, and"
            f" {size(needed, up=True)} are needed for {count(len(volumes), 'volume')}",
            hint=hint,
        )
    largest = max((_largest_file(laid) for laid in volumes), default=0)
    if room.largest_file is not None and largest > room.largest_file:
        raise NoRoom(
            f"{directory} is {room.file_system}, which takes no file of 4 GiB;"
            f" one of {size(largest)} is to be written",
            hint="Cut what is larger: --volume-size fat32. Or use a disk with ext4, XFS or exFAT.",
        )
    most = max((_blobs(laid) for laid in volumes), default=0)
    if room.largest_folder is not None and most > room.largest_folder:
        limit = count(room.largest_folder, "file")
        raise NoRoom(
            f"{directory} is {room.file_system}, which takes {limit} in one directory; {most} are"
            " to be written",
            hint="Choose --format tar, or a smaller --volume-size. Or use a disk with ext4, XFS or"
            " exFAT.",
        )


def room_needed(directory: Path, volumes: Sequence[VolumeLayout]) -> int:
    """Bytes that the volumes still take there."""
    return sum(_size(laid) for laid in volumes) - _all_there(directory, volumes)


def room_of_largest(volumes: Sequence[VolumeLayout]) -> int:
    """Bytes that the largest volume takes on an empty disk."""
    return max((_size(laid) for laid in volumes), default=0)


def _all_there(directory: Path, volumes: Sequence[VolumeLayout]) -> int:
    return sum(_there(directory, laid) for laid in volumes)


def _size(laid: VolumeLayout) -> int:
    """With what the file system or the image adds."""
    if laid.form is Form.TAR:
        return laid.size + _PER_FILE
    return laid.size + len(laid.contents) * _PER_FILE + _PER_VOLUME


def _blobs(laid: VolumeLayout) -> int:
    """Files in one directory, which a tar or an image does not make."""
    if laid.form is not Form.DIRECTORY:
        return 0
    return sum(layout.digest_of_path(content.path) is not None for content in laid.contents)


def _largest_file(laid: VolumeLayout) -> int:
    if laid.form is Form.DIRECTORY:
        return max(content.size for content in laid.contents)
    return _size(laid)


def _there(directory: Path, laid: VolumeLayout) -> int:
    if laid.form is Form.DIRECTORY:
        return sum(map(_on_disk, (directory / laid.name).rglob("*")))
    return _on_disk(directory / laid.name) + _on_disk(partial_path(directory, laid.name))


def _on_disk(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
