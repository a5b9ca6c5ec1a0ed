"""The word that is being read: its values so far, and how it was written."""

from __future__ import annotations

from dataclasses import dataclass, field

from airgap_tui.engine.discovery.shell.assignment import ASSIGNMENT, Word

MOST_VALUES = 32
"""A word that may stand for more is cut to so many."""


@dataclass(slots=True)
class OpenWord:
    """`begun` is set once there is something, if only empty quotes; `line` is where that was."""

    values: list[str] = field(default_factory=lambda: [""])
    unset: set[str] = field(default_factory=set)
    line: int = 1
    begun: bool = False
    quoted: bool = False

    def begin(self, line: int, *, quoted: bool = False) -> None:
        self.quoted = self.quoted or quoted
        if not self.begun:
            self.begun = True
            self.line = line

    def add(self, *texts: str) -> None:
        """Go on with this text, or with any one of these."""
        self.begun = True
        if len(texts) == 1:
            self.values = [f"{value}{texts[0]}" for value in self.values]
        else:
            self.values = [f"{a}{b}" for a in self.values for b in texts][:MOST_VALUES]

    @property
    def is_assignment(self) -> bool:
        return ASSIGNMENT.match(self.values[0]) is not None

    def closed(self) -> Word:
        return Word(tuple(dict.fromkeys(self.values)), self.line, frozenset(self.unset))
