"""Drives the wizard without a terminal, and holds its pictures against those that were kept."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from airgap_tui.engine.settings import Settings
from screens.app import WizardApp
from screens.base import WizardScreen
from screens.look import Look
from screens.steps import Route
from tests.screens.gallery import FirstScreen, done_before
from tests.screens.typist import driven
from tests.screens.windows import ASCII

HERE = Path(__file__).parent

Steps = Callable[[Pilot[None]], Awaitable[None]]


def drawing(name: str) -> list[str]:
    """The rows of a drawn screen, without the blanks at their ends."""
    return (HERE / "drawings" / f"{name}.txt").read_text("utf-8").splitlines()


def rows(app: WizardApp) -> list[str]:
    """What is on the screen, row by row, without the blanks at the ends."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def wizard(state_dir: Path) -> Callable[..., WizardApp]:
    """Run steps in a wizard at a step of a route, or on a screen of its own; returns the app."""

    def drive(
        steps: Steps,
        *,
        first: WizardScreen[Any] | None = None,
        route: Route | None = None,
        at: str = "",
        size: tuple[int, int] = (80, 24),
        look: Look = ASCII,
        host: str = "jump01",
        bundle: str = "pod-2025-07",
    ) -> WizardApp:
        app = WizardApp(first or FirstScreen(), Settings(state_dir=state_dir), look, host=host)

        async def run() -> None:
            async with driven(app, size) as pilot:
                app.bundle = bundle
                if route is not None:
                    app.begin(done_before(route, at or route.names[0]), at=at)
                await pilot.pause()
                await steps(pilot)

        asyncio.run(run())
        return app

    return drive


@pytest.fixture
def snapshot(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Compare what is on the screen with the picture kept under a name.

    `pytest --update-snapshots` keeps the new ones; look at them before they are committed.
    """
    differing: list[str] = []

    def compare(app: WizardApp, name: str) -> None:
        kept = HERE / "snapshots" / f"{name}.svg"
        picture = re.sub(r"terminal-\d+-", "terminal-", app.export_screenshot())
        picture = "\n".join(line.rstrip() for line in picture.splitlines()) + "\n"
        if request.config.getoption("--update-snapshots"):
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(picture, "utf-8")
        elif not kept.exists() or kept.read_text("utf-8") != picture:
            new = tmp_path / f"{name}.svg"
            new.write_text(picture, "utf-8")
            differing.append(f"{kept.name} differs from what is on the screen now: {new}")

    yield compare
    assert not differing, "\n".join(differing)
