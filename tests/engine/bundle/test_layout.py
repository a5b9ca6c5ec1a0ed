"""The grammar of names in a bundle."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.checksums import format_checksums, parse_checksums
from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.errors import MalformedContent
from airgap_tui.engine.oci.digest import Digest

algorithms = st.sampled_from(["sha256", "sha512"])
digests = st.builds(Digest.of, st.binary(max_size=8), algorithms)


@given(digests)
def test_paths_of_blobs_round_trip(digest: Digest) -> None:
    path = layout.blob_path(digest)
    assert layout.digest_of_path(path) == digest
    assert layout.is_file_name(path)
    assert len(PurePosixPath(layout.partial_path(digest)).parts) == 2


@given(st.one_of(st.text(), st.from_regex(r"(\.\.?/|/|blobs/|sha256/|[0-9a-fA-F]{64}|\n)+")))
def test_no_accepted_name_leads_outside(name: str) -> None:
    if layout.is_file_name(name):
        parts = name.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert layout.digest_of_path(name) is not None or len(parts) == 1


@pytest.mark.parametrize(
    "name",
    [
        f"blobs/sha256/{'a' * 63}",
        f"blobs/sha256/{'A' * 64}",
        f"blobs/sha256/{'a' * 64}\n",
        f"blobs/sha512/{'a' * 64}",
        f"blobs/md5/{'a' * 32}",
        f"./blobs/sha256/{'a' * 64}",
        f"blobs//sha256/{'a' * 64}",
        ".partial/lock",
        "..",
        "",
    ],
)
def test_names_outside_the_grammar(name: str) -> None:
    assert not layout.is_file_name(name)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("nvcr.io/nvidia/pytorch:24.05-py3", True),
        ("docker.io/library/registry:2", True),
        ("localhost:5000/a/b:1", True),
        (f"nvcr.io/a@sha256:{'a' * 64}", True),
        ("nvcr.io/a--b:1", True),
        ("nvcr.io/a__b:1", False),
        ("nvcr.io/a---b:1", False),
        ("nvcr.io/a:_1", False),
        ("[::1]:5000/a:1", False),
    ],
)
def test_names_that_a_layout_can_carry(name: str, allowed: bool) -> None:
    assert layout.is_ref_name(name) is allowed


@given(
    st.dictionaries(digests.map(layout.blob_path), st.from_regex(r"[0-9a-f]{64}", fullmatch=True))
)
def test_checksums_round_trip(sums: dict[str, str]) -> None:
    assert parse_checksums(format_checksums(sums), "bundle") == sums


@pytest.mark.parametrize(
    "line",
    ["x", f"{'a' * 64}  ../etc/passwd", f"{'a' * 64}  /etc/passwd", f"{'a' * 63}  oci-layout"],
)
def test_foreign_checksums_are_refused(line: str) -> None:
    with pytest.raises(MalformedContent, match="line 1"):
        parse_checksums(line.encode(), "bundle")


def test_room_of_a_path_that_is_not_there_yet(tmp_path: Path) -> None:
    here, below = Room.at(tmp_path), Room.at(tmp_path / "not" / "yet")
    assert here.free > 0
    assert (below.file_system, below.largest_file) == (here.file_system, None)
    assert here.file_system


def test_room_that_is_not_told() -> None:
    assert Room(1_800 * 10**9).in_words == "1.8 TB free"
    assert Room.at(Path("/proc")).in_words == "free space unknown"


@pytest.mark.parametrize(
    ("kind", "largest"), [("vfat", 2**32 - 1), ("msdos", 2**32 - 1), ("exfat", None)]
)
def test_room_on_a_disk_with_a_limit(tmp_path: Path, kind: str, largest: int | None) -> None:
    disk = tmp_path / "usb disk"
    disk.mkdir()
    mounts = tmp_path / "mountinfo"
    escaped = str(disk).replace(" ", "\\040")
    mounts.write_text(
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        f"36 22 8:17 / {escaped} rw,nosuid shared:1 - {kind} /dev/sdb1 rw\n"
        "broken line\n"
    )
    room = Room.at(disk / "bundle", mounts)
    assert (room.file_system, room.largest_file) == (kind, largest)
    assert Room.at(tmp_path, mounts).file_system == "ext4"
