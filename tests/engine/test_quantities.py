"""Numbers in words: decimal units, rounded once, and never promising room that is not there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine import quantities
from airgap_tui.engine.errors import UsageError


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 kB"),
        (1, "1 kB"),
        (12_000, "12 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (98_000_000, "98 MB"),
        (999_400_000, "999 MB"),
        (999_600_000, "1.0 GB"),
        (67_500_000_000, "67.5 GB"),
        (1_800_000_000_000, "1.8 TB"),
        (1_234_000_000_000_000, "1,234.0 TB"),
    ],
)
def test_sizes_are_decimal(count: int, text: str) -> None:
    assert quantities.size(count) == text


def test_needs_round_up_and_room_rounds_down() -> None:
    assert quantities.size(67_410_000_000, up=True) == "67.5 GB"
    assert quantities.size(67_490_000_000, down=True) == "67.4 GB"
    assert quantities.size(1_000_001, up=True) == "2 MB"
    assert quantities.size(999_600, down=True) == "999 kB"
    assert quantities.size(999_200_000, up=True) == "1.0 GB"


@given(st.integers(0, 10**15))
def test_what_is_said_to_be_free_is_never_more_than_there_is(count: int) -> None:
    said = quantities.parse_size(quantities.size(count, down=True).replace(",", ""))
    assert said <= max(count, 1000)
    said = quantities.parse_size(quantities.size(count, up=True).replace(",", ""))
    assert said >= count


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (3.21, "3.2 s"), (42, "42 s"), (375, "6 min 15 s"), (7500, "2 h 5 min")],
)
def test_elapsed_time_is_exact(seconds: float, text: str) -> None:
    assert quantities.elapsed(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "time left not known yet"),
        (2, "almost done"),
        (40, "less than a minute left"),
        (170, "about 3 min left"),
        (9000, "about 2 h 30 min left"),
    ],
)
def test_time_left_is_told_in_whole_minutes(seconds: float | None, text: str) -> None:
    assert quantities.time_left(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 images"), (1, "1 image"), (9999, "9999 images"), (12_000, "12,000 images")],
)
def test_counts_carry_their_noun(number: int, text: str) -> None:
    assert quantities.count(number, "image") == text


def test_rates() -> None:
    assert quantities.rate(118_200_000.4) == "118 MB/s"


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("0", 0),
        ("1234", 1234),
        ("50MB", 50_000_000),
        ("50 mb", 50_000_000),
        ("4.7GB", 4_700_000_000),
        ("2GiB", 2 * 2**30),
        ("2g", 2_000_000_000),
        ("1T", 10**12),
    ],
)
def test_sizes_are_read(text: str, bytes_: int) -> None:
    assert quantities.parse_size(text) == bytes_


@pytest.mark.parametrize("text", ["", "MB", "-1", "1.MB", "1e9", "5XB", "1 000", "٣MB", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a size"):
        quantities.parse_size(text)
