"""The online side in a real terminal, by keys alone: from Welcome to a bundle to carry.

And what happens in between: stopped and continued, the wizard killed, the line dropped, the
registry gone for a while, a login that is wrong at first and revoked later.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from airgap_tui.engine.jobs.job_list import JobInfo, JobState
from tests import images, services
from tests.e2e.command import airgap_tui
from tests.e2e.offline_keys import jobs_in
from tests.e2e.online_walk import seal
from tests.e2e.terminal import Terminal
from tests.fakes.link import Link
from tests.fakes.registry import FakeRegistry, Tokens
from tests.fakes.valve import Valve
from tests.images import SampleImage

pytestmark = pytest.mark.distribution

MEGABYTE = 1_000_000
LAYERS, LAYER = 6, 2 * MEGABYTE
CRAWL = 20_000
"""Bytes per second: nothing stands still, and nothing is over before somebody has looked."""
OLD_KEY, NEW_KEY = "correct-horse-battery", "newer-horse-battery"


@pytest.fixture(scope="module")
def large(distribution: services.Distribution) -> SampleImage:
    """12 MB in six layers that do not compress, in the registry."""
    layers = [
        images.layer_of(images.tar_of({f"data-{n}": os.urandom(LAYER)})) for n in range(LAYERS)
    ]
    image = images.build_image(f"wizard/{os.urandom(4).hex()}:1", layers)
    images.push_image(distribution.host, image)
    return image


@pytest.fixture
def link(distribution: services.Distribution) -> Iterator[Link]:
    with Link(distribution.port, rate=2 * MEGABYTE) as link:
        yield link


@pytest.fixture
def terminal(home: Path) -> Iterator[Terminal]:
    with Terminal(home) as terminal:
        yield terminal


def job_in(home: Path) -> JobInfo:
    """The latest job."""
    found = jobs_in(home)
    assert found
    return found[0]


def to_review(terminal: Terminal, bundle: Path, *references: str) -> None:
    """From Welcome to the Review of these images, by Logins that need nothing."""
    to_logins(terminal, *references)
    terminal.wait("can be read. No login is missing.")
    to_save(terminal, bundle)


def to_logins(terminal: Terminal, *references: str) -> None:
    terminal.start()
    terminal.wait("Welcome", "Collect images")
    terminal.reach("Collect images", key="Down")
    terminal.press("Enter")
    terminal.wait("Choose the images to carry.")
    terminal.reach("Add one")
    for number, reference in enumerate(references, start=1):
        terminal.type(reference)
        terminal.press("Enter")
        terminal.wait(f"{number} of {number + 1} ", "Add one    [   ")
    terminal.reach("[ Next: Logins ]")
    terminal.press("Enter")


def to_save(terminal: Terminal, bundle: Path, before: Callable[[], object] = lambda: None) -> None:
    terminal.reach("[ Next: Review ]")
    terminal.press("Enter")
    terminal.wait("to download", "▸ [ Save ")
    terminal.reach("Save to", key="BTab")
    terminal.press("C-a", "C-k")
    terminal.wait("Give a directory")
    terminal.type(str(bundle))
    terminal.press("Enter")
    terminal.wait("free, ", "needed", "to download")
    terminal.reach("[ Save ")
    before()
    terminal.press("Enter")


def half_way(terminal: Terminal, link: Link, said: str = "Saving 1 image.") -> None:
    """Saving is seen to be under way, and a part of the bytes has come; the rest takes long. The
    job tells what came: Review has fetched samples of layers before it."""
    home = terminal.directory
    services.wait_for(lambda: any(job.snapshot.done > 3 * MEGABYTE for job in jobs_in(home)))
    link.rate = CRAWL
    terminal.wait(said)


def finish(terminal: Terminal, bundle: Path) -> None:
    """The wizard goes on by itself to what Verify found; seal the bundle, and look at it."""
    result = terminal.wait("every byte read", "[ Next: Export ]")
    assert re.search(r"[✓+] Save\b", result)
    seal(terminal)
    terminal.press("Enter")
    assert terminal.ended() == 0
    assert f"{bundle.name} is ready to carry" in terminal.screen
    assert airgap_tui("verify", bundle, "--json").document["ok"] is True


def test_from_welcome_to_result(
    terminal: Terminal, link: Link, large: SampleImage, home: Path
) -> None:
    to_review(terminal, home / "pod", f"{link.host}/{large.name}")
    half_way(terminal, link)
    terminal.press("t")
    terminal.wait("layers are finished.")
    terminal.press("Escape")
    terminal.wait("S stop")
    terminal.press("Enter")
    terminal.wait("Layers under way")
    terminal.press("Escape")
    terminal.wait("S stop")
    link.rate = None
    finish(terminal, home / "pod")
    assert [job.order.verbs for job in jobs_in(home)] == [("seal",), ("save", "verify")]
    assert {job.exit_code for job in jobs_in(home)} == {0}


def test_stopped_half_way_and_continued(
    terminal: Terminal, link: Link, large: SampleImage, home: Path
) -> None:
    to_review(terminal, home / "pod", f"{link.host}/{large.name}")
    half_way(terminal, link)
    terminal.press("s")
    terminal.wait("Stop saving?", "▸ [ Go on ]")
    terminal.reach("[ Stop ]")
    terminal.press("Enter")
    terminal.wait("Stopped: 0 of 1 image are saved; it can continue.")
    assert job_in(home).state is JobState.STOPPED
    before = link.received
    link.rate = None
    terminal.reach("[ Continue saving ]")
    terminal.press("Enter")
    finish(terminal, home / "pod")
    assert link.received - before < large.size - 2 * MEGABYTE, (
        "what was there was not fetched again"
    )


def test_the_wizard_is_killed_and_the_job_found_again(
    terminal: Terminal, link: Link, large: SampleImage, home: Path
) -> None:
    to_review(terminal, home / "pod", f"{link.host}/{large.name}")
    half_way(terminal, link)
    os.kill(terminal.process, signal.SIGKILL)
    assert terminal.ended() == 137
    assert job_in(home).state is JobState.RUNNING
    terminal.type("reset -I; stty sane")  # what a person does with a terminal left like this
    terminal.press("Enter")
    terminal.start()
    terminal.wait("Continue", "▸ pod", "Save is running now", "[ Show the running save ]")
    terminal.press("Enter")
    terminal.wait("Saving 1 image.")
    link.rate = None
    finish(terminal, home / "pod")


def test_left_with_f10_and_attached_from_the_shell(
    terminal: Terminal, link: Link, large: SampleImage, home: Path
) -> None:
    to_review(terminal, home / "pod", f"{link.host}/{large.name}")
    half_way(terminal, link)
    terminal.press("F10")
    assert terminal.ended() == 0
    terminal.wait("pod goes on without you. Back to it: airgap-tui attach pod")
    terminal.start("attach", "pod")
    link.rate = None
    assert terminal.ended() == 0
    assert job_in(home).exit_code == 0


def test_the_line_drops_and_the_work_goes_on(link: Link, large: SampleImage, home: Path) -> None:
    with Terminal(home) as terminal:
        to_review(terminal, home / "pod", f"{link.host}/{large.name}")
        half_way(terminal, link)
        wizard = terminal.process
    services.wait_for(lambda: not Path(f"/proc/{wizard}").exists(), what="the wizard has ended")
    assert job_in(home).state is JobState.RUNNING
    link.rate = None
    services.wait_for(lambda: job_in(home).state is JobState.FINISHED, what="the job has ended")
    assert job_in(home).exit_code == 0
    assert airgap_tui("verify", home / "pod", "--json").document["ok"] is True


def test_a_registry_that_is_gone_for_a_while(
    terminal: Terminal, link: Link, large: SampleImage, home: Path
) -> None:
    to_review(terminal, home / "pod", f"{link.host}/{large.name}")
    half_way(terminal, link)
    link.cut()
    terminal.wait("Retry in")
    link.rate = None
    link.mend()
    finish(terminal, home / "pod")


def test_a_registry_that_stays_away_costs_its_own_images_only(
    terminal: Terminal, distribution: services.Distribution, large: SampleImage, home: Path
) -> None:
    """It fails; the others are saved; once it is back, trying again completes the bundle."""
    small = images.build_image("wizard/small:1", [images.layer("small", 20_000)])
    images.push_image(distribution.host, small)
    settings = home / ".config" / "airgap-tui"
    settings.mkdir(parents=True)
    (settings / "config.yaml").write_text("retries: 0\n")
    with Link(distribution.port, rate=2 * MEGABYTE) as link:
        to_review(
            terminal,
            home / "pod",
            f"{distribution.host}/{small.name}",
            f"{link.host}/{large.name}",
        )
        half_way(terminal, link, "Saving 2 images.")
        link.cut()
        terminal.wait("Try 1 image again", timeout=60)
        link.rate = None
        link.mend()
        terminal.reach("[ Try again ]")
        terminal.press("Enter")
        finish(terminal, home / "pod")


def test_a_login_wrong_then_right_then_revoked(
    terminal: Terminal, distribution: services.Distribution, large: SampleImage, home: Path
) -> None:
    with FakeRegistry(tokens=Tokens({"robot": OLD_KEY}, anonymous=False)) as private:
        layers = [images.layer(f"private {n}", 40_000) for n in range(5)]
        secret = private.add(images.build_image("team/secret:1", layers))
        to_logins(terminal, f"{distribution.host}/{large.name}", secret)
        terminal.wait("1 of 2 cannot be read yet.", "▸ User name")
        terminal.type("robot")
        terminal.reach("Password")
        terminal.type("wrong-horse-battery")
        terminal.press("Enter")
        terminal.wait("Refused")
        terminal.reach("Password")
        terminal.press("C-u")
        terminal.wait("Password   [ ", until=lambda: "••••" not in terminal.screen)
        terminal.type(OLD_KEY)
        terminal.press("Enter")
        terminal.wait("All 2 images can be read.")
        valve = Valve(2)
        to_save(
            terminal,
            home / "pod",
            lambda: private.script("GET", "/blobs/", valve, forever=True),
        )
        terminal.wait("Saving 2 images.", until=valve.held.is_set)
        assert private.tokens is not None
        private.tokens.users = {"robot": NEW_KEY}
        private.tokens.expire()
        valve.opened.set()
        terminal.wait("now refuses the login", "Press Enter to give another")
        terminal.press("Enter")
        terminal.wait("Leave out 1 image")
        terminal.reach("User name", key="BTab")
        terminal.press("C-a", "C-k")
        terminal.type("robot")
        terminal.reach("Password")
        terminal.type(NEW_KEY)
        terminal.press("Enter")
        finish(terminal, home / "pod")
    for path in home.rglob("*"):
        if path.is_file():
            with suppress(OSError):
                content = path.read_bytes()
                assert OLD_KEY.encode() not in content, path
                assert NEW_KEY.encode() not in content, path


def test_a_login_revoked_before_the_look_up(
    terminal: Terminal, distribution: services.Distribution, large: SampleImage, home: Path
) -> None:
    """Between Logins and Save a key ends: the others are saved, and it goes on with another."""
    with FakeRegistry(tokens=Tokens({"robot": OLD_KEY}, anonymous=False)) as private:
        layers = [images.layer(f"revoked {n}", 40_000) for n in range(3)]
        secret = private.add(images.build_image("team/revoked:1", layers))
        to_logins(terminal, f"{distribution.host}/{large.name}", secret)
        terminal.wait("1 of 2 cannot be read yet.", "\u25b8 User name")
        terminal.burst(f"robot\r{OLD_KEY}\r")
        terminal.wait("All 2 images can be read.")
        assert OLD_KEY[:5] not in terminal.screen

        def revoke() -> None:
            assert private.tokens is not None
            private.tokens.users = {"robot": NEW_KEY}
            private.tokens.expire()

        to_save(terminal, home / "pod", revoke)
        terminal.wait("now refuses the login", "Press Enter to give another", "1 done")
        terminal.press("Enter")
        terminal.wait("Leave out 1 image")
        terminal.reach("Password")
        terminal.burst(f"{NEW_KEY}\r")
        finish(terminal, home / "pod")
    assert [job.exit_code for job in jobs_in(home) if job.verb != "seal"] == [0]


def test_a_night_ends_on_volumes(
    terminal: Terminal, link: Link, large: SampleImage, home: Path
) -> None:
    """Saved, verified and exported by one job that nobody watches; then one volume again."""

    def choose() -> None:
        terminal.reach("[ ] Export to a disk")
        terminal.press("Space")
        terminal.wait("Once it is saved, pod", "Another disk", "Not by itself")
        terminal.wait("Not yet: no place to write to")
        terminal.press("Down")
        terminal.reach("Write to")
        terminal.type(str(home / "discs"))
        terminal.reach("Volumes")
        terminal.press("Enter")
        terminal.wait("Another size")
        terminal.press("End")
        terminal.wait("(*) Another size")
        terminal.press("Enter")
        terminal.reach("Size")
        terminal.type("7MB")
        terminal.press("Enter")
        terminal.reach("[ Take it ]")
        terminal.press("Enter")
        terminal.wait("[x] Tar files, 7MB")
        terminal.reach("[ Save 1 image ]")

    to_logins(terminal, f"{link.host}/{large.name}")
    terminal.wait("can be read. No login is missing.")
    to_save(terminal, home / "pod", choose)
    shown = terminal.wait("is ready to carry: 2 volumes", "▸ [ Finish ]")
    assert "every byte read" in shown
    (first, second) = (home / f"discs/pod-{n}-of-2.tar" for n in (1, 2))
    before = second.read_bytes()
    assert airgap_tui("verify", first, second, "--json").document["ok"] is True
    second.unlink()
    terminal.reach("[ Write one again ]")
    terminal.press("Enter")
    terminal.wait("2 volumes, 1 there already")
    terminal.reach("Which")
    terminal.press("Enter")
    terminal.wait("Volume 2 alone")
    terminal.press("End")
    terminal.wait("(*) Volume 2 alone")
    terminal.press("Enter")
    terminal.reach("[ Write volume 2 again ]")
    terminal.press("Enter")
    terminal.wait("Volume 2 of 2 is written.", "▸ [ Finish ]")
    terminal.press("Enter")
    assert terminal.ended() == 0
    assert second.read_bytes() == before
