"""Questions and answers: defaults, going back, help, numbers, and text from outside."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.cli.guide.dialogue import Back, Dialogue, Leave, read_numbers, sentence
from airgap_tui.engine.errors import NoRoom
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.redaction import remember

SIDES = [Choice("online", "Collect", "here"), Choice("offline", "Bring in")]


def dialogue(*answers: str) -> tuple[Dialogue, io.StringIO]:
    said = io.StringIO()
    return Dialogue(io.StringIO("".join(f"{answer}\n" for answer in answers)), said), said


def test_enter_alone_takes_the_default() -> None:
    talk, said = dialogue("", "", "typed")
    assert talk.ask("Save to", "/data/pod") == "/data/pod"
    assert talk.ask("Image") == ""
    assert talk.ask("Image", "other") == "typed"
    assert said.getvalue() == "Save to [/data/pod]: Image: Image [other]: "


def test_a_choice_is_made_by_number() -> None:
    talk, said = dialogue("2", "", "nothing", "3", "0", "²", "1")
    assert talk.choose(SIDES, "online") == "offline"
    assert talk.choose(SIDES, "offline") == "offline"
    assert talk.choose(SIDES) == "online"
    assert "  1. Collect: here\n  2. Bring in\nChoose [1]: " in said.getvalue()
    assert said.getvalue().count("Answer with a number from 1 to 2") == 4


def test_enter_alone_without_a_default_is_no_answer() -> None:
    talk, said = dialogue("", "2")
    assert talk.choose(SIDES) == "offline"
    assert "Answer with a number" in said.getvalue()


@pytest.mark.parametrize(("answer", "raised"), [("b", Back), ("B", Back), ("q", Leave)])
def test_ways_out(answer: str, raised: type[Exception]) -> None:
    questions: list[Callable[[Dialogue], object]] = [
        lambda talk: talk.ask("Image"),
        lambda talk: talk.choose(SIDES, "online"),
        lambda talk: talk.confirm("Stop", False),
        lambda talk: talk.several("Numbers", 3),
    ]
    for asked in questions:
        with pytest.raises(raised):
            asked(dialogue(answer)[0])


def test_the_end_of_input_leaves() -> None:
    with pytest.raises(Leave):
        dialogue()[0].ask("Image", "default")


def test_a_question_mark_explains_and_asks_again() -> None:
    talk, said = dialogue("?", "1")
    assert talk.choose(SIDES, "offline", explanation="Two sides.") == "online"
    assert "Two sides." in said.getvalue()
    assert "b goes\nback" in said.getvalue() or "b goes back" in said.getvalue()
    assert said.getvalue().count("1. Collect") == 2


def test_yes_and_no() -> None:
    talk, said = dialogue("", "maybe", "Y", "no")
    assert talk.confirm("Stop it", False) is False
    assert talk.confirm("Stop it", False) is True
    assert talk.confirm("Stop it", True) is False
    assert said.getvalue().startswith("Stop it, y or n [n]: ")
    assert "Answer with y or n." in said.getvalue()


def test_what_may_be_empty_is_emptied_with_a_dash() -> None:
    talk, said = dialogue("-", "", "")
    assert talk.optional("Project", "ngc") == ""
    assert talk.optional("Project", "ngc") == "ngc"
    assert talk.optional("Project") == ""
    assert said.getvalue().startswith("Project, - for none [ngc]: ")


def test_several_numbers() -> None:
    talk, said = dialogue("9", "1 3", "")
    assert talk.several("Numbers", 3) == (1, 3)
    assert talk.several("Numbers", 3) == ()
    assert "1 to 3" in said.getvalue()


def test_a_long_text_breaks_at_words_and_a_command_does_not() -> None:
    talk, said = dialogue()
    talk.say("word " * 60, indent=2)
    assert all(len(line) < 80 for line in said.getvalue().splitlines())
    assert all(line.startswith("  word") for line in said.getvalue().splitlines())
    said.truncate(0)
    talk.command("airgap-tui save " + "image " * 60)
    assert said.getvalue().count("\n") == 1


def test_text_from_outside_steers_nothing_and_secrets_stay_secret() -> None:
    remember("a-very-secret-word")
    talk, said = dialogue("1")
    talk.say("\x1b[2J\x07evil a-very-secret-word")
    talk.command("\x1b]52;c;AAAA\x07")
    talk.error(NoRoom("no \x9bspace", hint="\x1b[31mred"))
    talk.choose([Choice("x", "\x1b[5mblink")])
    assert not any(sign in said.getvalue() for sign in "\x1b\x07\x9b")
    assert "a-very-secret-word" not in said.getvalue()


def test_an_error_says_what_to_do() -> None:
    talk, said = dialogue()
    talk.error(NoRoom("/data: the disk is full", hint="Make room."))
    assert said.getvalue() == "! /data: the disk is full.\n  Make room.\n"


def test_sentences() -> None:
    assert sentence("the disk is full") == "The disk is full."
    assert sentence("Why?") == "Why?"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1 3 5-7", (1, 3, 5, 6, 7)),
        ("3,1,1", (1, 3)),
        ("all", tuple(range(1, 9))),
        ("none", ()),
        ("", ()),
        ("0", None),
        ("9", None),
        ("5-3", None),
        ("-3", None),
        ("x", None),
        ("1-", None),
    ],
)
def test_reading_numbers(text: str, numbers: tuple[int, ...] | None) -> None:
    assert read_numbers(text, 8) == numbers


@given(st.sets(st.integers(1, 99)))
def test_numbers_are_read_as_they_are_written(numbers: set[int]) -> None:
    assert read_numbers(" ".join(map(str, numbers)), 99) == tuple(sorted(numbers))


@given(st.text(max_size=20))
def test_any_text_is_numbers_or_none(text: str) -> None:
    numbers = read_numbers(text, 5)
    assert numbers is None or all(0 < number <= 5 for number in numbers)
