"""Which file system a file lies on, and whether other nodes of a cluster see it there too."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_SHARED = re.compile(
    r"nfs4?|lustre|gpfs|beegfs|ceph|cifs|smb3|smbfs|afs|glusterfs|wekafs|panfs|pvfs2|orangefs|ocfs2"
    r"|gfs2|9p|virtiofs|vastnfs|quobyte|dfuse|juicefs|sshfs|moosefs|mfs"
)
_LOCAL = re.compile(
    r"ext[234]|xfs|btrfs|zfs|tmpfs|ramfs|overlay|squashfs|f2fs|jfs|reiserfs|vfat|exfat|ntfs3?"
    r"|iso9660|rootfs|ecryptfs|fuse-overlayfs|bcachefs"
)
_OCTAL = re.compile(r"\\([0-7]{3})")
_MAX_CHARACTERS = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileSystem:
    """`shared` is None for a kind that says nothing of it."""

    kind: str
    mounted_at: str

    @property
    def shared(self) -> bool | None:
        kind = self.kind.removeprefix("fuse.").removeprefix("fuseblk.")
        if _SHARED.fullmatch(kind):
            return True
        return False if _LOCAL.fullmatch(kind) else None


def parse(text: str) -> tuple[FileSystem, ...]:
    """The lines of /proc/mounts (fstab(5)): blanks in paths are octal there."""
    found = []
    for line in text.splitlines():
        fields = line.split(" ")
        if len(fields) >= 3:
            at = _OCTAL.sub(lambda escaped: chr(int(escaped[1], 8)), fields[1])
            found.append(FileSystem(fields[2], at))
    return tuple(found)


def file_system_of(path: Path, table: Path = Path("/proc/self/mounts")) -> FileSystem | None:
    """The one that the path is on, or will be when it is made; None where that cannot be seen."""
    try:
        with table.open(encoding="utf-8", errors="surrogateescape") as file:
            mounts = parse(file.read(_MAX_CHARACTERS))
    except OSError:
        return None
    real = os.path.realpath(path)
    best: FileSystem | None = None
    for mount in mounts:
        base = mount.mounted_at.rstrip("/")
        inside = real == base or real.startswith(f"{base}/")
        # Of two with one path the later lies on top.
        if inside and (best is None or len(base) >= len(best.mounted_at.rstrip("/"))):
            best = mount
    return best
