"""What both sides of the plain twin share: the dialogue, the answers, and how steps are walked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from airgap_tui.cli.guide.dialogue import Back, Dialogue, HungUp
from airgap_tui.cli.output import Output
from airgap_tui.cli.stopping import StopSignals, Terminated
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import EnvironmentFailure, Stopped
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.remembered import Remembered
from airgap_tui.engine.guide.steps import Side
from airgap_tui.engine.quantities import elapsed
from airgap_tui.engine.settings import Settings

T = TypeVar("T")

_SIGN_OF_LIFE = 10.0
"""Seconds between two lines while something is waited for."""


class ToTheStart(Exception):
    """The user goes to the first question of all."""


class Guide:
    """One run. `exit_code` is that of the job that ended last in view."""

    def __init__(self, settings: Settings, dialogue: Dialogue) -> None:
        self.settings = settings
        self.dialogue = dialogue
        self.crossing = Crossing(settings)
        self.remembered = Remembered(settings.state_dir)
        self.output = Output(progress="plain")
        self.exit_code = 0

    def walk(self, side: Side, steps: Sequence[Callable[[], None]], at: int = 0) -> None:
        """Go through a side's steps; going back from the first one ends it."""
        while 0 <= at < len(steps):
            name, number = side.steps[at], f"{at + 1} of {len(steps)}"
            self.dialogue.say()
            self.dialogue.say(f"{side.heading}, step {number}: {name}.")
            try:
                steps[at]()
            except Back as back:
                at -= back.steps
            else:
                at += 1

    def wait(self, saying: str, work: Callable[[CancelToken], T], *, keep: bool = False) -> T:
        """Do what takes a while, with a sign of life now and then. Ctrl-C calls it off: `Back`;
        with `keep` it ends early, and what it brings counts."""
        token = CancelToken()
        found: list[T] = []
        with StopSignals(token, lambda: None, lambda: None) as signals:
            # Said where Ctrl-C is waited for: whoever reads it may press it at once.
            self.dialogue.say(saying)
            with _SignsOfLife(self.dialogue), suppress(Stopped):
                try:
                    found.append(work(token))
                except OSError as error:
                    raise EnvironmentFailure.of(error) from error
        if token.cancelled and isinstance(signals.stopped(""), Terminated):
            raise HungUp
        if found and (keep or not token.cancelled):
            return found[0]
        self.dialogue.say("Called off.")
        raise Back


class _SignsOfLife:
    """While entered, says every ten seconds that the program is still there."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="signs of life", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        waited = _SIGN_OF_LIFE
        while not self._ended.wait(_SIGN_OF_LIFE):
            self._dialogue.say(f"Still waiting, {elapsed(waited)} so far.")
            waited += _SIGN_OF_LIFE
