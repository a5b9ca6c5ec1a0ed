"""Files and streams: compressed, cut off, damaged, endless; and the names of rotated logs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.discovery import opening
from airgap_tui.engine.discovery.finding import Place, Remark
from airgap_tui.engine.discovery.opening import Source, open_file, plain_name, rotations
from tests.images import zstd_of

PLACE = Place("/var/log/slurm/slurmd.log", host="dgx01")
CODECS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstd_of,
}
COMPRESSED = [name for name in CODECS if name != "plain"]
TEXT = b"".join(b"line %d of the log\n" % number for number in range(20_000))


def lines(opened: Source) -> list[bytes]:
    """Read as a stream, in pieces that fit nothing."""
    pieces = iter(lambda: opened.read(7_777), b"")
    return b"".join(pieces).splitlines()


def source(data: bytes) -> Source:
    return Source(io.BytesIO(data), PLACE)


@pytest.mark.parametrize("codec", CODECS)
def test_lines_of_any_encoding(codec: str) -> None:
    with source(CODECS[codec](TEXT)) as opened:
        assert opened.head == TEXT[: opening.HEAD]
        assert lines(opened) == TEXT.splitlines()
        assert opened.remarks == ()


@pytest.mark.parametrize("codec", CODECS)
def test_content_of_any_encoding(codec: str) -> None:
    with source(CODECS[codec](TEXT)) as opened:
        assert opened.content() == TEXT
        assert opened.remarks == ()


@pytest.mark.parametrize("codec", COMPRESSED)
def test_several_streams_in_a_row_and_padding(codec: str) -> None:
    data = CODECS[codec](b"one\n") + CODECS[codec](b"two\n")
    with source(data + (b"\0" * 512 if codec == "gzip" else b"")) as opened:
        assert lines(opened) == [b"one", b"two"]
        assert opened.remarks == ()


@pytest.mark.parametrize("codec", COMPRESSED)
def test_what_was_read_before_the_damage_counts(codec: str) -> None:
    data = CODECS[codec](TEXT * 5)
    with source(data[: len(data) // 2]) as opened:
        read = lines(opened)
    whole = (TEXT * 5).splitlines()
    assert read[:-1] == whole[: len(read) - 1]
    (remark,) = opened.remarks
    assert remark.place == PLACE
    assert remark.text.startswith("it could not be read to its end: it is not whole")
    assert remark.remedy


def test_a_file_that_only_begins_like_a_compressed_one() -> None:
    with source(b"\x1f\x8bnot gzip at all\n") as opened:
        assert lines(opened) == []
        assert "not whole gzip data" in opened.remarks[0].text


def test_a_bomb_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "FREE_EXPANSION", 1_000_000)
    bomb = gzip.compress(b"\0" * 20_000_000)
    with source(bomb) as opened:
        assert len(opened.content()) <= opening.MAX_RATIO * len(bomb) < 20_000_000
        assert "it decompresses to more than a log would" in opened.remarks[0].text


def test_content_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "MAX_CONTENT", 100_000)
    with source(TEXT) as opened:
        assert opened.content() == TEXT[:100_000]
        (remark,) = opened.remarks
        assert remark.text == "it is larger than 100 kB, so its end was not read"
    with source(TEXT[:100_000]) as opened:
        assert opened.content() == TEXT[:100_000]
        assert opened.remarks == ()


def test_a_pipe_gives_what_it_has_piece_by_piece() -> None:
    reading, writing = os.pipe()

    def write() -> None:
        with open(writing, "wb", buffering=0) as pipe:
            for start in range(0, len(compressed), 3):
                pipe.write(compressed[start : start + 3])

    compressed = gzip.compress(b"a\nb\n")
    thread = threading.Thread(target=write)
    thread.start()
    with Source(open(reading, "rb", buffering=0), PLACE) as opened:
        assert lines(opened) == [b"a", b"b"]
    thread.join()


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    for path, text in (
        (tmp_path / "absent", "it cannot be read: No such file or directory"),
        (tmp_path, "it cannot be read: Is a directory"),
        (Path("/proc/self/mem"), "it could not be read to its end: Input/output error"),
    ):
        opened = open_file(path)
        if isinstance(opened, Remark):
            remark = opened
        else:
            with opened:
                assert lines(opened) == []
                (remark,) = opened.remarks
        assert (remark.place, remark.text) == (Place(str(path)), text)
        assert remark.remedy


def test_a_file_by_its_own_name_or_another(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x\n")
    for place in (None, PLACE):
        opened = open_file(tmp_path / "log", place)
        assert isinstance(opened, Source)
        with opened:
            assert opened.place == (place or Place(str(tmp_path / "log")))
            assert lines(opened) == [b"x"]


def test_rotated_logs_are_found_newest_first(tmp_path: Path) -> None:
    names = [
        *("slurmd.log", "slurmd.log.1", "slurmd.log.2.gz", "slurmd.log.10.xz"),
        *("slurmd.log-20250701", "slurmd.log-20250630.zst", "slurmd.log-20250629-1719640000.bz2"),
    ]
    for name in [*names, "slurmd.log.swp", "slurmctld.log", "slurmd.log.d", "old-slurmd.log"]:
        (tmp_path / name).touch()
    assert [path.name for path in rotations(tmp_path / "slurmd.log")] == names
    assert rotations(tmp_path / "absent" / "slurmd.log") == []


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("slurmd.log", "slurmd.log"),
        ("slurmd.log.3.gz", "slurmd.log"),
        ("slurmd.log-20250630.zst", "slurmd.log"),
        ("pods.json.xz", "pods.json"),
        (".bash_history.old", ".bash_history"),
        ("slurm-123.out", "slurm-123.out"),
        ("v1.2", "v1"),
    ],
)
def test_names_without_what_rotation_added(name: str, plain: str) -> None:
    assert plain_name(name) == plain


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x1f\x8b", b"\xfd7zXZ\0", b"BZh9"]))
def test_any_bytes_are_content_or_damage(data: bytes, start: bytes) -> None:
    with source(start + data) as opened:
        content = opened.content()
        assert opened.remarks or content == start + data


@given(st.binary(max_size=3000), st.integers(1, 1000), st.sampled_from(COMPRESSED))
def test_pieces_make_up_the_whole(data: bytes, size: int, codec: str) -> None:
    with source(CODECS[codec](data)) as opened:
        assert b"".join(iter(lambda: opened.read(size), b"")) == data
        assert opened.remarks == ()
