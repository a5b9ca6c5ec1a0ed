"""Open: bundles on media and by path, what is inside, and the start of the verify."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from textual.pilot import Pilot

from airgap_tui.engine.bundle.signatures.signature import Signature, Standing
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, EnvironmentFailure, NotFound
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import media, worker
from airgap_tui.engine.jobs.chain import Chain
from airgap_tui.engine.jobs.media import Contents, FoundBundle
from airgap_tui.engine.jobs.verify import VerifySpec
from airgap_tui.engine.jobs.volumes_found import VolumeHere, VolumesHere
from airgap_tui.engine.settings import Settings
from screens.app import WizardApp
from screens.look import Look
from screens.modals.pages import ErrorPage
from screens.widgets.fields import Field
from screens.widgets.table import Table
from tests.engine.bundle.sample_source import save
from tests.images import SampleImages
from tests.screens.arrivals import PLACE, contents, found, route, settled, until
from tests.screens.conftest import rows
from tests.screens.jobs import NAMES, WrittenJob
from tests.screens.typist import typed_ahead
from tests.screens.windows import ASCII, in_windows

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


@in_windows("120x40", "no_colour", look=ASCII)
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
        snapshot(pilot.app, f"open_{name}")

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
        pilot.app.screen.query_one("#path", Field).value = ""
        assert not any("There is no bundle" in row for row in await settled(pilot))
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


# --- volumes of a set


def volumes(*numbers: int, count: int = 3) -> VolumesHere:
    here = tuple(VolumeHere(n, Path(f"/media/usb{n}")) for n in numbers)
    gone = [n for n in range(1, count + 1) if n not in numbers]
    standing = f"All {count} volumes of pod-2025-07 are here."
    if gone:
        lacks = f"number {gone[0]} of pod-2025-07 is missing."
        standing = f"{len(numbers)} of {count} volumes are here; {lacks}"
    return VolumesHere("5e7" + "0" * 29, "pod-2025-07", count, here, standing)


def of_set(*numbers: int, lacking: Sequence[str] = NAMES[5:11]) -> Contents:
    made = volumes(*numbers)
    whole = contents(() if len(numbers) == 3 else lacking, made.places[0])
    return replace(whole, name="pod-2025-07", volumes=made)


def set_found(*numbers: int) -> FoundBundle:
    made = volumes(*numbers)
    return FoundBundle(
        made.places[0], "pod-2025-07", 13, 0, 45_000_000_000, "2025-07", volumes=made
    )


def test_a_set_of_which_a_volume_is_missing(
    wizard: Drive, crossing: Crossing, disk: Disk, snapshot: Callable[..., None]
) -> None:
    disk.found = (set_found(1, 2),)
    disk.inside = {Path("/media/usb1"): of_set(1, 2)}

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        assert shown[3].strip() == ("2 of 3 volumes are here; number 3 of pod-2025-07 is missing.")
        text = "\n".join(shown)
        assert "(*) pod-2025-07   2 of 3 volumes, 45.0 GB, in /media" in text
        assert "7 of 13 images are whole without it" in text
        assert shown[21].endswith("airgap-tui verify '/media/usb'[12]") or shown[21].endswith(
            "airgap-tui verify /media/usb[12]"
        )
        assert shown[22].endswith("[ Verify 7 images ]")
        snapshot(pilot.app, "open_volumes")

    wizard(steps, route=route(crossing), host="mgmt01")
    assert crossing.delivery.places == (Path("/media/usb1"), Path("/media/usb2"))


def test_a_volume_that_is_named_adds_to_the_set_that_is_open(
    wizard: Drive, crossing: Crossing, disk: Disk, started: list[Chain]
) -> None:
    disk.found = (set_found(1, 2),)
    disk.inside = {
        Path("/media/usb1"): of_set(1, 2),
        Path("/srv/third"): replace(of_set(3), path=Path("/srv/third")),
    }

    def look_inside(
        path: Path, token: CancelToken, others: Sequence[Path] = (), *_: object
    ) -> Contents:
        if len(others) == 2:
            disk.inside[path] = of_set(1, 2, 3)
        return disk.look_inside(path, token)

    async def steps(pilot: Pilot[None]) -> None:
        with patch.object(media, "look_inside", look_inside):
            await settled(pilot)
            pilot.app.screen.query_one("#path").focus()
            await pilot.press(*"/srv/third", "enter")
            await until(pilot, "all 13 images are complete")
            await settled(pilot)
            pilot.app.screen.query_one("#onward").focus()
            await pilot.press("enter")
            await until(pilot, "[2 Verify]")

    wizard(steps, route=route(crossing))
    (chain,) = started
    spec = chain.steps[0].spec
    assert isinstance(spec, VerifySpec)
    assert (spec.path, len(spec.others)) == (Path("/media/usb1"), 2)


def test_a_volume_of_another_set_is_named_and_leaves_open_what_is_open(
    wizard: Drive, crossing: Crossing, disk: Disk
) -> None:
    other = replace(volumes(2), set_id="0" * 32, name="pod-2025-05")
    disk.found = (set_found(1, 2),)
    disk.inside = {
        Path("/media/usb1"): of_set(1, 2),
        Path("/srv/old"): replace(
            contents(path=Path("/srv/old")), name="pod-2025-05", volumes=other
        ),
    }

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        pilot.app.screen.query_one("#path").focus()
        await pilot.press(*"/srv/old", "enter")
        shown = " ".join(" ".join(await settled(pilot)).split())
        assert "This is volume 2 of pod-2025-05, another set than that of pod-2025-07." in shown
        assert "( ) pod-2025-05" in shown
        assert "[ Verify 7 images ]" in shown

    wizard(steps, route=route(crossing))
    assert crossing.contents is not None
    assert crossing.contents.name == "pod-2025-07"


def test_a_volume_that_is_plugged_in_later_joins_the_others(
    wizard: Drive, crossing: Crossing, disk: Disk
) -> None:
    disk.found = (set_found(1, 2),)
    disk.inside = {Path("/media/usb1"): of_set(1, 2)}

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        disk.found = (set_found(1, 2, 3),)
        disk.inside = {Path("/media/usb1"): of_set(1, 2, 3)}
        disk.mounted = (Path("/media/usb1"), Path("/media/usb2"), Path("/media/usb3"))
        await until(pilot, "[ Verify 13 images ]")

    wizard(steps, route=route(crossing))
    assert len(crossing.delivery.places) == 3


# --- signatures


@pytest.mark.parametrize(
    ("signature", "said", "shut"),
    [
        (
            Signature(Standing.GOOD, "ssh", "ops@example.org", "SHA256:Hk3v"),
            "+ Signature   Good: signed by ops@example.org, trusted on this machine",
            "",
        ),
        (Signature(), "Not signed", ""),
        (
            Signature(Standing.UNKNOWN_KEY, "ssh", "", "SHA256:Hk3v"),
            "! Signature   Signed with a key that this machine does not know:",
            "",
        ),
        (
            Signature(Standing.ALTERED, "ssh", "ops@example.org"),
            "! Signature   Altered after it was signed by ops@example.org. Do not use",
            "Not yet: it was altered after it was signed.",
        ),
    ],
    ids=["good", "unsigned", "unknown", "altered"],
)
def test_the_signature_is_told_before_anything_is_read(
    wizard: Drive, crossing: Crossing, disk: Disk, signature: Signature, said: str, shut: str
) -> None:
    disk.found = found(PLACE)
    disk.inside = {PLACE: replace(contents(), signature=signature)}

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        assert any(said in row for row in shown)
        assert (shut in shown[22]) if shut else shown[22].endswith("[ Verify 13 images ]")

    wizard(steps, route=route(crossing))


def test_whoever_requires_a_signature_is_led_on_by_none_other(
    wizard: Drive, crossing: Crossing, disk: Disk, snapshot: Callable[..., None]
) -> None:
    disk.found = found(PLACE)

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("s")
        await until(pilot, "Whose signatures count here?")
        snapshot(pilot.app, "signers")
        await pilot.press("tab", "space", "tab", "enter")
        shown = await until(pilot, "Not yet: nobody on the list signed it.")
        assert shown[21].endswith("--require-signature")

    wizard(steps, route=route(crossing), host="mgmt01")
    assert crossing.delivery.settings.trust.required
    crossing.delivery = replace(crossing.delivery, registry="harbor.lan")
    assert crossing.delivery.push_spec().settings.trust.required
    assert crossing.delivery.serve_spec().trust.required
    assert crossing.delivery.load_spec().settings.trust.required


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


def test_enter_behind_look_again_verifies_what_that_finds(
    wizard: Drive,
    crossing: Crossing,
    disk: Disk,
    started: list[Chain],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk.found, disk.inside = (set_found(1, 2),), {Path("/media/usb1"): of_set(1, 2)}
    answer = threading.Event()

    def find(_further: object) -> tuple[FoundBundle, ...]:
        answer.wait(30)
        return disk.found

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        monkeypatch.setattr(media, "find_bundles", find)
        disk.found, disk.inside = (set_found(1, 2, 3),), {Path("/media/usb1"): of_set(1, 2, 3)}
        pilot.app.screen.query_one("#onward").focus()
        await pilot.pause()
        typed_ahead(pilot, "r", "enter")
        await until(pilot, "Goes on as soon as that is known.")
        answer.set()
        await until(pilot, "[2 Verify]")

    wizard(steps, route=route(crossing))
    assert len(crossing.delivery.places) == 3
