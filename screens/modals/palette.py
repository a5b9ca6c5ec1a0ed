"""Every command of the wizard in one list: steps, themes, log, copying the command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from textual.app import ComposeResult

from screens.base import WizardScreen
from screens.steps import Step
from screens.widgets.rows import Column, TableRow
from screens.widgets.table import Table


@dataclass(frozen=True, slots=True)
class Command:
    """An entry: what it is called, what it does in a few words, and what runs it."""

    text: str
    about: str
    run: Callable[[], object]


class PalettePage(WizardScreen[Command | None]):
    """Answers the command that was taken."""

    title_text = "Commands"

    def __init__(self, below: WizardScreen[Any], commands: Sequence[Command]) -> None:
        super().__init__()
        self._below_steps = below.steps()
        self._commands = {command.text: command for command in commands}
        self._table = Table(
            [Column("Command", 30), Column("What it does", 42, grow=1)],
            enter="run",
            filters=False,
            typing=True,
        )

    def steps(self) -> tuple[Step, ...]:
        return self._below_steps

    def body(self) -> ComposeResult:
        yield self._table

    def on_open(self) -> None:
        self.excerpt = "All commands. Type to find one, Enter runs it."
        self._table.show(
            [TableRow(text, (text, command.about)) for text, command in self._commands.items()]
        )

    def on_table_opened(self, event: Table.Opened) -> None:
        event.stop()
        self.dismiss(self._commands[event.key])

    def go_back(self) -> None:
        self.dismiss(None)
