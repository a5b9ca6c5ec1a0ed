"""What a verify found, and what can be done about it; the same on both sides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.signatures.signature import Signature
from airgap_tui.engine.bundle.signatures.signed_bundle import signature_of
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import arrival, chains, commands, outcome, restart
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.outcome import ASK_AGAIN, FETCH_AGAIN, GO_ON, READ_AGAIN
from airgap_tui.engine.guide.steps import Side
from airgap_tui.engine.jobs import read_again
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.verify import VerifyResult
from airgap_tui.engine.jobs.verify_report import VerifyReport
from airgap_tui.engine.settings import Trust
from screens import names
from screens.errands import ErrandScreen
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
from screens.modals.signers import SignersPrompt
from screens.reports import ask_and_save
from screens.steps import StepState
from screens.widgets.options import Choice, Option
from screens.widgets.rows import Column
from screens.widgets.table import Table
from screens.widgets.text import Fact, Facts, Gap, Line


def places_of(crossing: Crossing, side: Side) -> tuple[Path, ...]:
    """The bundle that this side is about, or where its volumes are."""
    if side is Side.OFFLINE and crossing.delivery.places:
        return crossing.delivery.places
    if side is Side.ONLINE and crossing.collection.bundle is not None:
        return (crossing.collection.bundle,)
    return () if crossing.job is None else chains.places_of(crossing.job)


class VerifiedScreen(ErrandScreen[None]):
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
        super().__init__()
        self._crossing, self._side = crossing, side
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
        self._show()
        places = places_of(self._crossing, self._side)
        if places and outcome.findings(self._result):
            wrong = outcome.findings(self._result)
            self.send_for(
                "sizes",
                lambda _token: read_again.sizes(places[0], wrong, places[1:]),
                self._take_sizes,
                lambda _error: None,
            )

    def on_return(self) -> None:
        now = _job_id(self._crossing)
        if now and now != self._job_id:
            self.wizard.renew_step(self.step)
        else:
            self._show()

    def likeliest(self) -> Widget | None:
        return self._choice if self._choice.display else self.way_on

    @property
    def _result(self) -> VerifyResult:
        result = self._crossing.verified
        assert result is not None  # noqa: S101 - this screen is only made for one
        return result

    @property
    def _places(self) -> tuple[Path, ...]:
        return places_of(self._crossing, self._side) or (Path("BUNDLE"),)

    @property
    def _trust(self) -> Trust:
        """Whose signatures count on this side."""
        offline = self._side is Side.OFFLINE
        return self._crossing.delivery.settings.trust if offline else self._crossing.settings.trust

    # Drawing

    def _take_sizes(self, sizes: dict[str, int]) -> None:
        self._sizes = sizes
        self._show()

    def _show(self) -> None:
        result, wrong = self._result, outcome.findings(self._result)
        self.excerpt = outcome.top(result)
        self.command = commands.verify(*self._places, trust=self._trust)
        lacking = outcome.failed(result.items)
        facts = [
            Fact("Read", outcome.read(result), Mark.DONE),
            *signature_facts(result, self._side),
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
        items = {item.reference: item for item in self._result.items}
        item = items.get(self._images.current)
        self._images.show(detail=(item.error or item.digest) if item is not None else "")

    def _show_choices(self) -> None:
        result = self._result
        choices = outcome.remedies(result, self._side, self._sizes)
        shown = bool(choices)
        self._what.display = self._choice.display = shown
        elsewhere = outcome.other_remedy(result, self._side, self._places[0].name)
        self._elsewhere.display = bool(elsewhere)
        self._elsewhere.show(elsewhere)
        self._choice.show(
            [
                Option(k, text, outcome.remedy_in_words(k, result, self._side))
                for k, text in choices.items()
            ]
        )
        self._say_onward()

    def _say_onward(self) -> None:
        if self.under_way("read") or self.under_way("start"):
            return
        whole = sum(item.succeeded for item in self._result.items)
        following = "Next: Export" if self._side is Side.ONLINE else "Next: Destination"
        fetch = "Fetch it again" if outcome.findings(self._result) else "Try again"
        words = {
            READ_AGAIN: "Read it again",
            FETCH_AGAIN: fetch,
            GO_ON: following,
            ASK_AGAIN: "Show what to say",
        }
        self.onward = words.get(self._choice.current, following)
        self.not_yet = "" if whole or self._choice.display else "Not yet: no image is whole."
        if self.onward == following and self._side is Side.OFFLINE:
            refused = arrival.refused(self._result.signature, self._trust)
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
        if self._choice.display and self._choice.current == READ_AGAIN:
            self._read_again()
        elif self._choice.display and self._choice.current == ASK_AGAIN:
            title = f"{outcome.ask_again(self._result)}."
            self.app.push_screen(TextPage(self, title, outcome.said_across(self._result)))
        elif self._choice.display and self._choice.current == FETCH_AGAIN:
            self._fetch_again()
        else:
            self._leave_out()
            self._mark_step()
            self.wizard.step_on(self)

    def _leave_out(self) -> None:
        """On the offline side only what is whole goes on."""
        if self._side is Side.OFFLINE:
            crossing = self._crossing
            crossing.delivery = outcome.keeping_whole(crossing.delivery, self._result)

    def _read_again(self) -> None:
        places, before = self._places, self._result
        self.not_yet = "Reading it again .."

        def done(result: VerifyResult) -> None:
            self._crossing.verified = result
            self.not_yet = ""
            self._show()
            still = bool(outcome.findings(result))
            self.say("It is damaged still." if still else "It is whole now.")
            self.focus_likeliest()

        def work(token: CancelToken) -> VerifyResult:
            return read_again.run(places[0], before, token, places[1:])

        self.send_for("read", work, done, self._failed)

    def _fetch_again(self) -> None:
        """The save again, which fetches just what is noted as damaged; then the verify again."""
        crossing, job = self._crossing, self._crossing.job
        try:
            chain = chains.fetching_again(crossing.collection, job)
        except AirgapError as error:
            self.wizard.show_error(error)
            return
        command = commands.save(crossing.collection)
        self.not_yet = "Starting .."
        work = restart.starting(crossing, chain, command)
        self.send_for("start", work, self._started, self._failed)

    def _started(self, job: JobInfo) -> None:
        self._crossing.job, self._crossing.verified = job, None
        self.not_yet = ""
        self.wizard.show_step("Save")
        if self.wizard.route is not None:
            self.wizard.route.forget(self.step)

    def _failed(self, error: AirgapError) -> None:
        self.not_yet = ""
        self.wizard.show_error(error)

    # Signers

    def action_signers(self) -> None:
        """Whose signatures count: checked anew with another list, without reading all again."""
        places = self._places

        def answered(trust: Trust | None) -> None:
            if trust is None:
                return
            self._crossing.delivery = self._crossing.delivery.trusting(trust)

            def done(signature: Signature) -> None:
                self._crossing.verified = replace(self._result, signature=signature)
                self._show()
                self.focus_likeliest()

            def work(token: CancelToken) -> Signature:
                return signature_of(BundleReader.open(*places), trust, token)

            self.send_for("signature", work, done)

        self.app.push_screen(SignersPrompt(self._trust), answered)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "signers":
            return self._side is Side.OFFLINE
        return super().check_action(action, parameters)

    # Looking closer

    def on_table_opened(self, event: Table.Opened) -> None:
        finding = next((f for f in outcome.findings(self._result) if f.file == event.key), None)
        if finding is not None:
            text = told(finding, self._sizes, self._result)
            self.app.push_screen(TextPage(self, finding.file, text))

    def action_report(self) -> None:
        places = self._places
        ask_and_save(self, VerifyReport.of(self._result, places[0].name, places))

    def action_copy(self) -> None:
        wrong = outcome.findings(self._result)
        text = "\n\n".join(
            [self.excerpt, *(told(f, self._sizes, self._result) for f in wrong), self.command]
        )
        self.app.copy_to_clipboard(text)
        self.say("Copied, if this terminal lets programs copy (OSC 52).")


def _job_id(crossing: Crossing) -> str:
    """The job that verifies, if there is one; a delivery that came later is another matter."""
    job = crossing.job
    return job.id if job is not None and "verify" in job.order.verbs else ""
