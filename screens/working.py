"""A job in its worker, watched: saving, verifying, pushing, loading. Closing it ends nothing.

Everything here is drawn from what the worker writes down, 4 times a second; when a step of its
chain ends, the wizard goes on to the next by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide import commands, sentences
from airgap_tui.engine.jobs import control, worker
from airgap_tui.engine.jobs.chain import Ended
from airgap_tui.engine.jobs.job_list import JobInfo, JobState
from airgap_tui.engine.progress import Snapshot
from airgap_tui.engine.quantities import count
from screens import restart
from screens.crossing import Crossing
from screens.errands import ErrandScreen
from screens.job_pages import LayersPage, details
from screens.job_rows import JobRows, first_of_note, of_result, said_of
from screens.keys import key
from screens.modals.login import LoginPrompt, Without
from screens.modals.pages import TextPage
from screens.modals.palette import Command
from screens.modals.question import Question
from screens.steps import StepState
from screens.watch import LOOKS_PER_SECOND, Seen, Watch
from screens.widgets.controls import Button, Row
from screens.widgets.table import Table
from screens.widgets.text import Bar, Gap, Paragraph, Stops


class WorkingScreen(ErrandScreen[None]):
    """Watches `crossing.job`. Subclasses name their step, its verbs, and what comes after it."""

    verbs: ClassVar[tuple[str, ...]] = ()
    following: ClassVar[str] = "Result"
    help_text = (
        "The work goes on without this window: close it, and come back with airgap-tui attach."
        " Stop ends it cleanly; finished layers are kept, and it continues from there. What failed"
        " can be tried again at the end."
    )
    BINDINGS = [  # noqa: RUF012
        key("t", "layers", "layers"),
        key("g", "log", "log"),
        key("s", "stop", "stop"),
    ]

    def __init__(self, crossing: Crossing) -> None:
        super().__init__()
        self._crossing = crossing
        self._watch: Watch | None = None
        self._rows = JobRows()
        self._chosen_by_user = self._moved_on = self._stopping = False
        self._table = Table(
            self._rows.columns(Snapshot()),
            marks=True,
            enter="details",
            filters=False,
            more="more rows",
            empty="Starting ..",
            id="items",
        )
        self._bar, self._rates = Bar(id="bar"), Stops(id="rates")
        self._said, self._again = Paragraph(id="said"), Button("Try again", id="again")

    def body(self) -> ComposeResult:
        yield self._bar
        yield self._rates
        yield Gap()
        yield self._table
        yield Gap()
        yield self._said
        yield Row(self._again, id="choices")

    def on_open(self) -> None:
        self.query_one("#choices").display = False
        self.onward = f"Next: {self.following}"
        self.take_job()
        self.every(1 / LOOKS_PER_SECOND, self._draw)

    def on_return(self) -> None:
        self.take_job()

    def on_unmount(self) -> None:
        super().on_unmount()
        if self._watch is not None:
            self._watch.close()

    def likeliest(self) -> Widget | None:
        return self._table

    # The job

    def take_job(self) -> None:
        """Watch the crossing's job, where it has this step."""
        job, watch = self._crossing.job, self._watch
        fits = job is not None and any(verb in self.verbs for verb in job.order.verbs)
        if job is not None and fits and (watch is None or watch.seen.job.id != job.id):
            if watch is not None:
                watch.close()
            self._watch = Watch(job)
            self._watch.start()
            self._rows = JobRows()
            self._chosen_by_user = self._moved_on = self._stopping = False
            self.wizard.bundle = job.name
            self.wizard.log_path = job.directory.log
        self._draw()

    @property
    def seen(self) -> Seen | None:
        """The job as it was seen last."""
        return self._watch.seen if self._watch is not None else None

    @property
    def _job(self) -> JobInfo | None:
        return self._watch.seen.job if self._watch is not None else None

    def _index(self, job: JobInfo) -> int:
        """Which of the chain's steps is shown here."""
        return next(n for n, verb in enumerate(job.order.verbs) if verb in self.verbs)

    def _ended(self, seen: Seen) -> Ended | None:
        index = self._index(seen.job)
        return seen.ended[index] if index < len(seen.ended) else None

    def _works(self, job: JobInfo) -> bool:
        """Whether this screen's step may still change."""
        return job.state is JobState.RUNNING and job.moment.step <= self._index(job)

    def snapshot(self) -> Snapshot:
        """This screen's step: as it is now, or as it ended."""
        seen = self.seen
        if seen is None:
            return Snapshot()
        if seen.job.snapshot.verb in self.verbs:
            return seen.job.snapshot
        ended = self._ended(seen)
        return of_result(ended) if ended is not None else Snapshot(self.verbs[0])

    # Drawing

    def _draw(self) -> None:
        seen = self.seen
        if seen is None:
            self.excerpt, self.not_yet = "Nothing is under way.", "Not yet: nothing was begun."
            return
        job = seen.job
        if self._crossing.job is not None and self._crossing.job.id == job.id:
            self._crossing.job = job
        snapshot, works = self.snapshot(), self._works(job)
        self._draw_progress(snapshot)
        self._draw_items(snapshot, over=not works)
        if works:
            self._draw_running(job, snapshot)
        else:
            self._draw_end(seen, snapshot)

    def _draw_progress(self, snapshot: Snapshot) -> None:
        begun = bool(snapshot.items)
        self._bar.show(snapshot.fraction if begun else 0.0)
        amount, rate, left, so_far = sentences.amounts(snapshot)
        trouble = sentences.trouble(snapshot)
        if snapshot.exit_code is not None:
            self._rates.show([amount, "", "", so_far] if snapshot.total else [])
        elif trouble:
            self._rates.show([amount, trouble])
        else:
            self._rates.show([amount, rate, left, so_far])

    def _draw_items(self, snapshot: Snapshot, *, over: bool) -> None:
        rows = self._rows.rows(snapshot, over=over)
        self._table.show(
            rows,
            columns=self._rows.columns(snapshot),
            left=sentences.tally(snapshot, over=over),
            empty="Nothing was begun." if over else "Starting ..",
        )
        if rows and not self._chosen_by_user:
            self._table.current = first_of_note(rows)
        wanted = sentences.login_wanted(snapshot) if not over else ""
        self._said.show(wanted or said_of(snapshot, self._table.current))

    def _draw_running(self, job: JobInfo, snapshot: Snapshot) -> None:
        self.excerpt = "Stopping .." if self._stopping else sentences.working(snapshot)
        if not snapshot.items and not self._stopping:
            self.excerpt = "Starting. You may close this window; the work goes on without it."
        self.command = commands.attach(job.name)
        self.back = "Stop" if job.may_control else "Back"
        self.not_yet = sentences.ends_by_itself(job.verb)

    def _draw_end(self, seen: Seen, snapshot: Snapshot) -> None:
        job, ended = seen.job, self._ended(seen)
        first = self.back != "Back" or not self.command
        self.back, self.command = "Back", job.order.command or commands.attach(job.name)
        if ended is None:
            self._draw_cut_short(job, snapshot)
        elif ended.result is None:
            self.excerpt = f"{_noun(ended.verb)} ended before its time. Nothing finished is lost."
            self._said.show(" ".join(filter(None, (f"{ended.error}.", ended.hint))))
            self._open("Try again")
        else:
            self.excerpt = sentences.worked(snapshot)
            self._draw_outcome(job, ended)
        if first:
            self._mark_step(ended)
            self.refresh_bindings()
        if ended is not None and self.leads_on(job, ended) and not self._moved_on:
            self._moved_on = True
            self.move_on()
        elif first:
            self.call_after_refresh(self._focus_end)

    def _draw_cut_short(self, job: JobInfo, snapshot: Snapshot) -> None:
        died = job.state is JobState.DIED
        if job.state is JobState.FINISHED:
            self.excerpt = "Not begun: there was nothing to go on with."
            self._open(f"Next: {self.following}", "Not yet: the step before failed.")
            return
        self.excerpt = sentences.cut_short(
            job.verb, snapshot, died=died, rebooted=died and job.rebooted
        )
        self._open(f"Continue {_doing(self.verbs, job)}")

    def _draw_outcome(self, job: JobInfo, ended: Ended) -> None:
        failed = sum(not item.succeeded for item in ended.result.items) if ended.result else 0
        if not ended.achieved:
            self._open("Try again")
            return
        self._open(f"Next: {self.following}")
        choices = self.query_one("#choices")
        choices.display = bool(failed)
        self._again.show(f"Try {failed} again", shut=job.state is JobState.RUNNING)

    def _open(self, onward: str, not_yet: str = "") -> None:
        self.onward, self.not_yet = onward, not_yet

    def _focus_end(self) -> None:
        """The likeliest next: what failed again, else the way on."""
        if self.is_current and self.query_one("#choices").display and not self._again.shut:
            self._again.focus()
        elif self.is_current:
            self.query_one("#onward").focus()

    def _mark_step(self, ended: Ended | None) -> None:
        route = self.wizard.route
        if route is not None:
            fine = ended is not None and ended.exit_code == 0
            route.set_state(self.step, StepState.DONE if fine else StepState.NEEDS_YOU)
            self.refresh_frame()

    # Going on

    def leads_on(self, job: JobInfo, ended: Ended) -> bool:
        """Whether the wizard goes on by itself when this step has ended."""
        return ended.achieved and len(job.order.verbs) > self._index(job) + 1

    def move_on(self) -> None:
        """To what comes after this step."""
        self.wizard.step_on(self)

    def go_on(self) -> None:
        seen = self.seen
        if seen is None or self.not_yet:
            return
        ended = self._ended(seen)
        if ended is not None and ended.achieved:
            self.move_on()
        else:
            self._try_again()

    def go_back(self) -> None:
        job = self._job
        if job is None or not self._works(job):
            self.wizard.step_back(self)
        elif job.may_control:
            self.action_stop()
        else:
            self.wizard.leave_route()

    def leave(self) -> None:
        job = self._job
        if job is None:
            self.wizard.leave()
        elif job.state is JobState.RUNNING:
            self.wizard.leave(sentences.left_running(job.name))
        else:
            self.wizard.leave(code=job.exit_code if job.exit_code is not None else 1)

    @on(Button.Pressed, "#again")
    def _try_again(self) -> None:
        """Start this step and those after it again, with the logins that only that run had."""
        job = self._job
        if job is None or self.under_way("start"):
            return
        lacking = restart.logins_lacking(self._crossing, job)
        if not lacking:
            self._start_again(job)
            return
        registry = lacking[0]

        def answered(answer: Credential | Without | None) -> None:
            if isinstance(answer, Credential):
                self._crossing.logins[registry] = answer
                self._try_again()
            elif answer is Without.LOGIN:
                self._start_again(job)

        text = f"The login for {registry} was given for that run only."
        self.app.push_screen(LoginPrompt(text, registry, without="Go on without it"), answered)

    def _start_again(self, job: JobInfo) -> None:
        self.not_yet = "Starting .."
        try:
            work = restart.from_step(self._crossing, job, self._index(job))
        except AirgapError as error:
            self.wizard.show_error(error)
            return
        self.send_for("start", work, self._started)

    def _started(self, job: JobInfo) -> None:
        self._crossing.job = job
        self.query_one("#choices").display = False
        self._open(f"Next: {self.following}", sentences.ends_by_itself(job.verb))
        self._table.focus()
        self.take_job()
        self.refresh_bindings()

    # Stopping, and what is asked in the middle

    def action_stop(self) -> None:
        job = self._job
        if job is None or not self._works(job):
            return

        def answered(answer: str | None) -> None:
            if answer == "Stop":
                self._stopping = True
                self.send_for("stop", lambda _token: worker.stop(job), lambda _stopped: None)

        self.app.push_screen(
            Question(sentences.stop_question(self.snapshot()), "Go on", "Stop"), answered
        )

    def on_table_moved(self, _event: Table.Moved) -> None:
        self._chosen_by_user = True
        self._draw()

    def on_table_opened(self, event: Table.Opened) -> None:
        job, snapshot = self._job, self.snapshot()
        if job is not None and self._works(job) and snapshot.logins and job.may_control:
            self._ask_for_login(job, snapshot)
        else:
            self._show_details(event.key, snapshot)

    def _ask_for_login(self, job: JobInfo, snapshot: Snapshot) -> None:
        wanted = snapshot.logins[0]
        waiting = sum(item.state is ItemState.RETRYING for item in snapshot.items)
        known = self._crossing.logins.get(wanted.registry)

        def answered(answer: Credential | Without | None) -> None:
            if isinstance(answer, Credential):
                self._crossing.logins[wanted.registry] = answer
            if answer is not None:
                self._answer(job, wanted.registry, answer)

        prompt = LoginPrompt(
            f"{wanted.reason}.",
            wanted.registry,
            username=known.username if known is not None else "",
            without=f"Leave out {count(waiting, 'image')}" if waiting else "Leave out",
        )
        self.app.push_screen(prompt, answered)

    def _answer(self, job: JobInfo, registry: str, answer: Credential | Without) -> None:
        def work(_token: CancelToken) -> bool:
            if isinstance(answer, Credential):
                return control.give_login(job, registry, answer)
            return control.leave_out(job, registry)

        self.send_for("login", work, lambda _waited: None)

    def _show_details(self, name: str, snapshot: Snapshot) -> None:
        item = next((item for item in snapshot.items if item.item == name), None)
        seen = self.seen
        if item is None or seen is None:
            return
        ended = self._ended(seen)
        results = ended.result.items if ended is not None and ended.result is not None else ()
        result = next((result for result in results if result.reference == name), None)
        text = details(item, snapshot, result, not self._works(seen.job))
        self.app.push_screen(TextPage(self, name, text))

    def action_layers(self) -> None:
        self.app.push_screen(LayersPage(self, self.snapshot))

    def action_log(self) -> None:
        if self._job is not None:
            self.wizard.show_log(self._job.directory.log)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("stop", "layers", "log"):
            job = self._job
            if job is None:
                return False
            return action == "log" or (self._works(job) and (action == "layers" or job.may_control))
        return super().check_action(action, parameters)

    def key_text(self, action: str) -> str | None:
        job = self._job
        if action == "leave" and job is not None and job.state is JobState.RUNNING:
            return "leave"
        return super().key_text(action)

    def commands(self) -> Sequence[Command]:
        leave = "The work goes on without this screen"
        return [Command("To the first screen", leave, self.wizard.leave_route)]


class SavingScreen(WorkingScreen):
    """Step Save of the online side."""

    step = "Save"
    verbs = ("save",)
    following = "Verify"


def _noun(verb: str) -> str:
    return {"save": "Saving", "verify": "Verifying", "push": "Pushing", "load": "Loading"}[verb]


def _doing(verbs: Sequence[str], job: JobInfo) -> str:
    """What is continued, in one word: `saving`."""
    verb = next((verb for verb in job.order.verbs if verb in verbs), job.verb)
    return _noun(verb).lower()
