"""The rows around every screen's body: title, steps, command, way back and on, keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Horizontal

from airgap_tui.engine.plain_text import cells, cut, cut_at_word, left, right
from screens.keys import footer_keys, live_keys
from screens.look import Mark
from screens.steps import Step, StepState
from screens.widgets.controls import Button
from screens.widgets.drawn import Drawn, Piece, Pieces
from screens.widgets.text import Line

if TYPE_CHECKING:
    from screens.app import WizardApp

PROGRAM = "airgap-tui"
LEAST_WIDTH, LEAST_HEIGHT = 80, 24
RAIL_FROM = 100
"""Columns from which the steps stand at the left."""


class _Framed(Drawn):
    @property
    def wizard(self) -> WizardApp:
        return cast("WizardApp", self.app)


class TitleRow(_Framed):
    """Program and side; at the right edge bundle and host, which tells two windows apart."""

    def on_mount(self) -> None:
        for name in ("side", "bundle", "host"):
            self.watch(self.app, name, lambda: self.redraw(), init=False)

    def draw(self, width: int) -> Sequence[Pieces]:
        app, text = self.wizard, self.look.text
        at_right = f"Host {cut(text(app.host), 20)}" if app.host else ""
        start = PROGRAM + (f"   {app.side}" if app.side else "")
        if app.bundle:
            room = width - cells(start) - cells(at_right) - 13
            at_right = f"Bundle {cut(text(app.bundle), max(8, room))}   {at_right}".rstrip()
        return [
            [
                (PROGRAM, "strong"),
                (start[len(PROGRAM) :], ""),
                (right(at_right, width - cells(start)), ""),
            ]
        ]


class StepsRow(_Framed):
    """`+ done`, `[3 now]`, `4 to come`, `! needs you`; without steps the screen's title."""

    def __init__(self) -> None:
        super().__init__()
        self._steps: tuple[Step, ...] = ()
        self._title = ""

    def show(self, steps: tuple[Step, ...], title: str) -> None:
        if (steps, title) != (self._steps, self._title):
            self._steps, self._title = steps, title
            self.redraw()

    def draw(self, width: int) -> Sequence[Pieces]:
        if not self._steps:
            return [[(cut(self._title, width), "strong")]]
        pieces: list[Piece] = []
        for step in self._steps:
            if pieces:
                pieces.append(("   ", ""))
            pieces += step_pieces(self, step)
        return [pieces]


class Rail(_Framed):
    """The steps from 100 columns on: one under the other, with the word for the state of each."""

    def __init__(self) -> None:
        super().__init__()
        self._steps: tuple[Step, ...] = ()

    def show(self, steps: tuple[Step, ...]) -> None:
        if steps != self._steps:
            self._steps = steps
            self.redraw()

    def draw(self, width: int) -> Sequence[Pieces]:
        lines: list[Pieces] = []
        for step in self._steps:
            lines.append(step_pieces(self, step))
            tone = "bad" if step.state is StepState.NEEDS_YOU else "rest"
            lines += [[(f"  {step.state.value}", tone)], []]
        return lines


def step_pieces(drawn: Drawn, step: Step) -> list[Piece]:
    """A step as it stands in the row and on the rail."""
    if step.state is StepState.NOW:
        return [(f"[{step.number} {step.name}]", "strong")]
    if step.state is StepState.TO_COME:
        return [(f"{step.number} {step.name}", "rest")]
    mark = Mark.DONE if step.state is StepState.DONE else Mark.NEEDS_YOU
    return drawn.marked_text(mark, step.name)


class CommandRow(_Framed):
    """The command that does the same, cut at a word with ` ..`."""

    def __init__(self) -> None:
        super().__init__()
        self._command = ""

    def show(self, command: str) -> None:
        if command != self._command:
            self._command = command
            self.redraw()

    def draw(self, width: int) -> Sequence[Pieces]:
        if not self._command:
            return [[]]
        return [
            [("Command  ", "rest"), (cut_at_word(self.look.text(self._command), width - 9), "")]
        ]


class NavRow(Horizontal):
    """The way back, the reason why the way on is shut, and the way on."""

    def __init__(self) -> None:
        super().__init__()
        self._reason = _Reason()
        self.onward = Button("", id="onward", shut=True)
        self.back = Button("Back", id="back")

    def compose(self) -> ComposeResult:
        yield self.onward
        yield self._reason
        yield self.back

    def show(self, back: str, onward: str, reason: str, shut: bool) -> None:
        self.back.show(back or "Back", shut=not back)
        self.back.display = bool(back)
        self.onward.show(onward, shut=shut or not onward)
        self.onward.display = bool(onward)
        self._reason.show(reason)


class _Reason(Line):
    def draw(self, width: int) -> Sequence[Pieces]:
        return [[(right(cut_at_word(self.look.text(self.text), width - 1), width - 1), "")]]


class KeysRow(_Framed):
    """The keys that work right now; help and quit always at the right edge."""

    def __init__(self) -> None:
        super().__init__()
        self._said = ""

    def say(self, text: str) -> None:
        """Show a sentence in place of the keys; empty brings the keys back."""
        self._said = text
        self.redraw()

    def draw(self, width: int) -> Sequence[Pieces]:
        keys = live_keys(self.app.screen)
        quit_text = next((live.text for live in keys if live.name == "F10"), "quit")
        at_right = f"F1 help   F10 {quit_text}"
        room = width - cells(at_right) - 3
        if self._said:
            shown = cut_at_word(self.look.text(self._said), room)
        else:
            shown = ""
            choose = getattr(self.app.screen, "footer", footer_keys)
            for live in choose(keys):
                part = f"{live.name} {live.text}"
                longer = f"{shown}   {part}" if shown else part
                if cells(longer) > room:
                    break
                shown = longer
        tone = "" if self._said else "rest"
        return [[(left(shown, room + 3), tone), (at_right, "rest")]]


class TooSmall(_Framed):
    """What stands in a window that is smaller than the frame."""

    def draw(self, width: int) -> Sequence[Pieces]:
        size = self.app.size
        text = (
            f"This needs {LEAST_WIDTH} x {LEAST_HEIGHT}; the window has {size.width} x "
            f"{size.height}. Enlarge it, or start with --plain."
        )
        lines: list[Pieces] = []
        while text:
            part = text[: width + 1]
            at = len(text) if len(text) <= width else part.rfind(" ")
            at = at if at > 0 else width
            lines.append([(text[:at], "")])
            text = text[at:].lstrip()
        return lines
