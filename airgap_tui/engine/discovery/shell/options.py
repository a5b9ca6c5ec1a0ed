"""Options and operands of a command, for programs whose options are known well enough.

A table names either the options that take a value, or (where nearly all do) those that take none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from airgap_tui.engine.discovery.shell.assignment import Word


@dataclass(frozen=True, slots=True)
class Syntax:
    """`short` are the letters that take a value. Of the long options those in `values` do, or
    with `flags` all that are not in it."""

    short: str = ""
    values: frozenset[str] = frozenset()
    flags: frozenset[str] | None = None

    def takes_value(self, name: str) -> bool:
        return name not in self.flags if self.flags is not None else name in self.values


def syntax(short: str = "", values: str = "", *, flags: str | None = None) -> Syntax:
    """A table from words between blanks."""
    return Syntax(
        short, frozenset(values.split()), None if flags is None else frozenset(flags.split())
    )


@dataclass(frozen=True, slots=True)
class Option:
    """An option as `--name` or `-n`, and its value where it has one."""

    name: str
    value: Word | None


def split(words: Sequence[Word], table: Syntax) -> tuple[list[Option], tuple[Word, ...]]:
    """The options in front, and the words from the first operand on."""
    options: list[Option] = []
    position = 0
    while position < len(words):
        text = words[position].text
        if text == "--":
            position += 1
            break
        if len(text) < 2 or not text.startswith("-"):
            break
        found, position = _option(words, position, table)
        options += found
    return options, tuple(words[position:])


def operands(words: Sequence[Word], table: Syntax) -> tuple[list[Option], tuple[Word, ...]]:
    """The options wherever they stand, and the operands."""
    options: list[Option] = []
    result: list[Word] = []
    rest = tuple(words)
    while rest:
        found, after = split(rest, table)
        options += found
        if any(word.text == "--" for word in rest[: len(rest) - len(after)]):
            return options, (*result, *after)
        result += after[:1]
        rest = after[1:]
    return options, tuple(result)


def value_of(options: Iterable[Option], *names: str) -> Iterator[Word]:
    """The values of these options."""
    for option in options:
        if option.name in names and option.value is not None:
            yield option.value


def _option(words: Sequence[Word], position: int, table: Syntax) -> tuple[list[Option], int]:
    word = words[position]
    following = words[position + 1] if position + 1 < len(words) else None
    if word.text.startswith("--"):
        name, equals, _ = word.text.partition("=")
        if equals:
            return [Option(name, after(word, len(name) + 1))], position + 1
        if following is not None and table.takes_value(name) and _may_be_value(following):
            return [Option(name, following)], position + 2
        return [Option(name, None)], position + 1
    found: list[Option] = []
    for number, letter in enumerate(word.text[1:], start=2):
        if letter not in table.short:
            found.append(Option(f"-{letter}", None))
            continue
        if word.text[number:]:
            start = number + word.text.startswith("=", number)
            return [*found, Option(f"-{letter}", after(word, start))], position + 1
        if following is not None:
            return [*found, Option(f"-{letter}", following)], position + 2
    return found, position + 1


def _may_be_value(word: Word) -> bool:
    return not word.text.startswith("-") or word.text[1:2].isdigit() or word.text == "-"


def after(word: Word, count: int) -> Word:
    """The word without its first characters."""
    return replace(word, values=tuple(value[count:] for value in word.values))
