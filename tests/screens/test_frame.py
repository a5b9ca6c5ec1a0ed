"""The frame: rows where they are drawn, one focus, ways that open and shut, sizes, looks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from screens.app import WizardApp
from screens.base import WizardScreen
from screens.look import Look
from screens.modals.question import Question
from screens.steps import Route, StepState
from screens.widgets.rows import TableRow
from screens.widgets.table import Table
from tests.screens import gallery
from tests.screens.conftest import drawing, rows
from tests.screens.gallery import offline, online
from tests.screens.windows import ASCII, UTF8, in_windows

Drive = Callable[..., WizardApp]

DRAWN = [
    ("2_images", online, "Images", "jump01", ASCII),
    ("6_save", online, "Save", "jump01", ASCII),
    ("6_save_utf8", online, "Save", "jump01", UTF8),
    ("8_destination", offline, "Destination", "mgmt01", ASCII),
]


@pytest.mark.parametrize(
    ("name", "side", "at", "host", "look"), DRAWN, ids=[case[0] for case in DRAWN]
)
def test_screens_are_as_drawn(
    wizard: Drive, name: str, side: Callable[[], Route], at: str, host: str, look: Look
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        assert rows(wizard_of(pilot)) == drawing(name)

    wizard(steps, route=side(), at=at, host=host, look=look)


@in_windows("80x24", "120x40", "ascii")
@pytest.mark.parametrize(
    ("side", "at"), [(online, "Images"), (online, "Save"), (offline, "Destination")]
)
def test_pictures(
    wizard: Drive,
    snapshot: Callable[..., None],
    side: Callable[[], Route],
    at: str,
    name: str,
    size: tuple[int, int],
    look: Look,
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        snapshot(pilot.app, f"gallery_{at.lower()}_{name}")

    wizard(steps, route=side(), at=at, size=size, look=look)


def wizard_of(pilot: Pilot[None]) -> WizardApp:
    app = pilot.app
    assert isinstance(app, WizardApp)
    return app


@pytest.mark.parametrize(
    ("side", "at"), [(online, "Images"), (online, "Save"), (offline, "Destination")]
)
def test_there_is_one_focus_mark_wherever_the_focus_is(
    wizard: Drive, side: Callable[[], Route], at: str
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        seen = set()
        for _ in range(len(app.screen.focus_chain)):
            text = "\n".join(rows(app))
            assert text.count(">") == 1, text
            seen.add(text.index(">"))
            await pilot.press("tab")
        assert len(seen) == len(app.screen.focus_chain)

    wizard(steps, route=side(), at=at)


def test_a_question_on_top_takes_the_focus_mark_with_it(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        app.push_screen(Question("Stop saving? 44.3 GB are kept.", "Go on", "Stop"))
        await pilot.pause()
        text = "\n".join(rows(app))
        assert text.count(">") == 1
        assert "> [ Go on ]   [ Stop ]" in text
        assert "Stop saving? 44.3 GB are kept." in text
        await pilot.press("escape")
        assert "  > ! nvidia/hpc-benchmarks:25.04" in "\n".join(rows(app))

    wizard(steps, route=online(), at="Save")


def test_only_the_screen_that_is_seen_goes_on_working(wizard: Drive) -> None:
    """Below a box it is seen; below another screen nobody sees it."""
    worked: list[str] = []

    class Working(WizardScreen[None]):
        title_text = "Working"

        def __init__(self, called: str) -> None:
            super().__init__()
            self._called = called

        def on_open(self) -> None:
            self.every(0.01, lambda: worked.append(self._called))

    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        lower, upper = Working("lower"), Working("upper")
        await app.push_screen(lower)
        await app.push_screen(Question("Go on?", "Yes", "No"))
        worked.clear()
        while "lower" not in worked:
            await pilot.pause(0.01)
        await pilot.press("escape")
        await app.push_screen(upper)
        assert (lower.is_current, upper.is_current) == (False, True)
        worked.clear()
        while worked.count("upper") < 5:
            await pilot.pause(0.01)
        assert "lower" not in worked

    wizard(steps)


def test_the_way_on_is_shut_with_its_reason_and_opens(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        await pilot.press("a", "a")
        assert rows(app)[22].endswith("Not yet: choose at least one image.   Next: Logins")
        assert rows(app)[3] == "  Choose the images to carry. 0 of 17 are chosen."
        await pilot.press("tab")
        assert rows(app)[22].startswith("> [ Back ]")
        await pilot.press("shift+tab", "space")
        assert rows(app)[22].endswith("[ Next: Logins ]")

    wizard(steps, route=online(), at="Images")


def test_a_screen_that_is_left_before_it_is_made_ends_nothing(wizard: Drive) -> None:
    """Enter and Esc, faster than a busy machine makes a screen."""

    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        app.push_screen(gallery.SaveScreen())
        app.pop_screen()
        await pilot.pause()
        assert not isinstance(app.screen, gallery.SaveScreen)

    wizard(steps)


def test_going_back_finds_the_answers_as_they_were(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        await pilot.press("up", "up", "space")
        before = rows(app)[5:20]
        await pilot.press("tab", "enter")
        assert "[2 Logins]" in rows(app)[1]
        await pilot.press("escape")
        assert "[1 Images]" in rows(app)[1]
        await pilot.press("shift+tab")
        assert rows(app)[5:20] == before
        await pilot.press("escape")
        assert rows(app)[1] == "  Welcome"
        assert app.side == ""

    wizard(steps, route=online(), at="Images")


def test_a_step_that_needs_the_user_is_marked(wizard: Drive) -> None:
    route = online()

    async def steps(pilot: Pilot[None]) -> None:
        route.set_state("Logins", StepState.NEEDS_YOU)
        app = wizard_of(pilot)
        screen = app.screen
        assert isinstance(screen, gallery.SaveScreen)
        screen.refresh_frame()
        await pilot.pause()
        assert rows(app)[1].startswith("  + Images   ! Logins   + Review   [4 Save]")

    wizard(steps, route=route, at="Save")


def test_too_small_a_window_says_so_and_loses_nothing(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        await pilot.resize_terminal(72, 20)
        await pilot.pause()
        assert " ".join(rows(app)).strip() == (
            "This needs 80 x 24; the window has 72 x 20. Enlarge it, or start with --plain."
        )
        await pilot.resize_terminal(9, 2)
        await pilot.pause()
        assert rows(app) == ["This", "needs 80"]
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "  > [x] nvcr.io/nvidia/pytorch              25.06-py3" in "\n".join(rows(app))

    wizard(steps, route=online(), at="Images")


def test_larger_windows_show_more_rows_and_a_rail(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        assert "Rows 1 to 8 of 17" in "\n".join(rows(app))
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        text = rows(app)
        assert "Rows 1 to 17 of 17" in "\n".join(text)
        assert [line[:20].strip() for line in text[2:13]] == [
            "[1 Images]", "now", "", "2 Logins", "to come", "", "3 Review", "to come", "",
            "4 Save", "to come",
        ]  # fmt: skip
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert rows(app) == drawing("2_images")

    wizard(steps, route=online(), at="Images")


def test_a_long_command_is_cut_on_the_screen_and_whole_on_the_clipboard(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        assert rows(app)[21].endswith("--ca ..")
        await pilot.press("ctrl+p")
        await pilot.press(*"copy")
        await pilot.press("enter")
        await pilot.pause()
        assert app.clipboard.endswith("harbor.pod.lan/ngc --ca /etc/pki/pod-ca.pem")
        assert "Copied" in rows(app)[23]

    wizard(steps, route=offline(), at="Destination")


def test_ascii_draws_nothing_else(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        app.bundle = "pöd-✓"
        for keys in (("f1",), ("escape", "ctrl+p"), ("escape",)):
            await pilot.press(*keys)
            assert "".join(rows(app)).isascii()
        app.push_screen(Question("Stopp? ●", "Go on", "Stop"))
        await pilot.pause()
        assert "".join(rows(app)).isascii()

    wizard(steps, route=online(), at="Images")


def test_without_colour_nothing_has_a_colour(
    wizard: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def steps(pilot: Pilot[None]) -> None:
        strips = wizard_of(pilot).screen._compositor.render_strips()
        styles = [segment.style for strip in strips for segment in strip if segment.style]
        filters = wizard_of(pilot)._filters
        background = wizard_of(pilot).screen.background_colors[1]
        for strip in strips:
            for line_filter in filters:
                if line_filter.enabled:
                    strip = strip.apply_filter(line_filter, background)
            for segment in strip:
                style = segment.style
                assert style is None or style.color is None or style.color.is_default
                assert style is None or style.bgcolor is None or style.bgcolor.is_default
        assert any(style.reverse for style in styles)

    wizard(steps, route=online(), at="Save", look=Look.of({"NO_COLOR": "1"}, encoding="utf-8"))


def test_outside_text_is_drawn_as_it_is(wizard: Drive) -> None:
    hostile = "[status=500, body={'a[0]'}] [/red]\x1b[2J\u202e\x9b31m"

    async def steps(pilot: Pilot[None]) -> None:
        app = wizard_of(pilot)
        screen = app.screen
        assert isinstance(screen, gallery.SaveScreen)
        screen.excerpt = screen.command = screen.onward = screen.not_yet = hostile
        app.bundle = hostile
        screen.query_one(Table).show([TableRow("x", (hostile, hostile, "-", "-"))])
        screen.say(hostile)
        await pilot.pause()
        app.show_error(ValueError(hostile))
        await pilot.pause()
        text = "\n".join(rows(app))
        assert "[status=500, body={'a[0]'}]" in text
        assert "[/red]?[2J??31m" in text
        assert text.replace("\n", "").isprintable()
        await pilot.press("escape")
        assert "".join(rows(app)).isprintable()

    wizard(steps, route=online(), at="Save", look=UTF8)
