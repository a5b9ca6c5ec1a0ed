"""The end of the offline side: each image's digest, and what the target says; what to type now."""

from __future__ import annotations

from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide import outcome, restart, sentences
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs.chain import Ended
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.result import ItemResult
from screens import names
from screens.base import WizardScreen
from screens.errands import ErrandScreen
from screens.job_rows import layer_name
from screens.keys import key
from screens.look import Mark
from screens.modals.pages import TextPage
from screens.serving import ServingScreen
from screens.steps import StepState
from screens.watch import Seen
from screens.widgets.controls import Button, Row
from screens.widgets.rows import Column, TableRow
from screens.widgets.table import Table
from screens.widgets.text import Fact, Facts, Gap, Line, Paragraph
from screens.working import WorkingScreen

_STATES = {
    ItemState.DONE: ("Done", Mark.DONE),
    ItemState.HELD: ("Was there", Mark.HELD),
    ItemState.LEFT_OUT: ("Left out", Mark.NONE),
    ItemState.FAILED: ("Failed", Mark.NEEDS_YOU),
}
_VERBS = ("push", "load")
_LINE = 57
"""Cells for the value of a fact, at 80 columns."""


def deliver_step(crossing: Crossing) -> WizardScreen[Any]:
    """The screen of step Deliver as things are: the work, or what came of it."""
    job = crossing.job
    if job is not None and job.order.verbs[0] == "serve":
        return ServingScreen(crossing)
    if job is not None and job.order.verbs[0] in _VERBS:
        ended = Seen.of(job).of_verbs(*_VERBS)
        if ended is not None and ended.result is not None:
            return DeliveredScreen(crossing, ended)
    return DeliveringScreen(crossing)


class DeliveringScreen(WorkingScreen):
    """A push or a load at work."""

    step = "Deliver"
    verbs = _VERBS

    def leads_on(self, job: JobInfo, ended: Ended) -> bool:
        return ended.result is not None

    def move_on(self) -> None:
        self.wizard.renew_step(self.step)


class DeliveredScreen(ErrandScreen[None]):
    step = "Deliver"
    help_text = (
        "The digest is the SHA-256 checksum of an image: the same here and there means that not a"
        " bit differs. For Docker and Podman it is the image ID, as docker images shows it. With"
        " the receipt, or the delivery code where nothing may be carried out, the next bundle"
        " leaves out what is here: airgap-tui save --have."
    )
    BINDINGS = [key("c", "copy", "copy"), key("g", "log", "log")]  # noqa: RUF012

    def __init__(self, crossing: Crossing, ended: Ended) -> None:
        super().__init__()
        self._crossing, self._ended = crossing, ended
        self._job_id = crossing.job.id if crossing.job is not None else ""
        self._items = ended.result.items if ended.result is not None else ()
        self._table = Table((), marks=True, enter="details", filters=False, more="more rows")
        self._said, self._again = Paragraph(id="said"), Button("Try again", id="again")

    def body(self) -> ComposeResult:
        yield self._table
        yield Gap()
        yield self._said
        yield Row(self._again, id="choices")
        yield Gap()
        yield Facts(name_width=15, id="for-online")
        yield Line(id="next")
        yield Line(id="next-command", indent=4)

    def on_open(self) -> None:
        job, wrong = self._crossing.job, len(outcome.failed(self._items))
        target = outcome.target_of(self._ended)
        self.excerpt = outcome.delivered(self._ended, target)
        self.command = job.order.command if job is not None else ""
        self.onward = "Finish"
        self._again.show(f"Try {wrong} again")
        self.query_one("#choices").display = bool(wrong)
        common = names.common_registry(item.reference for item in self._items)
        pushed = self._ended.verb == "push"
        self._table.show(
            [_row(item, common) for item in sorted(self._items, key=_place)],
            columns=[
                Column(names.heading(common), 43, grow=1),
                Column("Digest" if pushed else "Image ID", 12),
                Column("There", 13),
            ],
        )
        command = outcome.next_command(self._ended, self._engine)
        said = "On any host that may read there:" if pushed else "To try one:"
        self.query_one("#next", Line).show(said if command else "")
        self.query_one("#next-command", Line).show(command)
        told = outcome.for_the_online_side(self._ended.result)
        facts = self.query_one("#for-online", Facts)
        facts.show([Fact(name, _in_lines(value)) for name, value in told])
        facts.display = bool(told)
        self._tell_row()
        if self.wizard.route is not None:
            state = StepState.NEEDS_YOU if wrong else StepState.DONE
            self.wizard.route.set_state(self.step, state)

    def on_return(self) -> None:
        job = self._crossing.job
        if job is not None and job.id != self._job_id and job.order.verbs[0] in _VERBS:
            self.wizard.renew_step(self.step)

    def likeliest(self) -> Widget | None:
        return self._again if outcome.failed(self._items) else self.way_on

    @property
    def _engine(self) -> str:
        return "podman" if "podman" in self.command else "docker"

    def on_table_moved(self, _event: Table.Moved) -> None:
        self._tell_row()

    def _tell_row(self) -> None:
        item = self._item(self._table.current)
        if item is None:
            self._said.show("")
        elif not item.succeeded:
            causes = sentences.causes(
                (other.reference, other.error)
                for other in self._items
                if not other.succeeded and _cause(other) == _cause(item)
            )
            self._said.show(" ".join(filter(None, (f"{causes[0]}.", item.hint))))
        else:
            self._said.show(f"It is {item.target} there." if item.target else "")

    def _item(self, reference: str) -> ItemResult | None:
        return next((item for item in self._items if item.reference == reference), None)

    def on_table_opened(self, event: Table.Opened) -> None:
        item = self._item(event.key)
        if item is not None:
            self.app.push_screen(TextPage(self, item.reference, _told(item)))

    def action_log(self) -> None:
        if self._crossing.job is not None:
            self.wizard.show_log(self._crossing.job.directory.log)

    def action_copy(self) -> None:
        told = outcome.for_the_online_side(self._ended.result)
        left = ["\n".join(f"{name}: {value}" for name, value in told)] if told else []
        items = (f"{item.reference}\n{_told(item)}" for item in self._items)
        text = "\n\n".join([self.excerpt, *left, *items])
        self.app.copy_to_clipboard(text)
        self.say("Copied, if this terminal lets programs copy (OSC 52).")

    # Going on

    @on(Button.Pressed, "#again")
    def _try_again(self) -> None:
        job = self._crossing.job
        if job is None:
            return
        try:
            work = restart.from_step(self._crossing, job, 0)
        except AirgapError as error:
            self.wizard.show_error(error)
            return
        self.start(work, self._started)

    def _started(self, job: JobInfo) -> None:
        self._crossing.job = job
        self.wizard.renew_step(self.step)

    def go_on(self) -> None:
        self.leave()

    def leave(self) -> None:
        self.wizard.leave(self.excerpt, self._ended.exit_code)


def _row(item: ItemResult, common: str) -> TableRow:
    words, mark = _STATES.get(item.state, (item.state.value.capitalize(), Mark.NONE))
    if item.state is ItemState.DONE:
        same = item.target_digest in ("", item.digest)
        loaded = "Same digest" if item.target_digest else "Loaded"
        words = loaded if same else layer_name(item.target_digest)
        mark = Mark.DONE if same else Mark.NEEDS_YOU
    here = layer_name(item.digest) if item.digest else "-"
    return TableRow(item.reference, (names.short(item.reference, common), here, words), mark=mark)


def _in_lines(value: str) -> str:
    """A path that is too long for one line in two: it is to be copied by eye."""
    directory, slash, name = value.rpartition("/")
    return f"{directory}{slash}\n{name}" if directory and len(value) > _LINE else value


def _place(item: ItemResult) -> int:
    return 0 if not item.succeeded else 1


def _cause(item: ItemResult) -> str:
    return item.error.removeprefix(f"{item.reference}: ")


def _told(item: ItemResult) -> str:
    facts = [
        ("State", _STATES.get(item.state, (item.state.value, Mark.NONE))[0]),
        ("Reason", item.error),
        ("What to do", item.hint),
        ("Name there", item.target),
        ("Digest", item.digest),
        ("There", item.target_digest),
    ]
    return "\n".join(f"{name.ljust(13)}{value}" for name, value in facts if value)
