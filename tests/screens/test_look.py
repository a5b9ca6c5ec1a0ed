"""Which look an environment gets, what is remembered, and where the wizard does not start."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap_tui.engine.guide.remembered import Remembered
from screens.look import Look, Mark, refusal


@pytest.mark.parametrize(
    ("environment", "asked", "encoding", "look"),
    [
        ({"TERM": "xterm-256color"}, False, "UTF-8", Look()),
        ({"TERM": "xterm-256color"}, False, "utf8", Look()),
        ({"TERM": "xterm"}, False, "ANSI_X3.4-1968", Look(ascii=True)),
        ({"TERM": "xterm"}, False, "ISO-8859-1", Look(ascii=True)),
        ({"TERM": "linux"}, False, "UTF-8", Look(ascii=True, ansi=True)),
        ({"TERM": "xterm", "NO_COLOR": ""}, False, "UTF-8", Look(ansi=True)),
        ({"TERM": "xterm"}, True, "UTF-8", Look(ascii=True)),
    ],
)
def test_the_look_follows_the_environment(
    environment: dict[str, str], asked: bool, encoding: str, look: Look
) -> None:
    assert Look.of(environment, ascii_asked=asked, encoding=encoding) == look


@pytest.mark.parametrize("look", [Look(), Look(ascii=True)])
def test_every_mark_takes_one_cell_and_differs_from_the_others(look: Look) -> None:
    signs = [look.sign(mark) for mark in Mark]
    assert all(len(sign) == 1 for sign in signs)
    assert len(set(signs)) == len(signs)
    assert look.focus not in signs


class _Stream:
    def __init__(self, terminal: bool) -> None:
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def test_no_full_screen_on_pipes_and_dumb_terminals() -> None:
    terminal, pipe = _Stream(True), _Stream(False)
    assert refusal(terminal, terminal, {"TERM": "xterm"}) is None
    assert refusal(pipe, terminal, {"TERM": "xterm"}) == "The guided screens need a terminal."
    assert refusal(terminal, pipe, {"TERM": "xterm"}) == "The guided screens need a terminal."
    for environment in ({"TERM": "dumb"}, {}):
        assert refusal(terminal, terminal, environment) == (
            "This terminal cannot show full screens."
        )


def test_what_is_remembered_survives_and_what_is_broken_is_forgotten(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    Remembered(state).set("theme", "light")
    Remembered(state).set("side", "online")
    assert Remembered(state).get("theme") == "light"
    assert Remembered(state).get("side") == "online"
    assert Remembered(state).get("none", "x") == "x"
    (state / "wizard.json").write_bytes(b'{"theme": \xff')
    assert Remembered(state).get("theme", "dark") == "dark"
    (state / "wizard.json").write_text('["theme"]')
    assert Remembered(state).get("theme", "dark") == "dark"
    blocked = tmp_path / "file"
    blocked.write_text("")
    remembered = Remembered(blocked / "state")
    remembered.set("theme", "light")
    assert remembered.get("theme") == "light"
