"""The Logins step: what each registry says, a refused key, another one, and leaving images out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key
from textual.pilot import Pilot

from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied, ConnectionFailure
from airgap_tui.engine.guide.answers import Collection, Wish
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import access, login
from airgap_tui.engine.jobs.access import (
    AccessResult,
    AccessSpec,
    ImageAccess,
    LoginStanding,
    RegistryAccess,
)
from airgap_tui.engine.jobs.login import LoginResult, LoginSpec
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.settings import Settings
from screens.app import WizardApp
from screens.logins import LoginsScreen
from screens.look import Look
from screens.steps import Route
from screens.widgets.fields import Field, SecretField
from tests.screens.arrivals import settled
from tests.screens.conftest import ASCII
from tests.screens.gallery import PlaceholderScreen

Drive = Callable[..., WizardApp]
PUBLIC = [Reference.parse(f"nvcr.io/nvidia/image-{number}:1") for number in range(11)]
PRIVATE = Reference.parse("nvcr.io/nim/meta/llama3-8b-instruct:1.0.3")
HUB = Reference.parse("docker.io/library/registry:2")
REFUSED = AccessDenied(
    "nvcr.io refused this key (401): it is wrong, revoked or expired", registry="nvcr.io"
)
KEY = "nvapi-right-and-secret"


def answers(*, right: bool) -> AccessResult:
    private = ImageAccess(PRIVATE, None if right else REFUSED)
    nvcr = RegistryAccess(
        "nvcr.io",
        LoginStanding.ACCEPTED if right else LoginStanding.REFUSED,
        (*(ImageAccess(reference) for reference in PUBLIC), private),
        "$oauthtoken",
        "this run only" if right else "~/.docker/config.json",
        None if right else REFUSED,
    )
    hub = RegistryAccess("docker.io", LoginStanding.NOT_NEEDED, (ImageAccess(HUB),))
    return AccessResult((hub, nvcr))


@pytest.fixture
def crossing(state_dir: Path) -> Crossing:
    settings = Settings(state_dir=state_dir)
    made = Crossing(settings)
    wishes = tuple(Wish(reference) for reference in (*PUBLIC, PRIVATE, HUB))
    made.collection = Collection(wishes, settings=settings)
    return made


@pytest.fixture(autouse=True)
def registries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Registries that take one key; the list has the keys that were tried."""
    tried: list[str] = []

    def asked(
        spec: AccessSpec, _sink: object, _token: object, credentials: CredentialStore
    ) -> AccessResult:
        known = credentials.find("nvcr.io")
        result = answers(right=known is not None and known.secret == KEY)
        wanted = set(spec.references)
        return AccessResult(
            tuple(
                RegistryAccess(
                    one.registry,
                    one.standing,
                    tuple(image for image in one.images if image.reference in wanted),
                    one.username,
                    one.origin,
                    one.refusal,
                )
                for one in result.registries
            )
        )

    def tested(spec: LoginSpec, _sink: object, _token: object, *, secret: str) -> LoginResult:
        tried.append(secret)
        if secret != KEY:
            raise REFUSED
        return LoginResult(spec.registry, spec.username, "")

    monkeypatch.setattr(access, "run", asked)
    monkeypatch.setattr(login, "run", tested)
    return tried


def route(crossing: Crossing) -> Route:
    makers: dict[str, Any] = {"Images": partial(PlaceholderScreen, "Images")}
    makers["Logins"] = partial(LoginsScreen, crossing)
    for name in ("Review", "Save", "Verify"):
        makers[name] = partial(PlaceholderScreen, name)
    return Route("Online side", makers)


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
    wizard: Drive, crossing: Crossing, registries: list[str]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press(*"wrong", "enter")
        shown = "\n".join(await settled(pilot))
        assert "Refused" in shown and "wrong" not in shown.replace("it is wrong", "")
        await pilot.press("ctrl+u", *("minus" if c == "-" else c for c in KEY), "enter")
        shown = "\n".join(await settled(pilot))
        assert "All 13 images can be read. No login is missing." in shown
        assert KEY not in shown
        assert crossing.logins["nvcr.io"] is not None
        assert registries == ["wrong", KEY]
        assert pilot.app.focused is pilot.app.screen.way_on  # type: ignore[attr-defined]
        await pilot.press("enter")
        assert not isinstance(pilot.app.screen, LoginsScreen)

    wizard(steps, route=route(crossing), at="Logins")


def test_keys_that_come_in_one_burst_keep_their_order(wizard: Drive, crossing: Crossing) -> None:
    """A slow line delivers them so; a secret must not land in the field before."""

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        user = pilot.app.screen.query_one("#user", Field)
        user.value = ""
        user.focus()
        await pilot.pause()
        for letter in ("r", "o", "b", "tab", "s", "3", "c", "tab"):
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


def test_an_empty_key_is_not_sent(wizard: Drive, crossing: Crossing, registries: list[str]) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("enter")
        assert "Nothing is typed yet" in "\n".join(await settled(pilot))
        assert registries == []

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


@pytest.mark.parametrize(
    ("name", "size", "look"),
    [("120x40", (120, 40), ASCII), ("no_colour", (80, 24), Look(ansi=True))],
)
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
