"""Questions and answers on a terminal of any kind, line by line.

For screen readers and serial lines: nothing moves the cursor, nothing is coloured, nothing that was
written changes. The terminal itself edits the line that is typed.
"""

from __future__ import annotations

import select
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from airgap_tui.cli.typed import Typed, line_from
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.redaction import redact

ANSWERS = (
    "Answer with a number, or with Enter alone for what stands in brackets."
    " b goes back and keeps your answers, q leaves, ? explains."
)
_LEAST_WIDTH = 40
_MOST_WIDTH = 100


class Back(Exception):
    """The user goes back, so many steps."""

    def __init__(self, steps: int = 1) -> None:
        super().__init__()
        self.steps = steps


class Leave(Exception):
    """The user leaves; what is said last is this, if anything."""


class HungUp(Exception):
    """SIGTERM or SIGHUP: the terminal is gone, or the system wants this program to end."""


class Dialogue:
    """What is said goes to `target`; answers come from `source`, both one terminal."""

    def __init__(self, source: TextIO, target: TextIO) -> None:
        self._source = source
        self._target = target
        self._typed: Typed | None = None

    # Saying

    def say(self, text: str = "", *, indent: int = 0) -> None:
        """One or several lines, broken at words."""
        columns = shutil.get_terminal_size((80, 24)).columns
        width = max(_LEAST_WIDTH, min(columns, _MOST_WIDTH) - 1)
        lead = " " * indent
        for line in harmless(redact(text)).split("\n"):
            self._write(
                textwrap.fill(
                    line,
                    width,
                    initial_indent=lead,
                    subsequent_indent=lead,
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            )

    def command(self, text: str) -> None:
        """A command to copy: never broken."""
        self._write(f"  {harmless(redact(text))}")

    def error(self, error: AirgapError) -> None:
        """What failed, and what to do next."""
        self.say(f"! {sentence(error.message)}")
        if error.hint:
            self.say(error.hint, indent=2)

    # Asking

    def ask(self, question: str, default: str = "", *, explanation: str = "") -> str:
        """A line of text; Enter alone takes the default. Raises `Back` and `Leave`."""
        shown = f"{question} [{default}]: " if default else f"{question}: "
        while True:
            answer = self._line(shown)
            if answer == "?":
                self.explain(explanation)
            elif answer.lower() == "b":
                raise Back
            elif answer.lower() == "q":
                raise Leave
            else:
                return answer or default

    def optional(self, question: str, default: str = "", *, explanation: str = "") -> str:
        """As `ask`, for what may be empty: a dash alone empties it."""
        empties = ", - for none" if default else ", may be empty"
        answer = self.ask(f"{question}{empties}", default, explanation=explanation)
        return "" if answer == "-" else answer

    def choose(
        self,
        choices: Sequence[Choice],
        default: str = "",
        *,
        question: str = "Choose",
        explanation: str = "",
    ) -> str:
        """The key of one of several. Raises `Back` and `Leave`."""
        keys = [choice.key for choice in choices]
        number = str(keys.index(default) + 1) if default in keys else ""
        self._list(choices)
        while True:
            answer = self._line(f"{question} [{number}]: " if number else f"{question}: ")
            answer = answer or number
            if answer == "?":
                self.explain(explanation)
                self._list(choices)
            elif answer.lower() == "b":
                raise Back
            elif answer.lower() == "q":
                raise Leave
            elif answer.isascii() and answer.isdigit() and 0 < int(answer) <= len(keys):
                return keys[int(answer) - 1]
            else:
                self.say(f"Answer with a number from 1 to {len(keys)}, or b, q or ?.")

    def confirm(self, question: str, default: bool, *, explanation: str = "") -> bool:
        """Yes or no. Raises `Back` and `Leave`."""
        while True:
            answer = self.ask(
                f"{question}, y or n", "y" if default else "n", explanation=explanation
            )
            if answer.lower() in ("y", "yes", "n", "no"):
                return answer.lower().startswith("y")
            self.say("Answer with y or n.")

    def several(self, question: str, most: int, *, explanation: str = "") -> tuple[int, ...]:
        """Numbers from 1 to `most`, as in `1 3 5-9` or `all`; none for Enter alone."""
        while True:
            answer = self.ask(question, "none", explanation=explanation)
            numbers = read_numbers(answer, most)
            if numbers is not None:
                return numbers
            self.say(f"Answer with numbers from 1 to {most}, as in 1 3 5-9, or with all or none.")

    def secret(self, question: str) -> str:
        """What is typed is not shown, and every text is taken as it is; Enter alone is `Back`."""
        with self.unseen() as typed:
            try:
                answer = typed.secret(f"{question} (not shown, Enter alone goes back): ")
            except EOFError:
                raise Leave from None
        if not answer.strip():
            raise Back
        return answer

    def login(self, name: str, default: str, secret: str) -> tuple[str, str]:
        """A user name, as `ask`, and the `secret` of it, which may come in one go with it."""
        with self.unseen():
            return self.ask(name, default), self.secret(secret)

    def explain(self, explanation: str) -> None:
        if explanation:
            self.say(explanation)
        self.say(ANSWERS)

    @property
    def more_typed(self) -> bool:
        """Whether further lines are there already, as after pasting several."""
        return bool(select.select([self._source], [], [], 0)[0])

    def _list(self, choices: Sequence[Choice]) -> None:
        width = len(str(len(choices)))
        for number, choice in enumerate(choices, start=1):
            about = f": {choice.about}" if choice.about else ""
            self.say(f"{number:>{width}}. {choice.text}{about}", indent=2)

    def _line(self, question: str) -> str:
        shown = harmless(redact(question))
        if self._typed is not None:
            try:
                return self._typed.line(shown).strip()
            except EOFError:
                raise Leave from None
        self._target.write(shown)
        self._target.flush()
        line = line_from(self._source)
        if not line:
            self._write("")
            raise Leave
        return line.strip()

    @contextmanager
    def unseen(self) -> Iterator[Typed]:
        """The terminal shows nothing by itself, so that no secret shows that is typed together
        with what is asked before it; answers to `ask` are shown all the same."""
        if self._typed is not None:
            yield self._typed
            return
        with Typed(self._source, self._target) as typed:
            self._typed = typed
            try:
                yield typed
            finally:
                self._typed = None

    def _write(self, text: str) -> None:
        self._target.write(f"{text}\n")
        self._target.flush()


def sentence(text: str) -> str:
    """The text with a capital at its start and a full stop at its end."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", ":")) else f"{text}."


def read_numbers(text: str, most: int) -> tuple[int, ...] | None:
    """The numbers of `1 3 5-9`, `all` or `none`, in order; None where it is none of these."""
    if text.lower() in ("none", ""):
        return ()
    if text.lower() == "all":
        return tuple(range(1, most + 1))
    found: set[int] = set()
    for word in text.replace(",", " ").split():
        first, dash, last = word.partition("-")
        if not dash:
            last = first
        if not (first.isascii() and first.isdigit() and last.isascii() and last.isdigit()):
            return None
        if not 0 < int(first) <= int(last) <= most:
            return None
        found.update(range(int(first), int(last) + 1))
    return tuple(sorted(found))
