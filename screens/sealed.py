"""The end of the online side where the bundle itself is carried, on the disk that it is on."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.guide import departure, outcome
from airgap_tui.engine.guide.carrying import sheet_of
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.seal import SealResult
from airgap_tui.engine.quantities import size
from screens.carried import CarriedScreen
from screens.look import Mark
from screens.widgets.controls import Button, Row
from screens.widgets.text import Fact, Facts, Gap, Line

_COMMANDS = 4


class SealedScreen(CarriedScreen):
    """What to type there, for this very bundle."""

    help_text = (
        "Everything is on the disk, and the disk may be taken out once it is unmounted. On the"
        " other side START-HERE.txt tells what to type, with airgap-tui and without."
    )

    def __init__(self, crossing: Crossing, job: JobInfo, result: SealResult) -> None:
        super().__init__(crossing, job, result)
        self._result = result
        self._again = Button("Export it otherwise", id="otherwise")

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
        yield Gap()
        yield Row(self._again)

    def on_open(self) -> None:
        self.open_end()
        result, path = self._result, self._bundle
        signed = Mark.DONE if result.signature.form else Mark.NONE
        disk = departure.on_the_disk(departure.unplugging(result.mounted))
        facts = [*self.earlier(), Fact("Signature", result.signature.sentence, signed)]
        sheet = sheet_of(self._job)
        facts += [Fact("Sheet", str(sheet), Mark.DONE)] if sheet is not None else []
        facts.append(Fact("Disk", disk, Mark.DONE))
        self.query_one("#facts", Facts).show(facts)
        self.query_one("#what", Line).show(str(path), right=size(result.bytes))
        self.query_one("#media", Line).show(outcome.carry(result.bytes))
        for number, (command, about) in enumerate(outcome.offline_commands(path)):
            self.query_one(f"#command-{number}", Line).show(command, right=about)

    def likeliest(self) -> Widget | None:
        return self.way_on

    @on(Button.Pressed, "#otherwise")
    def _export_otherwise(self) -> None:
        self._otherwise()
