"""The Range header: well-formed, several, nonsense, out of bounds."""

from __future__ import annotations

import pytest

from airgap_tui.engine.serve import ranges


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-99", (0, 100)),
        ("bytes=10-", (10, 90)),
        ("bytes=10-1000000", (10, 90)),
        ("bytes=-1", (99, 1)),
        ("bytes=-1000", (0, 100)),
        ("Bytes = 5 - 6 ", (5, 2)),
        ("bytes=99-99", (99, 1)),
    ],
)
def test_one_stretch(header: str, expected: tuple[int, int]) -> None:
    assert ranges.parse(header, 100) == expected


@pytest.mark.parametrize(
    "header",
    ["bytes=0-1,5-6", "bytes=", "bytes=-", "bytes=5-4", "items=0-1", "bytes=a-b", "bytes=1", "½"],
)
def test_what_is_ignored(header: str) -> None:
    assert ranges.parse(header, 100) is None


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=0-0", 0), ("bytes=-5", 0)]
)
def test_outside(header: str, size: int) -> None:
    with pytest.raises(ranges.Unsatisfiable):
        ranges.parse(header, size)
