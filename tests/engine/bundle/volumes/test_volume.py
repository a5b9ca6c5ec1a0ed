"""`volume.json` says what a volume holds; one that lies or is broken is refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.volumes import tar_member
from airgap_tui.engine.bundle.volumes.asked import Asked, export_again
from airgap_tui.engine.bundle.volumes.medium import (
    ANY_SIZE,
    FAT32_LARGEST,
    MEDIA,
    SMALLEST,
    Form,
    Medium,
)
from airgap_tui.engine.bundle.volumes.volume import Volume, VolumeFile
from airgap_tui.engine.errors import (
    AirgapError,
    MalformedContent,
    UnsafeContent,
    UnsupportedBundle,
    UsageError,
)
from airgap_tui.engine.oci.digest import Digest

SET = "0123456789abcdef" * 2
BLOB = Digest.of(b"blob")

hexes = st.text("0123456789abcdef", min_size=64, max_size=64)
sizes = st.integers(0, 2**50)
blobs = st.builds(lambda h, s: VolumeFile(f"blobs/sha256/{h}", s, h), hexes, sizes)
pieces = st.builds(
    lambda h, s, n, d: VolumeFile(layout.piece_path(Digest("sha256", h), n), s % 2**43, d),
    hexes,
    sizes,
    st.integers(0, 2**43),
    hexes,
)
names = st.sampled_from(["index.json", "bundle.json", "START-HERE.txt", "airgap-tui/run"])
others = st.builds(VolumeFile, names, sizes, hexes)
files = st.lists(st.one_of(blobs, pieces, others), unique_by=lambda file: file.path)


asked_for = st.builds(
    *(Asked, st.sampled_from(Form), st.sampled_from(["", "dvd", "4.7GB"])),
    *(st.booleans(), st.booleans(), st.booleans()),
)


@given(files, st.integers(1, 9999), st.one_of(st.none(), asked_for))
def test_a_volume_is_read_as_it_was_written(
    listed: list[VolumeFile], number: int, asked: Asked | None
) -> None:
    sums = VolumeFile("SHA256SUMS", 7)
    ordered = tuple(sorted((sums, *listed), key=lambda file: file.path))
    volume = Volume(SET, number, 9999, ordered, "b" * 32, "pod-2025-07", "1.0", asked)
    again = Volume.parse(volume.format(), "disk")
    assert again == volume
    assert again.format() == volume.format()
    assert again.size == sum(file.size for file in ordered)


def in_a_tar(*given_sizes: int) -> Volume:
    listed, end = [], 4096
    for number, size in enumerate(given_sizes):
        digest = Digest.of(bytes([number]))
        listed.append((layout.blob_path(digest), size, digest.hex))
    placed = []
    for path, size, digest_hex in sorted(listed):
        offset = end + tar_member.BLOCK
        placed.append(VolumeFile(path, size, digest_hex, offset))
        end = offset + size + tar_member.padding(size)
    return Volume(SET, 1, 1, tuple(placed))


def test_offsets_in_a_tar_are_kept() -> None:
    volume = in_a_tar(0, 1, 511, 512, 10**11)
    assert Volume.parse(volume.format(), "disk") == volume


def change(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda value: value.update(fields)


def change_file(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda value: value["files"][0].update(fields)


HOSTILE: dict[str, tuple[Callable[[dict[str, Any]], None], type[AirgapError]]] = {
    "newer": (change(schemaVersion=2), UnsupportedBundle),
    "no schema": (change(schemaVersion=0), MalformedContent),
    "number beyond": (change(number=4), MalformedContent),
    "number zero": (change(number=0), MalformedContent),
    "count of millions": (change(count=10**7), MalformedContent),
    "count is true": (change(count=True), MalformedContent),
    "set of another form": (change(set="../x"), MalformedContent),
    "bundle is a list": (change(bundle=[]), MalformedContent),
    "name is endless": (change(bundle={"name": "x" * 10_000}), MalformedContent),
    "files is an object": (change(files={}), MalformedContent),
    "a file is a text": (change(files=["x"]), MalformedContent),
    "way out": (change_file(path="../../etc/passwd"), UnsafeContent),
    "absolute": (change_file(path="/etc/passwd"), UnsafeContent),
    "way out of the tool": (change_file(path="airgap-tui/../../x"), UnsafeContent),
    "hidden": (change_file(path=".partial/lock"), UnsafeContent),
    "itself": (change_file(path="volume.json"), UnsafeContent),
    "path is a number": (change_file(path=3), MalformedContent),
    "steers a terminal": (change_file(path="\x1b[2J"), UnsafeContent),
    "negative size": (change_file(size=-1), MalformedContent),
    "huge size": (change_file(size=2**70), MalformedContent),
    "size is a fraction": (change_file(size=1.5), MalformedContent),
    "no digest": (change_file(sha256=""), MalformedContent),
    "digest of another": (change_file(sha256="0" * 64), MalformedContent),
    "piece with a sign": (change_file(path=f"pieces/sha256/{BLOB.hex}/-1"), UnsafeContent),
    "piece with zeros": (change_file(path=f"pieces/sha256/{BLOB.hex}/007"), UnsafeContent),
    "some offsets": (change_file(offset=1024), MalformedContent),
    "twice": (lambda value: value["files"].insert(0, value["files"][0]), MalformedContent),
    "unsorted": (lambda value: value["files"].reverse(), MalformedContent),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_volume_is_refused(case: str) -> None:
    spoil, error = HOSTILE[case]
    files = (
        VolumeFile(layout.blob_path(BLOB), 4, BLOB.hex),
        VolumeFile("index.json", 2, Digest.of(b"{}").hex),
    )
    value = json.loads(Volume(SET, 1, 3, files).format())
    spoil(value)
    with pytest.raises(error) as caught:
        Volume.parse(json.dumps(value).encode(), "disk")
    assert "disk: volume.json" in caught.value.message
    assert "\x1b" not in caught.value.message


@pytest.mark.parametrize("offset", [0, 100, 511, 1000, 4097])
def test_an_impossible_offset_is_refused(offset: int) -> None:
    value = json.loads(in_a_tar(10_000, 10_000).format())
    value["files"][1]["offset"] = value["files"][0]["offset"] + offset
    with pytest.raises(MalformedContent, match="impossible offset"):
        Volume.parse(json.dumps(value).encode(), "disk")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with pytest.raises((MalformedContent, UnsafeContent)):
        Volume.parse(raw, "disk")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["schemaVersion", "set", "number", "count", "files", "path", "size", "tool"]
                ),
                inner,
                max_size=6,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_read_or_refused(value: object) -> None:
    with pytest.raises(AirgapError):
        Volume.parse(json.dumps(value).encode(), "disk")


def test_deep_json_and_long_numbers_are_refused() -> None:
    for raw in (b"[" * 100_000, b'{"count":' + b"9" * 100_000 + b"}"):
        with pytest.raises(MalformedContent, match="not JSON"):
            Volume.parse(raw, "disk")


@pytest.mark.parametrize(
    ("text", "capacity", "largest"),
    [
        ("dvd", 4_700_372_992, None),
        (" DVD ", 4_700_372_992, None),
        ("fat32", None, FAT32_LARGEST),
        ("4.7GB", 4_700_000_000, None),
        ("2GiB", 2 * 1024**3, None),
    ],
)
def test_sizes_of_media(text: str, capacity: int | None, largest: int | None) -> None:
    medium = Medium.parse(text)
    assert (medium.capacity, medium.largest_file) == (capacity, largest)


@given(st.one_of(st.integers(SMALLEST, 2**44), st.integers(10, 99).map(lambda n: n * 10**8)))
def test_equal_limits_have_one_spelling(capacity: int) -> None:
    medium = Medium.parse(str(capacity))
    assert Medium.parse(medium.option).capacity == capacity
    assert Medium.parse(medium.option).option == medium.option


def test_spellings_are_as_people_write_them() -> None:
    assert Medium.parse("4700000000").option == "4.7GB"
    assert Medium.parse("2048MiB").option == "2GiB"
    assert Medium.parse("4700372992").option == "dvd"
    assert Medium.parse("1234567").option == "1234567"
    assert ANY_SIZE.option == ""


def test_the_command_that_makes_a_volume_anew_has_every_option() -> None:
    usual = Asked(Form.DIRECTORY, tool=True)
    assert export_again("pod", usual, [3]) == "airgap-tui export pod MEDIUM --only-volume 3"
    delta = Asked(Form.ISO, "dvd", update=True, signed=True)
    assert export_again("pod", delta, [1, 2]) == (
        "airgap-tui export pod MEDIUM --format iso --volume-size dvd --no-tool --have RECEIPT"
        " --sign KEY --only-volume 1 --only-volume 2"
    )


@pytest.mark.parametrize(
    "told",
    [
        *(None, [], "iso", {}, {"format": "iso"}, {"format": "cdr", "volumeSize": "dvd"}),
        *({"format": "iso", "volumeSize": text} for text in ("-b", "a b", "$(id)", "x" * 21, 7)),
        {"format": ["iso"], "volumeSize": ""},
    ],
    ids=str,
)
def test_what_no_export_asks_for_is_in_no_command(told: object) -> None:
    assert Asked.from_json(told) is None


def test_discs_hold_whole_sectors() -> None:
    assert all(not medium.capacity % 2048 for medium in MEDIA.values() if medium.capacity)


@pytest.mark.parametrize("text", ["", "floppy", "-1GB", "0", "999kB", "1e9"])
def test_what_is_no_size_of_a_volume(text: str) -> None:
    with pytest.raises(UsageError):
        Medium.parse(text)
