"""A name and a secret typed on a real terminal: in one burst, with mistakes, and to the end."""

from __future__ import annotations

import io
import os
import select
import termios
from collections.abc import Iterator
from typing import TextIO

import pytest

from airgap_tui.cli.guide.dialogue import Back, Dialogue, Leave
from airgap_tui.cli.typed import Typed, line_from

SECRET = "correct-horse-battery"


class Screen:
    """The person's end of a terminal; `source` and `target` are the program's."""

    def __init__(self) -> None:
        self._end, program = os.openpty()
        self.source: TextIO = os.fdopen(program, "r", encoding="utf-8")
        self.target: TextIO = os.fdopen(os.dup(program), "w", encoding="utf-8")
        self._shown = b""

    def type(self, text: str) -> None:
        os.write(self._end, text.encode())

    @property
    def shown(self) -> str:
        while select.select([self._end], [], [], 0.05)[0]:
            self._shown += os.read(self._end, 4096)
        return self._shown.decode().replace("\r\n", "\n")

    @property
    def typed_ahead(self) -> bool:
        return bool(select.select([self.source], [], [], 0)[0])

    @property
    def modes(self) -> int:
        return int(termios.tcgetattr(self.source.fileno())[3])

    def close(self) -> None:
        self.source.close()
        self.target.close()
        os.close(self._end)


@pytest.fixture
def screen() -> Iterator[Screen]:
    screen = Screen()
    yield screen
    screen.close()


def test_a_burst_is_a_name_and_a_secret_and_the_secret_is_never_shown(screen: Screen) -> None:
    with Typed(screen.source, screen.target) as typed:
        screen.type(f"robot\n{SECRET}\n")
        assert typed.line("User name: ") == "robot"
        assert typed.secret("Password: ") == SECRET
    assert screen.shown == "User name: robot\nPassword: \n"


def test_what_comes_before_the_question_for_the_secret_is_not_shown_either(screen: Screen) -> None:
    with Typed(screen.source, screen.target) as typed:
        screen.type("robot\n" + SECRET[:5])
        assert typed.line("User name: ") == "robot"
        assert SECRET[:5] not in screen.shown
        screen.type(SECRET[5:] + "\n")
        assert typed.secret("Password: ") == SECRET
    assert SECRET[:5] not in screen.shown


def test_the_rest_of_a_key_with_a_line_break_answers_no_other_question(screen: Screen) -> None:
    with Typed(screen.source, screen.target) as typed:
        screen.type("robot\nfirst-half\nsecond-half\n")
        typed.line("User name: ")
        typed.secret("Password: ")
    assert not screen.typed_ahead
    assert "half" not in screen.shown


def test_the_terminal_is_as_before_in_the_end(screen: Screen) -> None:
    before = screen.modes
    with pytest.raises(KeyboardInterrupt), Typed(screen.source, screen.target):
        assert not screen.modes & termios.ECHO
        raise KeyboardInterrupt
    assert screen.modes == before


@pytest.mark.parametrize(
    ("typed", "meant", "seen"),
    [
        ("robt\x7fot", "robot", "robt\b \bot"),
        ("wrong\x15robot", "robot", "wrong" + "\b \b" * 5 + "robot"),
        ("a robot\x17x", "ax", "a robot" + "\b \b" * 6 + "x"),
        ("\x7frobot", "robot", "robot"),
        ("ro\x1b[D\x1b[200~\x1bOPbot", "robot", "robot"),
        ("机\x7frobot\x07", "robot", "机" + "\b \b" * 2 + "robot"),
    ],
    ids=["backspace", "all", "word", "nothing left", "other keys", "wide"],
)
def test_a_line_can_be_put_right(screen: Screen, typed: str, meant: str, seen: str) -> None:
    with Typed(screen.source, screen.target) as terminal:
        screen.type(f"{typed}\n")
        assert terminal.line(": ") == meant
        screen.type(f"{typed}\n")
        assert terminal.secret(": ") == meant
    assert screen.shown == f": {seen}\n: \n"


def test_the_end_of_input(screen: Screen) -> None:
    with Typed(screen.source, screen.target) as typed:
        screen.type("\x04")
        with pytest.raises(EOFError):
            typed.line(": ")


class Typing(io.StringIO):
    """The program's way to the screen: a person answers its first question in one burst."""

    def __init__(self, screen: Screen, answer: str) -> None:
        super().__init__()
        self._screen, self._answer = screen, answer

    def write(self, text: str) -> int:
        answer, self._answer = self._answer, ""
        self._screen.type(answer)
        return super().write(text)


@pytest.mark.parametrize("before", ["", "?\n"], ids=["", "after an explanation"])
def test_the_plain_twin_takes_a_login_in_one_burst(screen: Screen, before: str) -> None:
    said = Typing(screen, f"{before}robot\n{SECRET}\n")
    dialogue = Dialogue(screen.source, said)
    modes = screen.modes
    assert dialogue.login("User name at reg.lan", "", "Password") == ("robot", SECRET)
    assert "User name at reg.lan: robot" in said.getvalue()
    assert SECRET not in said.getvalue() + screen.shown
    assert screen.modes == modes


@pytest.mark.parametrize(
    ("typed", "raised"), [("b\n", Back), ("q\n", Leave), ("robot\n\n", Back), ("\x04", Leave)]
)
def test_the_plain_twin_goes_back_from_a_login(
    screen: Screen, typed: str, raised: type[Exception]
) -> None:
    modes = screen.modes
    with pytest.raises(raised):
        Dialogue(screen.source, Typing(screen, typed)).login("User name", "", "Password")
    assert screen.modes == modes


def test_lines_typed_ahead_of_their_questions_are_all_there(screen: Screen) -> None:
    """What a terminal took in while it showed nothing, it hands over in one piece afterwards."""
    with Typed(screen.source, screen.target):
        screen.type("first\nsecond\n")
        assert screen.typed_ahead
    assert line_from(screen.source) == "first\n"
    assert screen.typed_ahead
    assert line_from(screen.source) == "second\n"
    screen.type("\x04")
    assert line_from(screen.source) == ""
