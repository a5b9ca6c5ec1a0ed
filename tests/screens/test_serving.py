"""Serving, watched: what hosts type, the counts, stopping, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot

from airgap_tui.engine.events import ItemState, Note, Served
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import worker
from airgap_tui.engine.jobs.chain import Chain, Ended, Step
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.serve import ServeResult, ServeSpec
from airgap_tui.engine.snapshot import Snapshot
from screens.app import WizardApp
from screens.look import Look
from screens.serving import ServingScreen
from tests.screens.arrivals import PLACE, opened, route, settled, until
from tests.screens.jobs import NAMES, WrittenJob
from tests.screens.windows import ASCII, in_windows

Drive = Callable[..., WizardApp]
ADDRESS = "0.0.0.0:5000"
SERVING = Snapshot(
    "serve",
    ADDRESS,
    served=Served(12_040, 2, 44_300_000_000),
    rate=118e6,
    elapsed=375.0,
    notes=(
        Note("Serving 13 items of /media/usb1/pod-2025-07 at http://0.0.0.0:5000, read-only."),
        Note("10.0.0.7 asked for nvidia/pytorch:25.06-py3"),
        Note("10.0.0.9 asked for nvidia/pytorch:latest: not served"),
        Note("10.0.0.8 asked for nvidia/nemo:25.04"),
    ),
)


@pytest.fixture
def job(state_dir: Path) -> WrittenJob:
    spec = ServeSpec((PLACE,), "0.0.0.0", 5000)  # noqa: S104
    made = WrittenJob(state_dir, Chain((Step("serve", spec),)), command="airgap-tui serve POD")
    made.now(SERVING)
    return made


@pytest.fixture
def crossing(state_dir: Path, job: WrittenJob) -> Crossing:
    crossing = opened(state_dir)
    crossing.job = job.info
    return crossing


def drive(wizard: Drive, steps: object, crossing: Crossing, **options: object) -> WizardApp:
    way = route(crossing, Deliver=partial(ServingScreen, crossing))
    return wizard(steps, route=way, at="Deliver", host="mgmt01", **options)


def result() -> Ended:
    items = tuple(ItemResult(name, ItemState.DONE) for name in NAMES)
    return Ended("serve", 0, ServeResult(items, ADDRESS, 12_040, 2, 44_300_000_000, 375.0))


@in_windows("80x24", "120x40", "no_colour", look=ASCII)
def test_what_hosts_type_and_what_they_pulled(
    wizard: Drive,
    crossing: Crossing,
    snapshot: Callable[..., None],
    name: str,
    size: tuple[int, int],
    look: Look,
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        text = "\n".join(shown)
        assert "mgmt01 serves 13 images at port 5000. You may close this window." in text
        assert "docker pull mgmt01:5000/nim/meta/llama3-8b-instruct:1.0.3" in text
        assert "12,040 requests, 2 refused" in text and "44.3 GB sent" in text
        assert "118 MB/s" in text and "6 min 15 s so far" in text
        assert "each host must list mgmt01:5000 among its insecure registries" in text
        asked = [row for row in shown if "asked for" in row and "Last" not in row]
        assert "not served" in asked[0] and "nvidia/nemo" in asked[1]
        assert "[ Stop ]" in shown[-2] and "Until it is stopped, it goes on." in shown[-2]
        snapshot(pilot.app, f"serving_{name}")

    drive(wizard, steps, crossing, size=size, look=look)


def test_p_shows_what_hosts_type_for_every_image(wizard: Drive, crossing: Crossing) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("p")
        text = "\n".join(await settled(pilot))
        assert "What hosts type for 13 images." in text
        assert "docker pull mgmt01:5000/nvidia/nemo:25.04" in text

    drive(wizard, steps, crossing)


def test_stop_asks_first_and_finish_leaves_with_its_code(
    wizard: Drive, crossing: Crossing, job: WrittenJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[str] = []

    def stop(info: JobInfo) -> bool:
        stopped.append(info.id)
        job.end_step(result(), replace(SERVING, exit_code=0), 0)
        return True

    monkeypatch.setattr(worker, "stop", stop)

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("s")
        await until(pilot, "> [ Go on ]")
        await pilot.press("enter")
        await settled(pilot)
        assert stopped == []
        await pilot.press("escape")
        await until(pilot, "> [ Go on ]")
        await pilot.press("right", "enter")
        shown = await until(pilot, "Serving has ended: 12,040 requests, 44.3 GB sent.")
        shown = await until(pilot, "> [ Finish ]")
        assert "docker pull" not in "\n".join(shown)
        await pilot.press("enter")
        await pilot.pause()

    app = drive(wizard, steps, crossing)
    assert len(stopped) == 1
    assert app.return_code == 0


def test_leaving_says_how_to_come_back(wizard: Drive, crossing: Crossing) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        assert shown[23].endswith("F10 leave")
        await pilot.press("f10")
        await pilot.pause()

    app = drive(wizard, steps, crossing)
    assert app.return_code == 0


def test_a_port_that_was_taken_is_told_with_the_remedy(
    wizard: Drive, crossing: Crossing, job: WrittenJob, snapshot: Callable[..., None]
) -> None:
    error = "cannot listen on 0.0.0.0:5000: another program listens there"
    job.end_step(Ended("serve", 6, None, error, "Take another port."), Snapshot(), 6)

    async def steps(pilot: Pilot[None]) -> None:
        shown = await until(pilot, "Nothing could be served.")
        text = " ".join(row.strip() for row in shown)
        assert "Cannot listen on 0.0.0.0:5000: another program listens there." in text
        assert "Take another port." in text
        await settled(pilot)
        snapshot(pilot.app, "serving_failed")
        await pilot.press("f10")
        await pilot.pause()

    app = drive(wizard, steps, crossing)
    assert app.return_code == 6


def test_a_worker_that_is_gone_is_told(wizard: Drive, crossing: Crossing, job: WrittenJob) -> None:
    job.die()

    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, "Serving was ended from outside; begin it again under Review.")

    drive(wizard, steps, crossing)
