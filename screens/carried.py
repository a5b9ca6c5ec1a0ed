"""What both ends of the online side share: what the job did, and the ways on from there."""

from __future__ import annotations

from pathlib import Path

from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import departure, outcome
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs.export import ExportResult
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.save import SaveResult
from airgap_tui.engine.jobs.seal import SealResult
from airgap_tui.engine.jobs.verify import VerifyResult
from screens.errands import ErrandScreen
from screens.export import ExportScreen
from screens.keys import key
from screens.look import Mark
from screens.steps import StepState
from screens.watch import Seen
from screens.widgets.text import Fact


class CarriedScreen(ErrandScreen[None]):
    """Subclasses draw their result."""

    step = "Export"
    BINDINGS = [key("c", "copy", "copy"), key("g", "log", "log")]  # noqa: RUF012

    def __init__(self, crossing: Crossing, job: JobInfo, result: ExportResult | SealResult) -> None:
        super().__init__()
        self._crossing, self._job, self._end = crossing, job, result

    @property
    def _bundle(self) -> Path:
        return self._job.order.place

    def open_end(self) -> None:
        self.wizard.bundle = self._bundle.name
        self.excerpt = departure.carried(self._end, self._bundle.name)
        self.command = self._job.order.command
        self.onward = "Finish"
        if self.wizard.route is not None:
            fine = not self._end.exit_code
            state = StepState.DONE if fine else StepState.NEEDS_YOU
            self.wizard.route.set_state(self.step, state)

    def on_return(self) -> None:
        job = self._crossing.job
        if job is not None and job.id != self._job.id:
            self.wizard.renew_step(self.step)

    def earlier(self) -> list[Fact]:
        """What the job did before this, where that was one of its steps; and what came to nothing
        then, so that it is not carried."""
        facts: list[Fact] = []
        try:
            ended = Seen.of(self._job).ended
        except AirgapError:
            ended = ()
        for step in ended:
            mark = Mark.NEEDS_YOU if step.exit_code else Mark.DONE
            if isinstance(step.result, SaveResult):
                facts.append(Fact("Saved", outcome.saved(step.result), mark))
            elif isinstance(step.result, VerifyResult):
                facts.append(Fact("Verified", outcome.verified(step.result), mark))
        names = departure.not_carried(self._end)
        return [*facts, Fact("Not carried", names, Mark.NEEDS_YOU)] if names else facts

    def _started(self, job: JobInfo) -> None:
        self._crossing.job = job
        self.wizard.log_path = job.directory.log
        self.wizard.renew_step(self.step)

    def _otherwise(self) -> None:
        self.app.push_screen(ExportScreen(self._crossing))

    def action_log(self) -> None:
        self.wizard.show_log(self._job.directory.log)

    def action_copy(self) -> None:
        self.app.copy_to_clipboard("\n".join(self._told()))
        self.say("Copied, if this terminal lets programs copy (OSC 52).")

    def _told(self) -> list[str]:
        """All of the page, to be copied."""
        return [self.excerpt, *(command for command, _ in outcome.offline_commands(self._bundle))]

    def go_on(self) -> None:
        if not self.not_yet:
            self.leave()

    def leave(self) -> None:
        self.wizard.leave(self.excerpt, self._end.exit_code)
