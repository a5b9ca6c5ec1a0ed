"""Codecs: equal bytes for equal input, whole round trips, no silence about broken input."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap_tui.engine.bundle.encoding import compression as encoding
from airgap_tui.engine.bundle.encoding.codec import Codec, Compression, detect, layer_media_type
from airgap_tui.engine.bundle.encoding.compression import encoder
from airgap_tui.engine.bundle.encoding.decompression import decoder
from airgap_tui.engine.errors import MalformedContent, UsageError

WRITTEN = (Codec.NONE, Codec.GZIP, Codec.ZSTD, Codec.XZ)
COMPRESSED = (Codec.GZIP, Codec.ZSTD, Codec.XZ, Codec.BZIP2)


def encoded(
    data: bytes,
    compression: Compression,
    *,
    threads: int = 2,
    cut: int = 1 << 20,
    size: int | None = None,
) -> bytes:
    out = bytearray()
    work = encoder(compression, out.extend, size, threads)
    for start in range(0, len(data), cut):
        work.write(memoryview(data)[start : start + cut])
    work.finish()
    return bytes(out)


def pack(data: bytes, codec: Codec) -> bytes:
    if codec is Codec.BZIP2:
        return bz2.compress(data)
    return encoded(data, Compression(codec))


class Drops(io.BytesIO):
    """A reader that gives a few bytes at a time, as a socket may."""

    def __init__(self, data: bytes, most: int = 700) -> None:
        super().__init__(data)
        self._most = most

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        return super().readinto(buffer[: self._most])


def unpack(data: bytes, codec: Codec, most: int = 700, step: int = 5000) -> bytes:
    reader = decoder(codec, Drops(data, most))
    out, buffer = bytearray(), memoryview(bytearray(step))
    while count := reader.readinto(buffer):
        out += buffer[:count]
    assert reader.readinto(buffer) == 0, "the end stays the end"
    reader.close()
    return bytes(out)


def sample(size: int = 5_300_000) -> bytes:
    """Bytes that compress somewhat, several encoder blocks long."""
    chance = random.Random(7)  # noqa: S311 - test data
    words = [chance.randbytes(chance.randint(3, 40)) for _ in range(900)]
    out = bytearray()
    while len(out) < size:
        out += chance.choice(words)
    return bytes(out[:size])


@pytest.mark.parametrize("compression", ["gzip", "gzip:1", "gzip:9", "zstd", "zstd:12"])
def test_equal_bytes_for_any_thread_number_and_any_cut(compression: str) -> None:
    chosen = Compression.parse(compression)
    assert chosen is not None
    data = sample()
    first = encoded(data, chosen, threads=1, size=len(data))
    for threads, cut in ((2, 1 << 20), (3, 100_001), (5, 3_000_000)):
        assert encoded(data, chosen, threads=threads, cut=cut, size=len(data)) == first
    assert unpack(first, chosen.codec, most=1 << 20, step=1 << 20) == data


def test_zstd_without_threads_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_MOST_WORKERS", 0)
    data = sample(400_000)
    packed = encoded(data, Compression(Codec.ZSTD), threads=4)
    assert unpack(packed, Codec.ZSTD) == data


@pytest.mark.parametrize("codec", WRITTEN)
@settings(deadline=None, max_examples=40)
@given(data=st.binary(max_size=60_000), cut=st.integers(1, 20_000), most=st.integers(1, 900))
def test_round_trip(codec: Codec, data: bytes, cut: int, most: int) -> None:
    packed = encoded(data, Compression(codec), cut=cut)
    assert unpack(packed, codec, most) == data
    if codec is not Codec.NONE:
        assert detect(packed) is codec


@pytest.mark.parametrize("codec", COMPRESSED)
def test_streams_in_a_row_are_one(codec: Codec) -> None:
    parts = [b"first" * 1000, b"", b"last" * 3000]
    assert unpack(b"".join(pack(part, codec) for part in parts), codec) == b"".join(parts)


@pytest.mark.parametrize("codec", COMPRESSED)
def test_zero_padding_at_the_end_is_no_content(codec: Codec) -> None:
    assert unpack(pack(b"content", codec) + bytes(2048), codec) == b"content"


def test_skippable_zstd_frames_hold_nothing() -> None:
    skippable = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    packed = skippable + pack(b"layer", Codec.ZSTD) + skippable
    assert detect(packed) is Codec.ZSTD
    assert unpack(packed, Codec.ZSTD) == b"layer"


@pytest.mark.parametrize("codec", COMPRESSED)
def test_truncated_input_is_malformed(codec: Codec) -> None:
    packed = pack(sample(80_000), codec)
    for end in (0, 1, 10, len(packed) // 2, len(packed) - 1):
        with pytest.raises(MalformedContent, match="layer 7"):
            reader = decoder(codec, io.BytesIO(packed[:end]), "layer 7")
            while reader.readinto(memoryview(bytearray(4096))):
                pass


@pytest.mark.parametrize("codec", COMPRESSED)
def test_what_follows_must_be_of_the_codec(codec: Codec) -> None:
    with pytest.raises(MalformedContent):
        unpack(pack(b"content", codec) + b"something else, and some more of it", codec)


@pytest.mark.parametrize("codec", COMPRESSED)
def test_damage_is_noticed(codec: Codec) -> None:
    packed = bytearray(pack(sample(80_000), codec))
    packed[len(packed) // 2] ^= 0x55
    with pytest.raises(MalformedContent):
        assert unpack(bytes(packed), codec) != b""


@pytest.mark.parametrize(
    ("codec", "standard"), [(Codec.GZIP, gzip.decompress), (Codec.XZ, lzma.decompress)]
)
def test_the_standard_library_reads_what_is_written(
    codec: Codec, standard: Callable[[bytes], bytes]
) -> None:
    data = sample(2_500_000)
    assert standard(encoded(data, Compression(codec))) == data


def test_zstd_program_reads_it_and_sees_the_size(tmp_path: Path) -> None:
    data = sample(2_500_000)
    file = tmp_path / "layer.zst"
    file.write_bytes(encoded(data, Compression(Codec.ZSTD), size=len(data)))
    try:
        listing = subprocess.run(
            ["zstd", "-lv", file], capture_output=True, text=True, check=True, timeout=60
        )
    except FileNotFoundError:
        pytest.skip("zstd is not installed")
    assert f"({len(data)} B)" in listing.stdout


def test_a_zstd_pledge_must_be_kept() -> None:
    short = encoder(Compression(Codec.ZSTD), lambda _: None, 10)
    short.write(b"123456789")
    with pytest.raises(MalformedContent):
        short.finish()
    long = encoder(Compression(Codec.ZSTD), lambda _: None, 10)
    with pytest.raises(MalformedContent):
        long.write(b"12345678901")


@pytest.mark.parametrize("codec", WRITTEN)
def test_a_full_disk_reaches_the_caller(codec: Codec) -> None:
    def full(_data: object) -> None:
        raise OSError(28, "No space left on device")

    work = encoder(Compression(codec), full, None, 2)
    with pytest.raises(OSError, match="No space"):
        for _ in range(30):
            work.write(os.urandom(1 << 20))
        work.finish()
    work.abort()


def test_aborting_writes_no_more() -> None:
    out = bytearray()
    work = encoder(Compression(Codec.GZIP), out.extend, None, 2)
    work.abort()
    with pytest.raises(EOFError):
        gzip.decompress(bytes(out))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("keep", None),
        ("none", Compression(Codec.NONE)),
        ("gzip", Compression(Codec.GZIP)),
        ("gzip:9", Compression(Codec.GZIP, 9)),
        ("ZSTD:19", Compression(Codec.ZSTD, 19)),
    ],
)
def test_parse(text: str, expected: Compression | None) -> None:
    assert Compression.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "lz4", "xz", "gzip:", "gzip:0", "gzip:10", "zstd:20", "zstd:-1", "zstd:²", "keep:1"],
)
def test_parse_refuses(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Compression.parse(text)
    assert "zstd[:1-19]" in caught.value.hint


def test_readers_that_cannot_read_zstd_are_named() -> None:
    assert "Docker before 23.0" in Compression(Codec.ZSTD).unreadable_by
    assert Compression(Codec.GZIP).unreadable_by == ""


def test_a_tar_is_not_taken_for_something_compressed() -> None:
    assert detect(b"BZhive/data\0\0\0\0\0") is Codec.NONE
    assert detect(b"") is Codec.NONE


def test_media_types() -> None:
    assert layer_media_type("oci", Codec.GZIP) == "application/vnd.oci.image.layer.v1.tar+gzip"
    assert layer_media_type("docker", Codec.NONE).endswith(".diff.tar")
    with pytest.raises(MalformedContent):
        layer_media_type("docker", Codec.XZ)
