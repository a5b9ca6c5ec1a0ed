"""Words, and the variables that a command sets with them: in sh and bash, csh, fish."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airgap_tui.engine.discovery.shell.expansion import Variables

ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?)=(.*)", re.DOTALL)
SETTERS = frozenset({"export", "declare", "typeset", "local", "readonly"})


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its possible values; `line` counts from 1. `unset` are the variables that the
    text uses outside of single quotes and does not set. `cut` tells of a `#SBATCH` value that Slurm
    itself cuts at a `#`."""

    values: tuple[str, ...]
    line: int
    unset: frozenset[str] = frozenset()
    cut: bool = False

    @property
    def text(self) -> str:
        return self.values[0]


def assign(words: Iterable[Word], variables: Variables, *, add: bool) -> None:
    """`NAME=VALUE` and `NAME+=VALUE`; with `add` the variable keeps its earlier values too."""
    for word in words:
        name, values = "", []
        for value in word.values:
            if found := ASSIGNMENT.fullmatch(value):
                name, append, text = found.groups()
                before = variables.get(name) if append else ("",)
                values += [f"{b}{text}" for b in before or ("",)]
        if values:
            variables.set(name, tuple(values), add=add)


def set_by(words: Sequence[Word], variables: Variables, *, add: bool) -> None:
    """What a command sets that is there to set variables."""
    name, rest = words[0].text, words[1:]
    operands = [word for word in rest if not word.text.startswith("-")]
    if name in SETTERS:
        assign(rest, variables, add=add)
    elif name in ("unset", "read", "mapfile", "readarray"):
        variables.forget(word.text for word in operands)
    elif name == "setenv" and len(rest) > 1:
        variables.set(rest[0].text, rest[1].values, add=add)
    elif name == "set" and operands:
        if len(operands) > 2 and operands[1].text == "=":
            variables.set(operands[0].text, operands[2].values, add=add)
        elif ASSIGNMENT.fullmatch(operands[0].text):
            assign(operands[:1], variables, add=add)
        elif operands[1:]:
            values = tuple(value for word in operands[1:] for value in word.values)
            variables.set(operands[0].text, values, add=add)
