"""Ways through the offline side that several tests go, by keys."""

from __future__ import annotations

from pathlib import Path

from airgap_tui.engine.jobs.job_list import JobInfo, list_jobs
from tests import images
from tests.e2e.terminal import Terminal
from tests.images import SampleImage


def jobs_in(home: Path) -> tuple[JobInfo, ...]:
    return list_jobs(home / ".local" / "state" / "airgap-tui")


def to_destination(terminal: Terminal) -> None:
    """From Welcome to Destination with a bundle that is whole."""
    terminal.start()
    terminal.wait("Welcome", "Bring images in")
    terminal.reach("Bring images in", key="Down")
    terminal.press("Enter")
    terminal.wait("Open the bundle that was carried here", "[ Verify 5 images ]")
    terminal.reach("[ Verify 5 images ]")
    terminal.press("Enter")
    terminal.wait("All 5 images are whole", "every byte read")
    terminal.reach("[ Next: Destination ]")
    terminal.press("Enter")
    terminal.wait("Where should the 5 images go?")


def choose(terminal: Terminal, place: str) -> None:
    terminal.wait("An existing registry")
    terminal.press("Home")
    terminal.reach(f"(*) {place}", key="Down")


def fill(terminal: Terminal, label: str, text: str) -> None:
    """Put a text into a field of the form, in place of what is there."""
    terminal.reach(label)
    empty = f"\u25b8 {label:11}[ "
    if empty not in terminal.screen:
        terminal.press("C-a", "C-k")
        terminal.wait(empty)
    terminal.type(text)
    terminal.wait(text[-20:])  # a long one shows its end


def pick(terminal: Terminal, label: str, option: str) -> None:
    """Choose in a list that opens."""
    terminal.reach(label)
    terminal.press("Enter")
    terminal.reach(f"(*) {option}", key="Down")
    terminal.press("Enter")


def to_result(terminal: Terminal, button: str) -> None:
    """From Destination, once it is settled, over Review to the end of the work."""
    terminal.wait("[ Next: Review ]")
    terminal.reach("[ Next: Review ]")
    terminal.press("Enter")
    terminal.wait(f"\u25b8 [ {button} ]")
    terminal.press("Enter")


def finish(terminal: Terminal, code: int = 0) -> None:
    terminal.reach("[ Finish ]")
    terminal.press("Enter")
    assert terminal.ended() == code


def arrived(host: str, sample: SampleImage, project: str = "", *, ca: str = "") -> bool:
    """Whether a registry has this very image under its new name."""
    repository, _, tag = sample.name.partition(":")
    name = f"{project}/{repository}" if project else repository
    return images.remote_digest(host, name, tag, ca=ca) == sample.digest
