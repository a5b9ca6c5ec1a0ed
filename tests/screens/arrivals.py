"""A bundle that was carried here, as the screens of the offline side see it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs.media import Carried, Contents, FoundBundle
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.settings import Settings
from screens.destination import DestinationScreen
from screens.errands import ErrandScreen
from screens.open import OpenScreen
from screens.review_delivery import ReviewDeliveryScreen
from screens.steps import Route
from tests.screens.conftest import rows
from tests.screens.gallery import PlaceholderScreen
from tests.screens.jobs import GB, NAMES, SIZES, digest
from tests.services import PATIENCE

PLACE = Path("/media/usb1/pod-2025-07")
_NAMES = sorted(NAMES)
_SHARED = Digest.parse(digest(900))


def carried(name: str, size: int, number: int, problem: str = "") -> Carried:
    """One image; all share one layer of 1 GB where they are larger than that."""
    own = (Digest.parse(digest(number)), max(1, size - GB))
    files = {own, (_SHARED, GB)} if size > GB else {own}
    kept = frozenset(files) if not problem else frozenset[tuple[Digest, int]]()
    return Carried(Reference.parse(name), size, "linux/amd64", problem, kept)


def contents(damaged: Sequence[str] = (), path: Path = PLACE) -> Contents:
    """13 images; the damaged ones lack a file."""
    sizes = dict(zip(NAMES, SIZES, strict=True))
    images = [
        carried(name, sizes[name], n, "1 file of it is missing or cut short" * (name in damaged))
        for n, name in enumerate(_NAMES)
    ]
    return Contents(path, path.name, tuple(images), "2025-07-02")


def found(*paths: Path, problem: str = "") -> tuple[FoundBundle, ...]:
    return tuple(
        FoundBundle(path, path.name, 0 if problem else 13, 0, 67_500_000_000, "2025-07", problem)
        for path in paths
    )


def opened(state_dir: Path, damaged: Sequence[str] = ()) -> Crossing:
    """A crossing at whose end this bundle was opened."""
    crossing = Crossing(Settings(state_dir=state_dir))
    crossing.contents = contents(damaged)
    crossing.delivery = replace(crossing.delivery, path=PLACE)
    return crossing


def route(crossing: Crossing, **others: Any) -> Route:
    """The offline side; what is not named of Verify and Deliver is a placeholder."""
    makers: dict[str, Any] = {
        "Open": partial(OpenScreen, crossing),
        "Verify": partial(PlaceholderScreen, "Verify"),
        "Destination": partial(DestinationScreen, crossing),
        "Review": partial(ReviewDeliveryScreen, crossing),
        "Deliver": partial(PlaceholderScreen, "Deliver"),
    }
    return Route("Offline side", {**makers, **others})


async def settled(pilot: Pilot[None]) -> list[str]:
    """The rows once every errand of the screen has come back."""
    end = time.monotonic() + PATIENCE
    await pilot.pause()
    while isinstance(screen := pilot.app.screen, ErrandScreen) and screen.under_way():
        assert time.monotonic() < end, "an errand does not come back"
        await pilot.pause(0.02)
    await pilot.pause()
    return rows(pilot.app)  # type: ignore[arg-type]


async def until(pilot: Pilot[None], text: str) -> list[str]:
    """The rows as soon as a text stands in one of them."""
    end = time.monotonic() + PATIENCE
    while True:
        shown = rows(pilot.app)  # type: ignore[arg-type]
        if any(text in row for row in shown):
            return shown
        assert time.monotonic() < end, f"{text!r} does not come:\n" + "\n".join(shown)
        await pilot.pause(0.05)
