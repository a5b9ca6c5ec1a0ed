"""Work in threads: heard while it is wanted, and nothing of it ends the wizard."""

from __future__ import annotations

import threading
from collections.abc import Callable

from textual.app import ComposeResult
from textual.pilot import Pilot

from airgap_tui.engine.cancel import CancelToken
from screens.app import WizardApp
from screens.errands import ErrandScreen
from screens.modals.pages import ErrorPage
from screens.widgets.controls import Button
from tests.screens.conftest import rows
from tests.services import PATIENCE

Drive = Callable[..., WizardApp]


class Asking(ErrandScreen[None]):
    """Sends for `work` at once."""

    def __init__(self, work: Callable[[CancelToken], object]) -> None:
        super().__init__()
        self._work = work
        self.heard: list[object] = []

    def body(self) -> ComposeResult:
        yield Button("Any")

    def on_open(self) -> None:
        self.send_for("work", self._work, self.heard.append)


def test_what_the_system_refuses_is_an_error_like_any_other(wizard: Drive) -> None:
    def work(_token: CancelToken) -> None:
        raise PermissionError(13, "Permission denied", "/root/pod")

    async def steps(pilot: Pilot[None]) -> None:
        while not isinstance(pilot.app.screen, ErrorPage):
            await pilot.pause()
        assert "/root/pod: Permission denied" in "\n".join(rows(pilot.app))  # type: ignore[arg-type]

    wizard(steps, first=Asking(work))


def test_work_that_ends_after_its_screen_says_nothing(wizard: Drive) -> None:
    going = threading.Event()
    failures: list[object] = []
    asking = Asking(lambda _token: going.wait(PATIENCE))

    async def steps(pilot: Pilot[None]) -> None:
        pilot.app.push_screen(asking)
        await pilot.pause()
        pilot.app.pop_screen()
        await pilot.pause()

    def heard(raised: threading.ExceptHookArgs) -> None:
        failures.append(raised.exc_value)

    before, threading.excepthook = threading.excepthook, heard
    try:
        wizard(steps)
        working = [thread for thread in threading.enumerate() if thread.name == "errand work"]
        assert working, "it is at work still"
        going.set()
        for thread in working:
            thread.join(PATIENCE)
    finally:
        threading.excepthook = before
    assert (failures, asking.heard) == ([], [])
