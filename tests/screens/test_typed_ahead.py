"""Keys typed before the screen shows what the last one did: each finds what it would have found a
moment later, and nothing is answered before it was seen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from textual.app import ComposeResult
from textual.pilot import Pilot
from textual.widget import Widget

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.jobs.job_list import JobInfo
from screens.app import WizardApp
from screens.errands import ErrandScreen
from screens.keys import key
from screens.modals.pages import ErrorPage, TextPage
from screens.modals.question import Prompt, Question
from screens.steps import Route
from screens.widgets.controls import Button, Row
from screens.widgets.fields import Field
from tests.screens.arrivals import until
from tests.screens.conftest import rows
from tests.screens.gallery import PlaceholderScreen, SaveScreen, online
from tests.screens.test_frame import wizard_of
from tests.screens.typist import typed_ahead

Drive = Callable[..., WizardApp]


class Desk(ErrandScreen[None]):
    """The way on opens when an errand that is held back has ended."""

    step = "Desk"
    BINDINGS = [  # noqa: RUF012
        key("s", "stop", "stop"),
        key("n", "name", "name"),
        key("r", "again", "again"),
        key("b", "begin", "begin"),
    ]

    def __init__(self, error: AirgapError | None = None) -> None:
        super().__init__()
        self.error, self.answer = error, threading.Event()
        self.answered: list[str | None] = []
        self.begun: list[object] = []
        self.still_missing = ""

    def body(self) -> ComposeResult:
        yield Row(Button("One", id="one"), Button("Two", id="two"))
        yield Field("Name", id="field")

    def on_open(self) -> None:
        self.onward = "Next"
        self.action_again()

    def likeliest(self) -> Widget | None:
        return self.way_on

    def go_on(self) -> None:
        self.wizard.step_on(self)

    def _work(self, _token: CancelToken) -> Any:
        self.answer.wait(30)
        if self.error is not None:
            raise self.error

    def action_again(self) -> None:
        self.answer.clear()
        self.not_yet = "Not yet: it is being asked."
        self.send_for("work", self._work, self._known)

    def _known(self, _nothing: object) -> None:
        self.not_yet = self.still_missing
        self.focus_likeliest()

    def action_stop(self) -> None:
        self.app.push_screen(Question("Stop?", "Go on", "Stop"), self.answered.append)

    def action_name(self) -> None:
        self.app.push_screen(Prompt("Which?", "Name"), self.answered.append)

    def action_begin(self) -> None:
        self.start(self._work, self._started)

    def _started(self, job: JobInfo) -> None:
        self.begun.append(job)
        self.wizard.step_on(self)


def desk_route(desk: Desk) -> Route:
    placeholder = partial(PlaceholderScreen, "After")
    return Route("Online side", {"Desk": lambda: desk, "After": placeholder})


def test_enter_twice_answers_a_question_and_leaves_its_screen_alone(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        app.push_screen(Question("Stop?", "Go on", "Stop"))
        await pilot.pause()
        typed_ahead(pilot, "enter", "enter")
        await pilot.pause()
        assert isinstance(app.screen, SaveScreen)

    wizard(steps, route=online(), at="Save")


def test_esc_twice_leaves_the_page_and_then_the_step(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        app.push_screen(TextPage(None, "A page.", "Text"))
        await pilot.pause()
        typed_ahead(pilot, "escape", "escape")
        await pilot.pause()
        assert "[3 Review]" in rows(app)[1]

    wizard(steps, route=online(), at="Save")


def test_letters_behind_a_key_that_opens_a_box_are_for_the_box(wizard: Drive) -> None:
    desk = Desk()

    async def steps(pilot: Pilot[None]) -> None:
        typed_ahead(pilot, "n", *"pod-7", "enter", *["tab"] * 4, *"own")
        await pilot.pause()
        assert desk.answered == ["pod-7"]
        assert desk.query_one("#field", Field).value == "own"
        desk.answer.set()

    wizard(steps, route=desk_route(desk))


def test_keys_from_before_a_question_was_seen_do_not_answer_it(wizard: Drive) -> None:
    desk = Desk()

    async def steps(pilot: Pilot[None]) -> None:
        typed_ahead(pilot, "s", "tab", "enter", "escape")
        await pilot.pause()
        assert "> [ Go on ]   [ Stop ]" in "\n".join(rows(wizard_of(pilot)))
        assert desk.answered == []
        await pilot.press("tab", "enter")
        assert desk.answered == ["Stop"]
        desk.answer.set()

    wizard(steps, route=desk_route(desk))


def test_the_way_on_keeps_the_focus_while_it_is_shut(wizard: Drive) -> None:
    desk = Desk()

    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        assert rows(app)[22].endswith("Not yet: it is being asked. > Next")
        desk.answer.set()
        await until(pilot, "> [ Next ]")
        await pilot.press("r")
        assert rows(app)[22].endswith("Not yet: it is being asked. > Next")
        await pilot.press("tab", "shift+tab")
        assert desk.focused is desk.query_one("#field", Field).input, "shut, it is not reached"
        desk.answer.set()

    wizard(steps, route=desk_route(desk))


def test_enter_on_a_way_that_opens_in_a_moment_goes_on_then(wizard: Drive) -> None:
    desk = Desk()

    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        typed_ahead(pilot, "enter", "f1")
        await until(pilot, "Goes on as soon as that is known. Esc: stay here.")
        assert app.screen is desk
        desk.answer.set()
        await until(pilot, "Help for After.")

    wizard(steps, route=desk_route(desk))


def test_esc_takes_such_an_enter_back(wizard: Drive) -> None:
    desk = Desk()

    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        typed_ahead(pilot, "enter", "f1")
        await until(pilot, "Goes on")
        await pilot.press("escape")
        desk.answer.set()
        await until(pilot, "> [ Next ]")
        await pilot.pause()
        assert app.screen is desk
        await pilot.press("enter")
        assert "[2 After]" in rows(app)[1]

    wizard(steps, route=desk_route(desk))


def test_where_the_way_does_not_open_what_was_meant_for_beyond_is_forgotten(wizard: Drive) -> None:
    desk = Desk()
    desk.still_missing = "Not yet: it says no."

    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        typed_ahead(pilot, "enter", "s")
        await pilot.pause()
        desk.answer.set()
        await until(pilot, "Not yet: it says no.")
        await pilot.pause()
        assert app.screen is desk
        await pilot.press("enter")
        assert app.screen is desk
        assert "Goes on" not in rows(app)[23]

    wizard(steps, route=desk_route(desk))


def test_what_an_errand_brings_does_not_take_the_focus_away(wizard: Drive) -> None:
    desk = Desk()

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("tab", "tab", "tab", "tab")
        desk.answer.set()
        await until(pilot, "[ Next ]")
        await pilot.press(*"pod")
        assert desk.query_one("#field", Field).value == "pod"

    wizard(steps, route=desk_route(desk))


def test_an_error_that_comes_up_is_not_closed_by_an_enter_from_before(wizard: Drive) -> None:
    desk = Desk(AirgapError("It does not answer.", hint="Look at the cable."))

    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        app.typed.seen_after = 30.0
        desk.answer.set()
        await until(pilot, "It does not answer.")
        await pilot.press("enter", "escape")
        assert isinstance(app.screen, ErrorPage)

    wizard(steps, route=desk_route(desk))


def test_enter_twice_starts_once_and_the_second_is_for_what_comes_then(wizard: Drive) -> None:
    desk = Desk()

    async def steps(pilot: Pilot[None]) -> None:
        typed_ahead(pilot, "b", "b", "f1")
        await until(pilot, "Starting ..")
        assert wizard_of(pilot).screen is desk
        desk.answer.set()
        await until(pilot, "Help for After.")

    wizard(steps, route=desk_route(desk))
    assert len(desk.begun) == 1


def test_f10_behind_a_start_leaves_once_it_has_begun(wizard: Drive) -> None:
    desk = Desk()

    async def steps(pilot: Pilot[None]) -> None:
        typed_ahead(pilot, "b", "f10")
        await until(pilot, "Starting ..")
        app = wizard_of(pilot)
        await pilot.pause()
        assert not app._exit
        desk.answer.set()
        while not app._exit:
            await pilot.pause()

    wizard(steps, route=desk_route(desk))
    assert len(desk.begun) == 1


def test_f10_twice_leaves_though_nothing_begins(wizard: Drive) -> None:
    desk = Desk()

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("b")
        await pilot.press("f10", "f10")
        assert wizard_of(pilot)._exit

    wizard(steps, route=desk_route(desk))
    desk.answer.set()
    assert desk.begun == []


def test_where_nothing_could_be_started_the_keys_behind_are_forgotten(wizard: Drive) -> None:
    desk = Desk(AirgapError("The disk is full.", hint="Make room."))

    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        typed_ahead(pilot, "b", "enter", "escape")
        await until(pilot, "Starting ..")
        desk.answer.set()
        await until(pilot, "The disk is full.")
        await pilot.pause()
        assert isinstance(app.screen, ErrorPage)

    wizard(steps, route=desk_route(desk))


def test_a_page_whose_numbers_are_to_be_read_is_not_gone_on_from_ahead(wizard: Drive) -> None:
    class Reading(Desk):
        goes_ahead = False

    desk = Reading()

    async def steps(pilot: Pilot[None]) -> None:
        typed_ahead(pilot, "enter", "enter")
        await pilot.pause()
        desk.answer.set()
        await until(pilot, "> [ Next ]")
        await pilot.pause()
        assert wizard_of(pilot).screen is desk

    wizard(steps, route=desk_route(desk))
