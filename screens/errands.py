"""Engine work that takes a while: done in a thread, its result heard in the event loop.

Looking names up, asking a registry, reading an inventory: none of it may hold the keys up. A thread
cannot be killed, so it gets a token that is cancelled when the screen is left or asks anew, and it
is a daemon: quitting waits for nobody.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

from textual.message import Message
from textual.widget import Widget

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, EnvironmentFailure, Stopped
from airgap_tui.engine.jobs.job_list import JobInfo
from screens.base import WizardScreen
from screens.widgets.controls import Button

R = TypeVar("R")
T = TypeVar("T")


class Errand(Generic[T]):
    """One piece of work. `token` stops it; what it found is heard only while it is `wanted`.
    `focused` had the focus when it was sent for."""

    class Ended(Message):
        """Posted to the screen from the thread; carries the work that ended."""

        bubble = False

        def __init__(self, errand: Errand[object]) -> None:
            super().__init__()
            self.errand = errand

    def __init__(
        self,
        work: Callable[[CancelToken], T],
        done: Callable[[T], None],
        failed: Callable[[AirgapError], None],
        *,
        holds: bool,
        aside: bool,
        focused: Widget | None,
    ) -> None:
        self.holds, self.aside, self.focused = holds, aside, focused
        self.token = CancelToken()
        self.wanted = True
        self._work = work
        self._done = done
        self._tell = failed
        self._result: list[T] = []
        self._error: Exception | None = None

    def run(self) -> None:
        """In the thread."""
        try:
            self._result.append(self._work(self.token))
        except Exception as error:
            self._error = error

    @property
    def failed(self) -> bool:
        return self._error is not None

    def settle(self) -> None:
        """In the event loop: hand over what came of it. What nobody foresaw is raised here."""
        if not self.wanted or isinstance(self._error, Stopped):
            return
        if isinstance(self._error, AirgapError):
            self._tell(self._error)
        elif isinstance(self._error, OSError):
            self._tell(EnvironmentFailure.of(self._error))
        elif self._error is not None:
            raise self._error
        else:
            self._done(self._result[0])


class ErrandScreen(WizardScreen[R]):
    """A screen that sends for things; at most one errand of a name is under way.

    What an errand brings does not take the focus from where the user went meanwhile, and what it
    opens is not answered by keys from before. Enter on a way on that is shut until an errand ends
    is done then; not where `goes_ahead` is False, for what the errand brings has to be read first.
    """

    goes_ahead: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._errands: dict[str, Errand[object]] = {}
        self._settling: Errand[object] | None = None
        self._placed: Widget | None = None
        self._going_on = False

    def send_for(
        self,
        name: str,
        work: Callable[[CancelToken], T],
        done: Callable[[T], None],
        failed: Callable[[AirgapError], None] | None = None,
        *,
        holds: bool = False,
        aside: bool = False,
    ) -> None:
        """Do `work` in a thread, then `done` or `failed` here; an earlier one of the name stops.

        Without `failed` an error gets its own page. `holds`: keys typed meanwhile are for what
        comes then, and wait. `aside`: the way on does not depend on it."""
        self.call_off(name)
        errand: Errand[T] = Errand(
            work,
            done,
            failed or self.wizard.show_error,
            holds=holds,
            aside=aside,
            focused=self.focused,
        )
        self._errands[name] = errand  # type: ignore[assignment]  # what it brings is its own affair
        if holds:
            self.wizard.typed.hold(leaving=True)

        def run() -> None:
            errand.run()
            if errand.wanted:  # else the screen may be gone, and nobody listens
                with contextlib.suppress(RuntimeError):  # the window closes in this moment
                    self.post_message(Errand.Ended(errand))  # type: ignore[arg-type]

        threading.Thread(target=run, name=f"errand {name}", daemon=True).start()

    def start(
        self, work: Callable[[CancelToken], JobInfo], done: Callable[[JobInfo], None]
    ) -> None:
        """Have a job started, once; keys wait for the screen that it leads to."""
        if not self.under_way("start"):
            self.say("Starting ..", seconds=None)
            self.send_for("start", work, done, holds=True)

    def call_off(self, name: str = "") -> None:
        """Stop an errand, or all."""
        for known in [name] if name else list(self._errands):
            errand = self._errands.pop(known, None)
            if errand is not None:
                errand.wanted = False
                errand.token.cancel()
                if errand.holds:
                    self.wizard.typed.drop()

    def cut_short(self, name: str) -> None:
        """Stop an errand, and hear what it brings until then."""
        errand = self._errands.get(name)
        if errand is not None:
            errand.token.cancel()

    def under_way(self, name: str = "") -> bool:
        """Whether an errand of this name, or any, has not ended."""
        return name in self._errands if name else bool(self._errands)

    def on_errand_ended(self, event: Errand.Ended) -> None:
        errand, typed, seen = event.errand, self.wizard.typed, self.app.screen
        for name, known in list(self._errands.items()):
            if known is errand:
                del self._errands[name]
        if not errand.wanted:
            return
        self._settling = errand
        try:
            errand.settle()
        finally:
            self._settling = None
        asked_for = errand.holds and not errand.failed
        if self.app.screen is not seen and not asked_for:
            typed.see_first(self.app.screen, of_itself=True)
        if errand.holds:
            self.hush()
            typed.release()
        if self._going_on:
            self._go_on_if_open()

    def on_unmount(self) -> None:
        self.call_off()

    # What was typed ahead of an errand's end

    @property
    def awaited(self) -> bool:
        """Whether something is under way that may open the way on."""
        return any(not errand.aside for errand in self._errands.values())

    def on_button_pressed_shut(self, event: Button.PressedShut) -> None:
        if event.button is self.way_on and self.awaited and self.goes_ahead:
            self.go_on_later()

    def go_on_later(self) -> None:
        """Take the way on when an errand has ended, if that opens it; what is typed behind waits
        as well."""
        self._going_on = True
        self.wizard.typed.hold(self.stay)
        self.say("Goes on as soon as that is known. Esc: stay here.", seconds=None)

    def stay(self) -> None:
        """Do not take the way on later: something is to be seen first, or Esc was pressed."""
        if self._going_on:
            self._going_on = False
            self.wizard.typed.drop()
            self.hush()

    def _go_on_if_open(self) -> None:
        leads = self.app.screen is self and not self.not_yet
        if not leads and self.app.screen is self and self.awaited:
            return
        self._going_on = False
        self.hush()
        if leads:
            self.go_on()
        if not self._going_on and not any(errand.holds for errand in self._errands.values()):
            self.wizard.typed.release() if leads else self.wizard.typed.drop()

    def place_focus(self, wanted: Widget) -> None:
        """Unless an errand brings it about, and the user has moved on meanwhile."""
        errand, at = self._settling, self.focused
        if errand is not None and at is not None:
            shut = isinstance(at, Button) and at.shut
            if not (shut or at is errand.focused or _within(at, self._placed)):
                return
        self._placed = wanted
        super().place_focus(wanted)


def _within(widget: Widget, other: Widget | None) -> bool:
    return other is not None and other in widget.ancestors_with_self
