"""Open: bundles on media and by path, what is inside, and the start of the verify."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, EnvironmentFailure, NotFound
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import media, worker
from airgap_tui.engine.jobs.chain import Chain
from airgap_tui.engine.jobs.media import Contents, FoundBundle
from airgap_tui.engine.jobs.verify import VerifySpec
from airgap_tui.engine.settings import Settings
from screens.app import WizardApp
from screens.look import Look
from screens.modals.pages import ErrorPage
from screens.widgets.table import Table
from tests.engine.bundle.sample_source import save
from tests.images import SampleImages
from tests.screens.arrivals import PLACE, contents, found, route, settled, until
from tests.screens.conftest import ASCII, rows
from tests.screens.jobs import NAMES, WrittenJob

Drive = Callable[..., WizardApp]
OLDER, BROKEN = Path("/media/usb1/pod-2025-06"), Path("/media/usb2/scratch")


class Disk:
    """What is mounted, and what is inside; tests change it."""

    def __init__(self) -> None:
        self.found: tuple[FoundBundle, ...] = (
            replace(found(OLDER)[0], updated="2025-06"),
            *found(PLACE),
        )
        self.inside: dict[Path, Contents | AirgapError] = {
            PLACE: contents(),
            OLDER: contents(NAMES[5:7], OLDER),
            BROKEN: EnvironmentFailure("/media/usb2/scratch: input/output error", hint="Clean it."),
        }
        self.mounted: tuple[Path, ...] = (Path("/media/usb1"),)

    def look_inside(self, path: Path, _token: CancelToken, *_rest: object) -> Contents:
        there = self.inside.get(path)
        if there is None:
            raise NotFound(f"there is no bundle at {path}", hint="Check the path.")
        if isinstance(there, AirgapError):
            raise there
        return there


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(media, "find_bundles", lambda _further: disk.found)
    monkeypatch.setattr(media, "look_inside", disk.look_inside)
    monkeypatch.setattr(media, "mount_points", lambda: disk.mounted)
    return disk


@pytest.fixture
def crossing(state_dir: Path) -> Crossing:
    return Crossing(Settings(state_dir=state_dir))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Chain]:
    """The chains that workers were started with; they only seem to work."""
    chains: list[Chain] = []

    def start(chain: Chain, _state_dir: Path, **_options: object) -> object:
        chains.append(chain)
        return WrittenJob(tmp_path / "jobs", chain).info

    monkeypatch.setattr(worker, "start", start)
    return chains


def test_the_newest_bundle_is_open_and_the_choice_has_the_focus(
    wizard: Drive, crossing: Crossing, disk: Disk, snapshot: Callable[..., None]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        assert shown[0].endswith("Bundle pod-2025-07   Host mgmt01")
        assert shown[3].strip().endswith("all 13 images are complete.")
        text = "\n".join(shown)
        assert "> (*) pod-2025-07   13 images, 67.5 GB, in /media/usb1" in text
        assert "( ) pod-2025-06" in text
        assert shown[22].endswith("[ Verify 13 images ]")
        assert shown[21].endswith("airgap-tui verify /media/usb1/pod-2025-07")
        snapshot(pilot.app, "open_80x24")

    wizard(steps, route=route(crossing), host="mgmt01")


def test_with_one_bundle_the_way_on_has_the_focus(
    wizard: Drive, crossing: Crossing, disk: Disk
) -> None:
    disk.found = found(PLACE)

    async def steps(pilot: Pilot[None]) -> None:
        assert (await settled(pilot))[22].endswith("> [ Verify 13 images ]")

    wizard(steps, route=route(crossing))


@pytest.mark.parametrize(
    ("name", "size", "look"),
    [
        ("open_120x40", (120, 40), ASCII),
        ("open_no_colour", (80, 24), Look(ascii=False, ansi=True)),
    ],
)
def test_other_windows(
    wizard: Drive,
    crossing: Crossing,
    disk: Disk,
    snapshot: Callable[..., None],
    name: str,
    size: tuple[int, int],
    look: Look,
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        snapshot(pilot.app, name)

    wizard(steps, route=route(crossing), size=size, look=look, host="mgmt01")


def test_an_incomplete_bundle_says_what_is_missing(
    wizard: Drive, crossing: Crossing, disk: Disk, snapshot: Callable[..., None]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("up")
        shown = await settled(pilot)
        assert "pod-2025-06 is not complete: 11 of 13 images can go on." in shown[3]
        assert shown[22].endswith("[ Verify 11 images ]")
        table = pilot.app.screen.query_one("#inside", Table)
        assert [row.cells[1] for row in table.rows[:3]] == [*["Not complete"] * 2, "Complete"]
        assert any("1 file of it is missing or cut short" in row for row in shown)
        snapshot(pilot.app, "open_incomplete")

    wizard(steps, route=route(crossing), host="mgmt01")


def test_nothing_on_the_media(
    wizard: Drive, crossing: Crossing, disk: Disk, snapshot: Callable[..., None]
) -> None:
    disk.found = ()

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        assert "No bundle is found on mounted media." in shown[3]
        assert shown[22].endswith("Not yet: no bundle is open.   Verify")
        assert any(row.startswith("  > Elsewhere") for row in shown)
        snapshot(pilot.app, "open_nothing")
        await pilot.press(*"/media/usb1/pod-2025-07", "enter")
        shown = await settled(pilot)
        assert shown[22].endswith("[ Verify 13 images ]")
        assert any("(*) pod-2025-07" in row for row in shown)

    wizard(steps, route=route(crossing), host="mgmt01", bundle="")


def test_a_mistyped_path_leaves_open_what_is_open(
    wizard: Drive, crossing: Crossing, disk: Disk
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("tab", "enter")
        assert any("Give the path of a directory" in row for row in await settled(pilot))
        await pilot.press(*"/nowhere", "enter")
        shown = await settled(pilot)
        assert any("There is no bundle at /nowhere. Check the path." in row for row in shown)
        assert any("Elsewhere  [/nowhere" in row for row in shown)
        assert shown[22].endswith("[ Verify 13 images ]")
        assert crossing.delivery.path == PLACE

    wizard(steps, route=route(crossing))


def test_a_bundle_that_cannot_be_read_shuts_the_way_on(
    wizard: Drive, crossing: Crossing, disk: Disk
) -> None:
    disk.found = (*found(PLACE), *found(BROKEN, problem="input/output error"))

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        assert any("scratch       Cannot be read, in /media/usb2" in row for row in shown)
        await pilot.press("down")
        shown = await settled(pilot)
        assert "This cannot be opened." in shown[3]
        assert any("input/output error. Clean it." in row for row in shown)
        assert shown[22].endswith("Not yet: no bundle is open.   Verify")
        await pilot.press("up")
        assert (await settled(pilot))[22].endswith("[ Verify 13 images ]")

    wizard(steps, route=route(crossing))


def test_a_disk_that_is_plugged_in_later_is_noticed(
    wizard: Drive, crossing: Crossing, disk: Disk
) -> None:
    everything, disk.found = disk.found, ()

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        disk.found, disk.mounted = everything, (Path("/media/usb1"), Path("/media/usb2"))
        await until(pilot, "[ Verify 13 images ]")

    wizard(steps, route=route(crossing))


def test_verify_is_started_once_and_back_keeps_the_bundle(
    wizard: Drive, crossing: Crossing, disk: Disk, started: list[Chain]
) -> None:
    disk.found = found(PLACE)

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("enter")
        await until(pilot, "[2 Verify]")
        await pilot.press("escape")
        shown = await settled(pilot)
        assert "[1 Open]" in shown[1] and any("(*) pod-2025-07" in row for row in shown)
        await pilot.press("enter")
        await until(pilot, "[2 Verify]")

    wizard(steps, route=route(crossing))
    (chain,) = started
    assert chain.verbs == ("verify",)
    assert isinstance(chain.steps[0].spec, VerifySpec)
    assert chain.place == PLACE


def test_a_worker_that_does_not_start_gets_a_page(
    wizard: Drive, crossing: Crossing, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.found = found(PLACE)

    def start(*_arguments: object, **_options: object) -> object:
        raise EnvironmentFailure("no worker process can be started", hint="Look at the log.")

    monkeypatch.setattr(worker, "start", start)

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("enter")
        await until(pilot, "no worker process can be started")
        assert isinstance(pilot.app.screen, ErrorPage)
        await pilot.press("escape")
        assert (await settled(pilot))[22].endswith("> [ Verify 13 images ]")

    wizard(steps, route=route(crossing))


def test_a_real_bundle_in_this_directory(
    wizard: Drive,
    crossing: Crossing,
    tmp_path: Path,
    sample_images: SampleImages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save(tmp_path / "here" / "pod", sample_images.images)
    monkeypatch.chdir(tmp_path / "here")

    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, f"[ Verify {len(sample_images.images)} images ]")
        assert crossing.contents is not None and not crossing.contents.lacking
        assert rows(pilot.app)[0].rstrip().endswith("Bundle pod   Host jump01")  # type: ignore[arg-type]

    wizard(steps, route=route(crossing))
