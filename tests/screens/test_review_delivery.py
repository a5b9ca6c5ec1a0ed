"""Review of the offline side: what will happen, what stays out, and the start of the work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.errors import EnvironmentFailure
from airgap_tui.engine.guide.answers import Delivery, Destination, Security
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import worker
from airgap_tui.engine.jobs.chain import Chain
from airgap_tui.engine.jobs.load import LoadSpec
from airgap_tui.engine.jobs.push import PushSpec
from airgap_tui.engine.jobs.serve import ServeSpec
from airgap_tui.engine.jobs.survival import Survival
from airgap_tui.engine.oci.reference import Reference
from screens import review_delivery
from screens.app import WizardApp
from screens.look import Look
from tests.screens.arrivals import opened, route, settled, until
from tests.screens.jobs import NAMES, WrittenJob, verify_result
from tests.screens.windows import ASCII, in_windows

Drive = Callable[..., WizardApp]
PASSWORD = "correct-horse-battery"


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> list[Survival]:
    """What the system does to programs at logout; tests change it."""
    found = [Survival()]
    monkeypatch.setattr(review_delivery, "survival", lambda: found[0])
    return found


@pytest.fixture
def started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> list[tuple[Chain, dict[str, object]]]:
    """What workers were started with; they only seem to work."""
    calls: list[tuple[Chain, dict[str, object]]] = []

    def start(chain: Chain, _state_dir: Path, **options: object) -> object:
        calls.append((chain, options))
        return WrittenJob(tmp_path / "jobs", chain).info

    monkeypatch.setattr(worker, "start", start)
    return calls


def to_registry(state_dir: Path, **answers: object) -> Crossing:
    crossing = opened(state_dir)
    crossing.verified = verify_result()
    crossing.delivery = replace(
        crossing.delivery,
        destination=Destination.REGISTRY,
        registry="harbor.pod.lan",
        project="ngc",
        **answers,  # type: ignore[arg-type]
    )
    return crossing


def drive(wizard: Drive, steps: object, crossing: Crossing, **options: object) -> WizardApp:
    return wizard(steps, route=route(crossing), at="Review", host="mgmt01", **options)


@in_windows("80x24", "120x40", "no_colour", look=ASCII)
def test_all_names_and_sizes_before_anything_is_sent(
    wizard: Drive,
    state_dir: Path,
    snapshot: Callable[..., None],
    name: str,
    size: tuple[int, int],
    look: Look,
) -> None:
    crossing = to_registry(state_dir, security=Security.OWN_CA, ca_file=Path("/etc/pod-ca.pem"))
    crossing.logins["harbor.pod.lan"] = Credential("robot$ngc", PASSWORD, "typed")

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        text = "\n".join(shown)
        assert "Up to 60.4 GB go to harbor.pod.lan: what it holds is not sent again." in text
        assert "harbor.pod.lan/ngc, over TLS with pod-ca.pem, as robot$ngc" in text
        assert "486 files, 67.5 GB, all whole" in text
        assert "On harbor.pod.lan" in text and "ngc/nvidia/nemo:25.04" in text
        assert "All 13 images, each layer once: 14 files" in text
        assert "[ Push 13 images ]" in shown[-2]
        assert getattr(pilot.app.focused, "id", "") == "onward"
        assert PASSWORD not in text
        snapshot(pilot.app, f"review_delivery_{name}")

    drive(wizard, steps, crossing, size=size, look=look)


def test_what_stays_out_is_named_with_its_reason(
    wizard: Drive, state_dir: Path, snapshot: Callable[..., None]
) -> None:
    crossing = to_registry(state_dir)
    whole = opened(state_dir, damaged=NAMES[3:4])
    crossing.contents = whole.contents
    kept = [Reference.parse(name) for name in NAMES if name != NAMES[5]]
    crossing.delivery = replace(crossing.delivery, images=tuple(kept))

    async def steps(pilot: Pilot[None]) -> None:
        text = "\n".join(await settled(pilot))
        assert "2 images, first in the list below" in text
        assert "nvidia/nemo:25.04                Stays out: missing files" in text
        assert "nvidia/pytorch:25.06-py3         Stays out: damaged" in text
        assert "> [ Push 11 images ]" in text
        snapshot(pilot.app, "review_delivery_stays_out")

    drive(wizard, steps, crossing)


def test_what_stays_out_is_not_asked_for(
    wizard: Drive, state_dir: Path, started: list[tuple[Chain, dict[str, object]]]
) -> None:
    crossing = to_registry(state_dir)
    crossing.contents = opened(state_dir, damaged=NAMES[3:4]).contents

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("enter")
        await until(pilot, "[5 Deliver]")

    drive(wizard, steps, crossing)
    ((chain, options),) = started
    names = [str(reference) for reference in chain.steps[0].spec.references]
    assert sorted(names) == sorted(name for name in NAMES if name != NAMES[3])
    assert str(options["command"]).count("--image") == 12


def test_an_unverified_bundle_is_called_that(wizard: Drive, state_dir: Path) -> None:
    crossing = to_registry(state_dir)
    crossing.verified = None

    async def steps(pilot: Pilot[None]) -> None:
        assert any("! " in row and "Not verified here;" in row for row in await settled(pilot))

    drive(wizard, steps, crossing)


def test_a_system_that_ends_programs_at_logout_is_told_of(
    wizard: Drive, state_dir: Path, session: list[Survival]
) -> None:
    session[0] = Survival((), "this system ends your programs when you log out", "Run once: x")

    async def steps(pilot: Pilot[None]) -> None:
        text = "\n".join(await settled(pilot))
        assert "This system ends your programs when you log out" in text
        assert "Run once: x" in text

    drive(wizard, steps, to_registry(state_dir))


@pytest.mark.parametrize(
    ("place", "button", "kind"),
    [
        (Destination.REGISTRY, "Push 13 images", PushSpec),
        (Destination.DOCKER, "Load 13 images", LoadSpec),
        (Destination.PODMAN, "Load 13 images", LoadSpec),
        (Destination.SERVE, "Serve 13 images", ServeSpec),
    ],
)
def test_the_button_begins_it_with_the_logins_of_this_run(
    wizard: Drive,
    state_dir: Path,
    started: list[tuple[Chain, dict[str, object]]],
    place: Destination,
    button: str,
    kind: type,
) -> None:
    crossing = to_registry(state_dir)
    crossing.delivery = replace(crossing.delivery, destination=place)
    login = Credential("robot", PASSWORD, "typed")
    crossing.logins["harbor.pod.lan"] = login

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        assert shown[22].endswith(f"> [ {button} ]")
        await pilot.press("enter")
        await until(pilot, "[5 Deliver]")

    drive(wizard, steps, crossing)
    ((chain, options),) = started
    assert isinstance(chain.steps[0].spec, kind)
    assert options["logins"] == {"harbor.pod.lan": login}
    assert PASSWORD not in str(options["command"])
    assert crossing.job is not None


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"registry": "nvcr.io"}, "Not yet: nvcr.io is on the internet."),
        ({"registry": "no such"}, "Not yet: Destination needs you."),
        ({"images": (Reference.parse("a.lan/b:1"),)}, "Not yet: no image can be delivered."),
    ],
)
def test_what_cannot_begin_says_why(
    wizard: Drive,
    state_dir: Path,
    started: list[tuple[Chain, dict[str, object]]],
    answers: dict[str, object],
    reason: str,
) -> None:
    crossing = to_registry(state_dir)
    crossing.delivery = replace(crossing.delivery, **answers)  # type: ignore[arg-type]

    async def steps(pilot: Pilot[None]) -> None:
        shown = await settled(pilot)
        assert reason in shown[22]
        pilot.app.screen.go_on()  # type: ignore[attr-defined]
        await settled(pilot)

    drive(wizard, steps, crossing)
    assert started == []


def test_back_finds_what_changed_since(wizard: Drive, state_dir: Path) -> None:
    crossing = to_registry(state_dir)

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        pilot.app.show_step("Deliver")  # type: ignore[attr-defined]
        await pilot.pause()
        crossing.delivery = Delivery(crossing.delivery.path, destination=Destination.SERVE)
        await pilot.press("escape")
        shown = await settled(pilot)
        assert shown[22].endswith("> [ Serve 13 images ]")

    drive(wizard, steps, crossing)


def test_a_worker_that_does_not_start_is_told_and_can_be_tried_again(
    wizard: Drive, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_arguments: object, **_options: object) -> object:
        raise EnvironmentFailure("no worker process can be started", hint="Look at the log.")

    monkeypatch.setattr(worker, "start", start)

    async def steps(pilot: Pilot[None]) -> None:
        await settled(pilot)
        await pilot.press("enter")
        await until(pilot, "no worker process can be started")
        await pilot.press("escape")
        assert (await settled(pilot))[22].endswith("> [ Push 13 images ]")

    drive(wizard, steps, to_registry(state_dir))
