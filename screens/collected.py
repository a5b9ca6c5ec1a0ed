"""The end of the online side: what there is to carry, and what to type on the other side."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import commands, outcome
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs.save import SaveResult
from airgap_tui.engine.quantities import size
from screens.base import WizardScreen
from screens.keys import key
from screens.look import Mark
from screens.steps import StepState
from screens.watch import Seen
from screens.widgets.text import Fact, Facts, Gap, Line

_COMMANDS = 4


class CollectedScreen(WizardScreen[None]):
    """Needs `crossing.verified`; what the save did is read from the job, where that had one."""

    step = "Verify"
    help_text = (
        "The bundle is a directory with everything in it: copy it to a disk, or carry the disk that"
        " it is on. A tar file or an ISO image of it can be read on the other side as it is."
        " airgap-tui has to be installed there too."
    )
    BINDINGS = [key("c", "copy", "copy")]  # noqa: RUF012

    def __init__(self, crossing: Crossing) -> None:
        super().__init__()
        self._crossing = crossing

    def body(self) -> ComposeResult:
        yield Facts(id="facts")
        yield Gap()
        yield Line("Carry this to the offline side", tone="strong")
        yield Line(id="what", indent=4)
        yield Line(id="media", indent=4)
        yield Gap()
        yield Line("Type there, with the disk mounted", tone="strong")
        for number in range(_COMMANDS):
            yield Line(id=f"command-{number}", indent=4)

    def on_open(self) -> None:
        result = self._crossing.verified
        path, facts = self._path, []
        saved = self._saved()
        if saved is not None:
            mark = Mark.NEEDS_YOU if saved.exit_code else Mark.DONE
            facts.append(Fact("Saved", outcome.saved(saved), mark))
        if result is not None:
            mark = Mark.DONE if result.ok else Mark.NEEDS_YOU
            facts.append(Fact("Verified", outcome.verified(result), mark))
        self.query_one("#facts", Facts).show(facts)
        self.query_one("#what", Line).show(str(path), right=size(self._bytes))
        self.query_one("#media", Line).show(outcome.carry(self._bytes))
        for number, (command, about) in enumerate(outcome.offline_commands(path)):
            self.query_one(f"#command-{number}", Line).show(command, right=about)
        self.excerpt = outcome.ready(path.name, self._whole, self._bytes)
        self.command = commands.verify(path)
        self.onward = "Finish"
        if self.wizard.route is not None:
            fine = result is not None and result.ok
            self.wizard.route.set_state(self.step, StepState.DONE if fine else StepState.NEEDS_YOU)

    def likeliest(self) -> Widget | None:
        return self.way_on

    @property
    def _path(self) -> Path:
        bundle = self._crossing.collection.bundle
        if bundle is None and self._crossing.job is not None:
            return self._crossing.job.order.place
        return bundle or Path("BUNDLE")

    @property
    def _bytes(self) -> int:
        return self._crossing.verified.bytes if self._crossing.verified is not None else 0

    @property
    def _whole(self) -> int:
        result = self._crossing.verified
        return sum(item.succeeded for item in result.items) if result is not None else 0

    def _saved(self) -> SaveResult | None:
        job = self._crossing.job
        try:
            ended = Seen.of(job).of_verbs("save") if job is not None else None
        except AirgapError:
            return None
        result = ended.result if ended is not None else None
        return result if isinstance(result, SaveResult) else None

    def go_on(self) -> None:
        self.leave()

    def leave(self) -> None:
        job, result = self._crossing.job, self._crossing.verified
        code = job.exit_code if job is not None and job.exit_code is not None else 0
        if result is not None and result.ok and job is not None and job.order.verbs == ("verify",):
            code = 0
        path = self._path
        self.wizard.leave(outcome.carried_message(path.name, path, self._bytes), code)

    def action_copy(self) -> None:
        lines = [command for command, _about in outcome.offline_commands(self._path)]
        self.app.copy_to_clipboard("\n".join([str(self._path), *lines]))
        self.say("Copied, if this terminal lets programs copy (OSC 52).")
