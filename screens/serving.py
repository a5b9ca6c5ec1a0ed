"""Serving from here, watched: what hosts type, how much they pulled, and who asked for what."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import arrival, commands, handover
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import media, worker
from airgap_tui.engine.jobs.job_list import JobInfo, JobState
from airgap_tui.engine.jobs.media import Contents
from airgap_tui.engine.jobs.serve import ServeSpec
from airgap_tui.engine.quantities import count, elapsed, rate, size
from airgap_tui.engine.snapshot import Snapshot
from screens.keys import key
from screens.modals.pages import TextPage
from screens.modals.question import Question
from screens.steps import StepState
from screens.watch import LOOKS_PER_SECOND, Seen
from screens.watching import WatchingScreen
from screens.widgets.rows import Column, TableRow
from screens.widgets.table import Table
from screens.widgets.text import Gap, Line, Paragraph, Stops


class ServingScreen(WatchingScreen):
    step = "Deliver"
    verbs = ("serve",)
    help_text = (
        "Hosts pull from the bundle where it lies: leave the medium mounted. Nothing can be pushed"
        " here. Serving goes on without this window until it is stopped, here or with airgap-tui"
        " stop."
    )
    BINDINGS = [key("p", "names", "names")]  # noqa: RUF012

    def __init__(self, crossing: Crossing) -> None:
        super().__init__(crossing)
        self._spec: ServeSpec | None = None
        self._over = False

    def body(self) -> ComposeResult:
        yield Stops(stops=(0, 27, 43), id="counts")
        yield Gap()
        yield Line(id="how")
        yield Line(indent=2, id="pull")
        yield Paragraph(id="said")
        yield Gap()
        columns = [Column("Last asked for", 74, grow=1)]
        yield Table(columns, filters=False, reachable=False, status=False, id="notes")

    def on_open(self) -> None:
        self.onward = "Finish"
        self._take()
        self.every(1 / LOOKS_PER_SECOND, self._draw)

    def on_return(self) -> None:
        self._take()

    def likeliest(self) -> Widget | None:
        return self.way_on if self._over else None

    def _take(self) -> None:
        if self.take_job() and self.job is not None:
            self._over = False
            for name in ("#how", "#pull"):
                self.query_one(name).display = True
            try:
                spec = self.job.directory.chain.steps[0].spec
            except AirgapError:
                spec = None
            self._spec = spec if isinstance(spec, ServeSpec) else None
            path, *others = self._spec.paths if self._spec else (self.job.order.place,)
            if self.crossing.contents is None or self.crossing.contents.path != path:
                work = lambda token: media.look_inside(path, token, others)  # noqa: E731
                self.send_for("inside", work, self._looked_inside, lambda _error: None, aside=True)
        self._draw()

    def _looked_inside(self, contents: Contents) -> None:
        self.crossing.contents = contents
        self._draw()

    # Drawing

    def _draw(self) -> None:
        seen = self.seen
        if seen is None:
            self.excerpt, self.not_yet = "Nothing is served.", "Not yet: nothing was begun."
            return
        self.crossing.job = seen.job
        snapshot = self.snapshot()
        self._draw_counts(snapshot, over=not self.works(seen.job))
        if self.works(seen.job):
            self._draw_running(seen.job, snapshot)
        else:
            self._draw_end(seen, snapshot)
        self.refresh_bindings()

    def _draw_counts(self, snapshot: Snapshot, *, over: bool) -> None:
        counts = snapshot.served
        if counts is not None:
            refused = f", {counts.refused} refused" if counts.refused else ""
            self.query_one("#counts", Stops).show(
                [
                    f"{count(counts.requests, 'request')}{refused}",
                    f"{size(counts.sent)} sent",
                    "" if over else rate(snapshot.rate) if snapshot.rate else "quiet now",
                    f"{elapsed(snapshot.elapsed)} so far",
                ]
            )
        asked = [note.text for note in reversed(snapshot.notes) if " asked for " in note.text]
        wrong = [note.text for note in reversed(snapshot.notes) if "not served" in note.text]
        lines = [*wrong, *(text for text in asked if text not in wrong)]
        rows = [TableRow(f"{n} {text}", (text,)) for n, text in enumerate(lines)]
        self.query_one("#notes", Table).show(rows, empty="Nobody has asked for an image yet.")

    def _draw_running(self, job: JobInfo, snapshot: Snapshot) -> None:
        host, address, images = self.wizard.host, snapshot.subject, self._pulls(snapshot)
        self.command, self.back = commands.attach(job.name), "Stop"
        self.not_yet = "Until it is stopped, it goes on."
        if self.stopping or not address:
            self.excerpt = "Stopping .." if self.stopping else "Starting .."
            return
        self.excerpt = handover.serving(host, address, len(images))
        many = f"P shows all {len(images)}" if len(images) > 1 else ""
        self.query_one("#how", Line).show("On each host, for example:", right=many)
        contents = self.crossing.contents
        whole = contents.whole if contents is not None else ()
        pull = arrival.pulled_as(address, host, arrival.example(whole)) if whole else ""
        self.query_one("#pull", Line).show(pull)
        listening, _, port = address.rpartition(":")
        plain = self._spec is not None and self._spec.tls_certificate is None
        far = plain and not listening.startswith("127.")
        self.query_one("#said", Paragraph).show(arrival.unencrypted(host, port) if far else "")

    def _draw_end(self, seen: Seen, snapshot: Snapshot) -> None:
        job, ended = seen.job, self.ended(seen)
        self.back, self.command, self.not_yet = "Back", job.order.command, ""
        self.onward = "Finish"
        for name in ("#how", "#pull"):
            self.query_one(name).display = False
        said = ""
        if ended is not None and ended.result is None:
            self.excerpt = "Nothing could be served."
            said = f"{arrival.capital(ended.error)}. {ended.hint}"
        elif job.state is JobState.DIED:
            self.excerpt = "Serving was ended from outside; begin it again under Review."
        else:
            self.excerpt = handover.serving_ended(snapshot.served)
        self.query_one("#said", Paragraph).show(said)
        if not self._over:
            self._over = True
            if self.wizard.route is not None:
                fine = job.exit_code == 0
                self.wizard.route.set_state(
                    self.step, StepState.DONE if fine else StepState.NEEDS_YOU
                )
            if self.is_current:
                self.call_after_refresh(self.focus_likeliest)

    def _pulls(self, snapshot: Snapshot) -> list[str]:
        """What hosts type for every image."""
        contents, host = self.crossing.contents, self.wizard.host
        images = contents.whole if contents is not None else ()
        return [arrival.pulled_as(snapshot.subject, host, image.reference) for image in images]

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "layers":
            return False
        if action == "names":
            return self.job is not None and self.works(self.job)
        return super().check_action(action, parameters)

    def action_names(self) -> None:
        pulls = self._pulls(self.snapshot())
        title = f"What hosts type for {count(len(pulls), 'image')}."
        self.app.push_screen(TextPage(self, title, "\n".join(pulls)))

    def action_stop(self) -> None:
        job = self.job
        if job is None or not self.works(job):
            return

        def answered(answer: str | None) -> None:
            if answer == "Stop":
                self.stopping = True
                self.send_for("stop", lambda _token: worker.stop(job), lambda _stopped: None)

        text = (
            "Stop serving? Hosts that pull at this moment get an error. The bundle stays as it is."
        )
        self.app.push_screen(Question(text, "Go on", "Stop"), answered)

    def go_on(self) -> None:
        if not self.not_yet:
            self.leave()
