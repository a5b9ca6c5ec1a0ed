"""The page with all logins of the machine: which wins, what is wrong, tests, files to be read."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key
from textual.pilot import Pilot

from airgap_tui.engine.errors import AccessDenied
from airgap_tui.engine.guide import login_list
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import access
from screens.all_logins import AllLoginsPage
from screens.app import WizardApp
from screens.logins import LoginsScreen
from screens.look import Look
from screens.modals.pages import ErrorPage
from screens.modals.question import Prompt, SecretPrompt
from screens.widgets.fields import Field
from screens.widgets.secret import SecretField
from screens.widgets.table import Table
from tests.screens.arrivals import settled, until
from tests.screens.login_answers import KEY, PRIVATE, Registries, crossing_of, route, type_key
from tests.screens.windows import ASCII, in_windows

Drive = Callable[..., WizardApp]
SECRET = "a-password-of-the-list"
FILES = Path(__file__).parents[1] / "engine/credentials/files"
VAULT = "fixture-vault-password"


@pytest.fixture
def crossing(state_dir: Path) -> Crossing:
    return crossing_of(state_dir)


@pytest.fixture(autouse=True)
def registries(monkeypatch: pytest.MonkeyPatch) -> Registries:
    made = Registries()
    monkeypatch.setattr(access, "run", made)
    return made


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two logins for one registry, one that is a command, one file that is broken."""
    home = tmp_path / "home"
    for folder in (".docker", ".config/containers", ".config/enroot"):
        (home / folder).mkdir(parents=True)
    auth = base64.b64encode(f"me:{SECRET}".encode()).decode()
    auths = {"nvcr.io": {"auth": auth}, "reg.lan": {"auth": auth}}
    (home / ".docker/config.json").write_text(json.dumps({"auths": auths}))
    (home / ".config/containers/auth.json").write_text("{ broken")
    (home / ".config/enroot/.credentials").write_text(
        f"machine only.lan login you password $(echo {SECRET})\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NGC_API_KEY", KEY)
    monkeypatch.setenv("ENROOT_SYSCONF_PATH", str(home))
    return home


async def open_page(pilot: Pilot[None]) -> list[str]:
    await until(pilot, "No login is missing")
    await settled(pilot)
    await pilot.press("l")
    await until(pilot, "None of them has been tried yet.")
    return await settled(pilot)


@in_windows("80x24", "120x40", "no_colour", look=ASCII)
def test_every_login_with_its_source(
    wizard: Drive,
    crossing: Crossing,
    snapshot: Callable[..., None],
    name: str,
    size: tuple[int, int],
    look: Look,
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        shown = "\n".join(await open_page(pilot))
        for wanted in ("NGC_API_KEY", "Wins", "Shadowed", "Not used", "Problem", "only.lan"):
            assert wanted in shown
        assert "3 logins for 2 registries." in shown
        assert "Wins over ~/.docker/config.json." in shown
        assert SECRET not in shown and KEY not in shown
        snapshot(pilot.app, f"all_logins_{name}")

    wizard(steps, route=route(crossing), at="Logins", size=size, look=look)


def test_what_is_wrong_comes_with_a_remedy(wizard: Drive, crossing: Crossing) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await open_page(pilot)
        await pilot.press("down")
        assert "NGC_API_KEY wins over it for nvcr.io." in "\n".join(await settled(pilot))
        await pilot.press("down")
        shown = " ".join("\n".join(await settled(pilot)).split())
        assert "Not used: its password is a command" in shown
        assert "airgap-tui login only.lan" in shown and SECRET not in shown
        await pilot.press("end")
        shown = " ".join("\n".join(await settled(pilot)).split())
        assert "auth.json is not JSON" in shown and "Fix it, or log in again." in shown

    wizard(steps, route=route(crossing), at="Logins")


def test_trying_them_asks_for_every_image(
    wizard: Drive, crossing: Crossing, registries: Registries, snapshot: Callable[..., None]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await open_page(pilot)
        assert registries.tried == [], "nothing is sent before"
        registries.errors[PRIVATE] = AccessDenied(
            f"{PRIVATE}: no access, or no such image (403)", registry="nvcr.io", status=403
        )
        await pilot.press("t")
        await until(pilot, "3 logins for 2 registries. 1 image cannot be read.")
        shown = " ".join("\n".join(await settled(pilot)).split())
        assert "Accepted" in shown
        assert "11 of 12 chosen images can be read. 1 image cannot be read: no access" in shown
        assert registries.tried == [KEY]
        snapshot(pilot.app, "all_logins_tried")
        await pilot.press("enter")
        shown = "\n".join(await settled(pilot))
        assert "$oauthtoken from NGC_API_KEY: wins, accepted" in shown
        assert f"  {PRIVATE}" in shown and "Can be read (11 images)" in shown
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, AllLoginsPage)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, LoginsScreen)

    wizard(steps, route=route(crossing), at="Logins")


async def read_file(pilot: Pilot[None], path: Path) -> None:
    await pilot.press("f")
    await settled(pilot)
    prompt = pilot.app.screen
    assert isinstance(prompt, Prompt)
    prompt.query_one(Field).value = str(path)
    await pilot.press("enter")
    await settled(pilot)


def test_a_vaulted_file_asks_for_its_password(
    wizard: Drive, crossing: Crossing, home: Path
) -> None:
    vaulted = home / "vault-1.2.yml"
    vaulted.write_bytes((FILES / "vault-1.2.yml").read_bytes())

    async def steps(pilot: Pilot[None]) -> None:
        await open_page(pilot)
        await read_file(pilot, vaulted)
        assert isinstance(pilot.app.screen, SecretPrompt)
        shown = "\n".join(await settled(pilot))
        assert "~/vault-1.2.yml is in an Ansible Vault." in shown
        await type_key(pilot, "wrong")
        await until(pilot, "does not open the vault")
        assert isinstance(pilot.app.screen, ErrorPage)
        await pilot.press("escape")
        await read_file(pilot, vaulted)
        await type_key(pilot, VAULT)
        shown = "\n".join(await until(pilot, "of vault-1.2.yml for this run."))
        shown = "\n".join(await settled(pilot))
        assert VAULT not in shown
        given = crossing.logins["nvcr.io"]
        assert given is not None and given.secret not in shown
        assert given.origin.endswith("vault-1.2.yml")
        assert "Wins over NGC_API_KEY and 1 more." in shown
        assert crossing.access is None, "the images are to be asked for anew"

    wizard(steps, route=route(crossing), at="Logins")


def test_a_path_and_a_password_in_one_burst(wizard: Drive, crossing: Crossing, home: Path) -> None:
    """The password is the vault's, or nobody's: it opens nothing, and shows nowhere."""
    (home / "vault-1.2.yml").write_bytes((FILES / "vault-1.2.yml").read_bytes())

    async def steps(pilot: Pilot[None]) -> None:
        await open_page(pilot)
        for name, comes in (("vault-1.2.yml", "of vault-1.2.yml for this run."), ("no", "no file")):
            await pilot.press("f")
            await pilot.pause()
            for key in (*f"~/{name}", "enter", *VAULT, "enter"):
                pilot.app.post_message(Key(key, key if len(key) == 1 else None))
            shown = "\n".join(await until(pilot, comes))
            assert VAULT[:4] not in shown
        assert isinstance(pilot.app.screen, ErrorPage)
        await pilot.press("escape")
        assert pilot.app.screen.query_one(Table).has_focus, "keys are taken again"

    wizard(steps, route=route(crossing), at="Logins")


def test_a_file_of_no_known_kind_is_told(wizard: Drive, crossing: Crossing, home: Path) -> None:
    (home / "letter.txt").write_text("Dear all,\n")

    async def steps(pilot: Pilot[None]) -> None:
        await open_page(pilot)
        await read_file(pilot, home / "letter.txt")
        assert "is not a file with logins of a known format" in "\n".join(await settled(pilot))
        await pilot.press("escape")
        await read_file(pilot, home / "missing.txt")
        assert "there is no file" in "\n".join(await settled(pilot))
        assert crossing.logins == {}

    wizard(steps, route=route(crossing), at="Logins")


def test_nothing_at_all(
    wizard: Drive, crossing: Crossing, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, "No login is missing")
        await settled(pilot)
        monkeypatch.delenv("NGC_API_KEY")
        monkeypatch.setenv("HOME", str(home / "nobody"))
        await pilot.press("l")
        await until(pilot, "No registry has a login here; public images need none.")
        await settled(pilot)
        assert not pilot.app.screen.query_one(Table).rows
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, LoginsScreen), "the way back has the focus"

    wizard(steps, route=route(crossing), at="Logins")


def test_letters_are_text_in_the_secret_field(wizard: Drive, crossing: Crossing) -> None:
    crossing.logins["nvcr.io"] = None

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        secret = pilot.app.screen.query_one("#secret", SecretField)
        secret.focus()
        await pilot.press("l", "k", "r")
        assert secret.secret == "lkr"
        assert isinstance(pilot.app.screen, LoginsScreen)

    wizard(steps, route=route(crossing), at="Logins")


def test_t_pressed_while_they_are_read_tries_them(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, look = threading.Event(), login_list.look

    def slow(*arguments: Any, test: bool) -> Any:
        if not test:
            answer.wait(30)
        return look(*arguments, test=test)

    monkeypatch.setattr(login_list, "look", slow)

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        pilot.app.push_screen(AllLoginsPage(pilot.app.screen, crossing))  # type: ignore[arg-type]
        await until(pilot, "Reading what there is ..")
        await pilot.press("t")
        assert any("--test" in row for row in await until(pilot, "only.lan"))
        answer.set()

    wizard(steps, route=route(crossing), at="Logins")
