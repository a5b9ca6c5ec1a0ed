"""Packing loses nothing, fills no volume beyond its size, and always does the same."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.volumes.arrangement import lay_out
from airgap_tui.engine.bundle.volumes.medium import ANY_SIZE, Form, Medium
from airgap_tui.engine.bundle.volumes.packing import BundleFile, Part, pack
from airgap_tui.engine.bundle.volumes.volume import Volume
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.oci.digest import Digest

IDENTITY = Volume("0" * 32, 9999, 9999, (), "b" * 32, "n" * 40, "10.10.10")
SHARED = (BundleFile("bundle.json", 40_000), BundleFile("index.json", 9_000))
FIRST = (BundleFile("START-HERE.txt", 3_000),)


def blob(number: int, size: int, algorithm: str = "sha256") -> BundleFile:
    return BundleFile(layout.blob_path(Digest.of(str(number).encode(), algorithm)), size)


algorithms = st.sampled_from(["sha256"] * 4 + ["sha512"])
sizes = st.one_of(st.integers(0, 5_000), st.integers(0, 30_000_000), st.integers(0, 20 * 10**9))
blobs = st.lists(st.tuples(sizes, algorithms), max_size=40).map(
    lambda given: [blob(number, size, kind) for number, (size, kind) in enumerate(given)]
)
media = st.one_of(
    st.integers(10_000_000, 10**9), st.integers(10**9, 10**11)
).map(lambda size: Medium("x", size)) | st.sampled_from(
    [Medium.parse("dvd"), Medium.parse("fat32"), ANY_SIZE]
)  # fmt: skip
forms = st.sampled_from(list(Form))


def size_on(form: Form, parts: Sequence[Part]) -> int:
    """What the volume takes: a tar exactly; files in whole blocks otherwise."""
    laid = lay_out("x", form, IDENTITY, parts, {part.path: "0" * 64 for part in parts}, {})
    if form is Form.TAR:
        return laid.size
    block = 2048 if form is Form.ISO else 4096
    return sum(content.size + -content.size % block for content in laid.contents)


@given(blobs, media, forms)
def test_nothing_is_lost_and_nothing_is_there_twice(
    files: list[BundleFile], medium: Medium, form: Form
) -> None:
    volumes = pack(SHARED, FIRST, files, medium, form)
    for number, parts in enumerate(volumes):
        paths = [part.path for part in parts]
        assert paths == sorted(set(paths))
        assert set(paths) >= {file.path for file in SHARED}
        assert (FIRST[0].path in paths) == (number == 0)
        assert all(layout.is_file_name(path) for path in paths)
    for file in files:
        found = sorted(
            (part for volume in volumes for part in volume if part.source == file.path),
            key=lambda part: part.start,
        )
        if [part.path for part in found] == [file.path]:
            assert (found[0].start, found[0].size) == (0, file.size)
            continue
        assert len(found) > 1
        position = 0
        for part in found:
            digest = layout.digest_of_path(file.path)
            assert layout.piece_of_path(part.path) == (digest, position)
            assert part.start == position
            assert part.size > 0
            position += part.size
        assert position == file.size


@given(blobs, media, forms)
def test_no_volume_and_no_file_is_too_large(
    files: list[BundleFile], medium: Medium, form: Form
) -> None:
    for parts in pack(SHARED, FIRST, files, medium, form):
        if medium.capacity is not None:
            assert size_on(form, parts) <= medium.capacity
        if medium.largest_file is not None:
            largest = size_on(form, parts) if form is not Form.DIRECTORY else 0
            assert max([largest, *(part.size for part in parts)]) <= medium.largest_file


@given(blobs, media, forms, st.randoms(use_true_random=False))
def test_the_order_of_the_files_does_not_matter(
    files: list[BundleFile], medium: Medium, form: Form, chance: random.Random
) -> None:
    before = pack(SHARED, FIRST, files, medium, form)
    chance.shuffle(files)
    assert pack(SHARED[::-1], FIRST, files, medium, form) == before


@given(st.lists(st.integers(0, 100_000_000), min_size=1, max_size=60), forms)
def test_no_two_volumes_could_be_one(given_sizes: list[int], form: Form) -> None:
    files = [blob(number, size) for number, size in enumerate(given_sizes)]
    medium = Medium("x", 200_000_000)
    volumes = pack(SHARED, FIRST, files, medium, form)
    filled = [size_on(form, parts) for parts in volumes]
    estimated = 5_000_000  # at most, beside the bytes of the files
    assert all(a + b > 200_000_000 - estimated for a, b in itertools.pairwise(filled))


def test_only_what_is_larger_than_a_volume_is_cut() -> None:
    files = [blob(1, 150_000_000), blob(2, 90_000_000), blob(3, 60_000_000), blob(4, 100)]
    volumes = pack(SHARED, FIRST, files, Medium("x", 100_000_000), Form.TAR)
    cut = {part.source for volume in volumes for part in volume if part.is_piece}
    assert cut == {files[0].path}
    assert len(volumes) == 4


def test_fat32_cuts_within_one_directory() -> None:
    (parts,) = pack(SHARED, FIRST, [blob(1, 10 * 10**9)], Medium.parse("fat32"), Form.DIRECTORY)
    pieces = [part for part in parts if part.is_piece]
    assert sum(part.size for part in pieces) == 10 * 10**9
    assert len(pieces) == 3


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 100), forms)
def test_many_small_files_are_counted_with_all_that_lists_add(count: int, form: Form) -> None:
    files = [blob(number, 10) for number in range(count * 50)]
    for parts in pack(SHARED, FIRST, files, Medium("x", 2_000_000), form):
        assert size_on(form, parts) <= 2_000_000


def test_a_volume_that_is_too_small_is_refused() -> None:
    with pytest.raises(UsageError, match="too small"):
        pack([BundleFile("bundle.json", 990_000)], FIRST, [], Medium("x", 1_000_000), Form.TAR)


def test_too_many_volumes_are_refused() -> None:
    with pytest.raises(UsageError, match="more than 9999"):
        pack((), (), [blob(1, 10**11)], Medium("x", 3_000_000), Form.DIRECTORY)
