"""Step Export: the choices, the work, or what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import on

from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs.chain import Ended
from airgap_tui.engine.jobs.export import ExportResult
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.seal import SealResult
from screens.base import WizardScreen
from screens.export import ExportScreen
from screens.exported import ExportedScreen
from screens.sealed import SealedScreen
from screens.watch import Seen
from screens.widgets.controls import Button
from screens.working import WorkingScreen

_VERBS = ("export", "seal")


def export_step(crossing: Crossing) -> WizardScreen[Any]:
    """The screen of step Export as things are."""
    job = crossing.job
    if job is None or not any(verb in _VERBS for verb in job.order.verbs):
        return ExportScreen(crossing)
    ended = Seen.of(job).of_verbs(*_VERBS)
    result = ended.result if ended is not None else None
    if isinstance(result, ExportResult):
        return ExportedScreen(crossing, job, result)
    if isinstance(result, SealResult):
        return SealedScreen(crossing, job, result)
    return ExportingScreen(crossing)


class ExportingScreen(WorkingScreen):
    """A seal or an export at work."""

    step = "Export"
    verbs = _VERBS

    def further(self) -> Sequence[Button]:
        return (Button("Choose otherwise", id="otherwise"),)

    @on(Button.Pressed, "#otherwise")
    def _choose_otherwise(self) -> None:
        self.app.push_screen(ExportScreen(self.crossing))

    def leads_on(self, job: JobInfo, ended: Ended) -> bool:
        return ended.result is not None

    def move_on(self) -> None:
        self.wizard.renew_step(self.step)
