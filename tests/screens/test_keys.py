"""Keys: the same everywhere, letters only outside text fields, told as they are."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.pilot import Pilot

from screens.app import WizardApp
from screens.base import WizardScreen
from screens.keys import key
from screens.modals.question import Question
from screens.widgets.controls import Button, Checkbox, Row
from screens.widgets.fields import Field
from screens.widgets.pane import TextPane
from screens.widgets.secret import SecretField
from screens.widgets.table import Table
from screens.widgets.text import Line
from tests.screens.conftest import rows
from tests.screens.gallery import SaveScreen, offline, online
from tests.screens.key_list import key_table
from tests.screens.test_frame import wizard_of

Drive = Callable[..., WizardApp]


class Form(WizardScreen[None]):
    """A text field, a secret and a button, without a table."""

    title_text = "Form"
    help_text = "What a form is for."
    BINDINGS = [key("s", "count", "count")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.counted = 0

    def body(self) -> ComposeResult:
        yield Field("Name", id="name", enter="look up")
        yield SecretField("Key", id="key", enter="test")
        yield Row(Checkbox("Verify", id="verify", label="Then"), Button("Add", id="add"))

    def action_count(self) -> None:
        self.counted += 1


def test_letters_act_only_outside_text_fields(wizard: Drive) -> None:
    form = Form()

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("s", "S", "question_mark")
        assert form.query_one("#name", Field).value == "sS?"
        await pilot.press("tab", "s")
        assert form.query_one("#key", SecretField).secret == "s"
        assert form.counted == 0
        await pilot.press("tab", "s", "S")
        assert form.counted == 2
        assert pilot.app.screen is form
        await pilot.press("question_mark")
        assert "What a form is for." in "\n".join(rows(wizard_of(pilot)))

    wizard(steps, first=form)


def test_the_footer_tells_what_works_where_the_focus_is(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        assert rows(app)[23].split("  F1")[0].strip() == "Tab next   Enter look up   Esc back"
        await pilot.press("tab")
        assert rows(app)[23].split("  F1")[0].strip() == "Tab next   Enter test   Esc back"
        await pilot.press("tab")
        assert rows(app)[23].split("  F1")[0].strip() == "Space choose   S count   Esc back"

    wizard(steps, first=Form())


def test_f1_lists_the_keys_of_this_place(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        await pilot.press("f1")
        assert "Help for Save." in rows(app)[3]
        told = app.screen.query_one(TextPane).text.splitlines()
        for line in (["Enter", "details"], ["T", "layers"], ["F10", "leave"]):
            assert line in [row.split() for row in told]
        await pilot.press("f1", "escape")
        assert isinstance(app.screen, SaveScreen)

    wizard(steps, route=online(), at="Save")


def test_f10_ends_the_program_from_a_question_too(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        app.push_screen(Question("Stop?", "Go on", "Stop"))
        await pilot.pause()
        await pilot.press("f10")
        await pilot.pause()

    app = wizard(steps, route=online(), at="Save")
    assert app._exit
    assert app.return_code == 0


def test_up_and_down_scroll_the_one_table_while_a_button_has_the_focus(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        table = app.screen.query_one(Table)
        await pilot.press("tab")
        assert "> [ Next: Logins ]" in rows(app)[22]
        current = table.current
        await pilot.press("down", "down")
        assert "Rows 3 to 10 of 17" in rows(app)[18]
        await pilot.press("pagedown")
        assert "Rows 10 to 17 of 17" in rows(app)[18]
        await pilot.press("pageup", "pageup")
        assert "Rows 1 to 8 of 17" in rows(app)[18]
        assert table.current == current

    wizard(steps, route=online(), at="Images")


def test_arrows_move_the_focus_where_nothing_scrolls(wizard: Drive) -> None:
    form = Form()

    async def steps(pilot: Pilot[None]) -> None:
        await pilot.press("tab", "tab", "down")
        assert form.focused is form.query_one("#add")
        await pilot.press("up")
        assert form.focused is form.query_one("#verify")

    wizard(steps, first=form)


def test_the_palette_has_steps_themes_and_the_log(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        app.show_step("Open")
        app.show_step("Destination")
        app.log_path = app.settings.state_dir / "log"
        app.log_path.parent.mkdir(parents=True)
        app.log_path.write_text("one\ntwo \x1b[31m\n")
        await pilot.pause()
        await pilot.press("ctrl+p", *"log", "enter")
        await pilot.pause()
        assert rows(app)[5:7] == ["  one", "  two ?[31m"]
        await pilot.press("escape", "ctrl+p", *"theme light", "enter")
        assert app.theme == "light"
        await pilot.press("ctrl+p", *"open", "enter")
        await pilot.pause()
        assert "[1 Open]" in rows(app)[1]

    wizard(steps, route=offline(), at="Destination")

    async def nothing(_pilot: Pilot[None]) -> None:
        pass

    assert wizard(nothing, route=offline()).theme == "light"


def test_the_key_table_comes_from_the_bindings() -> None:
    table = key_table(SaveScreen, Table)
    assert ("S", "stop") in table
    assert ("F10", "quit") in table
    assert ("/", "filter") in table


def test_a_sentence_stands_in_place_of_the_keys(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        app.notify("Saved [b]to[/b] disk")
        await pilot.pause()
        assert rows(app)[23].startswith("  Saved [b]to[/b] disk  ")
        assert rows(app)[23].endswith("F1 help   F10 quit")

    wizard(steps, first=Form())


class Long(WizardScreen[None]):
    """More rows than there is room, and a button at the end."""

    def body(self) -> ComposeResult:
        for number in range(30):
            yield Line(f"line {number}")
        yield Button("At the end", id="end")


def test_a_body_that_is_too_long_scrolls_to_the_focus(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await pilot.pause()
        assert "> [ At the end ]" in rows(wizard_of(pilot))[19]

    wizard(steps, first=Long())
