"""The Logins step: what each registry says, a refused key, another one, and leaving images out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key, Paste
from textual.pilot import Pilot

from airgap_tui.engine.errors import AccessDenied, ConnectionFailure
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import access
from airgap_tui.engine.jobs.access import (
    AccessResult,
    AccessSpec,
    ImageAccess,
    LoginStanding,
    RegistryAccess,
)
from airgap_tui.engine.oci.reference import Reference
from screens.app import WizardApp
from screens.logins import LoginsScreen
from screens.look import Look
from screens.modals.login import LoginPrompt
from screens.widgets.fields import Field
from screens.widgets.secret import SecretField
from screens.widgets.table import Table
from tests.screens.arrivals import settled, until
from tests.screens.conftest import drawing, rows
from tests.screens.login_answers import (
    HUB,
    KEY,
    PRIVATE,
    PUBLIC,
    Registries,
    crossing_of,
    route,
    type_key,
)
from tests.screens.typist import typed_ahead
from tests.screens.windows import ASCII, in_windows

Drive = Callable[..., WizardApp]


@pytest.fixture
def crossing(state_dir: Path) -> Crossing:
    return crossing_of(state_dir)


@pytest.fixture(autouse=True)
def registries(monkeypatch: pytest.MonkeyPatch) -> Registries:
    made = Registries()
    monkeypatch.setattr(access, "run", made)
    return made


def test_it_is_as_drawn(wizard: Drive, crossing: Crossing) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        assert await settled(pilot) == drawing("4_logins")

    wizard(steps, route=route(crossing, "Export"), at="Logins")


def test_a_refused_key_shuts_next_and_the_form_has_the_focus(
    wizard: Drive, crossing: Crossing, snapshot: Callable[..., None]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        assert "1 of 13 cannot be read yet" in shown[3]
        assert "Not yet: 1 image cannot be read." in shown[22]
        text = "\n".join(shown)
        assert "$oauthtoken, refused" in text and "11 of 12" in text
        assert str(PRIVATE) in text
        assert isinstance(pilot.app.focused, SecretField)
        snapshot(pilot.app, "logins_80x24")

    wizard(steps, route=route(crossing), at="Logins")


def test_a_wrong_key_is_told_and_a_right_one_opens_the_way(
    wizard: Drive, crossing: Crossing, registries: Registries
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press(*"wrong", "enter")
        shown = "\n".join(await settled(pilot))
        assert "Refused" in shown and "wrong" not in shown.replace("it is wrong", "")
        await pilot.press("ctrl+u")
        await type_key(pilot)
        shown = "\n".join(await settled(pilot))
        assert "All 13 images can be read. No login is missing." in shown
        assert KEY not in shown
        assert crossing.logins["nvcr.io"] is not None
        assert registries.tried == ["wrong", KEY]
        assert pilot.app.focused is pilot.app.screen.way_on  # type: ignore[attr-defined]
        await pilot.press("enter")
        assert not isinstance(pilot.app.screen, LoginsScreen)

    wizard(steps, route=route(crossing), at="Logins")


@pytest.mark.parametrize("onward", ["tab", "enter"])
def test_keys_that_come_in_one_burst_keep_their_order(
    wizard: Drive, crossing: Crossing, onward: str
) -> None:
    """A slow line delivers them so; a secret must not land in the field before."""

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        user = pilot.app.screen.query_one("#user", Field)
        user.value = ""
        user.focus()
        await pilot.pause()
        for letter in ("r", "o", "b", onward, "s", "3", "c", "tab"):
            pilot.app.post_message(Key(letter, letter if len(letter) == 1 else None))
        await pilot.pause(0.2)
        secret = pilot.app.screen.query_one("#secret", SecretField)
        assert (user.value, secret.secret) == ("rob", "s3c")

    wizard(steps, route=route(crossing), at="Logins")


def test_what_cannot_be_read_is_left_out_and_the_refused_login_is_not_used(
    wizard: Drive, crossing: Crossing
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        pilot.app.screen.query_one("#leave").focus()
        await pilot.press("enter")
        shown = "\n".join(await settled(pilot))
        assert PRIVATE not in crossing.collection.chosen
        assert "12 images can be read" in shown
        pilot.app.screen.way_on.focus()  # type: ignore[attr-defined]
        await pilot.press("enter")
        await pilot.pause()
        assert crossing.logins == {"nvcr.io": None}, "spoken to without the refused login"

    wizard(steps, route=route(crossing), at="Logins")


def test_an_empty_key_is_not_sent(
    wizard: Drive, crossing: Crossing, registries: Registries
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("enter")
        assert "Nothing is typed yet" in "\n".join(await settled(pilot))
        assert registries.tried == []

    wizard(steps, route=route(crossing), at="Logins")


def test_a_registry_that_does_not_answer_wants_no_login(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = ConnectionFailure("nvcr.io did not answer in time", hint="Check the proxy.")
    silent = RegistryAccess(
        "nvcr.io", LoginStanding.UNKNOWN, (ImageAccess(PRIVATE, away),), refusal=away
    )
    monkeypatch.setattr(access, "run", lambda *_arguments: AccessResult((silent,)))

    async def steps(pilot: Pilot[None]) -> None:
        shown = "\n".join(await settled(pilot))
        assert "did not answer in time" in shown and "Check the proxy." in shown
        assert "Password" not in shown and "NGC key" not in shown
        assert "Ask again" in shown and "Leave out 1 image" in shown

    wizard(steps, route=route(crossing), at="Logins")


@pytest.mark.parametrize("onward", ["tab", "enter"])
def test_the_prompt_for_a_login_keeps_a_burst_in_order_too(wizard: Drive, onward: str) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        prompt = LoginPrompt("A login.", "reg.lan")
        pilot.app.push_screen(prompt)
        await pilot.pause()
        for letter in ("r", "o", "b", onward, "s", "3", "c", "tab"):
            pilot.app.post_message(Key(letter, letter if len(letter) == 1 else None))
        await pilot.pause(0.2)
        assert prompt.query_one(Field).value == "rob"
        assert prompt.query_one(SecretField).secret == "s3c"

    wizard(steps)


def test_name_and_password_pasted_as_two_lines_are_two_fields(wizard: Drive) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        prompt = LoginPrompt("A login.", "reg.lan")
        pilot.app.push_screen(prompt)
        await pilot.pause()
        pilot.app.post_message(Paste("rob\ns3cret\n"))
        await pilot.pause(0.2)
        assert prompt.query_one(Field).value == "rob"
        assert prompt.query_one(SecretField).secret == "s3cret"

    wizard(steps)


def test_every_image_is_tried_and_each_cause_told_once(
    wizard: Drive, crossing: Crossing, registries: Registries, snapshot: Callable[..., None]
) -> None:
    """The key is right, and the account lacks rights: told with the count, and which."""
    for one in PUBLIC[:3]:
        registries.errors[one] = AccessDenied(
            f"{one}: no access, or no such image (403)", registry="nvcr.io", status=403
        )
    where = "https://catalog.ngc.nvidia.com/orgs/nim/containers/llama3-8b-instruct"
    registries.errors[PRIVATE] = AccessDenied(
        f"{PRIVATE}: accept its licence first, at {where} (412)", registry="nvcr.io", status=412
    )

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await type_key(pilot)
        shown = "\n".join(await settled(pilot))
        assert "4 of 13 cannot be read yet" in shown and "$oauthtoken, accepted" in shown
        assert "3 images cannot be read: no access, or no such image (403); 1 more for" in shown
        assert f"{PUBLIC[0]} and 3 others" in shown
        assert shown.count("403") == 1
        snapshot(pilot.app, "logins_causes")
        pilot.app.screen.query_one(Table).focus()
        await pilot.press("enter")
        shown = "\n".join(await settled(pilot))
        assert "(3 images)" in shown and all(str(one) in shown for one in PUBLIC[:3])
        assert "Can be read (8 images)" in shown and "accept its licence first" in shown
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, LoginsScreen)

    wizard(steps, route=route(crossing), at="Logins")


def test_which_login_wins_is_told(
    wizard: Drive, crossing: Crossing, registries: Registries
) -> None:
    registries.shadows = ("~/.config/enroot/.credentials",)

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        assert shown[8].strip() == (
            "~/.docker/config.json wins over ~/.config/enroot/.credentials."
        )
        await type_key(pilot)
        shown = await settled(pilot)
        assert (
            shown[8].strip() == "The login for this run wins over ~/.docker/config.json and 1 more."
        )

    wizard(steps, route=route(crossing), at="Logins")


def test_a_long_list_of_registries_leaves_the_form_whole(wizard: Drive, state_dir: Path) -> None:
    more = [Reference.parse(f"registry-{n}.example.org:5000/a/b:1") for n in range(9)]
    crossing = crossing_of(state_dir, *more)

    async def steps(pilot: Pilot[None]) -> None:
        shown = "\n".join(await settled(pilot))
        for wanted in ("NGC key", "Keep it", "In ~/.docker/config.json", "[ Test key ]"):
            assert wanted in shown
        assert "! nvcr.io" in shown and "> NGC key" in shown
        table = pilot.app.screen.query_one(Table)
        assert table.size.height == 4, "three of them are seen at least"

    wizard(steps, route=route(crossing), at="Logins")


def test_asking_again(wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = RegistryAccess("docker.io", LoginStanding.NOT_NEEDED, (ImageAccess(HUB),))

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        monkeypatch.setattr(access, "run", lambda *_arguments: AccessResult((hub,)))
        await pilot.press("r")
        assert "1 of 13 cannot be read yet" in "\n".join(await settled(pilot)), "r is a letter"
        pilot.app.screen.query_one(Table).focus()
        await pilot.press("r")
        assert "The image can be read. No login is missing." in "\n".join(await settled(pilot))

    wizard(steps, route=route(crossing), at="Logins")


def test_all_is_well(wizard: Drive, crossing: Crossing, snapshot: Callable[..., None]) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await type_key(pilot)
        await until(pilot, "No login is missing")
        await settled(pilot)
        snapshot(pilot.app, "logins_well")

    wizard(steps, route=route(crossing), at="Logins")


@in_windows("120x40", look=ASCII)
def test_pictures(
    wizard: Drive,
    crossing: Crossing,
    snapshot: Callable[..., None],
    name: str,
    size: tuple[int, int],
    look: Look,
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        snapshot(pilot.app, f"logins_{name}")

    wizard(steps, route=route(crossing), at="Logins", size=size, look=look)


def test_enter_is_not_lost_while_the_registries_are_asked(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = RegistryAccess("docker.io", LoginStanding.NOT_NEEDED, (ImageAccess(HUB),))
    answer = threading.Event()

    def run(*_arguments: object) -> AccessResult:
        answer.wait(30)
        return AccessResult((hub,))

    monkeypatch.setattr(access, "run", run)

    async def steps(pilot: Pilot[None]) -> None:
        shown = await until(pilot, "Asking for 13 images")
        assert shown[22].endswith("Not yet: the registries are being asked. > Next: Review")
        typed_ahead(pilot, "enter")
        await until(pilot, "Goes on as soon as that is known.")
        answer.set()
        await until(pilot, "[3 Review]")

    wizard(steps, route=route(crossing), at="Logins")


def test_asking_again_leaves_the_focus_on_the_way_on(
    wizard: Drive, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its button goes with the form; Enter pressed twice must not lead back."""
    denied = AccessDenied("no route to nvcr.io")
    nvcr = RegistryAccess("nvcr.io", LoginStanding.UNKNOWN, (ImageAccess(PRIVATE, denied),))
    monkeypatch.setattr(access, "run", lambda *_arguments: AccessResult((nvcr,)))

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        pilot.app.screen.query_one("#again").focus()
        await pilot.pause()
        typed_ahead(pilot, "enter", "enter")
        await settled(pilot)
        assert "[2 Logins]" in rows(pilot.app)[1]  # type: ignore[arg-type]

    wizard(steps, route=route(crossing_of(state_dir)), at="Logins")


def test_a_key_that_is_corrected_while_the_first_is_tried_is_tried_too(
    wizard: Drive, crossing: Crossing, registries: Registries, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, tried = threading.Event(), access.run

    def slow(spec: AccessSpec, *rest: Any) -> AccessResult:
        if spec.registries:
            answer.wait(30)
        return tried(spec, *rest)

    monkeypatch.setattr(access, "run", slow)

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await type_key(pilot, "wrong")
        await pilot.press("ctrl+u")
        await type_key(pilot)
        answer.set()
        await until(pilot, "No login is missing")

    wizard(steps, route=route(crossing), at="Logins")
