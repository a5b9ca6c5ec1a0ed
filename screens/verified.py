"""What a verify found, and what can be done about it; the same on both sides."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.guide import arrival, commands, outcome
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.outcome import ASK_AGAIN, FETCH_AGAIN, GO_ON, READ_AGAIN
from airgap_tui.engine.guide.steps import Side
from airgap_tui.engine.jobs import read_again
from screens import names
from screens.finding_rows import (
    facts_of,
    finding_columns,
    finding_row,
    image_row,
    signature_facts,
    told,
    whole,
)
from screens.keys import key
from screens.look import Mark
from screens.modals.pages import TextPage
from screens.remedy import RemedyScreen, places_of
from screens.steps import StepState
from screens.widgets.options import Choice, Option
from screens.widgets.rows import Column
from screens.widgets.table import Table
from screens.widgets.text import Fact, Facts, Gap, Line


class VerifiedScreen(RemedyScreen):
    """All is whole, or what is not: which layer, who needs it, and what can be done."""

    step = "Verify"
    help_text = (
        "Every byte of the bundle was read and compared with its digest, the SHA-256 checksum that"
        " names a layer. Reading again drops what the system keeps in memory first, so that the"
        " disk is asked. On the online side a damaged layer is fetched again by itself; all others"
        " stay."
    )
    BINDINGS = [  # noqa: RUF012
        key("c", "copy", "copy"),
        key("g", "report", "save report"),
        key("s", "signers", "signers"),
    ]

    def __init__(self, crossing: Crossing, side: Side) -> None:
        super().__init__(crossing, side)
        self._job_id = _job_id(crossing)
        self._sizes: dict[str, int] = {}
        self._facts = Facts(id="facts")
        self._one = Facts(id="one")
        self._table = Table(
            (),
            enter="details",
            filters=False,
            more="more rows",
            id="findings",
        )
        self._images = Table((), marks=True, filters=False, more="more rows", id="images")
        self._choice = Choice((), id="choice")
        self._what, self._elsewhere = Line("What to do", tone="strong"), Line(indent=2)

    def body(self) -> ComposeResult:
        yield self._facts
        yield Gap()
        yield self._one
        yield self._table
        yield self._images
        yield Gap()
        yield self._what
        yield self._choice
        yield self._elsewhere

    def on_open(self) -> None:
        self.show()
        places = places_of(self.crossing, self.side)
        if places and outcome.findings(self.result):
            wrong = outcome.findings(self.result)
            self.send_for(
                "sizes",
                lambda _token: read_again.sizes(places[0], wrong, places[1:]),
                self._take_sizes,
                lambda _error: None,
                aside=True,
            )

    def on_return(self) -> None:
        now = _job_id(self.crossing)
        if now and now != self._job_id:
            self.wizard.renew_step(self.step)
        else:
            self.show()

    def likeliest(self) -> Widget | None:
        return self._choice if self._choice.display else self.way_on

    # Drawing

    def _take_sizes(self, sizes: dict[str, int]) -> None:
        self._sizes = sizes
        self.show()

    def show(self) -> None:
        result, wrong = self.result, outcome.findings(self.result)
        self.excerpt = outcome.top(result)
        self.command = commands.verify(*self.places, trust=self.trust)
        lacking = outcome.failed(result.items)
        facts = [
            Fact("Read", outcome.read(result), Mark.DONE),
            *signature_facts(result, self.side),
            Fact("Content", outcome.content(result), Mark.NEEDS_YOU if wrong else Mark.DONE),
        ]
        facts += [
            Fact("Update", arrival.in_lines(one.sentence), Mark.NEEDS_YOU)
            for one in result.left_out
        ]
        if missing := outcome.missing_volumes(result):
            facts.append(Fact("Volumes", missing, Mark.NEEDS_YOU))
        elif lacking and not wrong:
            facts.append(Fact("Images", outcome.unsaved(lacking), Mark.NEEDS_YOU))
        self._facts.show(facts)
        self._one.display = len(wrong) == 1
        self._table.display, self._images.display = len(wrong) > 1, not wrong
        if len(wrong) == 1:
            self._one.show(facts_of(wrong[0], self._sizes, result))
        common = names.common_registry(item.reference for item in result.items)
        self._table.show(
            [finding_row(finding, self._sizes, common, result) for finding in wrong],
            columns=finding_columns(result),
        )
        self._images.show(
            [image_row(item, common, result) for item in (*lacking, *whole(result))],
            columns=[
                Column(names.heading(common), 48, grow=1),
                Column("State", 12, gap=1),
                Column("Size", 9, gap=2, right=True),
            ],
        )
        self._tell_image()
        self._show_choices()
        self._mark_step()

    def on_table_moved(self, event: Table.Moved) -> None:
        if event.table is self._images:
            self._tell_image()

    def _tell_image(self) -> None:
        items = {item.reference: item for item in self.result.items}
        item = items.get(self._images.current)
        self._images.show(detail=(item.error or item.digest) if item is not None else "")

    def _show_choices(self) -> None:
        result = self.result
        choices = outcome.remedies(result, self.side, self._sizes)
        shown = bool(choices)
        self._what.display = self._choice.display = shown
        elsewhere = outcome.other_remedy(result, self.side, self.places[0].name)
        self._elsewhere.display = bool(elsewhere)
        self._elsewhere.show(elsewhere)
        self._choice.show(
            [
                Option(k, text, outcome.remedy_in_words(k, result, self.side))
                for k, text in choices.items()
            ]
        )
        self._say_onward()

    def _say_onward(self) -> None:
        if self.under_way("read"):
            return
        whole = sum(item.succeeded for item in self.result.items)
        following = "Next: Export" if self.side is Side.ONLINE else "Next: Destination"
        fetch = "Fetch it again" if outcome.findings(self.result) else "Try again"
        words = {
            READ_AGAIN: "Read it again",
            FETCH_AGAIN: fetch,
            GO_ON: following,
            ASK_AGAIN: "Show what to say",
        }
        self.onward = words.get(self._choice.current, following)
        self.not_yet = "" if whole or self._choice.display else "Not yet: no image is whole."
        if self.onward == following and self.side is Side.OFFLINE:
            refused = arrival.refused(self.result.signature, self.trust)
            self.not_yet = refused or self.not_yet

    def _mark_step(self) -> None:
        route = self.wizard.route
        if route is not None:
            fine = not self._choice.display or self._choice.current == GO_ON
            route.set_state(self.step, StepState.DONE if fine else StepState.NEEDS_YOU)

    # What to do

    def on_options_moved(self, _event: Choice.Moved) -> None:
        self._say_onward()

    def go_on(self) -> None:
        if self.not_yet:
            return
        chosen = self._choice.current if self._choice.display else GO_ON
        if chosen == READ_AGAIN:
            self.read_again()
        elif chosen == ASK_AGAIN:
            title = f"{outcome.ask_again(self.result)}."
            self.app.push_screen(TextPage(self, title, outcome.said_across(self.result)))
        elif chosen == FETCH_AGAIN:
            self.fetch_again()
        else:
            self.leave_out()
            self._mark_step()
            self.wizard.step_on(self)

    # Looking closer

    def on_table_opened(self, event: Table.Opened) -> None:
        finding = next((f for f in outcome.findings(self.result) if f.file == event.key), None)
        if finding is not None:
            text = told(finding, self._sizes, self.result)
            self.app.push_screen(TextPage(self, finding.file, text))

    def action_copy(self) -> None:
        wrong = outcome.findings(self.result)
        text = "\n\n".join(
            [self.excerpt, *(told(f, self._sizes, self.result) for f in wrong), self.command]
        )
        self.app.copy_to_clipboard(text)
        self.say("Copied, if this terminal lets programs copy (OSC 52).")


def _job_id(crossing: Crossing) -> str:
    """The job that verifies, if there is one; a delivery that came later is another matter."""
    job = crossing.job
    return job.id if job is not None and "verify" in job.order.verbs else ""
