"""Step Export: what is proposed, what is planned, the job that follows, and its end."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.bundle.signatures import signing_keys
from airgap_tui.engine.bundle.signatures.signature import Signature
from airgap_tui.engine.bundle.signatures.signing_keys import AgentKey
from airgap_tui.engine.bundle.volumes.medium import Medium
from airgap_tui.engine.bundle.volumes.packing import BundleFile
from airgap_tui.engine.bundle.volumes.transfer_sheet import SheetVolume
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import NoRoom
from airgap_tui.engine.events import ItemState, Sink
from airgap_tui.engine.guide.carrying import Carrying, Way
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.departure import Lying
from airgap_tui.engine.guide.steps import Side
from airgap_tui.engine.guide.tool_choice import ToolAtHand
from airgap_tui.engine.jobs import export_plan, media_needed, worker, written, zstd_gain
from airgap_tui.engine.jobs.chain import Chain, Ended
from airgap_tui.engine.jobs.export import ExportResult
from airgap_tui.engine.jobs.export_plan import ExportPlan, PlannedVolume
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.seal import SealResult
from airgap_tui.engine.jobs.survival import Survival
from airgap_tui.engine.jobs.written import Written, WrittenVolume
from airgap_tui.engine.jobs.zstd_gain import LEVELS, Gain
from airgap_tui.engine.settings import Settings
from airgap_tui.engine.snapshot import Snapshot
from screens import export
from screens.app import WizardApp
from screens.exporting import export_step
from screens.look import Look
from screens.modals.pages import TextPage
from screens.modals.question import Question
from screens.steps import Route
from tests.screens import jobs
from tests.screens.arrivals import settled
from tests.screens.conftest import rows
from tests.screens.gallery import PlaceholderScreen
from tests.screens.test_working import app_of, said_to_the_shell, seen
from tests.screens.windows import ASCII, in_windows

Drive = Callable[..., WizardApp]
GB = jobs.GB
FREE = Room(1_800 * GB, "xfs")
AGENT_KEY = AgentKey("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==", "ops@example.org")
GAIN = Gain(LEVELS[1], 8_100 * jobs.MB, 67_500 * jobs.MB, 24 * jobs.MB, 6)


def planned(spec: ExportSpec, room: Room = FREE) -> ExportPlan:
    """Fifteen volumes; one where no size is given."""
    number = 15 if spec.volume_size else 1
    size = 67_500 * jobs.MB // number
    volumes = tuple(
        PlannedVolume(
            n,
            f"pod-2025-07-{n:02}-of-{number}",
            size,
            33,
            pieces=int(n > 10),
            wanted=not spec.only or n in spec.only,
        )
        for n in range(1, number + 1)
    )
    needed = sum(one.bytes for one in volumes if one.wanted)
    problem = None
    if needed > room.free:
        problem = NoRoom(f"{spec.medium} has no room", hint="Choose a disk with more room.")
    return ExportPlan(volumes, room, needed, Signature(), problem=problem)


@pytest.fixture(autouse=True)
def around(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is around the wizard: it may be changed before the screen opens."""
    found: dict[str, Any] = {
        "lying": Lying(Path("/media/usb1"), "ext4", removable=True),
        "room": FREE,
        "keys": (AGENT_KEY,),
        "gains": (GAIN,),
        "tool": ToolAtHand(96 * jobs.MB),
        "specs": [],
    }

    def run(spec: ExportSpec, _sink: Sink, _token: CancelToken) -> ExportPlan:
        found["specs"].append(spec)
        return planned(spec, found["room"])

    files = tuple(BundleFile(f"blobs/sha256/{n:064x}", size) for n, size in enumerate(jobs.SIZES))
    monkeypatch.setattr(Lying, "of", classmethod(lambda _kind, _path: found["lying"]))
    monkeypatch.setattr(ToolAtHand, "of", classmethod(lambda _kind, _path: found["tool"]))
    monkeypatch.setattr(export_plan, "run", run)
    monkeypatch.setattr(media_needed, "files_of_bundle", lambda *_rest: files)
    monkeypatch.setattr(signing_keys, "keys_in_agent", lambda _token: found["keys"])
    monkeypatch.setattr(signing_keys, "public_file", lambda *_rest: Path("/home/ops/id.pub"))
    monkeypatch.setattr(zstd_gain, "of_bundle", lambda *_rest: found["gains"])
    monkeypatch.setattr(export, "survival", Survival)
    return found


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, state_dir: Path) -> list[tuple[Chain, str]]:
    """The chains that workers would have been started on, with their commands."""
    chains: list[tuple[Chain, str]] = []

    def start(chain: Chain, _state_dir: Path, *, command: str = "", **_rest: object) -> JobInfo:
        chains.append((chain, command))
        made = jobs.WrittenJob(state_dir, chain, command=command)
        made.now(Snapshot(chain.verbs[0], str(jobs.BUNDLE)))
        return made.info

    monkeypatch.setattr(worker, "start", start)
    return chains


@pytest.fixture
def crossing(state_dir: Path) -> Crossing:
    made = Crossing(Settings(state_dir=state_dir))
    made.collection = replace(made.collection, bundle=jobs.BUNDLE)
    made.verified = jobs.verify_result()
    return made


def route(crossing: Crossing) -> Route:
    makers: dict[str, Any] = {
        name: partial(PlaceholderScreen, name) for name in Side.ONLINE.steps[:-1]
    }
    return Route(Side.ONLINE.heading, {**makers, "Export": partial(export_step, crossing)})


async def choose_discs(pilot: Pilot[None]) -> None:
    """ISO images, DVDs, into /data/discs."""
    await settled(pilot)
    await pilot.press(
        "down",
        "down",
        "down",
        "tab",
        *["slash", "d", "a", "t", "a", "slash", "d", "i", "s", "c", "s", "tab"],
    )
    await settled(pilot)


# --- what is chosen


@in_windows("80x24", "120x40", "ascii")
def test_a_disk_that_can_be_carried_is_sealed(
    wizard: Drive,
    crossing: Crossing,
    snapshot: Callable[..., None],
    started: list[tuple[Chain, str]],
    name: str,
    size: tuple[int, int],
    look: Look,
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        shown = "\n".join(await settled(pilot))
        assert "pod-2025-07 is sealed where it lies. Nothing is copied." in shown
        assert "/media/usb1 (ext4), which looks like a disk to carry" in shown
        assert "[ Seal it ]" in shown
        assert "With --compress" not in shown and "about 12% smaller" in shown
        snapshot(pilot.app, f"export_seal_{name}")
        await pilot.press("tab", "tab", "tab", "tab", "enter")
        await seen(pilot, "[6 Export]")
        await seen(pilot, "Starting")

    wizard(steps, route=route(crossing), at="Export", size=size, look=look)
    assert [(chain.verbs, command) for chain, command in started] == [
        (("seal",), "airgap-tui seal /data/pod-2025-07")
    ]


@in_windows("80x24", "120x40", "ascii")
def test_discs_are_counted_with_their_room(
    wizard: Drive,
    crossing: Crossing,
    snapshot: Callable[..., None],
    started: list[tuple[Chain, str]],
    name: str,
    size: tuple[int, int],
    look: Look,
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await choose_discs(pilot)
        shown = "\n".join(rows(app_of(pilot)))
        assert "pod-2025-07 becomes 15 volumes, 67.5 GB. Nothing is written yet." in shown
        assert "1.8 TB free, 67.5 GB needed" in shown
        assert "15 volumes" in shown and "[ Write 15 volumes ]" in shown
        snapshot(pilot.app, f"export_discs_{name}")
        await pilot.press("v")
        assert isinstance(pilot.app.screen, TextPage)
        assert "pod-2025-07-11-of-15: 4.5 GB, 33 files, 1 piece" in "\n".join(rows(app_of(pilot)))
        await pilot.press("escape")
        app_of(pilot).screen.query_one("#onward").focus()
        await pilot.press("enter")
        await seen(pilot, "Starting")

    wizard(steps, route=route(crossing), at="Export", size=size, look=look)
    (chain, command) = started[0]
    spec = chain.steps[0].spec
    assert (spec.form.value, spec.volume_size, spec.medium) == ("iso", "dvd", jobs.DISCS)
    assert command == "airgap-tui export /data/pod-2025-07 /data/discs --format iso" + (
        " --volume-size dvd"
    )


def test_the_sizes_say_how_many_volumes_each_would_have(wizard: Drive, crossing: Crossing) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await choose_discs(pilot)
        await pilot.press("enter")
        shown = "\n".join(rows(app_of(pilot)))
        assert re.search(r"\) DVD +4\.7 GB, \d\d volumes", shown)
        assert re.search(r"\) Blu-ray, 25 GB +24\.2 GB, [345] volumes", shown)

    wizard(steps, route=route(crossing), at="Export")


def test_a_size_that_is_none_is_told_at_its_own_field(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_plan, "run", lambda spec, *_rest: Medium.parse(spec.volume_size))

    async def steps(pilot: Pilot[None]) -> None:
        await choose_discs(pilot)
        await pilot.press("enter", "end", "enter")
        await seen(pilot, "As in 60GB or 4.7GB")
        await pilot.press(*"2 elephants", "enter")
        shown = await seen(pilot, "Not a volume size: '2 elephants'.")
        assert [row for row in shown if "! As in 60GB or 4.7GB" in row]
        assert not [row for row in shown if "Cannot be written so" in row]

    wizard(steps, route=route(crossing), at="Export")


def test_one_volume_alone_is_written_again(
    wizard: Drive, crossing: Crossing, started: list[tuple[Chain, str]]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await choose_discs(pilot)
        await pilot.press("tab", "enter", "down", "down", "down", "enter")
        shown = "\n".join(await settled(pilot))
        assert "[Volume 3 alone" in shown and "[ Write volume 3 again ]" in shown
        assert "4.5 GB needed" in shown
        app_of(pilot).screen.query_one("#onward").focus()
        await pilot.press("enter")
        await seen(pilot, "Starting")

    wizard(steps, route=route(crossing), at="Export")
    spec = started[0][0].steps[0].spec
    assert (spec.only, spec.again) == ((3,), True)
    assert started[0][1].endswith("--volume-size dvd --only-volume 3")


def test_what_was_exported_before_is_proposed(
    wizard: Drive, crossing: Crossing, state_dir: Path
) -> None:
    job = jobs.WrittenJob(state_dir, jobs.chain("export"))
    job.end_step(jobs.export_ended(), Snapshot("export"), 0)

    async def steps(pilot: Pilot[None]) -> None:
        shown = "\n".join(await settled(pilot))
        assert "(*) ISO images" in shown and "[/data/discs " in shown and "[DVD " in shown
        assert "[/data/discs/sheet.html" in shown

    wizard(steps, route=route(crossing), at="Export")


def test_without_room_it_cannot_begin(
    wizard: Drive, crossing: Crossing, around: dict[str, Any]
) -> None:
    around["room"] = Room(51 * GB, "xfs")

    async def steps(pilot: Pilot[None]) -> None:
        await choose_discs(pilot)
        shown = "\n".join(rows(app_of(pilot)))
        assert "! 51.0 GB free, 67.5 GB needed" in shown
        assert "Not yet: 16.5 GB of room is missing." in shown

    wizard(steps, route=route(crossing), at="Export")


def test_the_remedy_is_seen_with_every_row_there(
    wizard: Drive, crossing: Crossing, around: dict[str, Any]
) -> None:
    around["room"] = Room(51 * GB, "xfs")

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("down", "tab", "slash", *"usb", "tab")
        await settled(pilot)
        await pilot.press("enter", "down", "down", "down", "enter")
        shown = "\n".join(await settled(pilot))
        for row in ("Disks", "Which", "Tool", "Sheet", "Choose a disk with more room."):
            assert row in shown

    wizard(steps, route=route(crossing), at="Export")


def test_a_key_of_the_agent_signs(
    wizard: Drive, crossing: Crossing, started: list[tuple[Chain, str]]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("tab", "enter", "down")
        await seen(pilot, f"In the agent, {AGENT_KEY.fingerprint[:15]}..")
        await pilot.press("enter")
        await settled(pilot)
        assert crossing.carrying == Carrying(key=Path("/home/ops/id.pub"))
        app_of(pilot).screen.query_one("#onward").focus()
        await pilot.press("enter")
        await seen(pilot, "Starting")

    wizard(steps, route=route(crossing), at="Export")
    assert started[0][1] == "airgap-tui seal /data/pod-2025-07 --sign /home/ops/id.pub"


def test_the_tool_goes_along_unless_it_is_left_out(
    wizard: Drive, crossing: Crossing, started: list[tuple[Chain, str]]
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        shown = "\n".join(await settled(pilot))
        assert "[airgap-tui goes along" in shown and "Adds 96 MB" in shown
        await pilot.press("tab", "tab", "enter", "down", "enter")
        shown = "\n".join(await settled(pilot))
        assert "[Data alone" in shown and "No program on the media" in shown
        assert "airgap-tui seal /data/pod-2025-07 --no-tool" in shown
        assert crossing.carrying == Carrying(tool=False)
        await pilot.press("enter", "up", "enter")
        assert crossing.carrying == Carrying()
        await pilot.press("enter", "down", "enter")
        app_of(pilot).screen.query_one("#onward").focus()
        await pilot.press("enter")
        await seen(pilot, "Starting")

    wizard(steps, route=route(crossing), at="Export")
    ((chain, command),) = started
    assert chain.steps[0].spec.tool is None
    assert command == "airgap-tui seal /data/pod-2025-07 --no-tool"


def test_a_tool_that_a_signature_shuts_out_is_told(
    wizard: Drive, crossing: Crossing, around: dict[str, Any]
) -> None:
    around["tool"] = ToolAtHand(96 * jobs.MB, shut_out=True)

    async def steps(pilot: Pilot[None]) -> None:
        assert "! Signed without it: sign anew" in "\n".join(await settled(pilot))
        await pilot.press("tab", "enter", "down", "enter")
        assert "Adds 96 MB" in "\n".join(await settled(pilot))

    wizard(steps, route=route(crossing), at="Export", look=ASCII)


def test_a_key_file_is_tried_before(
    wizard: Drive, crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: set[str] = {"good"}
    monkeypatch.setattr(
        signing_keys, "why_not", lambda key, _token: "" if key.name in loaded else "No"
    )

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("tab", "enter", "end", "enter", "slash", *"bad", "tab")
        shown = "\n".join(await settled(pilot))
        assert "[/bad" in shown and "! No" in shown
        assert "Not yet: the key cannot sign." in shown
        loaded.add("bad")
        await pilot.press("shift+tab", "enter")
        assert "[ Seal it ]" in "\n".join(await settled(pilot))
        loaded.remove("bad")
        await pilot.press("tab")
        await pilot.press("shift+tab", "end", "ctrl+u", "slash", *"good", "tab")
        shown = "\n".join(await settled(pilot))
        assert "[ Seal it ]" in shown
        assert crossing.carrying == Carrying(key=Path("/good"))

    wizard(steps, route=route(crossing), at="Export")


# --- its end


def name_of(item: ItemResult) -> str:
    return str(jobs.DISCS / item.reference)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The discs of the result are there."""

    def look(spec: ExportSpec, result: ExportResult) -> Written:
        volumes = tuple(
            WrittenVolume(
                number,
                spec.medium / item.reference,
                item,
                item.bytes,
                item.digest[7:],
                SheetVolume(number, "iso", item.bytes, name_of(item), item.digest[7:]).burning,
            )
            for number, item in zip(result.numbers, result.items, strict=True)
        )
        return Written(volumes, spec.medium / "SHA256SUMS")

    monkeypatch.setattr(written, "look", look)


def exported(state_dir: Path, crossing: Crossing, ended: Any, verb: str = "export") -> None:
    job = jobs.WrittenJob(state_dir, jobs.chain(verb))
    job.end_step(ended, Snapshot(verb), ended.exit_code)
    crossing.job = job.info


@in_windows("80x24", "120x40", "ascii")
@pytest.mark.parametrize("what", ["whole", "failed", "sealed"])
def test_pictures_of_the_end(
    wizard: Drive,
    crossing: Crossing,
    state_dir: Path,
    snapshot: Callable[..., None],
    looked: None,
    what: str,
    name: str,
    size: tuple[int, int],
    look: Look,
) -> None:
    if what == "sealed":
        exported(state_dir, crossing, jobs.seal_ended(), "seal")
    else:
        exported(state_dir, crossing, jobs.export_ended(3 if what == "failed" else 0))

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        shown = "\n".join(rows(app_of(pilot)))
        if what == "failed":
            assert "2 of 15 volumes are written; the others can be tried again." in shown
            assert "> [ Try 13 again ]" in shown.replace("▸", ">")
            assert "/data/discs has no room left" in shown
        elif what == "whole":
            assert "pod-2025-07 is ready to carry: 15 volumes, 67.5 GB." in shown
            assert "Burn volume 1, and read it back" in shown
            assert "/data/discs/SHA256SUMS" in shown and "/data/discs/sheet.html" in shown
        else:
            assert "You may unplug it now: umount /media/usb1" in shown
            assert "airgap-tui verify /media/DISK/pod-2025-07" in shown
        snapshot(pilot.app, f"exported_{what}_{name}")

    wizard(steps, route=route(crossing), at="Export", size=size, look=look)


@pytest.mark.parametrize("verb", ["export", "seal"])
def test_images_that_are_not_carried_are_named(
    wizard: Drive, crossing: Crossing, state_dir: Path, looked: None, verb: str
) -> None:
    lost = ItemResult("docker.io/team/gone:1", ItemState.FAILED, error="no such tag", exit_code=1)
    ended = jobs.export_ended() if verb == "export" else jobs.seal_ended()
    result = ended.result
    if isinstance(result, ExportResult):
        result = replace(result, not_carried=(lost,))
    elif isinstance(result, SealResult):
        result = replace(result, items=(*result.items, lost))
    exported(state_dir, crossing, replace(ended, result=result, exit_code=1), verb)

    async def steps(pilot: Pilot[None]) -> None:
        shown = "\n".join(await seen(pilot, "not carried."))
        assert re.search(r"Not carried +docker\.io/team/gone:1", shown), shown

    wizard(steps, route=route(crossing), at="Export")


def test_what_came_to_nothing_can_be_chosen_otherwise(
    wizard: Drive, crossing: Crossing, state_dir: Path, started: list[tuple[Chain, str]]
) -> None:
    error = Ended("export", 4, None, "/id.pub cannot sign: agent refused operation", "Load it.")
    exported(state_dir, crossing, error)

    async def steps(pilot: Pilot[None]) -> None:
        shown = "\n".join(await seen(pilot, "Exporting ended before its time."))
        assert "/id.pub cannot sign: agent refused operation. Load it." in shown
        await seen(pilot, "> [ Try again ]")
        await pilot.press("shift+tab", "enter")
        await seen(pilot, "(*) ISO images")
        await settled(pilot)
        pilot.app.screen.query_one("#way").focus()
        await pilot.press("home")
        await seen(pilot, "[ Seal it ]")
        pilot.app.screen.query_one("#onward").focus()
        await pilot.press("enter")
        await seen(pilot, "Starting")

    wizard(steps, route=route(crossing), at="Export")
    assert [chain.verbs for chain, _command in started] == [("seal",)]


def test_the_way_to_burn_is_that_of_the_row(
    wizard: Drive, crossing: Crossing, state_dir: Path, looked: None
) -> None:
    exported(state_dir, crossing, jobs.export_ended())

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        app_of(pilot).screen.query_one("#volumes").focus()
        await pilot.press("down")
        assert "Burn volume 2, and read it back" in "\n".join(rows(app_of(pilot)))
        await pilot.press("c")
        assert "pod-2025-07-15-of-15.iso" in pilot.app.clipboard
        await pilot.press("f10")

    app = wizard(steps, route=route(crossing), at="Export")
    assert app.return_code == 0


def test_the_next_disk_is_asked_for_until_it_is_there(
    wizard: Drive,
    crossing: Crossing,
    state_dir: Path,
    tmp_path: Path,
    started: list[tuple[Chain, str]],
) -> None:
    disk = tmp_path / "disk"
    ended = jobs.export_ended(following=True)
    assert ended.result is not None
    last = disk / ended.result.items[0].reference
    last.mkdir(parents=True)
    spec = Carrying(Way.DIRECTORY, disk, "dvd", one_per_disk=True)
    chain = Chain((spec.step(jobs.BUNDLE, Settings()),))
    job = jobs.WrittenJob(state_dir, chain)
    job.end_step(ended, Snapshot("export"), 0)
    crossing.job = job.info

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "Volume 1 of 15 is written. 14 volumes to go.")
        await seen(pilot, "Volume 2 of 15: insert the next disk")
        await pilot.press("enter")
        await seen(pilot, "This disk still holds pod-2025-07-01-of-15.iso.")
        assert isinstance(pilot.app.screen, Question)
        shutil.rmtree(last)
        await pilot.press("enter")
        await seen(pilot, "Starting")

    wizard(steps, route=route(crossing), at="Export")
    (following,) = (chain.steps[0].spec for chain, _command in started)
    assert following.only == tuple(range(2, 16))
    assert following.one_per_disk and following.again


def test_later_leaves_and_the_way_on_stays_shut(
    wizard: Drive, crossing: Crossing, state_dir: Path
) -> None:
    exported(state_dir, crossing, jobs.export_ended(following=True))

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "insert the next disk")
        await pilot.press("tab", "enter")
        await seen(pilot, "> [ Next disk ]")
        await seen(pilot, "Not yet: 14 volumes to go.")
        await pilot.press("f10")
        assert "Volume 1 of 15 is written" in said_to_the_shell(pilot)

    wizard(steps, route=route(crossing), at="Export", look=ASCII)


def test_an_enter_from_before_does_not_say_that_the_next_disk_is_there(
    wizard: Drive, crossing: Crossing, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported(state_dir, crossing, jobs.export_ended(following=True))
    answer, look = threading.Event(), written.look

    def slow(spec: ExportSpec, result: ExportResult) -> Written:
        answer.wait(30)
        return look(spec, result)

    monkeypatch.setattr(written, "look", slow)

    async def steps(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, WizardApp)
        app.typed.seen_after = 30.0
        await seen(pilot, "14 volumes to go.")
        answer.set()
        await seen(pilot, "insert the next disk")
        await pilot.press("enter")
        assert isinstance(app.screen, Question)

    wizard(steps, route=route(crossing), at="Export", look=ASCII)
