"""Keys that are typed before the screen shows what the last one did, as over a slow SSH line.

Textual hands keys on as they come. A second Enter then reaches the button that was already pressed,
and a second Esc the page that is already left; letters overtake the Enter before them. Here the
next key is given out when all that the one before caused has happened: it finds the screen that it
would have found a moment later. And what asks, or comes up by itself, is not answered by a key from
before it was seen.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Protocol

from textual.app import App, ScreenStackError
from textual.dom import DOMNode
from textual.events import Event, Key
from textual.screen import Screen
from textual.widget import Widget

SEEN_AFTER = 0.5
"""Seconds in which nobody has read, far away, what came up by itself, and answered it."""
LONGEST = 10.0
"""Seconds after which the next key is given out in any case."""
_ROUNDS = 4
"""How often a key's effects are followed up to the app: a key becomes an action, that a message of
its widget, that one of what the widget is in, and that may answer whoever asked."""
_WAYS_OUT = ("escape", "f10", "ctrl+c", "ctrl+q")
_LEAVING = ("f10", "ctrl+q")


class HasTyped(Protocol):
    typed: TypedAhead


class TypedAhead:
    """The keys and pastes of an app; `give` does with one what Textual does."""

    def __init__(self, app: App[Any], give: Callable[[Event], Awaitable[None]]) -> None:
        self._app, self._give = app, give
        self.seen_after = SEEN_AFTER
        self._waiting: deque[Event] = deque()
        self._following: asyncio.Task[None] | None = None
        self._held = self._keeps_leaving = False
        self._given_up: Callable[[], None] | None = None
        self._unseen: Screen[Any] | None = None
        self._of_itself = False
        self._seen_from = 0.0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to give out now."""
        waits = bool(self._waiting) and not self._held
        return self._following is None and not waits and self._unseen is not self._app.screen

    async def take(self, event: Event) -> None:
        """A key or a paste has come."""
        name = event.key if isinstance(event, Key) else ""
        if name in _LEAVING and self._keeps_leaving:
            self._keeps_leaving = False
        elif self._held and name in _WAYS_OUT:
            given_up = self._given_up  # whoever waits too long gets out
            self.drop()
            if given_up is not None:
                given_up()
                if name == "escape":
                    return
        self._waiting.append(event)
        await self._give_next()

    def put_first(self, event: Event) -> None:
        """Give this out before all that waits."""
        self._waiting.appendleft(event)
        self._app.call_later(self._give_next)

    # Keys that come before what they are for

    def hold(self, given_up: Callable[[], None] | None = None, *, leaving: bool = False) -> None:
        """Let keys wait: what they are for is on its way. Ends with `release`, `drop` or Esc;
        Esc then does nothing else where somebody is to hear of it. `leaving`: the first F10 waits
        as well, for what is being started would be lost."""
        self._held, self._given_up, self._keeps_leaving = True, given_up, leaving

    def release(self) -> None:
        """Give out what waited: what it is for is there."""
        self._held, self._given_up, self._keeps_leaving = False, None, False
        self._follow_up(self._app.screen)

    def drop(self) -> None:
        """Forget what waited: what it was for does not come."""
        self._held, self._given_up, self._keeps_leaving = False, None, False
        self._waiting.clear()

    # Keys that come before what they are not for is seen

    def see_first(self, screen: Screen[Any], *, of_itself: bool = False) -> None:
        """Something asks or tells: only keys from after its first sight are for it, and some time
        later where it came of itself and nobody looked out for it."""
        self.drop()
        self._of_itself = of_itself or (self._of_itself and self._unseen is screen)
        self._unseen = screen
        screen.call_after_refresh(self._seen, screen)

    def _seen(self, screen: Screen[Any]) -> None:
        if self._unseen is screen:
            self._unseen = None
            self._seen_from = monotonic() + (self.seen_after if self._of_itself else 0.0)

    def _too_early(self, event: Event) -> bool:
        if isinstance(event, Key) and event.key in _LEAVING:
            return False
        return self._unseen is self._app.screen or event.time < self._seen_from

    # One after the other

    async def _give_next(self) -> None:
        if self._held or self._following is not None:
            return
        if self._waiting and not self._app.screen.is_mounted:
            self._follow_up(self._app.screen)
            return
        while self._waiting:
            event = self._waiting.popleft()
            if self._too_early(event):
                continue
            at = self._app.focused or self._app.screen
            await self._give(event)
            if not _is_text_for(at, event):
                self._follow_up(at)
                return

    def _follow_up(self, at: DOMNode) -> None:
        if self._following is None:
            self._following = asyncio.create_task(self._follow(at))

    async def _follow(self, at: DOMNode) -> None:
        with contextlib.suppress(asyncio.TimeoutError, ScreenStackError):
            await asyncio.wait_for(self._all_heard(at), LONGEST)
        self._following = None
        self._app.call_later(self._give_next)

    async def _all_heard(self, at: DOMNode) -> None:
        """Until what a key at this widget caused has happened, and what it opened is made."""
        left, screen = _ROUNDS, self._app.screen
        while left:
            left -= 1
            now = self._app.focused or self._app.screen
            for node in dict.fromkeys((*at.ancestors_with_self, *now.ancestors_with_self)):
                await _heard(node)
            while not self._app.screen.is_mounted:
                await asyncio.sleep(0.005)
            if self._app.screen is not screen:
                left, screen = _ROUNDS, self._app.screen


def _is_text_for(widget: Widget, event: Event) -> bool:
    """Whether a key is a letter in a text, which keeps its turn by itself and changes nothing that
    the next key would have to find."""
    if not isinstance(event, Key) or not event.is_printable:
        return False
    return widget.check_consume_key(event.key, event.character)


async def _heard(node: DOMNode) -> None:
    """Until a widget has heard all that it has been told until now."""
    done = asyncio.Event()
    if node.call_later(done.set):
        await done.wait()
