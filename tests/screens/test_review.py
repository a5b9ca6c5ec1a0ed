"""The Review step: numbers, choices that change them, no room, and the start of the job."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from airgap_tui.engine.bundle.encoding.codec import Codec
from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.errors import BundleLocked, EnvironmentFailure, NoRoom, UsageError
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide import chains
from airgap_tui.engine.guide.answers import Collection, Wish
from airgap_tui.engine.guide.carrying import Carrying, Way
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import plan, worker, zstd_gain
from airgap_tui.engine.jobs.chain import Chain
from airgap_tui.engine.jobs.plan import PlannedBlob, PlannedImage, PlanResult
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.jobs.survival import Survival
from airgap_tui.engine.jobs.zstd_gain import LEVELS, Gain
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.media_types import OCI_LAYER_GZIP
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.settings import Settings
from screens import review
from screens.app import WizardApp
from screens.look import Look
from screens.modals.pages import ErrorPage
from screens.review import ReviewScreen
from screens.steps import Route
from screens.widgets.controls import Checkbox
from screens.widgets.fields import Field
from screens.widgets.select import Select
from tests.screens.arrivals import settled, until
from tests.screens.conftest import rows
from tests.screens.gallery import PlaceholderScreen
from tests.screens.jobs import WrittenJob
from tests.screens.typist import typed_ahead
from tests.screens.windows import ASCII, in_windows

Drive = Callable[..., WizardApp]
GB = 10**9
SIZES = {
    "nvcr.io/nvidia/nemo:25.04": (21.4, 0.0),
    "nvcr.io/nvidia/pytorch:25.06-py3": (11.2, 0.0),
    "nvcr.io/nvidia/tritonserver:25.06-py3": (9.1, 2.9),
    "docker.io/library/registry:2": (0.01, 0.0),
}
FREE = Room(1_800 * GB, "xfs")


def image(name: str, whole: float, shared: float) -> PlannedImage:
    size, less = round(whole * GB), round(shared * GB)
    result = ItemResult(name, ItemState.WAITING, "sha256:" + "0" * 64, size)
    return PlannedImage(name, ("linux/amd64",), result.digest, size, less, 0, size - less, result)


def planned(room: Room = FREE) -> PlanResult:
    images = tuple(image(name, *numbers) for name, numbers in SIZES.items())
    needed = sum(one.to_fetch for one in images)
    problems = (NoRoom("/data/pod: no room"),) if needed > room.free else ()
    return PlanResult(images, room, needed, problems, ())


@pytest.fixture
def crossing(state_dir: Path) -> Crossing:
    settings = Settings(state_dir=state_dir)
    made = Crossing(settings)
    wishes = tuple(Wish(Reference.parse(name)) for name in SIZES)
    made.collection = Collection(wishes, Path("/data/pod-2025-07"), settings)
    return made


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[SaveSpec]:
    """The plans that were asked for."""
    specs: list[SaveSpec] = []

    def run(spec: SaveSpec, *_arguments: object) -> PlanResult:
        specs.append(spec)
        return planned()

    monkeypatch.setattr(plan, "run", run)
    monkeypatch.setattr(Room, "at", classmethod(lambda _kind, _path: FREE))
    return specs


def route(crossing: Crossing) -> Route:
    makers: dict[str, Any] = {
        name: partial(PlaceholderScreen, name) for name in ("Images", "Logins")
    }
    makers["Review"] = partial(ReviewScreen, crossing)
    for name in ("Save", "Verify", "Export"):
        makers[name] = partial(PlaceholderScreen, name)
    return Route("Online side", makers)


def test_the_numbers_stand_there_and_the_button_has_the_focus(
    wizard: Drive, crossing: Crossing, snapshot: Callable[..., None]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        assert "38.9 GB to download" in shown[3] and "Nothing is written yet." in shown[3]
        assert shown[22].endswith("> [ Save 4 images ]")
        text = "\n".join(shown)
        assert "Image, on nvcr.io unless named" in text
        assert "nvidia/tritonserver:25.06-py3" in text and "2.9 GB" in text
        assert "All 4 images" in text and "41.7 GB" in text
        assert "Fits on one 64 GB disk, or on 9 DVDs" in text
        snapshot(pilot.app, "review_80x24")

    wizard(steps, route=route(crossing), at="Review")


def test_platform_and_layers_are_planned_anew(
    wizard: Drive, crossing: Crossing, asked: list[SaveSpec]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        pilot.app.screen.query_one("#platform", Select).focus()
        await pilot.press("enter", "down", "enter")
        await settled(pilot)
        assert crossing.collection.settings.platform == Platform("linux", "arm64")
        pilot.app.screen.query_one("#layers", Select).focus()
        await pilot.press("enter", "down", "enter")
        shown = "\n".join(await settled(pilot))
        assert crossing.collection.compression is not None
        assert crossing.collection.compression.codec is Codec.ZSTD
        assert "About 12% less" in shown
        assert len(asked) == 3
        screen = pilot.app.screen
        assert isinstance(screen, ReviewScreen)
        assert "--platform linux/arm64 --compress zstd" in screen.command

    wizard(steps, route=route(crossing), at="Review")


def test_saving_is_chained_with_an_export(wizard: Drive, crossing: Crossing) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, ReviewScreen)
        screen.query_one("#export", Checkbox).focus()
        await pilot.press("space")
        shown = "\n".join(await until(pilot, "Once it is saved, pod-2025-07"))
        assert "[3 Review]" in shown and "[ Not by itself ]" in shown
        await settled(pilot)
        await pilot.press("escape")
        await until(pilot, "[ ] Export to a disk, DVDs or ISO files")
        assert crossing.collection.then is None
        await pilot.press("space")
        await settled(pilot)
        await pilot.press("end", "tab", "slash", *"discs", "tab")
        shown = "\n".join(await settled(pilot))
        assert "1.8 TB free" in shown and "[ Take it ]" in shown
        pilot.app.screen.query_one("#onward").focus()
        await pilot.press("enter")
        await until(pilot, "[x] ISO images, dvd in /discs")
        assert crossing.collection.then == Carrying(Way.ISO, Path("/discs"), "dvd")
        assert chains.saving(crossing.collection).verbs == ("save", "verify", "export")
        assert "&& airgap-tui export /data/pod-2025-07 /discs --format iso" in screen.command
        await pilot.press("space")
        await until(pilot, "[ ] Export to a disk, DVDs or ISO files")
        assert crossing.collection.then is None

    wizard(steps, route=route(crossing), at="Review")


def test_a_sample_says_what_zstd_would_gain(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = Descriptor(OCI_LAYER_GZIP, Digest.of(b"layer"), 20 * GB)
    blobs = (PlannedBlob(Reference.parse("nvcr.io/nvidia/nemo:25.04"), blob),)
    gains = tuple(Gain(level, 5 * GB, 40 * GB, 1_000_000, 1) for level in LEVELS)
    monkeypatch.setattr(plan, "run", lambda *_rest: replace(planned(), blobs=blobs))
    monkeypatch.setattr(zstd_gain, "of_plan", lambda *_rest: gains)

    async def steps(pilot: Pilot[None]) -> None:
        shown = "\n".join(await settled(pilot))
        assert "zstd: about 12% smaller" in shown
        assert "or on 5 DVDs" in shown
        pilot.app.screen.query_one("#layers", Select).focus()
        await pilot.press("enter")
        await until(pilot, "zstd: about 12% smaller; digests")

    wizard(steps, route=route(crossing), at="Review", size=(120, 40))


def test_without_room_next_is_shut_and_says_how_much_is_missing(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "run", lambda *_arguments: planned(Room(30 * GB)))

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        assert "Not yet: 8.9 GB of room is missing." in shown[22]
        assert "[ Save" not in shown[22]

    wizard(steps, route=route(crossing), at="Review")


def test_the_place_can_be_changed_and_nonsense_is_refused(
    wizard: Drive, crossing: Crossing, asked: list[SaveSpec], tmp_path: Path
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        field = pilot.app.screen.query_one("#place")
        field.focus()
        field.value = ""  # type: ignore[attr-defined]
        await pilot.pause()
        assert "Not yet: no place to save to." in rows(pilot.app)[22]  # type: ignore[arg-type]
        field.value = "~no-such-user/pod"  # type: ignore[attr-defined]
        await pilot.pause()
        assert "1.8 TB free" in rows(pilot.app)[5]  # type: ignore[arg-type]
        field.value = str(tmp_path / "pod")  # type: ignore[attr-defined]
        await pilot.press("enter")
        await settled(pilot)
        assert asked[-1].bundle == tmp_path / "pod"

    wizard(steps, route=route(crossing), at="Review")


def test_a_place_that_cannot_be_is_told_with_what_helps(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(_kind: type[Room], path: Path) -> Room:
        if path.name == "private":
            raise EnvironmentFailure(f"{path} cannot be read: permission denied", hint="Ask root.")
        return FREE

    def refused(*_arguments: object) -> PlanResult:
        raise UsageError("/data/other is not a bundle", hint="Choose an empty directory.")

    monkeypatch.setattr(Room, "at", classmethod(at))

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        field = pilot.app.screen.query_one("#place", Field)
        field.value = "/root/private"
        await pilot.pause()
        text = "\n".join(rows(pilot.app))  # type: ignore[arg-type]
        assert "/root/private cannot be read: permission denied. Ask root." in text
        monkeypatch.setattr(plan, "run", refused)
        field.value = "/data/other"
        field.focus()
        await pilot.press("enter")
        await settled(pilot)
        text = "\n".join(rows(pilot.app))  # type: ignore[arg-type]
        assert "! Cannot be saved to" in text
        assert "/data/other is not a bundle. Choose an empty directory." in text
        assert "Not yet: this cannot be saved so." in text
        field.value = ""
        await pilot.pause()
        assert "is not a bundle" not in rows(pilot.app)[6]  # type: ignore[arg-type]

    wizard(steps, route=route(crossing), at="Review")


def test_saving_starts_a_job_that_verifies_afterwards(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch, state_dir: Path
) -> None:
    started: list[Chain] = []

    def start(chain: Chain, _state_dir: Path, **options: Any) -> object:
        started.append(chain)
        assert options["command"].startswith("airgap-tui save ")
        return WrittenJob(state_dir, chain).info

    monkeypatch.setattr(worker, "start", start)

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        box = pilot.app.screen.query_one("#verify", Checkbox)
        assert box.checked
        await pilot.press("enter")
        await settled(pilot)
        (chain,) = started
        assert chain.verbs == ("save", "verify")
        assert not isinstance(pilot.app.screen, ReviewScreen)
        assert crossing.job is not None

    wizard(steps, route=route(crossing), at="Review")


def test_a_job_that_cannot_start_says_why(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_arguments: Any, **_options: Any) -> None:
        raise BundleLocked("/data/pod is being written by the job x", hint="attach x")

    monkeypatch.setattr(worker, "start", start)

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(pilot.app.screen, ErrorPage)
        assert "is being written by" in "\n".join(rows(pilot.app))  # type: ignore[arg-type]
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, ReviewScreen)

    wizard(steps, route=route(crossing), at="Review")


def test_without_a_writable_home_the_variable_is_named(
    wizard: Drive, crossing: Crossing, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review, "survival", Survival)
    state_dir.write_text("in the way of a directory")

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("enter")
        shown = "\n".join(await until(pilot, "XDG_STATE_HOME"))
        assert isinstance(pilot.app.screen, ErrorPage)
        assert "cannot be written: a file is in the way" in " ".join(shown.split()), shown

    wizard(steps, route=route(crossing), at="Review")


def test_what_ends_the_job_at_the_logout_is_told_before_it_starts(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch, state_dir: Path
) -> None:
    ending = Survival((), "this system ends your programs when you log out", "Run loginctl.")
    monkeypatch.setattr(review, "survival", lambda: ending)
    started: list[Chain] = []

    def start(chain: Chain, _state_dir: Path, **_options: Any) -> object:
        started.append(chain)
        return WrittenJob(state_dir, chain).info

    monkeypatch.setattr(worker, "start", start)

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("enter")
        await pilot.pause()
        text = "\n".join(rows(pilot.app))  # type: ignore[arg-type]
        assert "This system ends your programs when you" in text and "loginctl." in text
        await pilot.press("escape")
        await pilot.pause()
        assert started == []
        await pilot.press("enter", "tab", "enter")
        await settled(pilot)
        assert len(started) == 1

    wizard(steps, route=route(crossing), at="Review")


def test_what_was_begun_need_not_come_again(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = 30 * GB
    base = planned()
    cut_short = replace(base, begun=begun, needed=base.needed - begun)
    monkeypatch.setattr(plan, "run", lambda *_arguments: cut_short)

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        text = rows(pilot.app)  # type: ignore[arg-type]
        assert "8.9 GB to download" in text[3] and "30.0 GB are already here" in text[3]
        assert "8.9 GB needed" in text[5]

    wizard(steps, route=route(crossing), at="Review")


def test_what_is_held_has_a_column_and_a_word(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = planned()
    first = base.images[0]
    held = replace(first, held=first.to_fetch, to_fetch=0)
    monkeypatch.setattr(
        plan, "run", lambda *_arguments: replace(base, images=(held, *base.images[1:]))
    )

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        assert "Held" in "\n".join(shown)
        assert "21.4 GB are already here" in shown[3]

    wizard(steps, route=route(crossing), at="Review")


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
        snapshot(pilot.app, f"review_{name}")

    wizard(steps, route=route(crossing), at="Review", size=size, look=look)


def test_enter_waits_for_what_is_to_be_said_of_the_logout(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()

    def survival() -> Survival:
        answer.wait(30)
        return Survival((), "this system ends your programs when you log out", "Run loginctl.")

    monkeypatch.setattr(review, "survival", survival)

    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, "> [ Save ")
        typed_ahead(pilot, "enter")
        await until(pilot, "Goes on as soon as that is known.")
        answer.set()
        await until(pilot, "This system ends your programs when you")

    wizard(steps, route=route(crossing), at="Review")
