"""Widgets: fields that take pasted lines, secrets that never show, choices, questions, errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual import events, on
from textual.app import ComposeResult
from textual.message import Message
from textual.pilot import Pilot

from airgap_tui.engine.errors import EnvironmentFailure
from airgap_tui.engine.redaction import remember
from screens.app import WizardApp
from screens.base import WizardScreen
from screens.look import Mark
from screens.modals.paste import PastePage
from screens.modals.question import Prompt, Question, SecretPrompt
from screens.widgets.controls import Button, Checkbox, Row
from screens.widgets.fields import Field
from screens.widgets.options import Menu, Option, Options
from screens.widgets.secret import SecretField
from screens.widgets.select import Select
from screens.widgets.text import Bar, Fact, Facts, Gap, Paragraph, Stops
from tests.screens.conftest import drawing, rows
from tests.screens.gallery import DestinationScreen, FirstScreen, offline
from tests.screens.test_frame import wizard_of
from tests.screens.windows import UTF8

Drive = Callable[..., WizardApp]


class Logins(WizardScreen[None]):
    """The form of the drawn screen 4."""

    title_text = "Form"

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Message] = []

    def body(self) -> ComposeResult:
        yield Field("User name", "$oauthtoken", width=36, note="The same for everybody", id="user")
        yield SecretField("NGC key", note="Begins with nvapi-", enter="test", id="key")
        yield Paragraph("Made at ngc.nvidia.com under Setup; best not a person's own", indent=13)
        yield Options([Option("no", "-")], label="-")
        yield Gap()
        yield Row(Button("Test key", label=" ", id="test"), Button("Leave out 1 image", id="out"))
        yield Field("Add", many=True, id="many")

    @on(Field.Changed)
    @on(Field.Submitted)
    @on(Field.PastedLines)
    @on(SecretField.Changed)
    @on(SecretField.Submitted)
    @on(Button.Pressed)
    def hear(self, message: Message) -> None:
        self.heard.append(message)


def test_a_form_is_as_drawn(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("tab")
        assert rows(wizard_of(pilot))[5:8] == drawing("4_logins")[13:16]
        assert rows(wizard_of(pilot))[10] == drawing("4_logins")[19]

    wizard(steps, first=Logins())


def test_a_secret_shows_neither_itself_nor_its_length(wizard: Drive) -> None:
    screen = Logins()

    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        secret = screen.query_one(SecretField)
        await pilot.press("tab", "n")
        short = rows(app)[6]
        await pilot.press("v", "a", "p", "i", "space")
        assert rows(app)[6] == short
        assert "[........ " in short
        assert secret.secret == "nvapi"
        secret.post_message(events.Paste("-1234\n5678 \r\n"))
        await pilot.pause()
        assert secret.secret == "nvapi -12345678"
        assert secret.line_break_removed
        assert "1234" not in app.export_screenshot()
        await pilot.press("enter")
        assert isinstance(screen.heard[-1], SecretField.Submitted)
        await pilot.press("ctrl+u")
        assert secret.secret == ""
        assert not secret.line_break_removed
        assert "........" not in rows(app)[6]

    wizard(steps, first=screen)


def test_one_pasted_line_is_trimmed_and_many_are_handed_on(wizard: Drive) -> None:
    screen = Logins()

    async def steps(pilot: Pilot[None]) -> None:
        user, many = screen.query_one("#user", Field), screen.query_one("#many", Field)
        user.value = ""
        user.input.post_message(events.Paste("  ops\n"))
        await pilot.pause()
        assert user.value == "ops"
        user.value = ""
        user.input.post_message(events.Paste("\x1b[2Jo\x00ps\x07"))
        await pilot.pause()
        assert user.value == "?[2Jo?ps?", "nothing that steers a terminal"
        many.input.post_message(events.Paste("nvcr.io/a:1\n\n nvcr.io/b:2\r\n"))
        await pilot.pause()
        pasted = screen.heard[-1]
        assert isinstance(pasted, Field.PastedLines)
        assert pasted.lines == ("nvcr.io/a:1", "nvcr.io/b:2")
        assert many.value == ""

    wizard(steps, first=screen)


def test_validation_stands_next_to_the_field(wizard: Drive) -> None:
    screen = Logins()

    async def steps(pilot: Pilot[None]) -> None:
        user = screen.query_one("#user", Field)
        user.note("51.2 GB free, 67.5 GB needed", Mark.NEEDS_YOU)
        user.below("Not a name: capital letters are not allowed in nvidia/PyTorch")
        await pilot.pause()
        text = rows(wizard_of(pilot))
        assert text[5].endswith("]  ! 51.2 GB free, 67.5 ..")
        assert text[6].strip() == "Not a name: capital letters are not allowed in nvidia/PyTorch"
        user.below("")
        await pilot.pause()
        assert "NGC key" in rows(wizard_of(pilot))[6]

    wizard(steps, first=screen)


def test_moving_chooses_and_a_select_opens_its_list(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        screen = app.screen
        assert isinstance(screen, DestinationScreen)
        await pilot.press("down", "down", "down", "down", "down", "up")
        assert screen.query_one("#place", Options).current == "serve"
        assert "  > (*) Serve from here" in rows(app)[8]
        assert "    ( ) An existing registry" in rows(app)[5]
        screen.query_one("#names").focus()
        await pilot.press("enter", "down", "enter")
        await pilot.pause()
        assert screen.query_one("#names", Select).current == "with"
        assert "  > Names      [With nvcr.io in the path v]" in rows(app)[15]
        await pilot.press("space", "down", "escape")
        assert screen.query_one("#names", Select).current == "with"

    wizard(steps, route=offline(), at="Destination")


class Welcome(FirstScreen):
    """The lists of the drawn screen 1."""

    opened = ""

    def body(self) -> ComposeResult:
        yield Menu(
            [
                Option("", "Continue", heading=True),
                Option("1", "pod-2025-07", "Save is running now: 70%, about 3 min left"),
                Option("2", "pod-2025-06", "Delivered 2025-06-03; start this month's update"),
                Option("", "", heading=True),
                Option("", "Start", heading=True),
                Option("on", "Collect images", "This machine can reach the internet"),
                Option("off", "Bring images in", "This machine is in the offline network"),
                Option("try", "Rehearse", "Try both sides here with small samples, then tidy up"),
            ],
            text_width=21,
        )
        yield Gap()
        yield Paragraph("This machine")
        yield Facts(
            [
                Fact("Disk", "/data has 1.8 TB free", Mark.DONE),
                Fact("Docker", "27.3 is running, and you may use it", Mark.DONE),
                Fact("xorriso", "Not installed; needed only to write ISO images", Mark.NEEDS_YOU),
            ],
            name_width=19,
        )

    def on_open(self) -> None:
        self.excerpt = "Carry container images from a network with internet into one without."
        self.command, self.back = "airgap-tui attach pod-2025-07", "Quit"
        self.onward = "Show the running save"

    def on_menu_opened(self, event: Menu.Opened) -> None:
        self.opened = event.key


def test_the_menu_is_as_drawn_and_opens_what_is_current(wizard: Drive) -> None:
    screen = Welcome()

    async def steps(pilot: Pilot[None]) -> None:
        drawn = drawing("1_welcome")
        assert rows(wizard_of(pilot))[:18] == drawn[:18]
        assert rows(wizard_of(pilot))[20:23] == drawn[20:23]
        await pilot.press("down", "down", "enter")
        assert screen.opened == "on"

    wizard(steps, first=screen, bundle="")


def test_questions_answer_with_a_word_and_esc_with_none(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        answers: list[str | None] = []
        for keys in (("enter",), ("right", "enter"), ("escape",)):
            app.push_screen(Question("Stop?", "Go on", "Stop"), answers.append)
            await pilot.pause()
            await pilot.press(*keys)
        assert answers == ["Go on", "Stop", None]
        app.push_screen(Prompt("Where?", "Folder", "/data"), answers.append)
        await pilot.pause()
        await pilot.press("/", "x", "enter")
        app.push_screen(SecretPrompt("The key?", "NGC key"), answers.append)
        await pilot.pause()
        await pilot.press("k", "tab", "enter")
        app.push_screen(PastePage(None, "Paste names, one in a line."), answers.append)
        await pilot.pause()
        app.post_message(events.Paste("a:1\nb:2"))
        await pilot.pause()
        assert "a:1" in rows(app)[5]
        await pilot.press("tab", "enter")
        assert answers[3:] == ["/data/x", "k", "a:1\nb:2"]

    wizard(steps, first=FirstScreen())


def test_an_error_tells_what_to_do_hides_secrets_and_can_be_copied(wizard: Drive) -> None:
    remember("hunter2hunter2")
    error = EnvironmentFailure("nvcr.io refused hunter2hunter2. " * 40, hint="Log in again.")

    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        app.log_path = Path("/var/log/airgap-tui/" + "x" * 30 + "-end/log")
        app.show_error(error)
        await pilot.pause()
        assert "This did not work." in rows(app)[3]
        assert "Log in again." not in "\n".join(rows(app))
        await pilot.press("pagedown", "pagedown")
        text = "\n".join(rows(app))
        assert "Log in again." in text
        assert f"{app.log_path}" in text
        await pilot.press("c")
        assert "Log in again." in app.clipboard
        assert "hunter2" not in app.clipboard
        await pilot.press("escape")
        assert isinstance(app.screen, FirstScreen)

    wizard(steps, first=FirstScreen())


class Numbers(WizardScreen[None]):
    def body(self) -> ComposeResult:
        yield Bar(0.0, id="none")
        yield Bar(0.9999, id="nearly")
        yield Bar(1.0, id="all")
        yield Stops(["44.3 of 63.2 GB", "no data for 20 s; trying again in 8 s", "1 s so far"])
        yield Checkbox("Verify", True)


def test_a_bar_is_full_only_at_the_end(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        text = rows(wizard_of(pilot))
        assert text[5] == f"  [{'-' * 68}]    0%"
        assert text[6] == f"  [{'#' * 67}-]   99%"
        assert text[7] == f"  [{'#' * 68}]  100%"
        assert text[8] == (
            "  44.3 of 63.2 GB      no data for 20 s; trying again in 8 s   1 s so far"
        )

    wizard(steps, first=Numbers())
    assert UTF8.bar(0, 10) == "╌" * 10
    assert UTF8.bar(1, 10) == "━" * 10
