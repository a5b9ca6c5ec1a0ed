"""What goes along with the images: the tool itself, and the sheet for the gate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from textual.app import ComposeResult

from airgap_tui.engine.bundle.volumes.transfer_sheet import SheetFormat
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.guide import tool_choice
from airgap_tui.engine.guide.carrying import Carrying
from airgap_tui.engine.guide.tool_choice import ToolAtHand
from airgap_tui.engine.settings import Settings
from airgap_tui.engine.typed_path import typed_path
from screens.field_group import FieldGroup
from screens.look import Mark
from screens.widgets.fields import Field
from screens.widgets.options import Option
from screens.widgets.select import Select

_TOOL = [Option(one.key, one.text, one.about) for one in tool_choice.TOOL]


class AlongFields(FieldGroup):
    """`begin` puts answers there, `taken` reads them."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._tool = Select("Tool", _TOOL, id="tool")
        self._sheet = Field("Sheet", width=26, enter="take it", id="sheet")

    def compose(self) -> ComposeResult:
        yield self._tool
        yield self._sheet

    def begin(self, answers: Carrying) -> None:
        """Put the answers into the fields."""
        self._tool.current = tool_choice.tool_key(answers, self._settings)
        self._sheet.value = str(answers.sheet or "")

    def taken(self, answers: Carrying) -> Carrying:
        """The answers with what the fields say."""
        sheet = self._sheet.value
        named = typed_path(sheet).absolute() if sheet else None
        answers = replace(answers, sheet=named)
        return tool_choice.with_tool(answers, self._tool.current, self._settings)

    def tell(self, answers: Carrying, at_hand: ToolAtHand | None) -> None:
        """Say beside the fields what follows from them; `at_hand` None: not known yet."""
        shut_out = at_hand is not None and tool_choice.is_shut_out(answers, self._settings, at_hand)
        words = tool_choice.tool_words(answers, self._settings, at_hand) if at_hand else ""
        self._tool.note(words, Mark.NEEDS_YOU if shut_out else Mark.NONE)
        wrong = _not_a_sheet(answers.sheet)
        words = "Ends in .txt, .csv or .html" if wrong else "For the gate; may be empty"
        self._sheet.note(words, Mark.NEEDS_YOU if wrong else Mark.NONE)

    def missing(self, answers: Carrying) -> str:
        """Why it cannot begin; empty when it can."""
        return "Not yet: that is no name for a sheet." if _not_a_sheet(answers.sheet) else ""


def _not_a_sheet(sheet: Path | None) -> bool:
    try:
        if sheet is not None:
            SheetFormat.of_name(sheet.name)
    except UsageError:
        return True
    return False
