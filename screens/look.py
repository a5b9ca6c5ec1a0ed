"""How this terminal is drawn on: which characters, which colours. Imports no Textual.

`Look.of` decides before the wizard starts; `refusal` says why it cannot start at all, because
Textual itself would write its escape codes into a pipe or onto a dumb terminal.
"""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from airgap_tui.engine.plain_text import harmless


class Mark(str, Enum):
    """A state in one cell; it stands beside a word and never alone."""

    NONE = "none"
    DONE = "done"
    NEEDS_YOU = "needs-you"
    UNDER_WAY = "under-way"
    WAITING = "waiting"
    HELD = "held"

    @property
    def tone(self) -> str:
        """The tone that repeats what the mark says."""
        return _TONES[self]


_TONES = {
    Mark.NONE: "",
    Mark.DONE: "good",
    Mark.NEEDS_YOU: "bad",
    Mark.UNDER_WAY: "busy",
    Mark.WAITING: "rest",
    Mark.HELD: "rest",
}
_ASCII = {"none": " ", "done": "+", "needs-you": "!", "under-way": "*", "waiting": ".", "held": "="}
_UTF8 = {**_ASCII, "done": "✓", "under-way": "●", "waiting": "∙"}


@dataclass(frozen=True, slots=True)
class Look:
    """`ascii`: draw with ASCII only. `ansi`: the terminal's own 16 colours, or none at all."""

    ascii: bool = False
    ansi: bool = False

    @classmethod
    def of(
        cls, environment: Mapping[str, str], *, ascii_asked: bool = False, encoding: str = ""
    ) -> Look:
        """The look for this environment; `encoding` stands for the locale's where it is given."""
        console = environment.get("TERM", "") == "linux"
        encoding = encoding or locale.getpreferredencoding(False)
        utf8 = encoding.lower().replace("-", "").replace("_", "") == "utf8"
        return cls(
            ascii=ascii_asked or console or not utf8,
            ansi=console or "NO_COLOR" in environment,
        )

    def sign(self, mark: Mark) -> str:
        """The one cell that stands for a mark."""
        return (_ASCII if self.ascii else _UTF8)[mark.value]

    @property
    def focus(self) -> str:
        return ">" if self.ascii else "▸"

    @property
    def rule(self) -> str:
        return "-" if self.ascii else "─"

    @property
    def dot(self) -> str:
        """Stands for a character of a secret."""
        return "." if self.ascii else "•"

    def bar(self, fraction: float, width: int) -> str:
        """A bar of `width` cells, full only at 1."""
        inner = width - 2
        full = round(inner * min(1.0, max(0.0, fraction)))
        full = min(full, inner - 1) if fraction < 1 else inner
        if self.ascii:
            return f"[{'#' * full}{'-' * (inner - full)}]"
        cells = 0 if full == 0 else width if full == inner else full + 1
        return "━" * cells + "╌" * (width - cells)

    def text(self, text: str) -> str:
        """Outside text as this terminal can show it: nothing steers it, ASCII where it must be."""
        if text.isascii() and text.isprintable():
            return text
        text = harmless(text).replace("\n", " ")
        return text.encode("ascii", "replace").decode() if self.ascii else text


class Terminal(Protocol):
    """The part of a stream that is asked whether a person sits there."""

    def isatty(self) -> bool: ...


def refusal(
    stdin: Terminal, stdout: Terminal, environment: Mapping[str, str] = os.environ
) -> str | None:
    """Why the full screen cannot open here, as a sentence; None where it can."""
    if not (stdin.isatty() and stdout.isatty()):
        return "The guided screens need a terminal."
    if environment.get("TERM", "") in ("", "dumb", "unknown"):
        return "This terminal cannot show full screens."
    return None
