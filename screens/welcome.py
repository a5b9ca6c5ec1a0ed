"""Welcome: go on with what was begun, choose a side, or rehearse; and what this machine has.

Until a side is chosen only this machine is asked: no name is looked up, nothing is connected to but
local sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.events import discard
from airgap_tui.engine.guide import commands, sentences
from airgap_tui.engine.jobs import doctor
from airgap_tui.engine.jobs.check import Check, Standing
from airgap_tui.engine.jobs.doctor import DoctorResult, DoctorSpec
from airgap_tui.engine.jobs.job_list import JobInfo, JobState, list_jobs
from airgap_tui.engine.jobs.media import FoundBundle, find_bundles
from airgap_tui.engine.quantities import count, size
from screens.crossing import Crossing
from screens.errands import ErrandScreen
from screens.keys import key
from screens.look import Mark
from screens.modals.pages import TextPage
from screens.widgets.options import Menu, Option
from screens.widgets.text import Fact, Facts, Gap, Line

LAST_SIDE = "last side"
"""Under this name the wizard remembers which side was chosen last."""

_MOST_CONTINUED = 4
_CHECKED = ("Disk", "Docker", "Podman")
_MARKS = {
    Standing.GOOD: Mark.DONE,
    Standing.ABSENT: Mark.NEEDS_YOU,
    Standing.WARNING: Mark.NEEDS_YOU,
    Standing.FAILED: Mark.NEEDS_YOU,
}
_START = (
    Option("", "Start", heading=True),
    Option("online", "Collect images", "This machine can reach the internet"),
    Option("offline", "Bring images in", "This machine is in the offline network"),
    Option("rehearse", "Rehearse", "Try both sides here with small samples, then tidy up"),
)
_BUTTONS = {"online": "Collect images", "offline": "Bring images in", "rehearse": "Rehearse"}


@dataclass(frozen=True, slots=True)
class Openings:
    """What Welcome leads to; the wizard gives the functions."""

    online: Callable[[], None]
    offline: Callable[[Path | None], None]
    watch: Callable[[JobInfo], None]
    resume: Callable[[JobInfo], None]
    rehearse: Callable[[], None]


class WelcomeScreen(ErrandScreen[None]):
    title_text = "Welcome"
    help_text = (
        "The online side is the network with internet, the offline side the one without. Collect"
        " images on the one, carry the bundle over on a disk, and bring the images in on the other."
    )
    BINDINGS = [key("d", "checks", "all checks")]  # noqa: RUF012

    def __init__(self, crossing: Crossing, openings: Openings) -> None:
        super().__init__()
        self._crossing = crossing
        self._openings = openings
        self._jobs: tuple[JobInfo, ...] = ()
        self._found: tuple[FoundBundle, ...] = ()
        self._checks: tuple[Check, ...] = ()
        self._touched = False

    def body(self) -> ComposeResult:
        yield Menu(_START, text_width=21, id="menu")
        yield Gap()
        yield Line("This machine")
        yield Facts([Fact("Checks", "under way ..", Mark.UNDER_WAY)], name_width=19, id="checks")
        yield Gap()
        yield Line("Nothing is sent over the network before you choose a side.")

    def on_open(self) -> None:
        self.excerpt = "Carry container images from a network with internet into one without."
        self.back = "Quit"
        self._look_around()
        spec = DoctorSpec(Path.cwd(), self._crossing.settings)

        def work(token: CancelToken) -> DoctorResult:
            return doctor.run(spec, discard, token)

        self.send_for("checks", work, self._checked)
        self.send_for("media", lambda _token: find_bundles(), self._media_seen)
        self.every(1.0, self._look_around)

    def on_return(self) -> None:
        self._look_around()

    def likeliest(self) -> Widget | None:
        return self.query_one("#menu")

    # What there is to go on with

    def _look_around(self) -> None:
        self._jobs = tuple(
            job
            for job in list_jobs(self._crossing.settings.state_dir)
            if job.state is JobState.RUNNING or job.continuable
        )[:_MOST_CONTINUED]
        self._fill()

    def _media_seen(self, found: tuple[FoundBundle, ...]) -> None:
        self._found = found[:_MOST_CONTINUED]
        self._fill()

    def _fill(self) -> None:
        going_on = [
            *(Option(f"job:{job.id}", job.name, _job_in_words(job)) for job in self._jobs),
            *(Option(f"bundle:{b.path}", b.name, _bundle_in_words(b)) for b in self._found),
        ]
        options: list[Option] = []
        if going_on:
            options = [
                Option("", "Continue", heading=True),
                *going_on,
                Option("", "", heading=True),
            ]
        menu = self.query_one("#menu", Menu)
        options += _START
        menu.show(options, None if self._touched else self._likeliest_key(going_on))
        self._say()

    def _likeliest_key(self, going_on: Sequence[Option]) -> str:
        if going_on:
            return going_on[0].key
        return self.wizard.remembered.get(LAST_SIDE, "online")

    def on_options_moved(self, _event: Menu.Moved) -> None:
        self._touched = True
        self._say()

    def _say(self) -> None:
        current = self.query_one("#menu", Menu).current
        job, bundle = self._job(current), self._bundle(current)
        if job is not None:
            running = job.state is JobState.RUNNING
            verb = job.verb
            self.onward = f"Show the running {verb}" if running else f"Continue the {verb}"
            self.command = commands.attach(job.name) if running else job.order.command
        elif bundle is not None:
            self.onward, self.command = "Bring images in", commands.verify(bundle.path)
        else:
            self.onward = _BUTTONS.get(current, "Open")
            self.command = {
                "online": "airgap-tui save -f images_list.txt -b BUNDLE",
                "offline": "airgap-tui verify BUNDLE",
            }.get(current, commands.rehearse())

    def _job(self, current: str) -> JobInfo | None:
        return next((job for job in self._jobs if current == f"job:{job.id}"), None)

    def _bundle(self, current: str) -> FoundBundle | None:
        return next((b for b in self._found if current == f"bundle:{b.path}"), None)

    # Opening

    def on_menu_opened(self, event: Menu.Opened) -> None:
        self._open(event.key)

    def go_on(self) -> None:
        self._open(self.query_one("#menu", Menu).current)

    def go_back(self) -> None:
        self.leave()

    def _open(self, current: str) -> None:
        self._touched = False
        job, bundle = self._job(current), self._bundle(current)
        if job is not None and job.state is JobState.RUNNING:
            self._openings.watch(job)
        elif job is not None:
            self._openings.resume(job)
        elif bundle is not None:
            self.wizard.remembered.set(LAST_SIDE, "offline")
            self._openings.offline(bundle.path)
        elif current == "rehearse":
            self._openings.rehearse()
        else:
            self.wizard.remembered.set(LAST_SIDE, current)
            if current == "offline":
                self._openings.offline(None)
            else:
                self._openings.online()

    # This machine

    def _checked(self, result: DoctorResult) -> None:
        self._checks = result.checks
        main = [c for c in result.checks if c.name in _CHECKED]
        others = [c for c in result.checks if c.name not in _CHECKED]
        lacking = [c for c in others if c.standing in (Standing.FAILED, Standing.WARNING)]
        lacking += [c for c in others if c.standing is Standing.ABSENT]
        absent_engines = [c for c in main if c.standing is Standing.ABSENT]
        if len(absent_engines) == 1:
            main.remove(absent_engines[0])
        shown = (main + lacking)[:3]
        self.query_one("#checks", Facts).show(
            [Fact(c.name, _capital(_first(c)), _MARKS[c.standing]) for c in shown]
        )

    def action_checks(self) -> None:
        lines = []
        for check in self._checks:
            sign = self.wizard.look.sign(_MARKS[check.standing])
            lines.append(f"{sign} {check.name}: {check.finding}")
            lines += [f"    {text}" for text in (check.purpose, check.remedy) if text]
        text = "\n".join(lines) or "The checks are still under way."
        self.app.push_screen(TextPage(self, "What this machine has and lacks", text))


def _first(check: Check) -> str:
    """The finding, and the remedy where that is what matters."""
    if check.standing is Standing.FAILED and check.remedy:
        return f"{check.finding}; {check.remedy}"
    if check.standing is Standing.ABSENT:
        return f"Not installed; {check.purpose}" if "not" in check.finding else check.finding
    return check.finding


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _job_in_words(job: JobInfo) -> str:
    snapshot, verb = job.snapshot, job.verb.capitalize()
    percent = f"{int(snapshot.fraction * 100)}%"
    if job.state is JobState.RUNNING:
        owner = "" if job.may_control else f" on {job.host or 'another login'}, to watch only"
        left = sentences.amounts(snapshot)[2]
        return f"{verb} is running now{owner}: {percent}, {left}"
    to_go = size(max(0, snapshot.total - snapshot.done))
    if job.rebooted:
        return f"The machine restarted during {job.verb}; nothing finished is lost"
    if job.state is JobState.DIED:
        return f"{verb} was ended at {percent}, {to_go} to go"
    return f"{verb} stopped at {percent}, {to_go} to go"


def _bundle_in_words(bundle: FoundBundle) -> str:
    if bundle.problem:
        return f"Found at {bundle.path.parent}, but cannot be read"
    images = count(bundle.images, "image")
    return f"Found at {bundle.path.parent}: {images}, {size(bundle.bytes)}"
