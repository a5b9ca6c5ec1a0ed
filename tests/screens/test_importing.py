"""Import: volumes come one by one, in any order, and become a bundle that is kept."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from airgap_tui.engine.bundle import room
from airgap_tui.engine.bundle.volumes.volume import Volume
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.events import discard
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.remembered import LAST_KEPT, Remembered
from airgap_tui.engine.jobs import importing, media, outlook, verify, worker
from airgap_tui.engine.jobs.chain import Chain, Ended, Step
from airgap_tui.engine.jobs.importing import ImportSpec
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.outlook import Outlook
from airgap_tui.engine.jobs.verify import VerifySpec
from airgap_tui.engine.jobs.volumes_found import VolumeHere, VolumesHere
from airgap_tui.engine.settings import Settings
from airgap_tui.engine.snapshot import Snapshot
from screens.app import WizardApp
from screens.importing import ImportScreen
from screens.open import OpenScreen
from screens.steps import Route
from screens.widgets.table import Table
from tests.engine.bundle.sample_source import save
from tests.engine.bundle.volumes.volumes import Contents, as_directory, cut
from tests.images import SampleImages
from tests.screens.arrivals import contents, route, settled, until
from tests.screens.gallery import PlaceholderScreen
from tests.screens.jobs import WrittenJob
from tests.screens.typist import typed_ahead
from tests.services import PATIENCE

Drive = Callable[..., WizardApp]
PIECE = 60_000


@pytest.fixture
def parts(tmp_path: Path, sample_images: SampleImages) -> list[tuple[Volume, Contents]]:
    """The volumes of a set; one blob is cut, so that nothing of it is whole before the last."""
    save(tmp_path / "online/pod", sample_images.everything, platform=None)
    return cut(tmp_path / "online/pod", 3, PIECE)


@pytest.fixture
def tray(tmp_path: Path) -> Path:
    """Where discs are inserted."""
    return tmp_path / "media/cdrom"


@pytest.fixture
def crossing(state_dir: Path, tmp_path: Path) -> Crossing:
    Remembered(state_dir).set(LAST_KEPT, str(tmp_path / "kept/pod"))
    return Crossing(Settings(state_dir=state_dir))


@pytest.fixture(autouse=True)
def here_only(monkeypatch: pytest.MonkeyPatch, tray: Path) -> None:
    """What else is mounted on this machine does not count."""
    find = media.find_bundles
    nowhere = Path("/nonexistent")
    monkeypatch.setattr(media, "find_bundles", lambda _more=(): find([tray], nowhere, nowhere))
    monkeypatch.setattr(media, "mount_points", lambda: ())
    monkeypatch.chdir("/")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, state_dir: Path) -> list[ImportSpec]:
    """The imports that workers were started with; they are done at once."""
    specs: list[ImportSpec] = []

    def start(chain: Chain, _state_dir: Path, **_options: object) -> JobInfo:
        spec = chain.steps[0].spec
        assert isinstance(spec, ImportSpec)
        specs.append(spec)
        made = WrittenJob(state_dir, chain)
        result = importing.run(spec, discard, CancelToken())
        ended = Ended("import", result.exit_code, result)
        made.end_step(ended, Snapshot("import"), result.exit_code)
        return made.info

    monkeypatch.setattr(worker, "start", start)
    return specs


def insert(tray: Path, part: tuple[Volume, Contents]) -> None:
    shutil.rmtree(tray, ignore_errors=True)
    made = as_directory(tray.parent / "burned", *part)
    shutil.move(made, tray)


def the_route(crossing: Crossing) -> Route:
    return route(crossing, Verify=partial(PlaceholderScreen, "Verify"))


def screen(pilot: Pilot[Any]) -> ImportScreen:
    shown = pilot.app.screen
    assert isinstance(shown, ImportScreen)
    return shown


def test_a_damaged_disc_is_told_with_what_helps(
    wizard: Drive,
    crossing: Crossing,
    parts: list[tuple[Volume, Contents]],
    tray: Path,
    started: list[ImportSpec],
) -> None:
    volume, contents = next(p for p in parts if any(n.startswith("pieces/") for n in p[1]))
    name = next(name for name in contents if name.startswith("pieces/"))
    insert(tray, (volume, {**contents, name: bytes(len(contents[name]))}))

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, "of pod are missing")
        await pilot.press("i")
        await until(pilot, f"[ Import volume {volume.number} ]")
        await pilot.press("enter")
        await until(pilot, f"Volume {volume.number} is damaged")
        await until(pilot, "--only-volume")
        await settled(pilot)
        insert(tray, (volume, contents))
        await pilot.press("enter")
        await until(pilot, "1 of 3 volumes is read, insert any other.")

    wizard(steps, route=the_route(crossing), at="Open")
    assert len(started) == 2


def test_enter_typed_ahead_while_it_looks_is_not_lost(
    wizard: Drive,
    crossing: Crossing,
    parts: list[tuple[Volume, Contents]],
    tray: Path,
    started: list[ImportSpec],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    insert(tray, parts[1])
    looks_on, seek = threading.Event(), outlook.seek_volumes

    def slow(set_id: str, known: Iterable[Path]) -> outlook.Sought:
        looks_on.wait(PATIENCE)
        return seek(set_id, known)

    monkeypatch.setattr(outlook, "seek_volumes", slow)

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, "of pod are missing")
        await pilot.press("i")
        await until(pilot, "[ Import volume 2 ]")
        await settled(pilot)
        await pilot.press("r", "enter")
        assert not started
        looks_on.set()
        await until(pilot, "1 of 3 volumes is read, insert any other.")

    wizard(steps, route=the_route(crossing), at="Open")
    assert len(started) == 1


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)], ids=str)
def test_with_one_drive_the_discs_come_one_by_one(
    wizard: Drive,
    crossing: Crossing,
    parts: list[tuple[Volume, Contents]],
    tray: Path,
    tmp_path: Path,
    started: list[ImportSpec],
    order: tuple[int, ...],
) -> None:
    numbers = [parts[index][0].number for index in order]

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, f"of {parts[0][0].bundle_name} are missing")
        await pilot.press("i")
        await until(pilot, f"[ Import volume {numbers[0]} ]")
        assert isinstance(pilot.app.screen.focused, type(screen(pilot).way_on))
        await pilot.press("enter")
        await until(pilot, "1 of 3 volumes is read, insert any other.")
        await settled(pilot)
        await pilot.press("enter")
        await until(pilot, "No further volume of pod is found.")
        insert(tray, parts[order[1]])
        await pilot.press("enter")
        await until(pilot, "2 of 3 volumes are read, insert any other.")
        await settled(pilot)
        insert(tray, parts[order[2]])
        await pilot.press("enter")
        await until(pilot, "nothing more is needed")
        shown = await settled(pilot)
        assert any("Delivery code: " in row for row in shown)
        assert shown[22].endswith("[ Open pod ]")
        await pilot.press("enter")
        await until(pilot, "images are complete")
        assert isinstance(pilot.app.screen, OpenScreen)

    insert(tray, parts[order[0]])
    wizard(steps, route=the_route(crossing), bundle="")
    assert crossing.delivery.places == (tmp_path / "kept/pod",)
    assert [spec.media for spec in started] == [(tray,)] * 3
    assert verify.run(VerifySpec(tmp_path / "kept/pod"), discard, CancelToken()).ok


def test_volumes_that_are_here_are_told_with_room_and_place(
    wizard: Drive,
    crossing: Crossing,
    parts: list[tuple[Volume, Contents]],
    tray: Path,
    started: list[ImportSpec],
    snapshot: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for part in parts[:2]:
        as_directory(tray, *part)

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, "2 of 3 volumes are here; number 3 of pod is missing.")
        await settled(pilot)
        await pilot.press("i")
        await until(pilot, "[ Import 2 volumes ]")
        shown = await settled(pilot)
        assert any("nothing is copied" in row for row in shown)
        rows = screen(pilot).query_one("#volumes", Table).rows
        assert [row.cells[:2] for row in rows] == [
            ("1", "Here"), ("2", "Here"), ("3", "Not here yet"),
        ]  # fmt: skip
        assert "airgap-tui import" in shown[21]
        await pilot.press("enter")
        shown = await until(pilot, "2 of 3 volumes are read, insert any other.")
        shown = await settled(pilot)
        assert "Starting" not in shown[23] and "F1 help" in shown[23]

    wizard(steps, route=the_route(crossing), bundle="")
    assert len(started[0].media) == 2


def test_the_page_while_a_disc_is_awaited(
    wizard: Drive,
    crossing: Crossing,
    state_dir: Path,
    snapshot: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = (VolumeHere(2, Path("/dev/sr0")), VolumeHere(4, Path("/media/usb1")))
    volumes = VolumesHere("5e7" + "0" * 29, "pod-2025-07", 15, here)
    read = (1, 2, 7)
    seen = Outlook(4_500_000_000, 1_800_000_000_000, False, volumes, read)
    monkeypatch.setattr(outlook, "outlook", lambda *_rest: seen)
    Remembered(state_dir).set(LAST_KEPT, "/data/pod-2025-07")
    crossing.contents = replace(contents(), name="pod-2025-07", volumes=volumes)

    async def steps(pilot: Pilot[Any]) -> None:
        pilot.app.push_screen(ImportScreen(crossing))
        shown = await until(pilot, "[ Import volume 4 ]")
        assert shown[3].strip() == "3 of 15 volumes are read."
        assert any("1.8 TB free, 4.5 GB to come" in row for row in shown)
        snapshot(pilot.app, "import")

    wizard(steps, route=the_route(crossing), host="mgmt01")


def test_a_whole_bundle_is_imported_too(
    wizard: Drive,
    crossing: Crossing,
    sample_images: SampleImages,
    tray: Path,
    tmp_path: Path,
    started: list[ImportSpec],
) -> None:
    save(tray / "month", sample_images.images[:2])

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, "all 2 images are complete")
        await settled(pilot)
        await pilot.press("i")
        await until(pilot, "[ Import 2 images ]")
        await settled(pilot)
        await pilot.press("enter")
        await until(pilot, "nothing more is needed")
        await settled(pilot)
        await pilot.press("enter")
        await until(pilot, "all 2 images are complete")

    wizard(steps, route=the_route(crossing), bundle="")
    assert crossing.delivery.places == (tmp_path / "kept/month",)
    assert len(started) == 1


def test_an_import_that_was_cut_short_goes_on(
    wizard: Drive,
    crossing: Crossing,
    parts: list[tuple[Volume, Contents]],
    state_dir: Path,
    tray: Path,
    tmp_path: Path,
    started: list[ImportSpec],
) -> None:
    insert(tray, parts[0])
    spec = ImportSpec((tray,), tmp_path / "kept/pod", settings=crossing.settings)
    job = WrittenJob(state_dir, Chain((Step("import", spec),)))
    job.now(Snapshot("import"))
    job.die()

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, "of pod are missing")
        pilot.app.push_screen(ImportScreen(crossing, job.info))
        await until(pilot, "The process of this import is gone; nothing finished is lost.")
        await until(pilot, "[ Continue importing ]")
        await settled(pilot)
        pilot.app.screen.query_one("#onward").focus()
        await pilot.press("enter")
        await until(pilot, "1 of 3 volumes is read, insert any other.")

    wizard(steps, route=the_route(crossing), bundle="")
    assert [one.media for one in started] == [(tray,)]


def test_too_little_room_shuts_the_way_on(
    wizard: Drive,
    crossing: Crossing,
    parts: list[tuple[Volume, Contents]],
    tray: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as_directory(tray, *parts[0])
    monkeypatch.setattr(room.Room, "at", lambda *_: room.Room(1000))
    monkeypatch.setattr(outlook, "shares_a_disk", lambda *_: False)

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, "of pod are missing")
        await settled(pilot)
        await pilot.press("i")
        await until(pilot, "of room is missing.")

    wizard(steps, route=the_route(crossing), bundle="")


def test_a_disc_of_another_set_is_named(
    wizard: Drive,
    crossing: Crossing,
    parts: list[tuple[Volume, Contents]],
    tray: Path,
    tmp_path: Path,
    started: list[ImportSpec],
) -> None:
    foreign = cut(tmp_path / "online/pod", 2, PIECE, set_id="0" * 32)
    insert(tray, parts[0])

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, "of pod are missing")
        await settled(pilot)
        await pilot.press("i")
        await until(pilot, "[ Import volume 1 ]")
        await pilot.press("enter")
        await until(pilot, "1 of 3 volumes is read, insert any other.")
        await settled(pilot)
        insert(tray, foreign[1])
        await pilot.press("enter")
        shown = " ".join(" ".join(await until(pilot, "No further volume")).split())
        assert "holds volume 2 of pod, another set." in shown

    wizard(steps, route=the_route(crossing), bundle="")
    assert len(started) == 1


def test_a_place_that_was_just_typed_is_looked_at_before_the_import_begins(
    wizard: Drive,
    crossing: Crossing,
    parts: list[tuple[Volume, Contents]],
    tray: Path,
    started: list[ImportSpec],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    insert(tray, parts[1])
    looked, look = threading.Event(), outlook.outlook

    def slow(places: Iterable[Path], kept: Path, token: CancelToken) -> outlook.Outlook:
        if kept.name == "other":
            looked.wait(30)
        return look(tuple(places), kept, token)

    monkeypatch.setattr(outlook, "outlook", slow)

    async def steps(pilot: Pilot[Any]) -> None:
        await until(pilot, "of pod are missing")
        await pilot.press("i")
        await until(pilot, "[ Import volume 2 ]")
        await settled(pilot)
        screen(pilot).query_one("#place Input").focus()
        await pilot.pause()
        place = str(tmp_path / "other")
        typed_ahead(pilot, "end", "ctrl+u", *place, "tab", "tab", "enter")
        await until(pilot, "Goes on as soon as that is known.")
        assert not started
        looked.set()
        await until(pilot, "1 of 3 volumes is read, insert any other.")

    wizard(steps, route=the_route(crossing), at="Open")
    assert [spec.bundle.name for spec in started] == ["other"]
