"""Open: which bundle was carried here, what is inside, and whether all of it is there."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.bundle.signatures.signature import Standing
from airgap_tui.engine.guide import arrival, chains, commands, restart
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs.job_list import JobInfo, JobState, describe
from airgap_tui.engine.jobs.media import Contents
from airgap_tui.engine.quantities import count
from airgap_tui.engine.settings import Trust
from screens.found_rows import COLUMNS, inside_row
from screens.importing import ImportScreen
from screens.keys import key
from screens.look import Mark
from screens.looking import LookingScreen
from screens.modals.signers import SignersPrompt
from screens.steps import StepState
from screens.widgets.controls import Button
from screens.widgets.fields import Field
from screens.widgets.options import Choice
from screens.widgets.table import Table
from screens.widgets.text import Fact, Facts, Gap, Line

_MEDIA_EVERY = 2.0


class OpenScreen(LookingScreen):
    step = "Open"
    help_text = (
        "Bundles are looked for on mounted media, in drives, in the directory where this program"
        " was started, and where one was saved last. A directory, a tar file and an ISO file can"
        " each be a bundle, or a volume of one: volumes of one set are opened together, and a path"
        " that is given adds to them. Nothing is written to media. With one drive, import: then"
        " the discs come one by one."
    )
    BINDINGS = [  # noqa: RUF012
        key("r", "again", "look again"),
        key("s", "signers", "signers"),
        key("i", "import", "import"),
    ]

    def __init__(self, crossing: Crossing) -> None:
        super().__init__(crossing)
        self._job: JobInfo | None = None
        self._places: tuple[Path, ...] = ()

    def body(self) -> ComposeResult:
        yield Choice((), id="found")
        after = [Button("Look inside", id="look"), Button("Import", shut=True, id="import")]
        yield Field("Elsewhere", enter="look inside", after=after, id="path")
        yield Gap()
        yield Line(id="about")
        yield Facts(id="signed")
        yield Line(id="bases", mark=Mark.NEEDS_YOU)
        yield Table(COLUMNS, marks=True, filters=False, id="inside")

    def on_open(self) -> None:
        for name in ("#found", "#inside", "#signed", "#bases"):
            self.query_one(name).display = False
        self.command, self.onward = commands.verify(), "Verify"
        self.open_chosen()
        self.seek()
        self.every(_MEDIA_EVERY, self.notice_media)

    def on_return(self) -> None:
        if self.crossing.contents is None:
            self.open_chosen()
        elif not self.not_yet:
            self.way_on.focus()

    def likeliest(self) -> Widget:
        if self.crossing.contents is not None and self.crossing.contents.whole:
            return self.query_one("#found" if len(self.found) > 1 else "#onward")
        if self.crossing.contents is None and self.awaited:
            return self.way_on  # where Enter, typed ahead, waits for what is found
        return self.query_one("#found" if self.found else "#path")

    def fill(self, contents: Contents) -> None:
        trust = self.crossing.delivery.settings.trust
        self.wizard.bundle = contents.name
        self.command = commands.verify(*contents.places, trust=trust)
        self.show_found()
        self.excerpt = arrival.opened(contents)
        self.not_yet = arrival.opening_missing(contents, trust)
        self.onward = (
            f"Verify {count(len(contents.whole), 'image')}" if contents.whole else "Verify"
        )
        self._tell_signature(contents)
        bases = self.query_one("#bases", Line)
        bases.show("; ".join(contents.bases), mark=Mark.NEEDS_YOU)
        bases.display = bool(contents.bases)
        self.query_one("#import", Button).show("Import")
        table = self.query_one("#inside", Table)
        table.display = bool(contents.images)
        rows = [inside_row(image) for image in (*contents.lacking, *contents.whole)]
        table.show(rows)
        if rows:
            table.current = rows[0].key
        self._tell_row()
        self.settle()

    def _tell_signature(self, contents: Contents) -> None:
        signature, facts = contents.signature, self.query_one("#signed", Facts)
        unsigned = signature.standing is Standing.UNSIGNED
        said = signature.sentence if unsigned else ""
        self.query_one("#about", Line).show(arrival.inside(contents), right=said)
        mark = Mark.DONE if signature.standing is Standing.GOOD else Mark.NEEDS_YOU
        facts.show([Fact("Signature", arrival.signed(signature), mark)])
        facts.display = not unsigned

    def on_table_moved(self, _event: Table.Moved) -> None:
        self._tell_row()

    def _tell_row(self) -> None:
        table, contents = self.query_one("#inside", Table), self.crossing.contents
        problems = {str(i.reference): i.problem for i in contents.lacking} if contents else {}
        table.show(detail=problems.get(table.current, ""))

    def settle(self) -> None:
        """Move the focus to where it belongs, unless the user has begun to do something."""
        untouched = not self.moved and not self.query_one("#path", Field).value
        if untouched and not self.under_way("inside") and self.is_current:
            self.focus_likeliest()

    # Signers, and importing

    def action_signers(self) -> None:
        """Whose signatures count here, and whether there has to be one."""
        crossing = self.crossing

        def answered(trust: Trust | None) -> None:
            if trust is not None:
                crossing.delivery = crossing.delivery.trusting(trust)
                self.open_chosen()

        self.app.push_screen(SignersPrompt(crossing.delivery.settings.trust), answered)

    @on(Button.Pressed, "#import")
    def action_import(self) -> None:
        """Bring it into a bundle that is kept here; media may come one by one."""
        if self.crossing.contents is not None:
            self.app.push_screen(ImportScreen(self.crossing))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "import":
            return self.crossing.contents is not None
        return super().check_action(action, parameters)

    # Verifying

    def go_on(self) -> None:
        crossing = self.crossing
        if crossing.contents is None or self.not_yet:
            return
        if self._asked_again:
            self.go_on_later()
            return
        if crossing.verified is not None or self._verifying(crossing.contents):
            self._go_to_verify()
            return
        chain, command = chains.verifying(crossing.delivery), self.command
        self.start(restart.starting(crossing, chain, command), self._started)

    def _verifying(self, contents: Contents) -> bool:
        """Whether the job of this screen is at this bundle, or was it and says how that ended."""
        if self._job is None or self._places != contents.places:
            return False
        self._job = describe(self._job.directory)
        return self._job.state in (JobState.RUNNING, JobState.FINISHED)

    def _started(self, job: JobInfo) -> None:
        self._job = self.crossing.job = job
        self._places = () if self.crossing.contents is None else self.crossing.contents.places
        self.crossing.verified = None
        self.wizard.log_path = job.directory.log
        self._go_to_verify(anew=True)

    def _go_to_verify(self, *, anew: bool = False) -> None:
        if self.wizard.route is not None:
            self.wizard.route.set_state(self.step, StepState.DONE)
        if anew:
            self.wizard.renew_step("Verify")
        else:
            self.wizard.step_on(self)
