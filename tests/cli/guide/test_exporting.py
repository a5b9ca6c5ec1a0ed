"""Step Export by prompts alone: volumes, one disk after the other, one volume again, unattended."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests import images
from tests.cli.conftest import Command
from tests.cli.guide.conftest import Known, Talk
from tests.images import build_image, layer_of, tar_of
from tests.services import Distribution


@pytest.fixture
def image(distribution: Distribution, repository: str) -> str:
    """Three megabytes in two layers that do not compress."""
    layers = [
        layer_of(tar_of({"x": random.Random(n).randbytes(1_500_000)}))  # noqa: S311
        for n in range(2)
    ]
    made = build_image("large/one:1", layers)
    return images.push_image(distribution.host, made, name=f"{repository}/large:1")


@pytest.fixture
def saved(command: Command, image: str, tmp_path: Path) -> Path:
    """A bundle that a job has saved and verified."""
    begun = command("save", image, "-b", "pod", "--then", "verify", "--detach")
    assert begun.code == 0, begun.err
    assert command("attach", "pod").code == 0
    return tmp_path / "pod"


def test_one_disk_after_the_other(
    talk: Talk, saved: Path, known: Known, tmp_path: Path, command: Command
) -> None:
    conversation = talk(AIRGAP_TUI_CARRY_TOOL="yes")
    conversation.choose("pod: Saved and verified, not yet exported", r"Choose \[1\]: ")
    conversation.hear("step 6 of 6: Export")
    conversation.hear("zstd would not make them smaller")
    conversation.choose("Tar files")
    conversation.hear("Write to: ")
    conversation.answer("disk")
    conversation.hear(r"DVD: 4\.7 GB, 1 volume")
    conversation.choose("Another size", r"Volumes \[1\]: ")
    conversation.hear("Size, as in 60GB: ")
    conversation.answer("2 elephants")
    conversation.hear("Not a volume size")
    conversation.answer("2MB")
    conversation.hear(r"One volume on each disk, y or n \[n\]: ")
    conversation.answer("y")
    conversation.choose("As it is", r"Signature \[1\]: ")
    conversation.choose("Data alone", r"Tool \[1\]: ")
    conversation.hear("No program on the media")
    conversation.hear("Transfer sheet.*: ")
    conversation.answer("sheet.csv")
    conversation.hear("pod becomes 2 volumes")
    conversation.hear(
        r"--format tar --volume-size 2MB --change-disks --sheet \S+/sheet.csv --no-tool\n"
    )
    conversation.choose("Write the first volume")
    conversation.hear("Volume 1 of 2 is written. 1 volume to go.")
    conversation.hear(r"pod-1-of-2.tar, SHA-256 [0-9a-f]{64}")
    conversation.hear(r"Transfer sheet: \S+/sheet.csv.")
    conversation.choose("Write volume 2 onto the next disk")
    conversation.hear("insert the next disk")
    conversation.answer()
    conversation.hear("This disk still holds pod-1-of-2.tar")
    (tmp_path / "disk").rename(tmp_path / "first")
    conversation.answer()
    conversation.hear("Volume 2 of 2 is written")
    conversation.choose("Finish")
    assert conversation.end() == 0
    assert [path.name for path in (tmp_path / "disk").glob("*.tar")] == ["pod-2-of-2.tar"]
    assert "pod-1-of-2.tar" in (tmp_path / "sheet.csv").read_text()
    both = command("verify", "first/pod-1-of-2.tar", "disk/pod-2-of-2.tar", "--json")
    assert both.document["ok"] is True
    assert [job.verb for job in known()] == ["export", "export", "verify"]
    again = talk()
    again.hear(r"Choose \[\d\]: ")
    assert "not yet exported" not in again.text
    again.answer("q")
    again.end()


def test_one_volume_again(talk: Talk, saved: Path, command: Command, tmp_path: Path) -> None:
    written = command("export", "pod", "discs", "--format=tar", "--volume-size=2MB", "--detach")
    assert written.code == 0, written.err
    assert command("attach", "pod").code == 0
    second = tmp_path / "discs/pod-2-of-2.tar"
    before = second.read_bytes()
    second.unlink()
    conversation = talk()
    conversation.choose(r"pod: Exported \d{4}-\d\d-\d\d; any volume can be made again")
    conversation.hear("pod is ready to carry: 2 volumes")
    conversation.choose("Export it otherwise, or one volume again")
    conversation.choose("Tar files", r"Choose \[3\]: ")
    conversation.hear(r"Write to \[\S+/discs\]: ")
    conversation.answer()
    conversation.hear("Another size")
    conversation.hear(r"Volumes \[\d\]: ")
    conversation.answer()
    conversation.hear(r"Size, as in 60GB \[2MB\]: ")
    conversation.answer()
    conversation.hear(r"\[n\]: ")
    conversation.answer()
    conversation.hear(r"Signature \[1\]: ")
    conversation.answer()
    conversation.hear(r"Tool \[2\]: ")
    conversation.answer()
    conversation.hear("Transfer sheet.*: ")
    conversation.answer()
    conversation.hear("2 volumes, 1 there already")
    conversation.choose("Write one volume alone")
    conversation.hear("Which volume, 1 to 2: ")
    conversation.answer("2")
    conversation.choose("Write volume 2 again")
    conversation.hear("Volume 2 of 2 is written")
    conversation.choose("Finish")
    assert conversation.end() == 0
    assert second.read_bytes() == before


def test_a_night_ends_with_what_is_carried(
    talk: Talk, image: str, tmp_path: Path, known: Known
) -> None:
    conversation = talk()
    conversation.choose("Collect images")
    conversation.choose("Add images by name")
    conversation.hear("Image: ")
    conversation.answer(image)
    conversation.hear("Image: ")
    conversation.answer()
    conversation.choose("Go on to Logins")
    conversation.choose("Go on to Review")
    conversation.hear(r"Save to \[")
    conversation.answer("pod")
    conversation.choose("Make it ready to carry then: now no")
    conversation.choose("Another disk")
    conversation.hear("Write to: ")
    conversation.answer("usb")
    conversation.choose("One volume", r"Volumes \[\d\]: ")
    conversation.hear(r"Signature \[1\]: ")
    conversation.answer()
    conversation.hear(r"Tool \[2\]: ")
    conversation.answer()
    conversation.hear("Transfer sheet.*: ")
    conversation.answer()
    conversation.hear(r"--then verify && airgap-tui export \S+/pod \S+/usb\n")
    conversation.choose("Save 1 image")
    conversation.hear("The image is saved")
    conversation.choose("Go on to Export")
    conversation.hear("pod is ready to carry: 1 volume")
    conversation.choose("Finish")
    assert conversation.end() == 0
    assert [job.order.verbs for job in known()] == [("save", "verify", "export")]
    assert (tmp_path / "usb/pod/START-HERE.txt").is_file()
