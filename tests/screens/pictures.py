"""Makes the README's pictures of the wizard, and its table of keys, from the wizard itself.

python -m tests.screens.pictures           makes them
python -m tests.screens.pictures --check   says which are not as the wizard is now, and fails
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide import sentences
from airgap_tui.engine.guide.remembered import LAST_DESTINATION, LAST_REGISTRY, Remembered
from airgap_tui.engine.settings import Settings
from airgap_tui.engine.snapshot import Snapshot
from screens.base import WizardScreen
from screens.look import Look
from screens.wizard import Wizard
from tests.screens import arrivals, jobs, key_list
from tests.screens.drawn import Frame, draw
from tests.screens.staged import KEY, Stage, carried, ended, exporting, under_way, until
from tests.screens.typist import driven

ROOT = Path(__file__).resolve().parents[2]
PICTURES, README = ROOT / ".github" / "screens", ROOT / "README.md"
SIZE = (80, 24)


class Play:
    """Plays both sides, and keeps what was seen: all frames in order, and the named ones."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.frames: list[Frame] = []
        self.named: dict[str, Frame] = {}

    async def see(self, pilot: Pilot[None], seconds: float = 3.0, name: str = "") -> None:
        await arrivals.settled(pilot)
        frame = Frame.of(pilot.app, seconds)  # type: ignore[arg-type]
        self.frames.append(frame)
        if name:
            self.named[name] = frame

    async def run(self, host: str, part: Callable[[Pilot[None]], Awaitable[None]]) -> None:
        wizard = Wizard(Settings(state_dir=self.stage.state_dir), Look(), host=host)
        async with driven(wizard.app, SIZE) as pilot:
            await pilot.pause()
            await part(pilot)

    # The online side

    async def collect(self, pilot: Pilot[None]) -> None:
        await until(pilot, "1.8 TB free")
        await self.see(pilot, name="welcome")
        await pilot.press("enter")
        await until(pilot, "Choose the images to carry")
        await _type(pilot, "nvcr.io/nvidia/pytorch:25.06-py3")
        await self.see(pilot, 2.0)
        await pilot.press("enter")
        await self._find_in_use(pilot)
        screen = _screen(pilot)
        screen.query_one("#list").focus()
        await pilot.press("enter")
        await until(pilot, "Read which list file")
        await self.see(pilot, 2.0)
        await pilot.press("enter")
        await until(pilot, "12 of 13 are chosen")
        await pilot.press("home", "space")
        await until(pilot, "13 of 13 are chosen")
        await self.see(pilot, name="images")
        screen.go_on()
        await until(pilot, "cannot be read yet")
        await self.see(pilot, 4.0, name="logins")
        await _type(pilot, KEY)
        await self.see(pilot, 1.5)
        await pilot.press("enter")
        await until(pilot, "No login is missing")
        await self.see(pilot, 2.5)
        _screen(pilot).go_on()
        await until(pilot, "to download")
        _screen(pilot).query_one("#place").focus()
        await pilot.press("end", "ctrl+u")
        await _type(pilot, str(jobs.BUNDLE))
        await pilot.press("enter")
        await until(pilot, "to download")
        _screen(pilot).way_on.focus()
        await self.see(pilot, 4.0, name="review")
        await pilot.press("enter")
        await self._work(pilot, "save", ItemState.SAVING, (1, 4), named=7)
        self._job.end_step(ended("save"), under_way("verify", 5, ItemState.VERIFYING))
        await until(pilot, "Verifying 13 images")
        await self.see(pilot, 1.2)
        self._job.end_step(ended("verify"), Snapshot("verify"), 0)
        await until(pilot, "every byte read")
        await self.see(pilot, 2.5)
        _screen(pilot).go_on()
        await self._export(pilot)

    async def _export(self, pilot: Pilot[None]) -> None:
        """Onto DVDs: written as ISO images, burned by the commands that are told then."""
        await until(pilot, "Another disk")
        await pilot.press("end", "tab")
        await _type(pilot, str(jobs.DISCS))
        await pilot.press("tab")
        await until(pilot, "Write 15 volumes")
        _screen(pilot).way_on.focus()
        await self.see(pilot, 4.0, name="export")
        await pilot.press("enter")
        await until(pilot, "Starting")
        snapshot = exporting(6)
        self._job.now(snapshot)
        await until(pilot, sentences.tally(snapshot))
        await self.see(pilot, 2.0)
        self._job.end_step(jobs.export_ended(), Snapshot("export"), 0)
        await until(pilot, "is ready to carry")
        await self.see(pilot, 5.0, name="exported")

    async def _find_in_use(self, pilot: Pilot[None]) -> None:
        """Look at what a cluster runs, and go back without adding any of it."""
        _screen(pilot).query_one("#find").focus()
        await pilot.press("enter")
        await until(pilot, "Where are images in use")
        _screen(pilot).query_one("#hosts").focus()
        await _type(pilot, "dgx[01-03]")
        await self.see(pilot, 2.5)
        _screen(pilot).way_on.focus()
        await pilot.press("enter")
        await until(pilot, "7 of 7 images in use are chosen")
        await pilot.press(*["down"] * 5)
        await self.see(pilot, 4.0, name="in_use")
        await pilot.press("escape")
        await until(pilot, "Choose the images to carry")

    async def _work(
        self,
        pilot: Pilot[None],
        verb: str,
        state: ItemState,
        moments: Sequence[int],
        named: int = 0,
    ) -> None:
        """A job at work, at moments with so many images done."""
        await until(pilot, "Starting")
        for done in (*moments, *([named] if named else [])):
            snapshot = under_way(verb, done, state)
            self._job.now(snapshot)
            await until(pilot, sentences.tally(snapshot))
            last = done == named
            await self.see(pilot, 3.0 if last else 1.2, name=verb if last else "")

    # The offline side

    async def bring_in(self, pilot: Pilot[None]) -> None:
        await until(pilot, "pod-2025-07")
        await self.see(pilot)
        await pilot.press("enter")
        await until(pilot, "are complete")
        await self.see(pilot, name="open")
        _screen(pilot).go_on()
        await self._work(pilot, "verify", ItemState.VERIFYING, (4,))
        self._job.end_step(ended("verify"), Snapshot("verify"), 0)
        await until(pilot, "every byte read")
        await self.see(pilot, name="verified")
        _screen(pilot).go_on()
        await until(pilot, "You may write to it")
        await self.see(pilot, 4.0, name="destination")
        _screen(pilot).go_on()
        await until(pilot, "Push 13 images")
        await self.see(pilot, name="review_delivery")
        await pilot.press("enter")
        await self._work(pilot, "push", ItemState.PUSHING, (2, 8))
        self._job.end_step(ended("push"), Snapshot("push"), 0)
        await until(pilot, "not a bit different")
        await self.see(pilot, 6.0, name="delivered")

    @property
    def _job(self) -> jobs.WrittenJob:
        assert self.stage.job is not None
        return self.stage.job


def _screen(pilot: Pilot[None]) -> WizardScreen[Any]:
    screen = pilot.app.screen
    assert isinstance(screen, WizardScreen)
    return screen


_NAMES = {
    "/": "slash",
    ".": "full_stop",
    ":": "colon",
    "-": "minus",
    "_": "underscore",
    "[": "left_square_bracket",
    "]": "right_square_bracket",
}


async def _type(pilot: Pilot[None], text: str) -> None:
    await pilot.press(*(_NAMES.get(letter, letter) for letter in text))


def play() -> Play:
    """The whole crossing."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        stage = Stage(home / "state")
        made = Play(stage)
        with stage.set(home):
            asyncio.run(made.run("jump01", made.collect))
            stage.found = (carried(),)
            remembered = Remembered(stage.state_dir)
            remembered.set(LAST_DESTINATION, "registry")
            remembered.set(LAST_REGISTRY, "harbor.pod.lan/ngc")
            asyncio.run(made.run("mgmt01", made.bring_in))
    return made


def wanted() -> dict[Path, str]:
    """What every file should hold."""
    made = play()
    files = {
        PICTURES / f"{name}.svg": draw([frame], f"The wizard: {name.replace('_', ' ')}")
        for name, frame in made.named.items()
    }
    files[PICTURES / "crossing.svg"] = draw(made.frames, "A whole crossing in the wizard")
    files[README] = key_list.renewed(README.read_text("utf-8"))
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if any is stale")
    check = parser.parse_args().check
    files = wanted()
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    stale += [path for path in PICTURES.glob("*.svg") if path not in files]
    for path in stale:
        sys.stderr.write(f"{'stale' if check else 'made'}: {path.relative_to(ROOT)}\n")
    if check:
        if stale:
            sys.stderr.write("Make them anew: .venv/bin/python -m tests.screens.pictures\n")
        return 1 if stale else 0
    PICTURES.mkdir(parents=True, exist_ok=True)
    for path in stale:
        if path in files:
            path.write_text(files[path], "utf-8")
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
