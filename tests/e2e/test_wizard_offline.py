"""The offline side in a real terminal, by keys alone: from Welcome to Result and its exit code.

Into a real registry and a real Docker, with what goes wrong on the way: a damaged disk, a wrong
password, an unknown authority, a registry that fails in the middle; and serving from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.jobs.job_list import JobState
from tests import services
from tests.conftest import StartDistribution
from tests.e2e.offline_keys import (
    arrived,
    choose,
    fill,
    finish,
    jobs_in,
    pick,
    to_destination,
    to_result,
)
from tests.e2e.terminal import Terminal
from tests.engine.bundle.sample_source import save
from tests.fakes.link import Link
from tests.images import SampleImages

pytestmark = pytest.mark.distribution

PASSWORD, WRONG = "correct-horse-battery", "wrong-horse-battery"


@pytest.fixture
def bundle(home: Path, sample_images: SampleImages) -> Path:
    save(home / "pod", sample_images.images)
    return home / "pod"


@pytest.fixture
def terminal(home: Path) -> Iterator[Terminal]:
    with Terminal(home, {"DOCKER_HOST": f"unix://{home}/none.sock"}) as terminal:
        yield terminal


def test_into_a_registry_without_tls(
    terminal: Terminal,
    home: Path,
    bundle: Path,
    start_distribution: StartDistribution,
    sample_images: SampleImages,
) -> None:
    registry = start_distribution()
    to_destination(terminal)
    choose(terminal, "An existing registry")
    fill(terminal, "Registry", registry.host)
    fill(terminal, "Project", "ngc")
    terminal.press("Enter")
    terminal.wait("You may write to it", "5 names, all different")
    to_result(terminal, "Push 5 images")
    terminal.wait(f"All 5 images are in {registry.host}, not a bit different.", "docker pull")
    finish(terminal)
    assert all(arrived(registry.host, sample, "ngc") for sample in sample_images.images)
    assert [job.verb for job in jobs_in(home)] == ["push", "verify"]
    terminal.start()  # another day: the registry is known
    terminal.wait("Bring images in")
    terminal.reach("Bring images in", key="Down")
    terminal.press("Enter")
    terminal.wait("[ Verify 5 images ]")
    terminal.reach("[ Verify 5 images ]")
    terminal.press("Enter")
    terminal.wait("All 5 images are whole", "every byte read")
    terminal.reach("[ Next: Destination ]")
    terminal.press("Enter")
    terminal.wait(registry.host, "ngc", "You may write to it")
    to_result(terminal, "Push 5 images")
    terminal.wait("Was there", "not a bit different.")
    finish(terminal)


def test_into_a_registry_with_an_own_authority_and_a_login(
    terminal: Terminal,
    home: Path,
    bundle: Path,
    start_distribution: StartDistribution,
    authority: services.CertificateAuthority,
) -> None:
    registry = start_distribution(htpasswd={"robot": PASSWORD}, tls=authority.issue("127.0.0.1"))
    to_destination(terminal)
    choose(terminal, "An existing registry")
    fill(terminal, "Registry", registry.host)
    terminal.press("Enter")
    terminal.wait("Signed by an unknown authority", "Not yet: the registry cannot be used.")
    pick(terminal, "Security", "TLS, our own CA")
    terminal.wait("Not yet: the CA file is missing.")
    fill(terminal, "CA file", str(authority.certificate))
    terminal.press("Enter")
    terminal.wait("Not yet: the registry wants a login.")
    for password, answer in ((WRONG, "Refused"), (PASSWORD, "Accepted, as robot")):
        fill(terminal, "Login", "robo")
        terminal.burst(f"t\r{password}\r")
        terminal.wait(answer)
        assert password[:9] not in terminal.screen
    to_result(terminal, "Push 5 images")
    terminal.wait("All 5 images are in", "not a bit different.")
    finish(terminal)
    for path in home.rglob("*"):
        if path.is_file() and not path.is_relative_to(bundle):
            content = path.read_bytes()
            assert PASSWORD.encode() not in content and WRONG.encode() not in content, path


def test_a_registry_that_is_gone_when_it_begins_and_back_when_tried_again(
    terminal: Terminal,
    home: Path,
    bundle: Path,
    start_distribution: StartDistribution,
    sample_images: SampleImages,
) -> None:
    registry = start_distribution()
    settings = home / ".config" / "airgap-tui"
    settings.mkdir(parents=True)
    (settings / "config.yaml").write_text("retries: 0\n")
    with Link(registry.port) as link:
        to_destination(terminal)
        choose(terminal, "An existing registry")
        fill(terminal, "Registry", link.host)
        terminal.press("Enter")
        terminal.wait("You may write to it")
        terminal.reach("[ Next: Review ]")
        terminal.press("Enter")
        terminal.wait("\u25b8 [ Push 5 images ]")
        link.cut()
        terminal.press("Enter")
        terminal.wait("cannot be reached", "[ Try again ]", timeout=60)
        link.mend()
        terminal.press("Enter")
        terminal.wait("All 5 images are in", "not a bit different.")
        finish(terminal)
    assert all(arrived(registry.host, sample) for sample in sample_images.images)


def test_into_docker(
    home: Path,
    bundle: Path,
    docker_engine: services.DockerEngine,
    sample_images: SampleImages,
) -> None:
    with Terminal(home, {"DOCKER_HOST": docker_engine.host}) as terminal:
        to_destination(terminal)
        terminal.wait("\u25b8 (*) Docker on this host", "free in", "names stay")
        to_result(terminal, "Load 5 images")
        terminal.wait("All 5 images are in Docker", "docker run --rm")
        finish(terminal)
    tags = {tag for image in docker_engine.client.images.list() for tag in image.tags}
    assert {f"nvcr.io/{sample.name}" for sample in sample_images.images} <= tags


def test_a_damaged_disk_costs_its_own_image_only(
    terminal: Terminal,
    home: Path,
    bundle: Path,
    start_distribution: StartDistribution,
    sample_images: SampleImages,
) -> None:
    registry = start_distribution()
    damaged = sample_images.triton
    others = {digest for one in sample_images.images if one is not damaged for digest in one.blobs}
    own = next(digest for digest, data in damaged.blobs.items() if digest not in others)
    path = bundle / "blobs" / own.replace(":", "/")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    terminal.start()
    terminal.wait("Bring images in")
    terminal.reach("Bring images in", key="Down")
    terminal.press("Enter")
    terminal.wait("[ Verify 5 images ]")
    terminal.reach("[ Verify 5 images ]")
    terminal.press("Enter")
    terminal.wait("4 of 5 images are whole", "What to do")
    terminal.reach("(*) Go on with 4 images", key="Down")
    terminal.reach("[ Next: Destination ]")
    terminal.press("Enter")
    terminal.wait("Where should the 4 images go?")
    choose(terminal, "An existing registry")
    fill(terminal, "Registry", registry.host)
    terminal.press("Enter")
    terminal.wait("You may write to it")
    terminal.reach("[ Next: Review ]")
    terminal.press("Enter")
    terminal.wait("Stay out", "Stays out: damaged", "\u25b8 [ Push 4 images ]")
    terminal.press("Enter")
    terminal.wait("All 4 images are in")
    finish(terminal)
    whole = [sample for sample in sample_images.images if sample is not damaged]
    assert all(arrived(registry.host, sample) for sample in whole)


def test_serving_goes_on_without_the_wizard_and_is_found_again(
    terminal: Terminal, home: Path, bundle: Path, sample_images: SampleImages
) -> None:
    port = services.free_port()
    to_destination(terminal)
    choose(terminal, "Serve from here")
    pick(terminal, "For", "This host only")
    fill(terminal, "Port", str(port))
    terminal.press("Enter")
    terminal.wait("Free", f"docker pull 127.0.0.1:{port}/")
    to_result(terminal, "Serve 5 images")
    terminal.wait(f"serves 5 images at port {port}.", "Nobody has asked for an image yet.")
    assert arrived(f"127.0.0.1:{port}", sample_images.pytorch)
    terminal.wait("1 request", "asked for nvidia/pytorch")
    terminal.press("F10")
    assert terminal.ended() == 0
    assert arrived(f"127.0.0.1:{port}", sample_images.triton)
    terminal.start()
    terminal.wait("Continue", "pod", "Show the running serve")
    terminal.press("Enter")
    terminal.wait("2 requests", "asked for nvidia/tritonserver")
    terminal.press("s")
    terminal.wait("Stop serving?")
    terminal.reach("[ Stop ]")
    terminal.press("Enter")
    terminal.wait("Serving has ended: 2 requests")
    finish(terminal)
    job = jobs_in(home)[0]
    assert (job.verb, job.state, job.exit_code) == ("serve", JobState.FINISHED, 0)
