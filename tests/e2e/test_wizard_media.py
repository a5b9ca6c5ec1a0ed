"""The wizard's offline side with media of a set: cut, damaged, lost, and in the wrong order."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import images
from tests.conftest import StartDistribution
from tests.e2e import command
from tests.e2e.terminal import Terminal
from tests.engine.bundle.sample_source import save
from tests.images import SampleImage, build_image, layer

pytestmark = pytest.mark.distribution


@pytest.fixture
def samples() -> list[SampleImage]:
    """Two images that share a layer; one layer is larger than a medium."""
    base = layer("base", 400_000)
    return [
        build_image("nvidia/pytorch:25.06-py3", [base, layer("large", 3_000_000)]),
        build_image("nvidia/tritonserver:25.06-py3", [base, layer("small", 200_000)]),
    ]


def insert(tray: Path, volume: Path) -> None:
    """One drive: what was in it comes out."""
    shutil.rmtree(tray, ignore_errors=True)
    shutil.copytree(volume, tray / volume.name)


def damage(volume: Path) -> None:
    """Another byte in its largest file."""
    largest = max((p for p in volume.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)


def files(volume: Path) -> dict[str, bytes]:
    return {str(p.relative_to(volume)): p.read_bytes() for p in volume.rglob("*") if p.is_file()}


def test_discs_one_by_one_with_a_damaged_and_a_lost_one(
    home: Path,
    tmp_path: Path,
    samples: list[SampleImage],
    start_distribution: StartDistribution,
) -> None:
    save(tmp_path / "pod", samples)
    export = ("export", tmp_path / "pod", tmp_path / "media", "--volume-size", "1MB", "--no-tool")
    command.airgap_tui(*export)
    first, second, third = sorted((tmp_path / "media").iterdir())
    before = files(third)
    shutil.rmtree(third)  # lost on the way
    registry, tray = start_distribution(), home / "tray"
    with Terminal(home, {"DOCKER_HOST": f"unix://{home}/none.sock"}) as terminal:

        def read(volume: Path, said: str) -> None:
            insert(tray, volume)
            terminal.press("r")
            terminal.wait(f"\u25b8 [ Import volume {volume.name[4]} ]")
            terminal.press("Enter")
            terminal.wait(said)

        insert(tray, second)
        terminal.start()
        terminal.wait("Bring images in")
        terminal.reach("Bring images in", key="Down")
        terminal.press("Enter")
        terminal.wait("1 of 3 volumes is here; numbers 1, 3 of pod are missing.")
        terminal.press("i")
        terminal.wait("\u25b8 [ Import volume 2 ]")
        damage(tray / second.name)
        terminal.press("Enter")
        terminal.wait("Volume 2 is damaged", "--only-volume 2")
        read(second, "1 of 3 volumes is read, insert any other.")
        command.airgap_tui(*export, "--only-volume", "3")
        assert files(third) == before, "made anew, byte for byte"
        read(third, "2 of 3 volumes are read, insert any other.")
        read(first, "nothing more is needed")
        terminal.wait("Delivery code: ", "\u25b8 [ Open pod ]")
        terminal.press("Enter")
        terminal.wait("[ Verify 2 images ]")
        terminal.reach("[ Verify 2 images ]")
        terminal.press("Enter")
        terminal.wait("All 2 images are whole")
        terminal.reach("[ Next: Destination ]")
        terminal.press("Enter")
        terminal.wait("An existing registry")
        terminal.press("Home")
        terminal.reach("(*) An existing registry", key="Down")
        terminal.reach("Registry")
        terminal.type(registry.host)
        terminal.press("Enter")
        terminal.wait("You may write to it")
        terminal.reach("[ Next: Review ]")
        terminal.press("Enter")
        terminal.wait("\u25b8 [ Push 2 images ]")
        terminal.press("Enter")
        terminal.wait(f"All 2 images are in {registry.host}, not a bit different.")
        terminal.reach("[ Finish ]")
        terminal.press("Enter")
        assert terminal.ended() == 0
    for sample in samples:
        repository, _, tag = sample.name.partition(":")
        assert images.remote_digest(registry.host, repository, tag) == sample.digest
