"""The windows that pictures are taken in: sizes, and looks of terminals."""

from __future__ import annotations

import pytest

from screens.look import Look

ASCII, UTF8 = Look(ascii=True), Look()
_USUAL, _LARGE = (80, 24), (120, 40)
_WINDOWS: dict[str, tuple[tuple[int, int], Look | None]] = {
    "80x24": (_USUAL, None),
    "120x40": (_LARGE, None),
    "no_colour": (_USUAL, Look(ansi=True)),
    "ascii": (_USUAL, Look(ascii=True, ansi=True)),
}
"""`no_colour` is any terminal under NO_COLOR, `ascii` the console of Linux."""


def in_windows(*names: str, look: Look = UTF8) -> pytest.MarkDecorator:
    """The test in each of these windows: it takes `name`, `size` and `look`, which is this one
    where the window has none of its own."""
    cases = []
    for name in names:
        size, own = _WINDOWS[name]
        cases.append(pytest.param(name, size, own or look, id=name))
    return pytest.mark.parametrize(("name", "size", "look"), cases)
