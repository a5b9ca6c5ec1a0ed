"""What can be done with a job while it is watched: stop it, leave it, give it a login, look closer.

`working.WorkingScreen` draws it; this half answers keys and questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide import sentences
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.ended import snapshot_of
from airgap_tui.engine.jobs import control, worker
from airgap_tui.engine.jobs.chain import Ended
from airgap_tui.engine.jobs.job_list import JobInfo, JobState
from airgap_tui.engine.quantities import count
from airgap_tui.engine.snapshot import Snapshot
from screens.errands import ErrandScreen
from screens.job_pages import LayersPage, details
from screens.keys import key
from screens.modals.login import LoginPrompt, Without
from screens.modals.pages import TextPage
from screens.modals.palette import Command
from screens.modals.question import Question
from screens.watch import Seen, Watch
from screens.widgets.table import Table


class WatchingScreen(ErrandScreen[None]):
    """Watches `crossing.job`: that step of its chain which has one of `verbs`."""

    verbs: ClassVar[tuple[str, ...]] = ()
    BINDINGS = [  # noqa: RUF012
        key("t", "layers", "layers"),
        key("g", "log", "log"),
        key("s", "stop", "stop"),
    ]

    def __init__(self, crossing: Crossing) -> None:
        super().__init__()
        self.crossing = crossing
        self.stopping = False
        self._watch: Watch | None = None

    def on_unmount(self) -> None:
        super().on_unmount()
        if self._watch is not None:
            self._watch.close()

    # The job

    def take_job(self) -> bool:
        """Watch the crossing's job where it has this step; whether that is another one now."""
        job, watch = self.crossing.job, self._watch
        if job is None or not any(verb in self.verbs for verb in job.order.verbs):
            return False
        if watch is not None:
            if watch.seen.job.id == job.id:
                return False
            watch.close()
        self._watch = Watch(job)
        self._watch.start()
        self.stopping = False
        self.wizard.bundle = job.name
        self.wizard.log_path = job.directory.log
        return True

    @property
    def seen(self) -> Seen | None:
        """The job as it was seen last."""
        return self._watch.seen if self._watch is not None else None

    @property
    def job(self) -> JobInfo | None:
        return self._watch.seen.job if self._watch is not None else None

    def index(self, job: JobInfo) -> int:
        """Which of the chain's steps is shown here."""
        return next(n for n, verb in enumerate(job.order.verbs) if verb in self.verbs)

    def ended(self, seen: Seen) -> Ended | None:
        """How this screen's step ended; None while it has not, or where it never will."""
        index = self.index(seen.job)
        return seen.ended[index] if index < len(seen.ended) else None

    def works(self, job: JobInfo) -> bool:
        """Whether this screen's step may still change."""
        return job.state is JobState.RUNNING and job.moment.step <= self.index(job)

    def snapshot(self) -> Snapshot:
        """This screen's step: as it is now, or as it ended."""
        seen = self.seen
        if seen is None:
            return Snapshot()
        if seen.job.snapshot.verb in self.verbs:
            return seen.job.snapshot
        ended = self.ended(seen)
        return snapshot_of(ended) if ended is not None else Snapshot(self.verbs[0])

    # Stopping and leaving

    def action_stop(self) -> None:
        job = self.job
        if job is None or not self.works(job):
            return

        def answered(answer: str | None) -> None:
            if answer == "Stop":
                self.stopping = True
                self.send_for("stop", lambda _token: worker.stop(job), lambda _stopped: None)

        question = sentences.stop_question(self.snapshot())
        self.app.push_screen(Question(question, "Go on", "Stop"), answered)

    def go_back(self) -> None:
        job = self.job
        if job is None or not self.works(job):
            self.wizard.step_back(self)
        elif job.may_control:
            self.action_stop()
        else:
            self.wizard.leave_route()

    def leave(self) -> None:
        job = self.job
        if job is None:
            self.wizard.leave()
        elif job.state is JobState.RUNNING:
            self.wizard.leave(sentences.left_running(job.name))
        else:
            self.wizard.leave(code=1 if job.exit_code is None else job.exit_code)

    def commands(self) -> Sequence[Command]:
        about = "The work goes on without this screen"
        return [Command("To the first screen", about, self.wizard.leave_route)]

    # A closer look

    def on_table_opened(self, event: Table.Opened) -> None:
        if self.login_wanted():
            self._ask_for_login()
        else:
            self._show_details(event.key)

    def action_layers(self) -> None:
        self.app.push_screen(LayersPage(self, self.snapshot))

    def action_log(self) -> None:
        if self.job is not None:
            self.wizard.show_log(self.job.directory.log)

    def _show_details(self, name: str) -> None:
        snapshot, seen = self.snapshot(), self.seen
        item = next((item for item in snapshot.items if item.item == name), None)
        if item is None or seen is None:
            return
        ended = self.ended(seen)
        results = ended.result.items if ended is not None and ended.result is not None else ()
        result = next((result for result in results if result.reference == name), None)
        text = details(item, snapshot, result, over=not self.works(seen.job))
        self.app.push_screen(TextPage(self, name, text))

    # A login in the middle

    def login_wanted(self) -> bool:
        """Whether the job waits for a login that can be given here."""
        job = self.job
        if job is None or not self.works(job) or not job.may_control:
            return False
        return bool(job.snapshot.logins) and not self.under_way("login")

    def _ask_for_login(self) -> None:
        snapshot = self.snapshot()
        wanted = snapshot.logins[0]
        waiting = sum(item.state is ItemState.RETRYING for item in snapshot.items)
        known = self.crossing.logins.get(wanted.registry)
        prompt = LoginPrompt(
            f"{wanted.reason}.",
            wanted.registry,
            username=known.username if known is not None else "",
            without=f"Leave out {count(waiting, 'image')}" if waiting else "Leave out",
        )

        def answered(answer: Credential | Without | None) -> None:
            if answer is not None:
                self._answer(wanted.registry, answer)

        self.app.push_screen(prompt, answered)

    def _answer(self, registry: str, answer: Credential | Without) -> None:
        job = self.job
        if job is None:
            return
        if isinstance(answer, Credential):
            self.crossing.logins[registry] = answer

        def work(_token: CancelToken) -> bool:
            if isinstance(answer, Credential):
                return control.give_login(job, registry, answer)
            return control.leave_out(job, registry)

        self.send_for("login", work, lambda _waited: None)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        job = self.job
        if action == "log":
            return job is not None
        if action == "layers":
            return job is not None and self.works(job)
        if action == "stop":
            return job is not None and self.works(job) and job.may_control
        return super().check_action(action, parameters)

    def key_text(self, action: str) -> str | None:
        job = self.job
        if action == "leave" and job is not None and job.state is JobState.RUNNING:
            return "leave"
        return super().key_text(action)
