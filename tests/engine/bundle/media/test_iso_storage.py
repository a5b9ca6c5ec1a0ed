"""ISO images are read as xorriso reads them, and what is broken in one is told."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airgap_tui.engine.bundle.media.storage import open_storage
from airgap_tui.engine.errors import AirgapError, MalformedContent, UnsafeContent
from tests.services import program

FIRST, SECOND = "blobs/sha256/" + "a" * 64, "blobs/sha256/" + "b" * 64
LONG = "blobs/sha512/" + "c" * 128


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("iso") / "tree"
    for name, content in (
        ("oci-layout", b"{}"),
        (FIRST, b"1" * 2048),
        (SECOND, b"2" * 5000),
        (LONG, b"3" * 10),
        ("blobs/sha256/" + "d" * 64, b""),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


@pytest.fixture(scope="module")
def image(tree: Path) -> bytes:
    return written(tree)


def written(tree: Path, *options: str) -> bytes:
    target = tree.with_name("made.iso")
    command = [program("xorriso"), "-as", "mkisofs", "-quiet", "-R", "-iso-level", "3"]
    subprocess.run(
        [*command, *options, "-o", str(target), str(tree)],
        check=True, timeout=60, capture_output=True,
    )  # fmt: skip
    content = target.read_bytes()
    target.unlink()
    return content


def opened(image: bytes, tmp_path: Path) -> dict[str, bytes]:
    (tmp_path / "iso").write_bytes(image)
    storage = open_storage(tmp_path / "iso")
    return {name: storage.read(name, 10_000_000) for name, _size in storage.names()}


@pytest.mark.parametrize("options", [(), ("-J",), ("-J", "-joliet-long"), ("-hfsplus",)])
def test_the_content_is_what_xorriso_extracts(
    tree: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    made = written(tree, *options)
    (tmp_path / "copy.iso").write_bytes(made)
    command = [program("xorriso"), "-osirrox", "on", "-indev", str(tmp_path / "copy.iso")]
    subprocess.run(
        [*command, "-extract", "/", str(tmp_path / "out")],
        check=True, timeout=60, capture_output=True,
    )  # fmt: skip
    extracted = {
        str(path.relative_to(tmp_path / "out")): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert opened(made, tmp_path) == extracted
    assert len(extracted) == 5


def records(image: bytes) -> list[int]:
    """Where the directory records of the blobs begin whose names are whole in Rock Ridge."""
    found = []
    for name in (b"a" * 64, b"b" * 64):
        at = image.index(b"NM" + bytes([69, 1, 0]) + name)
        start = at - at % 2048
        while start + image[start] <= at:
            start += image[start]
        found.append(start)
    return found


def test_the_pieces_of_a_file_of_4_gib_and_more_are_one_file(image: bytes, tmp_path: Path) -> None:
    first, _second = records(image)
    changed = bytearray(image)
    changed[first + 25] |= 0x80
    changed = bytearray(bytes(changed).replace(b"b" * 64, b"a" * 64))
    assert opened(bytes(changed), tmp_path)[FIRST] == b"1" * 2048 + b"2" * 5000


def test_pieces_that_lie_apart_are_refused(image: bytes, tmp_path: Path) -> None:
    first, second = records(image)
    changed = bytearray(image)
    changed[first + 25] |= 0x80
    changed[second + 2] += 1
    with pytest.raises(UnsafeContent, match="one after the other"):
        opened(bytes(changed).replace(b"b" * 64, b"a" * 64), tmp_path)


def change(at: int, value: bytes) -> Callable[[bytearray, int], None]:
    def apply(image: bytearray, record: int) -> None:
        image[record + at : record + at + len(value)] = value

    return apply


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (change(10, b"\xff\xff\xff\xff"), "cut off within"),
        (change(2, b"\xff\xff\xff\x7f"), "cut off within"),
        (change(25, b"\x80"), "are not all there"),
        (change(26, b"\x01"), "interleaved"),
        (change(32, b"\xfe"), "too short"),
        (change(25, b"\x02"), "beyond its end|sector|cannot be read|too short"),
    ],
)
def test_a_record_that_lies_is_refused(
    image: bytes, tmp_path: Path, how: Callable[[bytearray, int], None], reason: str
) -> None:
    changed = bytearray(image)
    how(changed, records(image)[0])
    with pytest.raises((MalformedContent, UnsafeContent), match=reason):
        opened(bytes(changed), tmp_path)


def test_a_directory_that_holds_itself_is_refused(image: bytes, tmp_path: Path) -> None:
    changed = bytearray(image)
    record = records(image)[0]
    directory = record - record % 2048
    changed[record + 25] = 2
    changed[record + 2 : record + 6] = (directory // 2048).to_bytes(4, "little")
    changed[record + 10 : record + 14] = (2048).to_bytes(4, "little")
    with pytest.raises(MalformedContent, match="two directories of it lie at sector"):
        opened(bytes(changed), tmp_path)


def test_names_that_lead_out_are_refused(image: bytes, tmp_path: Path) -> None:
    evil = image.replace(b"a" * 64, b"../" + b"a" * 61)
    with pytest.raises(UnsafeContent, match="is refused"):
        opened(evil, tmp_path)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(16 * 2048, 40 * 2048), st.integers(0, 255)), max_size=20))
def test_no_bytes_make_it_fail_otherwise(
    image: bytes, tmp_path: Path, changes: list[tuple[int, int]]
) -> None:
    changed = bytearray(image)
    for at, value in changes:
        changed[at] = value
    try:
        found = opened(bytes(changed), tmp_path)
    except AirgapError:
        return
    assert sum(map(len, found.values())) <= len(image) * len(found)
