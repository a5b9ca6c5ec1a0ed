"""The widgets of the wizard's first screen, one for one in Textual's own kinds, and nothing behind
them: what the first paint is held against."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, OptionList, Static

LAST = "Up/Down move   Enter open"


class BareApp(App[None]):
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Static, Button { height: 1; border: none; }
    OptionList { height: auto; border: none; }
    .rest { height: 1fr; } .row { height: 1; } .hidden { display: none; }
    """

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static("airgap-tui")
            yield Static("Welcome")
            yield Static("-" * 76)
            with Horizontal(classes="rest"):
                yield Static("Rail", classes="hidden")
                with Vertical():
                    yield Static("Carry container images from a network with internet.")
                    yield Static("")
                    with Vertical(classes="rest"):
                        yield OptionList("Start", "Collect images", "Bring images in", "Rehearse")
                        yield Static("")
                        yield Static("This machine")
                        yield Static("Checks      under way ..")
                        yield Static("")
                        yield Static("Nothing is sent over the network before you choose a side.")
            yield Static("-" * 76)
            yield Static("Command  airgap-tui save")
            with Horizontal(classes="row"):
                yield Button("Quit")
                yield Static("")
                yield Button("Collect images")
            yield Static(LAST)
        yield Static("Too small", classes="hidden")


if __name__ == "__main__":
    BareApp().run(mouse=False)
