"""The Images step: what is typed, pasted or read, chosen and removed, and when Next opens."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.settings import Settings
from screens.app import WizardApp
from screens.images import ImagesScreen
from screens.modals.pages import ErrorPage
from screens.steps import Route
from screens.widgets.fields import Field
from tests.screens.arrivals import until
from tests.screens.conftest import rows
from tests.screens.gallery import FirstScreen, PlaceholderScreen

Drive = Callable[..., WizardApp]
NAMES = (
    "nvcr.io/nvidia/cuda:12.9.1-base-ubuntu24.04",
    "nvcr.io/nvidia/pytorch:25.06-py3",
)


@pytest.fixture
def crossing(state_dir: Path) -> Crossing:
    return Crossing(Settings(state_dir=state_dir))


def route(crossing: Crossing) -> Route:
    makers: dict[str, Any] = {"Images": partial(ImagesScreen, crossing)}
    for name in ("Logins", "Review", "Save", "Verify"):
        makers[name] = partial(PlaceholderScreen, name)
    return Route("Online side", makers)


async def type_text(pilot: Pilot[None], text: str) -> None:
    field = pilot.app.screen.query_one("#name", Field)
    field.focus()
    field.value = text
    await pilot.pause()


def test_first_the_field_has_the_focus_and_next_is_shut(wizard: Drive, crossing: Crossing) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        shown = rows(pilot.app)  # type: ignore[arg-type]
        assert shown[5].startswith("  > Add one")
        assert "docker.io/library/registry" in "\n".join(shown), "one image is offered"
        assert "Not yet: choose at least one image." in shown[22]
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, FirstScreen)

    wizard(steps, route=route(crossing))


def test_a_name_is_judged_while_it_is_typed(wizard: Drive, crossing: Crossing) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        for text, said in (
            ("nvcr.io/nvidia/pytorch", "No tag given: this means pytorch:latest, which changes."),
            ("nvidia/PyTorch", "Not a name: capital letters are not allowed in nvidia/PyTorch"),
            ("nvcr.io/nvidia/pytorch:25.06-py3", "Name is well formed."),
            ("ubuntu:22.04 nvcr.io/nvidia/cuda:12", "2 names, well formed."),
            ("ubuntu:22.04 nvidia/X", "Not a name: capital letters are not allowed in nvidia/X"),
        ):
            await type_text(pilot, text)
            assert said in rows(pilot.app)[6]  # type: ignore[arg-type]

    wizard(steps, route=route(crossing))


def test_several_names_are_added_and_bad_ones_stay_with_their_reason(
    wizard: Drive, crossing: Crossing
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await type_text(pilot, " ".join((*NAMES, "No/Such Name*")))
        await pilot.press("enter")
        assert [str(reference) for reference in crossing.collection.chosen] == [*NAMES]
        field = pilot.app.screen.query_one("#name", Field)
        assert field.value == "No/Such Name*"
        await pilot.pause()
        said = " ".join("\n".join(rows(pilot.app)[6:8]).split())  # type: ignore[arg-type]
        assert said == "Not a name: capital letters are not allowed in Such (and 1 more)"

    wizard(steps, route=route(crossing))


def test_lines_that_arrive_as_typing_are_taken_one_by_one(
    wizard: Drive, crossing: Crossing
) -> None:
    """As over a terminal without bracketed paste: all keys are there before any name was added."""

    async def steps(pilot: Pilot[None]) -> None:
        for letter in "\r".join((NAMES[0], "No/Such", NAMES[1], "")):
            key = "enter" if letter == "\r" else letter
            pilot.app.post_message(events.Key(key, letter))
        await until(pilot, f"{len(NAMES)} of {len(NAMES) + 1} are chosen")
        assert [str(reference) for reference in crossing.collection.chosen] == [*NAMES]
        assert pilot.app.screen.query_one("#name", Field).value == "No/Such"

    wizard(steps, route=route(crossing))


def test_a_list_file_is_read_and_the_command_names_it(
    wizard: Drive, crossing: Crossing, tmp_path: Path
) -> None:
    listed = tmp_path / "images_list.txt"
    listed.write_text("# pod\n" + "\n".join(NAMES) + "\n")

    async def steps(pilot: Pilot[None]) -> None:
        pilot.app.screen.query_one("#list").focus()
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press(*"x")
        prompt = pilot.app.screen.query_one(Field)
        prompt.value = str(listed)
        await pilot.press("enter")
        await pilot.pause()
        assert len(crossing.collection.chosen) == 2
        screen = pilot.app.screen
        assert isinstance(screen, ImagesScreen)
        assert screen.command.startswith(f"airgap-tui plan -f {listed}")
        await pilot.press("space")
        assert "-f" not in screen.command, "the list says more than is chosen now"

    wizard(steps, route=route(crossing))


def test_a_list_file_with_bad_lines_gets_a_page_with_all_of_them(
    wizard: Drive, crossing: Crossing, tmp_path: Path
) -> None:
    listed = tmp_path / "bad.txt"
    listed.write_text(f"{NAMES[0]}\nNo*\n[bold]x[/bold]\n")

    async def steps(pilot: Pilot[None]) -> None:
        pilot.app.screen.query_one("#list").focus()
        await pilot.press("enter")
        await pilot.pause()
        pilot.app.screen.query_one(Field).value = str(listed)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, ErrorPage)
        text = "\n".join(rows(pilot.app))  # type: ignore[arg-type]
        assert "No*" in text and "[bold]x[/bold]" in text
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, ImagesScreen)
        assert crossing.collection.chosen == ()

    wizard(steps, route=route(crossing))


def test_choosing_removing_and_going_on(
    wizard: Drive, crossing: Crossing, snapshot: Callable[..., None]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await type_text(pilot, " ".join(NAMES))
        await pilot.press("enter")
        pilot.app.screen.query_one("#images").focus()
        await pilot.pause()
        snapshot(pilot.app, "images_80x24")
        await pilot.press("space")
        assert len(crossing.collection.chosen) == 1
        await pilot.press("a")
        assert len(crossing.collection.chosen) == 3, "A chooses all"
        await pilot.press("end", "delete")
        assert len(crossing.collection.wishes) == 2
        await pilot.press("tab", "enter")
        assert pilot.app.screen.query("#body") and pilot.app.screen is not None
        assert not isinstance(pilot.app.screen, ImagesScreen)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, ImagesScreen)
        assert len(crossing.collection.wishes) == 2, "Back keeps what was chosen"

    wizard(steps, route=route(crossing))


@pytest.mark.parametrize("size", [(120, 40)])
def test_larger_windows(
    wizard: Drive, crossing: Crossing, snapshot: Callable[..., None], size: tuple[int, int]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await type_text(pilot, " ".join(NAMES))
        await pilot.press("enter")
        await pilot.pause()
        snapshot(pilot.app, f"images_{size[0]}x{size[1]}")

    wizard(steps, route=route(crossing), size=size)
