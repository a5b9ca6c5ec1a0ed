"""Typing into the wizard: keys one by one, and keys typed ahead, as over a slow line."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any

from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot

from screens.app import WizardApp


class _Typist(Pilot[None]):
    """Textual's pilot looks whether the widgets have heard all; keys may still wait in the app."""

    async def _wait_for_screen(self, timeout: float = 30.0) -> bool:
        heard = await super()._wait_for_screen(timeout)
        app, until = self.app, monotonic() + timeout
        assert isinstance(app, WizardApp)
        while app.is_running and not app._exit and not app.typed.idle and monotonic() < until:
            await asyncio.sleep(0.002)
            heard = await super()._wait_for_screen(timeout)
        return heard


@contextlib.asynccontextmanager
async def driven(app: WizardApp, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[None]]:
    """The app without a terminal, and a pilot whose keys are through when it says so."""
    app.typed.seen_after = 0.0  # nobody is far away
    async with app.run_test(size=size):
        yield _Typist(app)


def typed_ahead(pilot: Pilot[Any], *keys: str) -> None:
    """Type keys at once; nothing has been done with the first when the last has come."""
    for key in keys:
        character = key if len(key) == 1 else None
        pilot.app.post_message(Key(key if character is None else _character_to_key(key), character))
