"""Walks the wizard's offline side from Welcome to its ends, by keys; run in a network namespace.

    python -m tests.e2e.offline_walk DIRECTORY RECORD

`DIRECTORY` holds the bundle `pod`; a line `phase NAME` is added to `RECORD` at each step.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from textual.pilot import Pilot

from airgap_tui.engine.jobs.job_list import JobState, list_jobs
from airgap_tui.engine.settings import Settings
from screens.look import Look
from screens.wizard import Wizard
from tests import services
from tests.images import remote_digest
from tests.screens.typist import driven

PHASES = ("welcome", "open", "verify", "registry", "review", "push", "serve", "over")


class Walk:
    """One wizard and the keys for it."""

    def __init__(self, directory: Path, record: Path) -> None:
        self.directory, self._record = directory, record
        self.app = Wizard(Settings(state_dir=directory / "state"), Look(ascii=True)).app

    def phase(self, name: str) -> None:
        """What is recorded from here on belongs to this step."""
        with open(self._record, "a", encoding="utf-8") as record:
            record.write(f"phase {name}\n")

    @property
    def screen(self) -> str:
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)

    async def until(self, pilot: Pilot[None], *texts: str) -> None:
        """All of these stand on the screen."""
        end = time.monotonic() + services.PATIENCE
        while not all(text in self.screen for text in texts):
            assert time.monotonic() < end, f"{texts} do not come:\n{self.screen}"
            await pilot.pause(0.05)

    async def take(self, pilot: Pilot[None], button: str) -> None:
        """The way on, once it says this."""
        await self.until(pilot, f"[ {button} ]")
        self.app.screen.query_one("#onward").focus()
        await pilot.press("enter")

    async def run(self, registry: str) -> None:
        self.phase("welcome")
        async with driven(self.app) as pilot:
            await self.until(pilot, "Bring images in")
            await self.until(pilot, "Podman")  # the checks of this machine are through
            self.phase("open")
            await pilot.press("end", "up", "enter")
            await self.take(pilot, "Verify 5 images")
            self.phase("verify")
            await self.until(pilot, "every byte read")
            self.phase("registry")
            await self.take(pilot, "Next: Destination")
            await self.until(pilot, "An existing registry", "Not ")
            await pilot.press("home", "tab", *registry, "tab")
            await self.until(pilot, "You may write to it")
            self.phase("review")
            await self.take(pilot, "Next: Review")
            await self.until(pilot, "[ Push 5 images ]")
            self.phase("push")
            await self.take(pilot, "Push 5 images")
            await self.until(pilot, "[ Finish ]")
            self.phase("serve")
            self.app.show_step("Destination")
            await pilot.pause()
            self.app.screen.query_one("#place").focus()
            await pilot.press("end")
            await self.take(pilot, "Next: Review")
            await self.take(pilot, "Serve 5 images")
            await self.until(pilot, "You may close this window.")
            await pilot.press("s")
            await self.until(pilot, "> [ Go on ]")
            await pilot.press("right", "enter")
            await self.take(pilot, "Finish")
            await pilot.pause()
        self.phase("over")


def main(directory: Path, record: Path) -> int:
    os.chdir(directory)
    registry = services.start_distribution()
    try:
        walk = Walk(directory, record)
        asyncio.run(walk.run(registry.host))
        jobs = list_jobs(directory / "state")
        assert [job.verb for job in jobs] == ["serve", "push", "verify"]
        assert all(job.state is JobState.FINISHED and job.exit_code == 0 for job in jobs)
        assert remote_digest(registry.host, "nvidia/pytorch", "24.05-py3")
        return walk.app.return_code or 0
    finally:
        registry.stop()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
