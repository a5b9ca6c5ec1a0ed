"""What came of a verify on both sides, and both sides' ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from airgap_tui.engine.bundle.findings import ABSENT, Finding
from airgap_tui.engine.bundle.signatures.signature import Signature, Standing
from airgap_tui.engine.bundle.volumes.asked import Asked
from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.steps import Side
from airgap_tui.engine.jobs import read_again, worker
from airgap_tui.engine.jobs.chain import Chain
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.verify import VerifyResult
from airgap_tui.engine.jobs.volumes_found import VolumeHere, VolumesHere
from airgap_tui.engine.settings import Trust
from airgap_tui.engine.snapshot import Snapshot
from screens.app import WizardApp
from screens.base import WizardScreen
from screens.delivered import deliver_step
from screens.look import Look
from screens.steps import Route
from screens.verifying import verify_step
from screens.widgets.table import Table
from screens.working import SavingScreen
from tests.screens import jobs
from tests.screens.conftest import rows
from tests.screens.gallery import PlaceholderScreen
from tests.screens.test_working import app_of, said_to_the_shell, seen
from tests.screens.windows import ASCII, in_windows
from tests.services import PATIENCE

Drive = Callable[..., WizardApp]
NEEDING = (jobs.NAMES[5], jobs.NAMES[4])


def route(crossing: Crossing, side: Side) -> Route:
    """A side with the screens of this module, and placeholders for the others."""
    made: dict[str, Callable[[], WizardScreen[Any]]] = {
        "Save": partial(SavingScreen, crossing),
        "Verify": partial(verify_step, crossing, side),
        "Deliver": partial(deliver_step, crossing),
    }
    return Route(
        side.heading,
        {name: made.get(name, partial(PlaceholderScreen, name)) for name in side.steps},
    )


def damaged(number: int = 1) -> VerifyResult:
    """So many files are not what they should be; two images need them."""
    bad = tuple(
        Finding(
            f"blobs/sha256/{n}",
            jobs.LAYER if n == 0 else jobs.digest((n + 1) << 250),
            f"its content has the digest {jobs.OTHER}" if n % 2 == 0 else ABSENT,
            NEEDING,
        )
        for n in range(number)
    )
    return replace(failing(NEEDING, "1 file damaged", 3), bad=bad)


def failing(names: tuple[str, ...], error: str, code: int) -> VerifyResult:
    result = jobs.verify_result()
    items = tuple(
        replace(item, state=ItemState.FAILED, error=error, exit_code=code)
        if item.reference in names
        else item
        for item in result.items
    )
    return replace(result, items=items)


def verified_job(state_dir: Path, side: Side, result: VerifyResult) -> jobs.WrittenJob:
    """A job that has verified, after a save on the online side."""
    online = side is Side.ONLINE
    job = jobs.WrittenJob(state_dir, jobs.chain(*(["save"] if online else []), "verify"))
    if online:
        job.end_step(jobs.save_ended(), jobs.over())
    job.end_step(jobs.verify_ended(result), Snapshot("verify"), result.exit_code)
    return job


@pytest.fixture(autouse=True)
def no_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundle of these jobs is nowhere; its layer has a size all the same."""
    monkeypatch.setattr(read_again, "sizes", lambda *_rest: {jobs.LAYER: 1_900_000_000})


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, state_dir: Path) -> list[Chain]:
    chains: list[Chain] = []

    def start(chain: Chain, _state_dir: Path, **_options: object) -> JobInfo:
        chains.append(chain)
        made = jobs.WrittenJob(state_dir, chain)
        made.now(replace(jobs.saving(), verb=chain.verbs[0]))
        return made.info

    monkeypatch.setattr(worker, "start", start)
    return chains


# --- verify


GOOD = Signature(Standing.GOOD, "ssh", "ops@example.org", "SHA256:Hk3v")


def volumes(*numbers: int) -> VolumesHere:
    """Of three volumes these are here."""
    here = tuple(VolumeHere(number, Path(f"/media/usb{number}")) for number in numbers)
    standing = "2 of 3 volumes are here; number 3 of pod-2025-07 is missing."
    asked = Asked(Form.DIRECTORY, tool=True)
    return VolumesHere("5e7" + "0" * 29, "pod-2025-07", 3, here, standing, asked)


def on_volumes(number: int = 1) -> VerifyResult:
    """Of a set all volumes are here, the second of which is damaged."""
    result = damaged(number)
    bad = tuple(replace(finding, volumes=(2,)) for finding in result.bad)
    return replace(result, bad=bad, signature=GOOD, volumes=volumes(1, 2, 3))


def one_missing() -> VerifyResult:
    """Of a set the third volume is not here: nothing is wrong with the others."""
    lost = tuple(Finding(f"blobs/sha256/{n}", jobs.digest(n), ABSENT, NEEDING) for n in range(9))
    result = failing(NEEDING, "9 files missing", 3)
    return replace(result, missing=lost, volumes=volumes(1, 2), signature=GOOD)


def altered() -> VerifyResult:
    return jobs.verify_result(signature=Signature(Standing.ALTERED, "ssh", "ops@example.org"))


OUTCOMES = {
    "offline_volume_damaged": (Side.OFFLINE, on_volumes(), "on volume 2 of 3 at /media/usb2"),
    "offline_volumes_damaged": (Side.OFFLINE, on_volumes(4), "1.9 GB"),
    "offline_volume_missing": (Side.OFFLINE, one_missing(), "A volume is missing."),
    "offline_altered": (Side.OFFLINE, altered(), "Do not use it."),
    "online_whole": (Side.ONLINE, jobs.verify_result(), "All 13 images are whole"),
    "online_damaged": (Side.ONLINE, damaged(), "Fetch this layer again, 1.9 GB"),
    "offline_whole": (Side.OFFLINE, jobs.verify_result(), "All 13 images are whole"),
    "offline_damaged": (Side.OFFLINE, damaged(), "7c1d0f93a6b2, 1.9 GB"),
    "offline_many": (Side.OFFLINE, damaged(4), "1.9 GB"),
}


@in_windows("80x24", "120x40", "ascii")
@pytest.mark.parametrize("what", OUTCOMES)
def test_pictures_of_verify(
    wizard: Drive,
    state_dir: Path,
    snapshot: Callable[..., None],
    what: str,
    name: str,
    size: tuple[int, int],
    look: Look,
) -> None:
    side, result, shown = OUTCOMES[what]
    crossing = jobs.crossing(state_dir, verified_job(state_dir, side, result))

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, shown)
        snapshot(pilot.app, f"verified_{what}_{name}")

    wizard(steps, route=route(crossing, side), at="Verify", size=size, look=look)


@pytest.mark.parametrize("number", [1, 4])
def test_all_that_is_damaged_is_seen(wizard: Drive, state_dir: Path, number: int) -> None:
    crossing = jobs.crossing(state_dir, verified_job(state_dir, Side.OFFLINE, damaged(number)))

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "What to do")
        got = await seen(pilot, "> (*) Read")
        shown = [row for row in got if "  Damaged  " in row or "  Not there  " in row]
        assert len(shown) == (number if number > 1 else 0)
        assert any("7c1d0f93a6b2" in row for row in got)

    wizard(steps, route=route(crossing, Side.OFFLINE), at="Verify", look=ASCII)


def test_a_lost_volume_is_asked_for_with_one_command(wizard: Drive, state_dir: Path) -> None:
    result = one_missing()
    assert result.volumes is not None
    discs = replace(result.volumes, asked=Asked(Form.ISO, "dvd", tool=True))
    result = replace(result, volumes=discs)
    crossing = jobs.crossing(state_dir, verified_job(state_dir, Side.OFFLINE, result))

    async def steps(pilot: Pilot[None]) -> None:
        got = await seen(pilot, "2 of 3 volumes are here; number 3 of pod-2025-07 is missing")
        assert any(row.endswith("By one command on the online side") for row in got)
        assert any("A volume is missing. 11 of 13 images are whole without it." in r for r in got)
        assert any("> (*) Go on with 11 images" in row for row in got)
        assert not any("Not there" in row for row in got), "it is only somewhere else"
        await pilot.press("down", "tab", "enter")
        got = await seen(pilot, "Say or write this to the online side.")
        command = "airgap-tui export pod-2025-07 MEDIUM --format iso"
        at = next(n for n, row in enumerate(got) if row.strip() == f"Command   {command} \\")
        assert got[at + 1].strip() == "--volume-size dvd --only-volume 3"
        assert any(row.strip() == "Volume    3 of 3" for row in got)

    wizard(steps, route=route(crossing, Side.OFFLINE), at="Verify", look=ASCII)


@pytest.mark.parametrize(
    ("standing", "required", "shut"),
    [
        (Standing.GOOD, True, ""),
        (Standing.UNSIGNED, False, ""),
        (Standing.UNSIGNED, True, "Not yet: nobody on the list signed it."),
        (Standing.UNKNOWN_KEY, False, ""),
        (Standing.UNKNOWN_KEY, True, "Not yet: nobody on the list signed it."),
        (Standing.UNCHECKED, True, "Not yet: nobody on the list signed it."),
        (Standing.ALTERED, False, "Not yet: it was altered after it was signed."),
    ],
    ids=str,
)
def test_what_a_signature_shuts(
    wizard: Drive, state_dir: Path, standing: Standing, required: bool, shut: str
) -> None:
    result = jobs.verify_result(signature=Signature(standing, "ssh", "ops@example.org"))
    crossing = jobs.crossing(state_dir, verified_job(state_dir, Side.OFFLINE, result))
    crossing.delivery = crossing.delivery.trusting(Trust(required=required))

    async def steps(pilot: Pilot[None]) -> None:
        got = await seen(pilot, "Signature")
        assert got[22].endswith(f"{shut}   Next: Destination" if shut else "[ Next: Destination ]")
        app_of(pilot).screen.go_on()  # type: ignore[attr-defined]
        await pilot.pause()
        stays = any("[2 Verify]" in row for row in rows(app_of(pilot)))
        assert stays == bool(shut)

    wizard(steps, route=route(crossing, Side.OFFLINE), at="Verify", look=ASCII)


def test_another_list_of_signers_counts_without_reading_again(
    wizard: Drive, state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signers = tmp_path / "signers"
    signers.write_text("ops@example.org ssh-ed25519 AAAA\n")
    unknown = Signature(Standing.UNKNOWN_KEY, "ssh", "", "SHA256:Hk3v")
    result = jobs.verify_result(signature=unknown)
    crossing = jobs.crossing(state_dir, verified_job(state_dir, Side.OFFLINE, result))
    asked: list[Trust] = []

    def signature_of(_bundle: object, trust: Trust, _token: object) -> Signature:
        asked.append(trust)
        return GOOD

    monkeypatch.setattr("screens.remedy.signature_of", signature_of)
    monkeypatch.setattr("screens.remedy.BundleReader.open", lambda *_places: None)

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "Signed with a key that this machine does not know:")
        await seen(pilot, "SHA256:Hk3v")
        await pilot.press("s")
        await seen(pilot, "Whose signatures count here?")
        await pilot.press("ctrl+u", *str(signers), "enter")
        await seen(pilot, "Good: signed by ops@example.org, trusted on this machine")

    wizard(steps, route=route(crossing, Side.OFFLINE), at="Verify", look=ASCII)
    assert [trust.allowed_signers for trust in asked] == [signers]


def test_a_report_is_saved_as_text_and_json(wizard: Drive, state_dir: Path, tmp_path: Path) -> None:
    crossing = jobs.crossing(state_dir, verified_job(state_dir, Side.OFFLINE, damaged()))

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "G save report")
        await pilot.press("g")
        shown = await seen(pilot, "Two files tell the outcome")
        assert any("-verified-" in row for row in shown), "a name is proposed"
        await pilot.press("ctrl+u", *str(tmp_path / "found"), "enter")
        await seen(pilot, "Saved:")

    wizard(steps, route=route(crossing, Side.OFFLINE), at="Verify", look=ASCII)
    assert not json.loads((tmp_path / "found.json").read_text())["ok"]
    assert "Files that are damaged or missing" in (tmp_path / "found.txt").read_text()


def test_a_report_that_cannot_be_written_says_why(
    wizard: Drive, state_dir: Path, tmp_path: Path
) -> None:
    crossing = jobs.crossing(state_dir, verified_job(state_dir, Side.OFFLINE, jobs.verify_result()))

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "G save report")
        await pilot.press("g")
        await seen(pilot, "Save as")
        await pilot.press("ctrl+u", *str(tmp_path / "none" / "found"), "enter")
        await seen(pilot, "no such file or directory")
        await pilot.press("escape", "g")
        await seen(pilot, "Save as")
        await pilot.press("ctrl+u", "/", "enter")
        await seen(pilot, "/ is a directory")

    wizard(steps, route=route(crossing, Side.OFFLINE), at="Verify", look=ASCII)


def test_reading_again_may_find_it_whole(
    wizard: Drive, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()

    def run(*_rest: object) -> VerifyResult:
        assert may_end.wait(PATIENCE)
        return jobs.verify_result()

    monkeypatch.setattr(read_again, "run", run)
    crossing = jobs.crossing(state_dir, verified_job(state_dir, Side.OFFLINE, damaged()))

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "[ Read it again ]")
        await pilot.press("tab", "enter")
        await seen(pilot, "Reading it again ..")
        may_end.set()
        await seen(pilot, "All 13 images are whole: 486 files, 67.5 GB, every byte read.")
        await seen(pilot, "> [ Next: Destination ]")
        await pilot.press("enter")
        await seen(pilot, "[3 Destination]")

    wizard(steps, route=route(crossing, Side.OFFLINE), at="Verify")
    assert crossing.verified is not None
    assert crossing.verified.ok
    assert crossing.delivery.images == ()


def test_offline_going_on_leaves_out_what_is_damaged(wizard: Drive, state_dir: Path) -> None:
    crossing = jobs.crossing(state_dir, verified_job(state_dir, Side.OFFLINE, damaged()))

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "> (*) Read this layer again")
        await pilot.press("down")
        await seen(pilot, "> (*) Go on with 11 images")
        await pilot.press("tab", "enter")
        await seen(pilot, "[3 Destination]")
        assert any("+ Verify" in row for row in rows(app_of(pilot)))
        await pilot.press("escape")  # Back keeps what was chosen
        await seen(pilot, "(*) Go on with 11 images")

    wizard(steps, route=route(crossing, Side.OFFLINE), at="Verify")
    chosen = {str(reference) for reference in crossing.delivery.images}
    assert len(chosen) == 11
    assert not chosen & set(NEEDING)


def test_online_the_damaged_layer_is_fetched_again(
    wizard: Drive, state_dir: Path, started: list[Chain]
) -> None:
    crossing = jobs.crossing(state_dir, verified_job(state_dir, Side.ONLINE, damaged()))

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "> (*) Fetch this layer again, 1.9 GB")
        await pilot.press("tab", "enter")
        await seen(pilot, "[4 Save]")
        await seen(pilot, "Saving 13 images.")

    wizard(steps, route=route(crossing, Side.ONLINE), at="Verify")
    assert [chain.verbs for chain in started] == [("save", "verify")]


def test_online_going_on_leads_to_export(wizard: Drive, state_dir: Path) -> None:
    crossing = jobs.crossing(state_dir, verified_job(state_dir, Side.ONLINE, damaged()))

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "> (*) Fetch")
        await pilot.press("down", "down", "tab", "enter")
        await seen(pilot, "[6 Export]")
        await pilot.press("escape")
        await seen(pilot, "What to do")

    wizard(steps, route=route(crossing, Side.ONLINE), at="Verify")


def test_nothing_whole_shuts_the_way_on(wizard: Drive, state_dir: Path) -> None:
    result = failing(jobs.NAMES, "it was not saved completely", 1)
    crossing = jobs.crossing(state_dir, verified_job(state_dir, Side.OFFLINE, result))

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "Not yet: no image is whole.")

    wizard(steps, route=route(crossing, Side.OFFLINE), at="Verify")


# --- the offline side's end


@in_windows("80x24", "120x40", "ascii")
@pytest.mark.parametrize("what", ["push", "push_failed", "load"])
def test_pictures_of_delivery(
    wizard: Drive,
    state_dir: Path,
    snapshot: Callable[..., None],
    what: str,
    name: str,
    size: tuple[int, int],
    look: Look,
) -> None:
    crossing = delivered(state_dir, what)

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "13 images are in")
        snapshot(pilot.app, f"delivered_{what}_{name}")

    wizard(steps, route=route(crossing, Side.OFFLINE), at="Deliver", size=size, look=look)


def delivered(state_dir: Path, what: str) -> Crossing:
    verb = what.partition("_")[0]
    failed = jobs.NAMES[:3] if what.endswith("failed") else ()
    ended = jobs.load_ended() if verb == "load" else jobs.push_ended(failed)
    target = " harbor.pod.lan/ngc" if verb == "push" else ""
    command = f"airgap-tui {verb} /media/usb1/pod-2025-07{target}"
    job = jobs.WrittenJob(state_dir, jobs.chain(verb), command=command)
    job.end_step(ended, Snapshot(verb), ended.exit_code)
    return jobs.crossing(state_dir, job)


def test_a_push_watched_ends_in_its_result(wizard: Drive, state_dir: Path) -> None:
    job = jobs.WrittenJob(state_dir, jobs.chain("push"))
    running = replace(jobs.saving(), verb="push")
    job.now(running)
    crossing = jobs.crossing(state_dir, job)

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "Pushing 13 images.")
        await seen(pilot, "Opens by itself when pushing ends.")
        job.end_step(jobs.push_ended(), running, 0)
        got = await seen(pilot, "All 13 images are in harbor.pod.lan, not a bit different.")
        assert sum("Same digest" in row for row in got) > 5
        await seen(pilot, "docker pull harbor.pod.lan/ngc/nvidia/cuda:12.9.1-base-ubuntu24.04")
        await seen(pilot, "> [ Finish ]")
        await pilot.press("enter")
        assert "All 13 images are in harbor.pod.lan" in said_to_the_shell(pilot)

    assert wizard(steps, route=route(crossing, Side.OFFLINE), at="Deliver").return_code == 0


def test_what_was_not_delivered_is_told_with_its_remedy_and_tried_again(
    wizard: Drive, state_dir: Path, started: list[Chain]
) -> None:
    crossing = delivered(state_dir, "push_failed")

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "10 of 13 images are in harbor.pod.lan. 3 failed.")
        await seen(pilot, "3 images failed for one reason")
        await seen(pilot, "Ask for the right to push into the project ngc.")
        await seen(pilot, "> [ Try 3 again ]")
        await pilot.press("enter")
        await seen(pilot, "Pushing 13 images.")

    wizard(steps, route=route(crossing, Side.OFFLINE), at="Deliver")
    assert [chain.verbs for chain in started] == [("push",)]


def test_another_digest_there_is_shown(wizard: Drive, state_dir: Path) -> None:
    ended = jobs.push_ended()
    assert ended.result is not None
    first, *others = ended.result.items
    changed = replace(first, target_digest=jobs.OTHER)
    result: Any = ended.result
    other = replace(ended, result=replace(result, items=(changed, *others)))
    job = jobs.WrittenJob(state_dir, jobs.chain("push"))
    job.end_step(other, Snapshot("push"), 0)

    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "b07e41d5c82a")
        table = pilot.app.screen.query_one(Table)
        table.focus()
        await pilot.press("enter")
        await seen(pilot, "sha256:b07e41d5c82a")

    wizard(steps, route=route(jobs.crossing(state_dir, job), Side.OFFLINE), at="Deliver")


def test_what_there_is_for_the_online_side_is_told(
    wizard: Drive, state_dir: Path, snapshot: Callable[..., None]
) -> None:
    ended = jobs.push_ended()
    receipt = Path("/root/.local/state/airgap-tui/receipts/2025-07-03-pod-2025-07.json")
    result: Any = replace(ended.result, code="7K3M-Q2ZD-X81A", receipt=receipt)  # type: ignore[type-var]
    job = jobs.WrittenJob(state_dir, jobs.chain("push"))
    job.end_step(replace(ended, result=result), Snapshot("push"), 0)

    async def steps(pilot: Pilot[None]) -> None:
        got = await seen(pilot, "Delivery code  7K3M-Q2ZD-X81A")
        assert any(f"Receipt        {receipt.parent}/" in row for row in got)
        assert any(row.strip() == receipt.name for row in got)
        snapshot(pilot.app, "delivered_code")
        await pilot.press("c")
        assert "Delivery code: 7K3M-Q2ZD-X81A" in pilot.app.clipboard
        assert f"Receipt: {receipt}" in pilot.app.clipboard

    wizard(steps, route=route(jobs.crossing(state_dir, job), Side.OFFLINE), at="Deliver")


def test_leaving_a_result_with_failures_ends_with_their_code(
    wizard: Drive, state_dir: Path
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await seen(pilot, "3 failed.")
        await pilot.press("f10")

    app = wizard(
        steps, route=route(delivered(state_dir, "push_failed"), Side.OFFLINE), at="Deliver"
    )
    assert app.return_code == 1
