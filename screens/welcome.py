"""Welcome: go on with what was begun, choose a side, or rehearse; and what this machine has.

Until a side is chosen only this machine is asked: no name is looked up, nothing is connected to but
local sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.widget import Widget

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.events import discard
from airgap_tui.engine.guide import choices, commands, welcome
from airgap_tui.engine.guide.carrying import Carrying
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.remembered import LAST_SIDE
from airgap_tui.engine.jobs.check import Check, Standing
from airgap_tui.engine.jobs.job_list import JobInfo, JobState
from screens.errands import ErrandScreen
from screens.keys import key
from screens.look import Mark
from screens.modals.pages import TextPage
from screens.widgets.options import Menu, Option
from screens.widgets.text import Fact, Facts, Gap, Line

if TYPE_CHECKING:
    from airgap_tui.engine.jobs.doctor import DoctorResult
    from airgap_tui.engine.jobs.media import FoundBundle

_AFTER_PAINT = 0.1
"""Seconds until the first paint is surely out; what is imported and asked then would delay it."""
_MARKS = {
    Standing.GOOD: Mark.DONE,
    Standing.ABSENT: Mark.NEEDS_YOU,
    Standing.WARNING: Mark.NEEDS_YOU,
    Standing.FAILED: Mark.NEEDS_YOU,
}
_START = (
    Option("", "Start", heading=True),
    *(Option(choice.key, choice.text, choice.about) for choice in choices.STARTS),
)
_BUTTONS = {choice.key: choice.text for choice in choices.STARTS}


@dataclass(frozen=True, slots=True)
class Openings:
    """What Welcome leads to; the wizard gives the functions. `prepare` is done in a thread after
    the first paint, so that no step has to be waited for."""

    online: Callable[[], None]
    offline: Callable[[tuple[Path, ...]], None]
    watch: Callable[[JobInfo], None]
    resume: Callable[[JobInfo], None]
    rehearse: Callable[[], None]
    prepare: Callable[[], None] = lambda: None


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
        self._to_carry: tuple[JobInfo, ...] = ()
        self._exported: tuple[JobInfo, ...] = ()
        self._found: tuple[FoundBundle, ...] = ()
        self._checks: tuple[Check, ...] = ()
        self._touched = False

    def body(self) -> ComposeResult:
        yield Menu(_START, text_width=21, id="menu")
        yield Gap()
        yield Line("This machine", tone="strong")
        yield Facts([Fact("Checks", "under way ..", Mark.UNDER_WAY)], name_width=19, id="checks")
        yield Gap()
        yield Line("Nothing is sent over the network before you choose a side.")

    def on_open(self) -> None:
        self.excerpt = "Carry container images from a network with internet into one without."
        self.back = "Quit"
        self._look_around()
        self.call_after_refresh(lambda: self.set_timer(_AFTER_PAINT, self._ask_around))
        self.every(1.0, self._look_around)

    def _ask_around(self) -> None:
        """The first paint is done: now what takes a while, in threads."""
        settings = self._crossing.settings

        def work(token: CancelToken) -> DoctorResult:
            from airgap_tui.engine.jobs import doctor  # engines and registries: not for a start

            return doctor.run(doctor.DoctorSpec(Path.cwd(), settings), discard, token)

        self.send_for("checks", work, self._checked)
        self.send_for("media", _bundles_here, self._media_seen)
        self._ask_what_to_carry()
        self.send_for("steps", lambda _token: self._openings.prepare(), lambda _nothing: None)

    def on_return(self) -> None:
        self._look_around()
        self._ask_what_to_carry()

    def likeliest(self) -> Widget | None:
        return self.query_one("#menu")

    # What there is to go on with

    def _look_around(self) -> None:
        self._jobs = welcome.jobs_to_go_on_with(self._crossing.settings.state_dir)
        self._fill()

    def _ask_what_to_carry(self) -> None:
        state_dir = self._crossing.settings.state_dir
        self.send_for(
            "carry",
            lambda _token: (welcome.jobs_to_carry(state_dir), welcome.jobs_exported(state_dir)),
            self._carry_known,
        )

    def _carry_known(self, found: tuple[tuple[JobInfo, ...], tuple[JobInfo, ...]]) -> None:
        self._to_carry, self._exported = found
        self._fill()

    def _media_seen(self, found: tuple[FoundBundle, ...]) -> None:
        self._found = found[: welcome.MOST_CONTINUED]
        self._fill()

    def _fill(self) -> None:
        jobs = self._all_jobs
        going_on = [
            *(Option(f"job:{job.id}", job.name, welcome.job_in_words(job)) for job in jobs),
            *(Option(f"bundle:{b.key}", b.name, welcome.bundle_in_words(b)) for b in self._found),
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

    @property
    def _all_jobs(self) -> tuple[JobInfo, ...]:
        """Those that run or were cut short, those whose bundles are to be carried, those that
        carried one."""
        found = (*self._jobs, *self._to_carry, *self._exported)
        return tuple({job.id: job for job in found}.values())[: welcome.MOST_CONTINUED]

    def _likeliest_key(self, going_on: Sequence[Option]) -> str:
        exported = {f"job:{job.id}" for job in self._exported}
        to_do = [option.key for option in going_on if option.key not in exported]
        if to_do:
            return to_do[0]
        return self.wizard.remembered.get(LAST_SIDE, "online")

    def on_options_moved(self, _event: Menu.Moved) -> None:
        self._touched = True
        self._say()

    def _say(self) -> None:
        current = self.query_one("#menu", Menu).current
        job, bundle = self._job(current), self._bundle(current)
        if job is not None:
            running = job.state is JobState.RUNNING
            self.onward = welcome.opening(job)
            over = job.state is JobState.FINISHED and not welcome.carries(job)
            self.command = commands.attach(job.name) if running else job.order.command
            if over:
                self.command = commands.carry(Carrying(), job.order.place)
        elif bundle is not None:
            self.onward, self.command = "Bring images in", commands.verify(*bundle.places)
        else:
            self.onward = _BUTTONS.get(current, "Open")
            self.command = {
                "online": "airgap-tui save -f images_list.txt -b BUNDLE",
                "offline": "airgap-tui verify BUNDLE",
            }.get(current, commands.rehearse())

    def _job(self, current: str) -> JobInfo | None:
        return next((job for job in self._all_jobs if current == f"job:{job.id}"), None)

    def _bundle(self, current: str) -> FoundBundle | None:
        return next((b for b in self._found if current == f"bundle:{b.key}"), None)

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
            self._openings.offline(bundle.places)
        elif current == "rehearse":
            self._openings.rehearse()
        else:
            self.wizard.remembered.set(LAST_SIDE, current)
            if current == "offline":
                self._openings.offline(())
            else:
                self._openings.online()

    # This machine

    def _checked(self, result: DoctorResult) -> None:
        self._checks = result.checks
        shown = welcome.checks_of_note(result.checks)
        self.query_one("#checks", Facts).show(
            [Fact(c.name, welcome.check_in_words(c), _MARKS[c.standing]) for c in shown]
        )

    def action_checks(self) -> None:
        lines = []
        for check in self._checks:
            sign = self.wizard.look.sign(_MARKS[check.standing])
            lines.append(f"{sign} {check.name}: {check.finding}")
            lines += [f"    {text}" for text in (check.purpose, check.remedy) if text]
        text = "\n".join(lines) or "The checks are still under way."
        self.app.push_screen(TextPage(self, "What this machine has and lacks", text))


def _bundles_here(_token: CancelToken) -> tuple[FoundBundle, ...]:
    from airgap_tui.engine.jobs.media import find_bundles  # reads bundles: not for a start

    return find_bundles()
