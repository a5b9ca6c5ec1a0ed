"""Which file system a path is on: the deepest mount, the last of several, blanks and links."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.credentials.mounts import FileSystem, file_system_of, parse

TABLE = r"""
sysfs /sys sysfs rw 0 0
/dev/sda1 / ext4 rw 0 0
nas:/home /home nfs4 rw,vers=4.2 0 0
/dev/sdb1 /home/local xfs rw 0 0
tmpfs /over tmpfs rw 0 0
mds:/fs /over lustre rw 0 0
srv:/a\040b /with\040blank nfs rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/etc/passwd", "ext4"),
        ("/", "ext4"),
        ("/home/me/x", "nfs4"),
        ("/home", "nfs4"),
        ("/homes", "ext4"),
        ("/home/local/x", "xfs"),
        ("/over/x", "lustre"),
        ("/with blank/x", "nfs"),
    ],
)
def test_the_deepest_and_last_mount(path: str, kind: str, tmp_path: Path) -> None:
    table = tmp_path / "mounts"
    table.write_text(TABLE)
    found = file_system_of(Path(path), table)
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize(
    ("kind", "shared"),
    [
        ("nfs", True), ("nfs4", True), ("lustre", True), ("gpfs", True), ("beegfs", True),
        ("fuse.sshfs", True), ("fuse.glusterfs", True), ("cifs", True), ("ceph", True),
        ("wekafs", True), ("ext4", False), ("xfs", False), ("tmpfs", False), ("overlay", False),
        ("zfs", False), ("autofs", None), ("fuse.unheard-of", None), ("nfsd", None),
    ],
)  # fmt: skip
def test_what_other_nodes_see(kind: str, shared: bool | None) -> None:
    assert FileSystem(kind, "/x").shared is shared


def test_this_machine() -> None:
    found = file_system_of(Path(os.sep))
    assert found is not None and found.mounted_at == "/"
    assert file_system_of(Path("/proc/self/status"), Path("/proc/self/mounts")) is not None


@given(st.text())
def test_any_table_is_read(text: str) -> None:
    for found in parse(text):
        assert found.shared in (True, False, None)
