"""The frame of every screen, and how a screen is written.

A screen is one small module with a subclass of `WizardScreen`:

    class ImagesScreen(WizardScreen[None]):
        step = "Images"                      # its name among the route's steps
        BINDINGS = [key("p", "names", "names")]
        help_text = "What cannot be guessed from the screen itself."

        def body(self) -> ComposeResult:     # 15 lines at 80x24, 76 cells wide, from column 3
            yield Row(Field("Add one", id="name"), Button("Add", id="add"))
            yield Gap()
            yield Table(COLUMNS, boxes=True, id="images")

        def on_open(self) -> None:           # made; about to be seen for the first time
            self.excerpt = "Choose the images to carry."
            self.command = "airgap-tui plan -f images_list.txt -b pod"
            self.onward, self.not_yet = "Next: Logins", "Not yet: choose at least one image."

        def on_return(self) -> None: ...     # seen again, after Back or a page on top
        def likeliest(self) -> Widget | None: ...    # what has the focus at first
        def go_on(self) -> None: ...         # the button that leads on was pressed
        def go_back(self) -> None: ...       # Esc or Back; by default the step before

- `excerpt`, `command`, `back`, `onward`, `not_yet` may be set at any time from the event loop; a
  `not_yet` that is not empty shuts the way on and stands before it.
- Body: rows that can be reached carry their own two cells for the focus mark, so a widget at the
  body's edge has its mark in column 3 and begins in column 5. `Line` and `Paragraph` begin in
  column 3, with `indent=2` in column 5. Everything is one line high; a `Table` takes what is left.
- Numbers come from `engine.quantities`. Outside text needs no escaping here: nothing is markup.
- Threads: never touch a widget from one. Post a message, or let `every(seconds, function)` poll a
  snapshot; it runs only while the screen is the one that is seen.
- Keys come one by one: the next when all that the last one caused is done (`typed_ahead`).
- Questions: `self.app.push_screen(Question(...), callback)`; errors: `self.app.show_error(error)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar, cast, runtime_checkable

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.reactive import reactive
from textual.screen import ModalScreen, Screen
from textual.timer import Timer
from textual.widget import Widget

from screens.frame import (
    LEAST_HEIGHT,
    LEAST_WIDTH,
    RAIL_FROM,
    CommandRow,
    KeysRow,
    NavRow,
    Rail,
    StepsRow,
    TitleRow,
    TooSmall,
)
from screens.keys import LiveKey, footer_keys, key
from screens.steps import Step
from screens.widgets.controls import Button
from screens.widgets.drawn import TONES
from screens.widgets.text import Gap, Line, Rule

if TYPE_CHECKING:
    from screens.app import WizardApp
    from screens.modals.palette import Command

R = TypeVar("R")
SAID_FOR = 4.0
"""Seconds that a sentence stands in place of the keys."""


@runtime_checkable
class Scrolls(Protocol):
    """What Up, Down, PgUp and PgDn scroll while something else has the focus."""

    @property
    def scrolls(self) -> bool: ...

    def scroll_rows(self, by: int, pages: bool = False) -> None: ...


class Body(Vertical):
    """The rows of a screen's own; scrolls without a bar where they are more than there is room."""


class WizardScreen(Screen[R]):
    """A screen in the frame; the module's docstring says how to write one."""

    step: ClassVar[str] = ""
    title_text: ClassVar[str] = ""
    help_text: ClassVar[str] = ""

    COMPONENT_CLASSES = set(TONES)  # noqa: RUF012 - Textual declares it so
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (LEAST_WIDTH, "-normal"), (RAIL_FROM, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (LEAST_HEIGHT, "-high")]  # noqa: RUF012
    AUTO_FOCUS = ""
    BINDINGS = [  # noqa: RUF012
        key("up", "scroll(-1)", "scroll", name="Up/Down"),
        key("down", "scroll(1)", "scroll", name="Up/Down"),
        key("pageup", "page(-1)", "scroll a page", name="PgUp/PgDn", shown=False),
        key("pagedown", "page(1)", "scroll a page", name="PgUp/PgDn", shown=False),
        key("tab", "app.focus_next", "next field", general=True),
        key("shift+tab", "app.focus_previous", "field before", shown=False),
        key("escape", "back", "back", general=True),
        key("f1,question_mark", "help", "help", name="F1", shown=False),
        key("f10", "leave", "quit", shown=False),
        key("ctrl+p", "palette", "all commands", shown=False),
        key("ctrl+c", "interrupt", "how to quit", shown=False),
    ]

    excerpt: reactive[str] = reactive("", init=False)
    command: reactive[str] = reactive("", init=False)
    back: reactive[str] = reactive("Back", init=False)
    onward: reactive[str] = reactive("", init=False)
    not_yet: reactive[str] = reactive("", init=False)

    def __init__(self) -> None:
        # The usual window's classes from the start: setting them later paints everything twice.
        super().__init__(classes="-normal -high")
        self._title_row, self._steps_row, self._rail = TitleRow(), StepsRow(), Rail()
        self._excerpt = Line(id="excerpt")
        self._command_row, self._nav, self._keys_row = CommandRow(), NavRow(), KeysRow()
        self._said_for: Timer | None = None
        self._opened = False

    # For subclasses

    def body(self) -> ComposeResult:
        """The rows of the screen's own."""
        yield from ()

    def on_open(self) -> None:
        """The screen is made: its widgets are there, their sizes not yet."""

    def on_return(self) -> None:
        """The screen is seen again."""

    def likeliest(self) -> Widget | None:
        """What has the focus at first: by default the first control, else the way on."""
        return None

    def go_on(self) -> None:
        """The way on was taken."""

    def go_back(self) -> None:
        """The way back was taken."""
        self.wizard.step_back(self)

    def leave(self) -> None:
        """F10: end the program, after asking where that is due."""
        self.wizard.leave()

    def footer(self, keys: Sequence[LiveKey]) -> list[LiveKey]:
        """Which of the live keys the last row shows, in which order."""
        return footer_keys(keys)

    def commands(self) -> Sequence[Command]:
        """This screen's own entries of the command palette."""
        return ()

    def steps(self) -> tuple[Step, ...]:
        """The steps for row 2; none shows `title_text` there."""
        route = self.wizard.route
        return route.steps(self.step) if route is not None and self.step else ()

    def every(self, seconds: float, function: Callable[[], None]) -> None:
        """Call `function` in the event loop from now on, while this screen is the one seen."""

        def call() -> None:
            if self.is_current:
                function()

        self.set_interval(seconds, call)

    def say(self, text: str, *, seconds: float | None = SAID_FOR) -> None:
        """Show a sentence in place of the keys for so long, or until the screen is left."""
        self.hush()
        self._keys_row.say(text)
        if seconds is not None:
            self._said_for = self.set_timer(seconds, self.hush)

    def hush(self) -> None:
        """Show the keys again."""
        if self._said_for is not None:
            self._said_for.stop()
            self._said_for = None
        self._keys_row.say("")

    # The frame

    @property
    def is_current(self) -> bool:
        """Whether it is the one seen, on top or below boxes. Textual takes the next one below an
        opaque screen for visible too, which would go on working and drawing there for nobody."""
        for screen in reversed(self.app.screen_stack):
            if screen is self or not isinstance(screen, ModalScreen):
                return screen is self
        return False

    @property
    def wizard(self) -> WizardApp:
        return cast("WizardApp", self.app)

    def compose(self) -> ComposeResult:
        with Vertical(id="frame"):
            yield self._title_row
            yield self._steps_row
            yield Rule(classes="across")
            with Horizontal(id="middle"):
                yield self._rail
                with Vertical(id="main"):
                    yield self._excerpt
                    yield Gap()
                    with Body(id="body"):
                        yield from self.body()
            yield Rule(classes="across")
            yield self._command_row
            yield self._nav
            yield self._keys_row
        yield TooSmall()

    def on_mount(self) -> None:
        if not self.display:
            return  # it was left before it was made
        self.bindings_updated_signal.subscribe(self, lambda _screen: self._keys_row.redraw())
        self.on_open()
        self._opened = True
        self.refresh_frame()
        if self.focused is None:
            self.focus_likeliest()

    @property
    def way_on(self) -> Widget:
        """The button that leads on: the likeliest control where nothing is left to decide."""
        return self._nav.onward

    @property
    def way_back(self) -> Widget:
        """The button that leads back: the likeliest control where going on changes something."""
        return self._nav.back

    def focus_likeliest(self) -> None:
        """Put the focus where it is at first."""
        wanted = self.likeliest()
        if isinstance(wanted, Button) and wanted.shut and not self.awaited:
            wanted = None
        if wanted is None:
            # Textual's own order goes by place, and nothing has a place before the first layout.
            reachable = self.query("#body *, #onward").results(Widget)
            wanted = next((widget for widget in reachable if _open(widget)), self._nav.back)
        self.place_focus(wanted)

    def place_focus(self, wanted: Widget) -> None:
        """Put the focus there, without the user's doing."""
        wanted.focus()

    @property
    def awaited(self) -> bool:
        """Whether the way on may open in a moment."""
        return False

    @property
    def focus_chain(self) -> list[Widget]:
        """What Tab goes through: the way on before the way back, for it is the likelier one."""
        chain = [widget for widget in super().focus_chain if widget.has_focus or _open(widget)]
        back = self._nav.back
        return [
            *(widget for widget in chain if widget is not back),
            *([back] if back in chain else ()),
        ]

    def on_screen_resume(self) -> None:
        if self._opened:
            self.refresh_frame()
            self.on_return()
        self._redraw_focus()

    def on_screen_suspend(self) -> None:
        self.hush()  # what was said is of that moment, and the screen may be seen again soon
        self._redraw_focus()

    def _redraw_focus(self) -> None:
        for widget in self.query(Widget):
            if widget.has_focus:
                widget.refresh()
                parent = widget.parent
                for sibling in parent.children if isinstance(parent, Widget) else ():
                    sibling.refresh()
        self._keys_row.redraw()

    def refresh_frame(self) -> None:
        """Draw steps, excerpt, command and ways as they are now."""
        if not self.is_attached:
            return
        steps = self.steps()
        self.set_class(bool(steps), "-stepped")
        self._steps_row.show(steps, self.title_text or self.step)
        self._rail.show(steps)
        self._excerpt.show(self.excerpt)
        self._command_row.show(self.command)
        self._nav.show(self.back, self.onward, self.not_yet, bool(self.not_yet))
        self._keys_row.redraw()

    def watch_excerpt(self) -> None:
        self._excerpt.show(self.excerpt)

    def watch_command(self) -> None:
        self._command_row.show(self.command)

    def watch_back(self) -> None:
        self.refresh_frame()

    def watch_onward(self) -> None:
        self.refresh_frame()

    def watch_not_yet(self) -> None:
        self.refresh_frame()

    def on_descendant_focus(self) -> None:
        self._keys_row.redraw()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button is self._nav.onward:
            event.stop()
            self.go_on()
        elif event.button is self._nav.back:
            event.stop()
            self.go_back()

    # Keys

    def scrolled(self) -> Scrolls | None:
        """The one table or text of this screen, if there is exactly one."""
        found = [widget for widget in self.query("#body *") if isinstance(widget, Scrolls)]
        return found[0] if len(found) == 1 else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "page":
            return self.scrolled() is not None
        return True

    def key_text(self, action: str) -> str | None:
        """The words for an action; empty leaves it out of the footer."""
        if action.startswith("scroll"):
            scrolled = self.scrolled()
            return None if scrolled is not None and scrolled.scrolls else ""
        if action == "app.focus_next":
            return "next" if len(self.focus_chain) > 1 else ""
        return self.back.lower() if action == "back" else None

    def action_scroll(self, by: int) -> None:
        scrolled = self.scrolled()
        if scrolled is not None and scrolled.scrolls:
            scrolled.scroll_rows(by)
        elif by < 0:
            self.focus_previous()
        else:
            self.focus_next()

    def action_page(self, by: int) -> None:
        scrolled = self.scrolled()
        if scrolled is not None:
            scrolled.scroll_rows(by, pages=True)

    def action_back(self) -> None:
        if self.back:
            self.go_back()

    def action_help(self) -> None:
        self.wizard.show_help(self)

    def action_leave(self) -> None:
        self.leave()

    def action_palette(self) -> None:
        self.wizard.show_palette(self)

    def action_interrupt(self) -> None:
        self.say("F10 quits.")


def _open(widget: Widget) -> bool:
    """Whether it can be reached."""
    return widget.focusable and not (isinstance(widget, Button) and widget.shut)
