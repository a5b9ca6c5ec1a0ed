"""Saving what a verify found: as text and as JSON, where the user says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airgap_tui.engine.jobs.verify_report import VerifyReport
from airgap_tui.engine.typed_path import typed_path
from screens.errands import ErrandScreen
from screens.modals.question import Prompt


def ask_and_save(screen: ErrandScreen[Any], report: VerifyReport) -> None:
    """Ask for a name without its ending, write both files, and say where they are."""
    text = "Two files tell the outcome: .txt for people, .json for programs."

    def saved(written: tuple[Path, ...]) -> None:
        endings = " and ".join(path.suffix for path in written)
        screen.say(f"Saved: {written[0].with_suffix('')}, {endings}.")

    def named(name: str | None) -> None:
        if name:
            base = typed_path(name)
            screen.send_for("report", lambda _token: report.write_all(base), saved)

    usual = str(Path("~") / report.name)
    screen.app.push_screen(Prompt(text, "Save as", usual, accept="Save"), named)
