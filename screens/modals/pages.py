"""Screen-sized texts on top of a screen: help, an error, the log. Each can be copied whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.app import ComposeResult
from textual.screen import Screen

from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.redaction import redact
from screens.base import WizardScreen
from screens.keys import key, live_keys
from screens.steps import Step
from screens.widgets.pane import TextPane

_LOG_TAIL = 256 * 1024
WORDS = """\
Words and numbers
  Online side, offline side: the network with internet, the one without.
  Bundle: the directory that holds the images and is carried.
  Layer: a part of an image. Images that share a layer need it only once.
  Digest: the SHA-256 checksum that names a layer.
  GB are decimal: 1 GB = 1,000,000,000 bytes, as on the labels of disks. df -h counts in powers of \
1024 and prints 63G for 67.5 GB; df -H agrees with us."""
LOG_EVERY = 1.0
"""Seconds between two looks at the log."""


class TextPage(WizardScreen[None]):
    """A text in the frame of the screen below. Up and Down scroll, C copies."""

    BINDINGS = [key("c", "copy", "copy")]  # noqa: RUF012

    def __init__(
        self, below: WizardScreen[Any] | None, title: str, text: str, *, tail: bool = False
    ) -> None:
        super().__init__()
        self._below_steps = below.steps() if below is not None else ()
        self._title = title
        self._pane = TextPane(text, tail=tail)

    def steps(self) -> tuple[Step, ...]:
        return self._below_steps

    def body(self) -> ComposeResult:
        yield self._pane

    def on_open(self) -> None:
        self.excerpt = self._title

    def go_back(self) -> None:
        self.dismiss(None)

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._pane.text)
        self.say("Copied, if this terminal lets programs copy (OSC 52).")


class HelpPage(TextPage):
    """What this screen is for, and every key that works on it right now."""

    def __init__(self, below: Screen[Any]) -> None:
        screen = below if isinstance(below, WizardScreen) else None
        name = (screen.title_text or screen.step) if screen is not None else ""
        super().__init__(screen, f"Help for {name}." if name else "Help.", help_text(below))


class ErrorPage(TextPage):
    """What failed, what to do about it, and where the log is."""

    def __init__(
        self, below: WizardScreen[Any] | None, error: BaseException, log: Path | None
    ) -> None:
        super().__init__(below, "This did not work.", error_text(error, log))


class LogPage(TextPage):
    """The end of a log file, followed while it grows."""

    def __init__(self, below: WizardScreen[Any] | None, path: Path) -> None:
        super().__init__(below, f"Log  {path}", _tail(path), tail=True)
        self._path = path

    def on_open(self) -> None:
        super().on_open()
        self.every(LOG_EVERY, lambda: self._pane.show(_tail(self._path)))


def help_text(screen: Screen[Any]) -> str:
    """The help of a screen: its own words, its live keys, and the words used everywhere."""
    own = str(getattr(screen, "help_text", "")).strip()
    lines = [own, ""] if own else []
    lines.append("Keys that work now")
    keys = sorted(
        (live for live in live_keys(screen) if live.text), key=lambda live: not live.shown
    )
    width = max((len(live.name) for live in keys), default=0) + 3
    lines += [f"  {live.name.ljust(width)}{live.text}" for live in keys]
    lines += ["", WORDS]
    return "\n".join(lines)


def error_text(error: BaseException, log: Path | None) -> str:
    """Message, hint and log path of an error, without secrets."""
    if isinstance(error, AirgapError):
        message, hint = error.message, error.hint
    else:
        message = f"Something unforeseen: {type(error).__name__}: {error}"
        hint = "Save the log and report it; what is finished is kept."
    lines = [message]
    if hint:
        lines += ["", "What to do", f"  {hint}"]
    if log is not None:
        lines += ["", f"Log  {log}"]
    return redact("\n".join(lines))


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _LOG_TAIL))
            text = file.read(_LOG_TAIL).decode("utf-8", "replace")
    except OSError as error:
        return f"The log cannot be read: {error.strerror or error}."
    if size > _LOG_TAIL:
        text = text[text.find("\n") + 1 :]
    return redact(text.rstrip("\n")) or "The log is empty."
