"""The README's pictures and table of keys; that none is stale is checked by `.ci/run`."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.style import Style

from tests.screens import key_list
from tests.screens.drawn import Frame, Row, draw
from tests.screens.pictures import PICTURES, README, ROOT

SVG = "{http://www.w3.org/2000/svg}"
DARK = "#16191f"
PLAIN = Style.parse("#d7dae0 on #16191f")


def frame(*lines: str, seconds: float = 1.0, style: Style = PLAIN) -> Frame:
    rows: tuple[Row, ...] = tuple(((line, style),) for line in lines)
    return Frame(rows, DARK, seconds)


def texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)  # noqa: S314 - made above
    return ["".join(one.itertext()) for one in root.iter(f"{SVG}text")]


def test_each_word_stands_in_its_column() -> None:
    svg = draw([frame("  [ Back ]      <Next> & more")], "a & b")
    root = ElementTree.fromstring(svg)  # noqa: S314
    found = {one.text: float(one.attrib["x"]) / 8.4 for one in root.iter(f"{SVG}text")}
    assert {text: round(x) for text, x in found.items()} == {"[ Back ]": 2, "<Next> & more": 16}
    assert root.findtext(f"{SVG}title") == "a & b"


def test_what_is_reversed_has_a_ground_of_its_own() -> None:
    svg = draw([frame("focus", style=Style.parse("reverse #d7dae0 on #16191f"))], "x")
    assert "fill:#d7dae0" in svg
    assert f"fill:{DARK}" in svg


def test_frames_follow_each_other_and_share_their_rows() -> None:
    frames = [frame("head", "one"), frame("head", "two", seconds=3), frame("head", "three")]
    svg = draw(frames, "x")
    assert texts(svg) == ["head", "one", "two", "three"]
    assert "animation:5s step-end infinite" in svg
    assert "@keyframes k1{0%{opacity:0}20%{opacity:1}80%{opacity:0}}" in svg
    assert "prefers-reduced-motion" in svg
    assert "animation" not in draw(frames[:1], "x")


@pytest.mark.parametrize("path", sorted(PICTURES.glob("*.svg")), ids=lambda path: path.stem)
def test_a_picture_fetches_nothing(path: Path) -> None:
    svg = path.read_text("utf-8")
    ElementTree.fromstring(svg)  # noqa: S314 - made by us
    assert "http" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_the_readme_shows_pictures_that_are_there() -> None:
    readme = README.read_text("utf-8")
    shown = set(re.findall(r"\]\((\.github/screens/[^)]+)\)", readme))
    assert shown == {str(path.relative_to(ROOT)) for path in PICTURES.glob("*.svg")}


def test_the_table_of_keys_is_that_of_the_bindings() -> None:
    readme = README.read_text("utf-8")
    assert key_list.renewed(readme) == readme
    assert "| everywhere |" in readme
    assert "`F1` help" in readme
