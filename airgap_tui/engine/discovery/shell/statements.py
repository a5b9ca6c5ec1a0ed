"""Simple commands from words: what stands around them, and what they set for those that follow.

What a shell would do in a condition or a loop is not decided: a variable that is set there has its
earlier values too.
"""

from __future__ import annotations

from dataclasses import dataclass

from airgap_tui.engine.discovery.shell.assignment import ASSIGNMENT, Word, assign, set_by
from airgap_tui.engine.discovery.shell.expansion import Variables
from airgap_tui.engine.discovery.shell.here_document import is_script

_BEGINS_CONDITION = frozenset({"if", "case"})
_ENDS_CONDITION = frozenset({"fi", "esac"})
_KEYWORDS = (
    frozenset({"then", "else", "elif", "while", "until", "do", "!", "{", "}"})
    | _BEGINS_CONDITION
    | _ENDS_CONDITION
)
_TAKES_SCRIPT = frozenset({"sbatch", "salloc", "srun", "bash", "sh", "zsh", "ksh", "dash", "ssh"})


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command: the assignments in front of it, and its words, which may be none."""

    assignments: tuple[Word, ...]
    words: tuple[Word, ...]
    variables: Variables


class Statements:
    """Takes the words of a text as they end. `begun` says that there was a command; of the line so
    far, `takes_script` that a program on it reads a script, `writes` which file it writes."""

    def __init__(self, variables: Variables) -> None:
        self.begun = False
        self.takes_script = False
        self.writes = ""
        self._variables = variables
        self._words: list[Word] = []
        self._conditional = False
        self._conditions = 0

    def take(self, word: Word) -> None:
        self._words.append(word)

    def end(self, operator: str) -> Command | None:
        """The command that this operator or line end completes, if there is one."""
        words, self._words = self._words, []
        command = self._finished(words) if words else None
        self.begun = self.begun or bool(words)
        self._conditional = operator in ("&&", "||")
        return command

    def end_line(self) -> None:
        self.takes_script, self.writes = False, ""

    def hands_on(self, body: str) -> bool:
        """Whether a here-document of the line is a script for somebody."""
        return self.takes_script or bool(self.writes and is_script(self.writes, body))

    def _finished(self, words: list[Word]) -> Command | None:
        """One command is complete: what it sets is set."""
        first = 0
        while first < len(words) and words[first].text in _KEYWORDS:
            keyword = words[first].text
            self._conditions += keyword in _BEGINS_CONDITION
            if keyword == "case":
                return None
            if keyword in _ENDS_CONDITION:
                self._conditions = max(0, self._conditions - 1)
            first += 1
        words = words[first:]
        if not words:
            return None
        if words[0].text in ("for", "select") and len(words) > 1:
            values = [v for word in words[3:] for v in word.values]
            self._variables.choose(words[1].text, values)
            return None
        count = 0
        while count < len(words) and ASSIGNMENT.fullmatch(words[count].text):
            count += 1
        assignments, rest = tuple(words[:count]), tuple(words[count:])
        if not rest:
            assign(assignments, self._variables, add=self._undecided)
        else:
            set_by(rest, self._variables, add=self._undecided)
            programs = [word.text.rpartition("/")[2] for word in rest]
            self.takes_script |= not _TAKES_SCRIPT.isdisjoint(programs[:8])
            if "tee" in programs[:3] and not programs[-1].startswith("-"):
                self.writes = rest[-1].text
        return Command(assignments, rest, self._variables)

    @property
    def _undecided(self) -> bool:
        return bool(self._conditions or self._conditional)
