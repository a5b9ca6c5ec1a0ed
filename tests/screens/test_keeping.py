"""Keeping a login from the Logins step: where, what will change, and nothing without a yes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import access
from screens.app import WizardApp
from screens.keeping import ChangePage, KeepPage
from screens.logins import LoginsScreen
from screens.look import Look
from screens.modals.pages import ErrorPage, TextPage
from screens.widgets.fields import Field
from screens.widgets.secret import SecretField
from screens.widgets.select import Select
from tests.screens.arrivals import settled, until
from tests.screens.login_answers import KEY, Registries, crossing_of, route, type_key
from tests.screens.windows import ASCII, in_windows

Drive = Callable[..., WizardApp]
VAULT = "a-vault-password-of-the-wizard"


@pytest.fixture
def crossing(state_dir: Path) -> Crossing:
    return crossing_of(state_dir)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Registries that take one key, and a home of the test's own."""
    monkeypatch.setattr(access, "run", Registries())
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ENROOT_SYSCONF_PATH", str(home))
    monkeypatch.chdir(home)
    return home


def files(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


async def keep_it(pilot: Pilot[None], *keys: str) -> None:
    """Type the key, after choosing on Keep it what these keys choose."""
    await settled(pilot)
    await pilot.press("tab", *keys, "shift+tab")
    await type_key(pilot)
    await settled(pilot)


async def keep_page(pilot: Pilot[None], kind: str) -> KeepPage:
    """Accepted first, then K; the place is chosen as the list does it."""
    await settled(pilot)
    await type_key(pilot)
    await until(pilot, "No login is missing")
    await settled(pilot)
    await pilot.press("k")
    await until(pilot, "Where should the login of nvcr.io be kept?")
    screen = pilot.app.screen
    assert isinstance(screen, KeepPage)
    select = screen.query_one("#kind", Select)
    if select.current != kind:
        select.current = kind
        screen.post_message(Select.Changed(select, kind))
    await settled(pilot)
    return screen


def test_what_will_change_is_shown_and_not_writing_has_the_focus(
    wizard: Drive, crossing: Crossing, home: Path
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await keep_it(pilot, "down")
        screen = pilot.app.screen
        assert isinstance(screen, ChangePage)
        shown = "\n".join(await settled(pilot))
        for wanted in (
            "Nothing is written yet.",
            "~/.docker/config.json, mode 0600: only you can read it",
            "no such file",
            "nvcr.io: login of $oauthtoken",
            "Command  airgap-tui login nvcr.io --for docker",
            "> [ Do not write ]",
            "[ Write this ]",
        ):
            assert wanted in shown
        assert KEY not in shown and files(home) == []
        await pilot.press("enter")
        shown = "\n".join(await settled(pilot))
        assert isinstance(pilot.app.screen, LoginsScreen)
        assert "Nothing was written." in shown and "this run only" in shown
        assert files(home) == []
        assert crossing.logins["nvcr.io"] is not None, "it holds for this run all the same"

    wizard(steps, route=route(crossing), at="Logins")


def test_a_login_is_kept_after_a_yes(wizard: Drive, crossing: Crossing, home: Path) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await keep_it(pilot, "down")
        pilot.app.screen.way_on.focus()  # type: ignore[attr-defined]
        await pilot.press("enter")
        shown = "\n".join(await until(pilot, "Kept in ~/.docker/config.json."))
        assert isinstance(pilot.app.screen, LoginsScreen)
        assert "this run only" not in shown and KEY not in shown
        assert "wins over" not in shown, "it stands in the place of the one that was refused"
        path = home / ".docker/config.json"
        assert list(json.loads(path.read_text())["auths"]) == ["nvcr.io"]
        assert path.stat().st_mode & 0o777 == 0o600

    wizard(steps, route=route(crossing), at="Logins")


def test_enter_on_keep_it_chooses_another_place(
    wizard: Drive, crossing: Crossing, home: Path, snapshot: Callable[..., None]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("tab", "enter")
        shown = "\n".join(await settled(pilot))
        for place in ("~/.config/enroot/.credentials", "~/.apptainer/docker-config.json"):
            assert place in shown
        snapshot(pilot.app, "keeping_places")
        await pilot.press("down", "down", "enter")
        shown = "\n".join(await settled(pilot))
        assert "(*) In ~/.config/enroot/.credentials: not encrypted" in shown
        await pilot.press("shift+tab")
        await type_key(pilot)
        shown = "\n".join(await until(pilot, "[ Write this ]"))
        assert "machine nvcr.io login $oauthtoken" in shown
        assert "machine authn.nvidia.com" in shown
        pilot.app.screen.way_on.focus()  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, "Kept in ~/.config/enroot/.credentials.")
        text = (home / ".config/enroot/.credentials").read_text()
        assert text.count(KEY) == 2
        assert files(home) == [".config/enroot/.credentials"]

    wizard(steps, route=route(crossing), at="Logins")


@in_windows("80x24", "120x40", "no_colour", look=ASCII)
def test_pictures(
    wizard: Drive,
    crossing: Crossing,
    snapshot: Callable[..., None],
    name: str,
    size: tuple[int, int],
    look: Look,
    home: Path,
) -> None:
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text('{"auths": {"reg.lan": {"auth": "bWU6eA=="}}}')

    async def steps(pilot: Pilot[None]) -> None:
        screen = await keep_page(pilot, "deepops")
        snapshot(pilot.app, f"keeping_vault_{name}")
        select = screen.query_one("#kind", Select)
        select.current = "apptainer"
        screen.post_message(Select.Changed(select, "apptainer"))
        await settled(pilot)
        snapshot(pilot.app, f"keeping_{name}")
        screen.way_on.focus()
        await pilot.press("enter")
        await until(pilot, "Do not write")
        await settled(pilot)
        snapshot(pilot.app, f"keeping_change_{name}")

    wizard(steps, route=route(crossing), at="Logins", size=size, look=look)


def test_a_new_vault_has_its_password_typed_twice(
    wizard: Drive, crossing: Crossing, home: Path
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        screen = await keep_page(pilot, "deepops")
        assert "Not yet: the vault's password is missing." in "\n".join(await settled(pilot))
        screen.query_one("#vault").focus()
        await type_key(pilot, VAULT)
        assert pilot.app.focused is screen.query_one("#again")
        await type_key(pilot, "another")
        assert "Not yet: the two passwords differ." in "\n".join(await settled(pilot))
        screen.query_one("#again", SecretField).focus()
        await pilot.press("ctrl+u")
        await type_key(pilot, VAULT)
        screen.way_on.focus()
        await pilot.press("enter")
        shown = "\n".join(await until(pilot, "[ Write this ]"))
        assert "The whole file is vaulted" in shown
        pilot.app.screen.way_on.focus()  # type: ignore[attr-defined]
        await pilot.press("enter")
        shown = "\n".join(await until(pilot, "ansible-playbook --ask-vault-pass"))
        assert isinstance(pilot.app.screen, TextPage)
        assert KEY not in shown and VAULT not in shown
        text = (home / "docker-login.yml").read_text()
        assert text.startswith("$ANSIBLE_VAULT") and KEY not in text
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, LoginsScreen)

    wizard(steps, route=route(crossing), at="Logins")


def test_a_secret_of_kubernetes_has_a_name(wizard: Drive, crossing: Crossing, home: Path) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        screen = await keep_page(pilot, "kubernetes")
        screen.query_one("#name", Field).value = "NOT A NAME"
        screen.way_on.focus()
        await pilot.press("enter")
        await until(pilot, "not a name for Kubernetes")
        assert isinstance(pilot.app.screen, ErrorPage)
        await pilot.press("escape")
        assert screen.query_one("#name", Field).value == "NOT A NAME", "back keeps what was typed"
        screen.query_one("#name", Field).value = "ngc"
        screen.query_one("#namespace", Field).value = "ml"
        await settled(pilot)
        assert screen.command == (
            "airgap-tui login nvcr.io --for kubernetes --name ngc --namespace ml"
        )
        screen.way_on.focus()
        await pilot.press("enter")
        await until(pilot, "[ Write this ]")
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, KeepPage) and files(home) == []
        screen.way_on.focus()
        await pilot.press("enter")
        await until(pilot, "[ Write this ]")
        pilot.app.screen.way_on.focus()
        await pilot.press("enter")
        shown = "\n".join(await until(pilot, "What to do next"))
        assert KEY not in shown
        assert files(home) == ["pull-nvcr.io.yaml"]
        assert "namespace: ml" in (home / "pull-nvcr.io.yaml").read_text().replace('"', "")

    wizard(steps, route=route(crossing), at="Logins")


def test_a_file_that_cannot_be_changed_is_told(
    wizard: Drive, crossing: Crossing, home: Path
) -> None:
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text("{ broken")

    async def steps(pilot: Pilot[None]) -> None:
        await keep_it(pilot, "down")
        shown = "\n".join(await settled(pilot))
        assert isinstance(pilot.app.screen, ErrorPage)
        assert "is not JSON" in shown
        await pilot.press("escape")
        assert "No login is missing" in "\n".join(await settled(pilot))
        assert (home / ".docker/config.json").read_text() == "{ broken"

    wizard(steps, route=route(crossing), at="Logins")


def test_another_login_that_wins_is_told(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NGC_API_KEY", "nvapi-another-and-older")

    async def steps(pilot: Pilot[None]) -> None:
        await keep_it(pilot, "down")
        pilot.app.screen.way_on.focus()  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, "NGC_API_KEY wins over it whenever this program starts anew.")

    wizard(steps, route=route(crossing), at="Logins")
