"""Versions: integers in order, a scheme from all tags, variants apart."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.ngc.versions import Scheme, Version, classify, is_image, parse_bound

MONTHS = ["24.05-py3", "24.05-py3-igpu", "24.05-trtllm-python-py3", "18.10", "21.4-hpl", "nightly"]
CUDA = [
    "12.4.1-cudnn-devel-ubuntu22.04",
    "12.4.1-base-ubi9",
    "11.1-devel-ubuntu16.04",
    "9.0-cudnn7-devel-ubuntu16.04",
    "8.0-cudnn5.1-devel-ubuntu14.04",
]


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (MONTHS, Scheme.MONTH),
        (["20.11-tensorflow-py3", "24.05-py3-sdk", "24.05.01-py3"], Scheme.MONTH),
        (CUDA, Scheme.CUDA),
        (["3.3.5-3.4.1-ubuntu22.04"], Scheme.SEMVER),
        (["v0.19.0", "v24.9.2"], Scheme.SEMVER),
        (["1.2.3", "1.2", "1", "latest"], Scheme.SEMVER),
        (["v4.2.0-cuda13", "2023.2"], Scheme.SEMVER),
        (["r32.4.2-pth1.2-py3"], Scheme.SEMVER),
        (["16.04", "17.2", "9.6"], Scheme.SEMVER),
        (["latest", "main", "abc1234"], Scheme.OPAQUE),
        ([], Scheme.OPAQUE),
    ],
)
def test_the_scheme_comes_from_all_tags(tags: Sequence[str], scheme: Scheme) -> None:
    assert classify(tags).scheme is scheme


def test_a_cuda_version_is_no_month() -> None:
    known = classify(CUDA).tags["11.1-devel-ubuntu16.04"]
    assert known.version == parse_bound("11.1")
    assert known.variant == "-devel-ubuntu16.04"


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("25.9", "25.10"),
        ("18.9", "18.10"),
        ("20.01", "20.2"),
        ("v0.9.2", "v0.20.1"),
        ("1.0-rc2", "1.0-rc11"),
        ("1.0-alpha.1", "1.0-beta"),
        ("1.0-beta2", "1.0-rc1"),
        ("1.0-rc.1", "1.0"),
        ("1.0b2", "1.0"),
        ("1.0", "1.0.post1"),
        ("1.2", "1.2.1"),
        ("10.0.17763", "10.0.17764.0"),
    ],
)
def test_what_is_older(older: str, newer: str) -> None:
    known = classify([older, newer, "0.1"]).tags
    first, second = known[older].version, known[newer].version
    assert first is not None and second is not None
    assert first < second
    assert known[older].variant == known[newer].variant


@pytest.mark.parametrize(
    ("one", "other"), [("20.1", "20.01"), ("1.2", "1.2.0"), ("10.0.17763", "10.0.17763.0")]
)
def test_what_is_equal(one: str, other: str) -> None:
    assert parse_bound(one) == parse_bound(other)
    assert hash(parse_bound(one)) == hash(parse_bound(other))


def test_two_versions_in_one_tag() -> None:
    tags = ["3.3.5-3.4.1-ubuntu22.04", "3.3.5-3.4.0-ubuntu22.04", "3.3.10-3.4.0-ubi9"]
    known = classify(tags).tags
    assert known[tags[0]].variant == "-ubuntu22.04"
    newest = sorted(known.values(), key=lambda tag: tag.version or Version(()))
    assert [tag.tag for tag in newest] == [tags[1], tags[0], tags[2]]
    version = known[tags[0]].version
    assert version is not None
    bound = parse_bound("3.3.5")
    assert not version.before(bound) and not version.after(bound)


def test_what_is_no_version_here() -> None:
    known = classify(["24.05-py3", "24.06-py3", "24.07-py3", "24.08-py3", "1.0-py3", "dev"]).tags
    assert known["1.0-py3"].version is None, "not a month, where months count"
    assert known["dev"].version is None
    beside = classify(["1.2.3", "1.3", "20240611", "7e3c8b", "3"]).tags
    assert beside["20240611"].version is None, "a date beside numbers with points"
    assert beside["7e3c8b"].version is None
    assert beside["3"].version is not None
    assert classify(["20240611", "20240612"]).tags["20240611"].version is not None


def test_letters_after_a_number_are_not_always_a_stage() -> None:
    known = classify(["1.0-a100", "1.0-devel", "1.0-dev"]).tags
    assert known["1.0-a100"].variant == "-a100"
    assert known["1.0-devel"].variant == "-devel"
    version = known["1.0-dev"].version
    assert version is not None and version.prerelease


@pytest.mark.parametrize("suffix", ["", ".sig", ".att", ".sbom"])
def test_tags_of_signatures_are_no_images(suffix: str) -> None:
    assert not is_image(f"sha256-{'0' * 64}{suffix}")
    assert not is_image(f"sha512-{'0' * 128}{suffix}")
    assert is_image("sha256-short")
    assert classify([f"sha256-{'0' * 64}{suffix}", "1.0"]).hidden == (f"sha256-{'0' * 64}{suffix}",)


@pytest.mark.parametrize("text", ["", "latest", "25.06-py3", "1..2", "1.", "-1", "٢٥.٠٦"])
def test_what_is_no_bound(text: str) -> None:
    with pytest.raises(UsageError, match="not a version"):
        parse_bound(text)


def test_months() -> None:
    assert parse_bound("25.06").month == (2025, 6)
    assert parse_bound("21.4").month == (2021, 4)
    assert parse_bound("24.05.01").month == (2024, 5)
    for text in ("25.13", "16.04", "v24.9", "2024.05", "25.0"):
        assert parse_bound(text).month is None


numbers = st.lists(st.integers(0, 10**6), min_size=1, max_size=6)
stages = st.sampled_from(["", "-rc1", "-rc2", "-rc11", "-alpha", "-beta3", "-dev", ".post1"])
versions = st.builds(
    lambda parts, stage: parse_bound(".".join(map(str, parts)) + stage), numbers, stages
)


@given(numbers, numbers)
def test_numbers_are_compared_one_by_one(first: list[int], second: list[int]) -> None:
    length = max(len(first), len(second))
    padded = [parts + [0] * (length - len(parts)) for parts in (first, second)]
    one, other = (parse_bound(".".join(map(str, parts))) for parts in (first, second))
    assert (one < other) == (padded[0] < padded[1])
    assert (one == other) == (padded[0] == padded[1])


@given(numbers, st.integers(1, 5), st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_zeros_change_nothing(parts: list[int], more: int, zeros: list[int]) -> None:
    text = ".".join("0" * zero + str(part) for zero, part in zip(zeros, parts, strict=False))
    assert parse_bound(text) == parse_bound(text + ".0" * more)


@given(versions, versions, versions)
def test_the_order_is_total(first: Version, second: Version, third: Version) -> None:
    assert (first < second) + (first == second) + (first > second) == 1
    if first <= second <= third:
        assert first <= third
    if first == second:
        assert hash(first) == hash(second)


@given(numbers)
def test_a_prerelease_is_before_its_release(parts: list[int]) -> None:
    text = ".".join(map(str, parts))
    ordered = [parse_bound(text + stage) for stage in ("-dev", "-alpha", "-beta2", "-rc1", "-rc2")]
    ordered += [parse_bound(text), parse_bound(f"{text}.post1")]
    assert ordered == sorted(ordered)
    assert len(set(ordered)) == len(ordered)


@given(st.sets(st.text(min_size=1, max_size=40), max_size=20))
def test_any_tags_are_classified(tags: set[str]) -> None:
    known = classify(tags)
    assert set(known.tags) | set(known.hidden) == tags
    assert not set(known.tags) & set(known.hidden)


@given(st.sets(st.from_regex(r"[0-9vr.a-z_-]{1,20}", fullmatch=True), max_size=20))
def test_what_is_like_a_version_is_sorted(tags: set[str]) -> None:
    known = [tag for tag in classify(tags).tags.values() if tag.version is not None]
    for tag in sorted(known, key=lambda tag: (tag.version, tag.variant)):
        assert tag.tag.endswith(tag.variant)
