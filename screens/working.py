"""A job in its worker, as it is now: saving, verifying, pushing, loading. Closing it ends nothing.

Everything is drawn from what the worker writes down, 4 times a second. When a step of its chain
ends, the wizard goes on to the next by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import commands, restart, sentences
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs.chain import Ended
from airgap_tui.engine.jobs.job_list import JobInfo, JobState
from airgap_tui.engine.snapshot import Snapshot
from screens.job_rows import JobRows, first_of_note, said_of
from screens.modals.login import LoginPrompt, Without
from screens.steps import StepState
from screens.watch import LOOKS_PER_SECOND, Seen
from screens.watching import WatchingScreen
from screens.widgets.controls import Button, Row
from screens.widgets.table import Table
from screens.widgets.text import Bar, Gap, Paragraph, Stops


class WorkingScreen(WatchingScreen):
    """Subclasses name their step, the verbs that it has, and what comes after it."""

    following = "Result"
    help_text = (
        "The work goes on without this window: close it, and come back with airgap-tui attach."
        " Stop ends it cleanly; finished layers are kept, and it continues from there. What failed"
        " can be tried again at the end."
    )

    def __init__(self, crossing: Crossing) -> None:
        super().__init__(crossing)
        self._rows = JobRows()
        self._moved_by_user = self._moved_on = self._left_behind = self._over = False
        self._bar, self._rates = Bar(id="bar"), Stops(id="rates")
        self._table = Table(
            self._rows.columns(Snapshot()),
            marks=True,
            enter="details",
            filters=False,
            more="more rows",
            empty="Starting ..",
            id="items",
        )
        self._said, self._again = Paragraph(id="said"), Button("Try again", id="again")
        self._choices = Row(self._again, *self.further())

    def body(self) -> ComposeResult:
        yield self._bar
        yield self._rates
        yield Gap()
        yield self._table
        yield Gap()
        yield self._said
        yield self._choices

    def further(self) -> Sequence[Button]:
        """Ways on beside trying again, where the work came to nothing."""
        return ()

    def on_open(self) -> None:
        self._choices.display = False
        self.onward = f"Next: {self.following}"
        self._take()
        self.every(1 / LOOKS_PER_SECOND, self._draw)

    def on_return(self) -> None:
        self._take()
        if self._left_behind and self.is_current:
            self._left_behind = False
            self.call_after_refresh(self._focus_end)

    def likeliest(self) -> Widget | None:
        return self._table

    def _take(self) -> None:
        if self.take_job():
            self._rows = JobRows()
            self._moved_by_user = self._moved_on = self._left_behind = self._over = False
        self._draw()

    def on_table_moved(self, _event: Table.Moved) -> None:
        self._moved_by_user = True
        self._draw()

    # Drawing

    def _draw(self) -> None:
        seen = self.seen
        if seen is None:
            self.excerpt, self.not_yet = "Nothing is under way.", "Not yet: nothing was begun."
            return
        job, snapshot = seen.job, self.snapshot()
        if self.crossing.job is not None and self.crossing.job.id == job.id:
            self.crossing.job = job
        works = self.works(job)
        self._draw_numbers(snapshot, over=not works)
        self._draw_items(snapshot, over=not works)
        if works:
            self._draw_running(job, snapshot)
        else:
            self._draw_end(seen, snapshot)

    def _draw_numbers(self, snapshot: Snapshot, *, over: bool) -> None:
        self._bar.show(snapshot.fraction if snapshot.items else 0.0)
        amount, rate, left, so_far = sentences.amounts(snapshot)
        trouble = sentences.trouble(snapshot)
        if over:
            self._rates.show([amount, "", "", so_far] if snapshot.elapsed else [])
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
            enter="give a login" if self.login_wanted() else "details",
        )
        if not self._moved_by_user:
            self._table.current = first_of_note(rows)
        wanted = "" if over else sentences.login_wanted(snapshot)
        self._said.show(wanted or said_of(snapshot, self._table.current, over=over))

    def _draw_running(self, job: JobInfo, snapshot: Snapshot) -> None:
        if self.stopping:
            self.excerpt = "Stopping; what is finished is kept .."
        elif snapshot.items:
            self.excerpt = sentences.working(snapshot)
        else:
            self.excerpt = "Starting. You may close this window; the work goes on without it."
        self.command = commands.attach(job.name)
        self.back = "Stop" if job.may_control else "Back"
        self._lead(f"Next: {self.following}", sentences.ends_by_itself(self.verb_of(job)))

    def _draw_end(self, seen: Seen, snapshot: Snapshot) -> None:
        job, ended = seen.job, self.ended(seen)
        nothing = ended is None or ended.result is None
        self._choices.display = nothing and len(self._choices.children) > 1
        self._again.display = not nothing
        self.back, self.command = "Back", job.order.command or commands.attach(job.name)
        if ended is None:
            self._draw_cut_short(job, snapshot)
        elif ended.result is None:
            self.excerpt = sentences.ended_early(ended.verb)
            self._said.show(f"{ended.error}. {ended.hint}")
            self._lead("Try again")
        else:
            self.excerpt = sentences.worked(snapshot)
            self._lead_from(job, ended)
        if self.app.screen is not self:
            return  # a box is on top: its answer must not be for what comes next
        if ended is not None and not self._moved_on and self.leads_on(job, ended):
            self._moved_on = self._left_behind = self._over = True
            self._mark_step(ended)
            self.move_on()
        elif not self._over:
            self._over = True
            self._mark_step(ended)
            self.refresh_bindings()
            self.call_after_refresh(self._focus_end)

    def _draw_cut_short(self, job: JobInfo, snapshot: Snapshot) -> None:
        verb, died = self.verb_of(job), job.state is JobState.DIED
        if job.state is JobState.FINISHED:
            self.excerpt = "This was not begun: the step before it came to nothing."
            self._lead(f"Next: {self.following}", "Not yet: nothing was done.")
        else:
            self.excerpt = sentences.cut_short(
                verb, snapshot, died=died, rebooted=died and job.rebooted
            )
            self._lead(f"Continue {sentences.doing(verb).lower()}")

    def _lead_from(self, job: JobInfo, ended: Ended) -> None:
        """What can be done once all items have been tried."""
        failed = sum(not item.succeeded for item in ended.result.items) if ended.result else 0
        if not ended.achieved:
            self._lead(f"Try {failed} again" if failed else "Try again")
            return
        self._lead(f"Next: {self.following}")
        self._choices.display = bool(failed)
        self._again.show(f"Try {failed} again", shut=job.state is JobState.RUNNING)

    def _lead(self, onward: str, not_yet: str = "") -> None:
        self.onward, self.not_yet = onward, not_yet

    def verb_of(self, job: JobInfo) -> str:
        """This screen's verb of the job."""
        return job.order.verbs[self.index(job)]

    def _focus_end(self) -> None:
        """The likeliest now: to try again what failed, else the way on."""
        if self.is_current:
            offered = self._choices.display and self._again.display
            again = offered and not self._again.shut
            self.place_focus(self._again if again else self.way_on)

    def _mark_step(self, ended: Ended | None) -> None:
        route = self.wizard.route
        if route is not None:
            fine = ended is not None and ended.exit_code == 0
            route.set_state(self.step, StepState.DONE if fine else StepState.NEEDS_YOU)
            self.refresh_frame()

    # Going on

    def leads_on(self, job: JobInfo, ended: Ended) -> bool:
        """Whether the wizard goes on by itself when this step has ended."""
        return ended.achieved and len(job.order.verbs) > self.index(job) + 1

    def move_on(self) -> None:
        """To what comes after this step."""
        self.wizard.step_on(self)

    def go_on(self) -> None:
        seen = self.seen
        if seen is None or self.not_yet:
            return
        ended = self.ended(seen)
        if ended is not None and ended.achieved:
            self.move_on()
        else:
            self._try_again()

    @on(Button.Pressed, "#again")
    def _try_again(self) -> None:
        """Start this step and those after it again, with the logins that only that run had."""
        job = self.job
        if job is None:
            return
        lacking = restart.logins_lacking(self.crossing, job)
        if not lacking:
            self._start_again(job)
            return
        registry = lacking[0]

        def answered(answer: Credential | Without | None) -> None:
            if isinstance(answer, Credential):
                self.crossing.logins[registry] = answer
                self._try_again()
            elif answer is Without.LOGIN:
                self._start_again(job)

        text = f"The login for {registry} was given for that run only."
        self.app.push_screen(LoginPrompt(text, registry, without="Go on without it"), answered)

    def _start_again(self, job: JobInfo) -> None:
        try:
            work = restart.from_step(self.crossing, job, self.index(job))
        except AirgapError as error:
            self.wizard.show_error(error)
            return
        self.start(work, self._started)

    def _started(self, job: JobInfo) -> None:
        self.crossing.job = job
        self._choices.display = False
        self._table.focus()
        self._take()
        self.refresh_bindings()


class SavingScreen(WorkingScreen):
    """Step Save of the online side."""

    step = "Save"
    verbs = ("save",)
    following = "Verify"

    def move_on(self) -> None:
        job = self.job
        verified = job is None or "verify" in job.order.verbs or len(job.order.verbs) == 1
        self.wizard.renew_step(self.following if verified else "Export")
