"""The wizard as a Textual app: themes, the walk from step to step, and how it ends.

It holds no state of a job: jobs run in worker processes, and ending the app ends none of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from functools import partial
from pathlib import Path
from typing import Any

from textual.app import App
from textual.events import Event, Key, Paste
from textual.reactive import reactive
from textual.screen import Screen

from airgap_tui.engine.guide.remembered import Remembered
from airgap_tui.engine.settings import Settings
from screens import themes
from screens.base import WizardScreen
from screens.look import Look
from screens.modals.pages import ErrorPage, HelpPage, LogPage
from screens.modals.palette import Command, PalettePage
from screens.steps import Route
from screens.typed_ahead import TypedAhead

TERMINATED = 143
"""The exit code after SIGTERM or SIGHUP."""


class WizardApp(App[None]):
    """Subclasses, or whoever starts it, give the first screen.

    `side`, `bundle` and `host` stand in the first row. Run it with `run(mouse=False)`: a dropped
    SSH session otherwise leaves the shell printing coordinates.
    """

    CSS_PATH = "wizard.tcss"
    TITLE = "airgap-tui"
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = ""
    BINDINGS = []  # noqa: RUF012 - every screen has its own F1, F10 and Esc

    side: reactive[str] = reactive("", init=False)
    bundle: reactive[str] = reactive("", init=False)
    host: reactive[str] = reactive("", init=False)

    def __init__(
        self, first: WizardScreen[Any], settings: Settings, look: Look, *, host: str = ""
    ) -> None:
        super().__init__(ansi_color=True if look.ansi else None)
        self.look = look
        self.settings = settings
        self.remembered = Remembered(settings.state_dir)
        self.route: Route | None = None
        self.log_path: Path | None = None
        self.farewell = ""
        """What whoever ran it says in the shell; Textual would break it into lines, and with it a
        command that is to be copied."""
        self._first = first
        self.typed = TypedAhead(self, super().on_event)
        self.animation_level = "none"
        for theme in themes.THEMES:
            self.register_theme(theme)
        wanted = themes.ANSI if look.ansi else self.remembered.get("theme", themes.DARK)
        self.theme = wanted if wanted in themes.NAMES else themes.DARK
        self.set_class(look.ascii, "-ascii", update=False)
        self.set_reactive(WizardApp.host, host or socket.gethostname().partition(".")[0])

    def get_default_screen(self) -> Screen[Any]:
        return self._first

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            # Only the main thread may; nohup leaves SIGHUP ignored, and that stays so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
                    loop.add_signal_handler(number, self._terminated)

    def _terminated(self) -> None:
        self.exit(return_code=TERMINATED)

    def _watch_app_focus(self, focus: bool) -> None:
        """A window in the background keeps its focus mark: it says where one was."""

    async def on_event(self, event: Event) -> None:
        if isinstance(event, (Key, Paste)) and not event.is_forwarded:
            await self.typed.take(event)
        else:
            await super().on_event(event)

    # Steps

    def begin(self, route: Route, at: str = "") -> None:
        """Start on a side: its first step comes on the screen, or the one named."""
        self.route, self.side = route, route.side
        self.show_step(at or route.names[0])

    def show_step(self, name: str) -> None:
        """Put a step of the route on the screen, in the place of whatever step is there."""
        route = self.route
        if route is None:
            return
        screen = route.screens.get(name)
        if screen is None:
            screen = route.screens[name] = route.makers[name]()
            self.install_screen(screen, f"{route.side}/{name}/{id(screen)}")
        while len(self.screen_stack) > 2:
            self.pop_screen()
        if len(self.screen_stack) == 1:
            self.push_screen(screen)
        elif self.screen is not screen:
            self.switch_screen(screen)

    def renew_step(self, name: str) -> None:
        """Make the screen of a step anew and show it: it is about something else by now."""
        old = self.route.screens.pop(name, None) if self.route is not None else None
        self.show_step(name)
        if old is not None:
            self.uninstall_screen(old)  # only what is not on the stack any more can be
            old.remove()

    def step_on(self, screen: WizardScreen[Any]) -> None:
        """Go on to the step after this screen's."""
        after = self.route.after(screen.step) if self.route is not None else None
        if after is not None:
            self.show_step(after)

    def step_back(self, screen: WizardScreen[Any]) -> None:
        """Go back: from a page to the screen below, from a step to the one before, then Welcome."""
        route = self.route
        if route is not None and route.screens.get(screen.step) is screen:
            before = route.before(screen.step)
            if before is not None:
                self.show_step(before)
            else:
                self.leave_route()
        elif len(self.screen_stack) > 1:
            self.pop_screen()

    def leave_route(self) -> None:
        """Back to the first screen; the answers of this side are forgotten."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        if self.route is not None:
            for screen in self.route.screens.values():
                self.uninstall_screen(screen)
                screen.remove()
        self.route, self.side, self.bundle = None, "", ""

    # Pages on top

    def show_help(self, below: Screen[Any]) -> None:
        """What the screen says of itself, and the keys that work on it."""
        if not isinstance(below, HelpPage):
            self.push_screen(HelpPage(below))

    def show_error(self, error: BaseException) -> None:
        """A screen-sized account of an error; Back leads to where it came from."""
        self.push_screen(ErrorPage(self._below(), error, self.log_path))
        self.typed.see_first(self.screen)

    def show_log(self, path: Path) -> None:
        """The end of a log, followed while it grows."""
        self.push_screen(LogPage(self._below(), path))

    def show_palette(self, below: WizardScreen[Any]) -> None:
        """Every command that there is for a screen."""

        def run(command: Command | None) -> None:
            if command is not None:
                command.run()

        if not isinstance(below, PalettePage):
            self.push_screen(PalettePage(below, self.commands(below)), run)

    def _below(self) -> WizardScreen[Any] | None:
        screen = self.screen
        return screen if isinstance(screen, WizardScreen) else None

    def commands(self, below: WizardScreen[Any]) -> list[Command]:
        """The entries of the palette for a screen: its own, then those of the frame."""
        found = list(below.commands())
        if below.command:
            found.append(
                Command("Copy the command", below.command, lambda: self.copy_command(below))
            )
        if self.route is not None:
            for name in self.route.screens:
                if name != below.step:
                    found.append(Command(f"Go to {name}", "", partial(self.show_step, name)))
        if not self.look.ansi:
            for name in themes.NAMES:
                if name != self.theme:
                    found.append(
                        Command(
                            f"Theme: {name}",
                            "Remembered for the next start",
                            partial(self.use_theme, name),
                        )
                    )
        if self.log_path is not None:
            log = self.log_path
            found.append(Command("Log", str(log), lambda: self.show_log(log)))
        found.append(Command("Help", "Keys and words of this screen", below.action_help))
        found.append(Command("Quit", "Running jobs go on without the wizard", below.leave))
        return found

    def copy_command(self, screen: WizardScreen[Any]) -> None:
        """The whole command of a screen, to the clipboard of the person's own machine."""
        self.copy_to_clipboard(screen.command)
        screen.say("Copied, if this terminal lets programs copy (OSC 52).")

    def use_theme(self, name: str) -> None:
        self.theme = name
        self.remembered.set("theme", name)

    # The end

    def leave(self, message: str = "", code: int = 0) -> None:
        """End the program, with a sentence for the shell."""
        self.farewell = message
        self.exit(return_code=code)

    async def action_quit(self) -> None:
        """Ctrl-Q, which is Textual's own, does what F10 does on the screen that is seen."""
        await self.screen.run_action("leave")

    def notify(self, message: str, **_options: Any) -> None:
        """Toasts would read markup and draw over the frame: say it in the last row instead."""
        screen = self._below()
        if screen is not None:
            screen.say(message)
