"""A tar volume is as its own list says, byte for byte, before it is written."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.checksums import parse_checksums
from airgap_tui.engine.bundle.volumes import tar_member
from airgap_tui.engine.bundle.volumes.arrangement import VolumeLayout, lay_out
from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.bundle.volumes.packing import Part
from airgap_tui.engine.bundle.volumes.volume import Volume
from airgap_tui.engine.oci.digest import Digest

IDENTITY = Volume("0" * 32, 1, 3, (), "b" * 32, "pod", "1.0")


def of_blobs(contents: list[bytes], form: Form, algorithm: str = "sha256") -> VolumeLayout:
    parts, sums, made = [], {}, {}
    for content in {*contents}:
        path = layout.blob_path(Digest.of(content, algorithm))
        parts.append(Part(path, len(content), path))
        sums[path] = Digest.of(content).hex
        made[path] = content
    return lay_out("pod", form, IDENTITY, parts, sums, made)


def tar_of(laid: VolumeLayout) -> bytes:
    out = bytearray()
    for start, header, content in laid.members():
        assert start == len(out)
        out += header + content.made + bytes(tar_member.padding(content.size))
    return bytes(out + tar_member.END)


@given(st.lists(st.binary(max_size=3000), max_size=120), st.sampled_from(["sha256", "sha512"]))
def test_every_member_is_where_the_list_says(contents: list[bytes], algorithm: str) -> None:
    laid = of_blobs(contents, Form.TAR, algorithm)
    raw = tar_of(laid)
    assert len(raw) == laid.size
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as tar:
        members = tar.getmembers()
        first = tar.extractfile(members[0])
        assert first is not None
        volume = Volume.parse(first.read(), "tar")
    assert members[0].name == "volume.json"
    assert volume == laid.volume
    found = {member.name: (member.offset_data, member.size) for member in members[1:]}
    assert found == {file.path: (file.offset, file.size) for file in volume.files}
    for file in volume.files:
        assert file.offset is not None
        content = raw[file.offset : file.offset + file.size]
        assert not file.sha256 or Digest.of(content).hex == file.sha256
        header = tar_member.header(file.path, file.size)
        assert raw[file.offset - len(header) : file.offset] == header


@given(st.lists(st.binary(max_size=30), max_size=20), st.sampled_from(list(Form)))
def test_the_checksums_cover_everything_but_themselves(contents: list[bytes], form: Form) -> None:
    laid = of_blobs(contents, form)
    by_path = {content.path: content for content in laid.contents}
    sums = parse_checksums(by_path["SHA256SUMS"].made, "volume")
    assert sums == {path: one.sha256 for path, one in by_path.items() if path != "SHA256SUMS"}
    assert all(Digest.of(content.made).hex == content.sha256 for content in laid.contents)
    assert laid.contents[0].path == "volume.json"


@pytest.mark.parametrize("size", [0, 1, 8 * 1024**3 - 1, 8 * 1024**3, 10**12])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_header_tells_any_name_and_size(size: int, algorithm: str) -> None:
    path = layout.piece_path(Digest.of(b"x", algorithm), 10**17)
    header = tar_member.header(path, size)
    with tarfile.open(fileobj=io.BytesIO(header), mode="r:") as tar:
        member = tar.next()
    assert member is not None
    assert (member.name, member.size, member.offset_data) == (path, size, len(header))
    assert (member.mtime, member.uid, member.gid, member.isreg()) == (0, 0, 0, True)
