"""Welcome: what to go on with, the two sides, this machine; and that nothing leaves it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.remembered import LAST_SIDE
from airgap_tui.engine.jobs import doctor, media
from airgap_tui.engine.jobs.check import Check, Standing
from airgap_tui.engine.jobs.doctor import DoctorResult
from airgap_tui.engine.jobs.media import FoundBundle
from airgap_tui.engine.settings import Settings
from screens.app import WizardApp
from screens.look import Look
from screens.modals.pages import TextPage
from screens.welcome import Openings, WelcomeScreen
from tests.screens.arrivals import settled
from tests.screens.conftest import rows
from tests.screens.jobs import WrittenJob, chain, saving
from tests.screens.windows import ASCII, in_windows
from tests.services import PATIENCE

Drive = Callable[..., WizardApp]
ROOT = Path(__file__).resolve().parents[2]

CHECKS = (
    Check("Disk", Standing.GOOD, "/data has 1.8 TB free"),
    Check("Docker", Standing.GOOD, "27.3 is running, and you may use it"),
    Check(
        "xorriso",
        Standing.ABSENT,
        "not found",
        "needed only to write ISO images",
        "apt install xorriso",
    ),
)


@pytest.fixture(autouse=True)
def this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "run", lambda *_arguments: DoctorResult(CHECKS))
    monkeypatch.setattr(media, "find_bundles", lambda: ())


class Opened:
    """Notes what Welcome led to."""

    def __init__(self) -> None:
        self.what: list[str] = []

    def openings(self) -> Openings:
        return Openings(
            lambda: self.what.append("online"),
            lambda places: self.what.append(" ".join(["offline", *map(str, places)])),
            lambda job: self.what.append(f"watch {job.name}"),
            lambda job: self.what.append(f"resume {job.name}"),
            lambda: self.what.append("rehearse"),
        )


@pytest.fixture
def opened() -> Opened:
    return Opened()


@pytest.fixture
def screen(state_dir: Path, opened: Opened) -> WelcomeScreen:
    return WelcomeScreen(Crossing(Settings(state_dir=state_dir)), opened.openings())


async def shown(pilot: Pilot[None]) -> list[str]:
    """The rows once this machine's checks are there."""
    end = time.monotonic() + PATIENCE
    while True:
        text = await settled(pilot)
        if not any("under way .." in row for row in text):
            return text
        assert time.monotonic() < end, "\n".join(text)
        await pilot.pause(0.02)


def test_without_earlier_work_it_begins_with_collecting(
    wizard: Drive, screen: WelcomeScreen, opened: Opened, snapshot: Callable[..., None]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        text = await shown(pilot)
        assert "> Collect images" in "\n".join(text)
        assert "Continue" not in "\n".join(text)
        assert text[22].rstrip().endswith("[ Collect images ]")
        assert "Nothing is sent over the network before you choose a side." in "\n".join(text)
        snapshot(pilot.app, "welcome_80x24")
        await pilot.press("enter")
        await pilot.press("down", "enter")
        await pilot.press("down", "enter")
        assert opened.what == ["online", "offline", "rehearse"]

    wizard(steps, first=screen, bundle="")


def test_a_running_job_comes_first_and_is_shown(
    wizard: Drive,
    screen: WelcomeScreen,
    opened: Opened,
    state_dir: Path,
    snapshot: Callable[..., None],
) -> None:
    job = WrittenJob(state_dir, chain("save", "verify"))
    job.now(saving())

    async def steps(pilot: Pilot[None]) -> None:
        text = await shown(pilot)
        assert "  > pod-2025-07" in "\n".join(text)
        assert "Save is running now" in "\n".join(text)
        assert "Show the running save" in text[22]
        assert "airgap-tui attach pod-2025-07" in text[21]
        snapshot(pilot.app, "welcome_running")
        await pilot.press("enter")
        assert opened.what == ["watch pod-2025-07"]

    wizard(steps, first=screen, bundle="")


@pytest.mark.parametrize(
    ("end", "said"),
    [("die", "Save was ended at"), ("restart_machine", "The machine restarted during save")],
)
def test_a_job_that_was_cut_short_is_offered_to_continue(
    wizard: Drive, screen: WelcomeScreen, opened: Opened, state_dir: Path, end: str, said: str
) -> None:
    job = WrittenJob(state_dir, chain("save", "verify"))
    job.now(saving())
    getattr(job, end)()

    async def steps(pilot: Pilot[None]) -> None:
        text = await shown(pilot)
        assert said in "\n".join(text)
        assert "Continue the save" in text[22]
        await pilot.press("enter")
        assert opened.what == ["resume pod-2025-07"]

    wizard(steps, first=screen, bundle="")


def test_a_bundle_on_a_disk_leads_to_the_offline_side(
    wizard: Drive, screen: WelcomeScreen, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = FoundBundle(Path("/media/usb1/pod-2025-07"), "pod-2025-07", 13, 0, 67_500_000_000)
    monkeypatch.setattr(media, "find_bundles", lambda: (found,))

    async def steps(pilot: Pilot[None]) -> None:
        text = "\n".join(await shown(pilot))
        assert "Found at /media/usb1: 13 images, 67.5 GB" in text
        await pilot.press("enter")
        assert opened.what == ["offline /media/usb1/pod-2025-07"]

    wizard(steps, first=screen, bundle="")


def test_the_side_used_last_is_the_likeliest(
    wizard: Drive, screen: WelcomeScreen, opened: Opened, state_dir: Path
) -> None:
    async def choose(pilot: Pilot[None]) -> None:
        await shown(pilot)
        await pilot.press("down", "enter")

    wizard(choose, first=screen, bundle="")
    again = WelcomeScreen(Crossing(Settings(state_dir=state_dir)), opened.openings())

    async def look(pilot: Pilot[None]) -> None:
        assert "> Bring images in" in "\n".join(await shown(pilot))

    app = wizard(look, first=again, bundle="")
    assert app.remembered.get(LAST_SIDE) == "offline"


def test_all_checks_have_a_page(wizard: Drive, screen: WelcomeScreen) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await shown(pilot)
        await pilot.press("d")
        await pilot.pause()
        assert isinstance(pilot.app.screen, TextPage)
        text = "\n".join(rows(pilot.app))  # type: ignore[arg-type]
        assert "apt install xorriso" in text
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, WelcomeScreen)

    wizard(steps, first=screen, bundle="")


@in_windows("120x40", look=ASCII)
def test_pictures(
    wizard: Drive,
    screen: WelcomeScreen,
    snapshot: Callable[..., None],
    name: str,
    size: tuple[int, int],
    look: Look,
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await shown(pilot)
        snapshot(pilot.app, f"welcome_{name}")

    wizard(steps, first=screen, bundle="", size=size, look=look)


WATCHED = textwrap.dedent(
    """
    import asyncio, socket, sys
    from pathlib import Path

    spoken = []

    def audit(event, arguments):
        if event == "socket.connect" and arguments[0].family != socket.AF_UNIX:
            spoken.append(f"connect {arguments[1]}")
        elif event == "socket.sendto":
            spoken.append(f"sendto {arguments[1]}")
        elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
            spoken.append(f"{event} {arguments[0]}")

    sys.addaudithook(audit)
    from airgap_tui.engine.settings import Settings
    from screens.look import Look
    from screens.wizard import Wizard

    async def main():
        app = Wizard(Settings(state_dir=Path(sys.argv[1])), Look(ascii=True)).app
        async with app.run_test(size=(80, 24)) as pilot:
            screen = app.screen
            await pilot.pause(1.0)
            while screen.under_way():
                await pilot.pause(0.1)
            await pilot.press("down", "d", "escape", "f1", "escape")
            await pilot.pause(0.5)
        print(*spoken, sep="\\n")

    asyncio.run(main())
    """
)


def test_nothing_is_looked_up_or_connected_to_before_a_side_is_chosen(tmp_path: Path) -> None:
    """Recorded by the interpreter's own audit events, in a process of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "HTTPS_PROXY": "http://proxy.invalid:3128",
    }
    ended = subprocess.run(
        [sys.executable, "-c", WATCHED, str(tmp_path / "state")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == ""
