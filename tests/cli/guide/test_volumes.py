"""The plain twin with volumes of a set: opened together, added to, imported one by one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.volumes.volume import Volume
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.events import discard
from airgap_tui.engine.jobs import verify
from airgap_tui.engine.jobs.verify import VerifySpec
from tests.cli.guide.conftest import FIRST, Conversation, Known, Talk
from tests.engine.bundle.sample_source import save
from tests.engine.bundle.volumes.volumes import Contents, as_directory, as_tar, cut
from tests.images import build_image, layer


@pytest.fixture
def parts(tmp_path: Path) -> list[tuple[Volume, Contents]]:
    shared = layer("in both", 20_000)
    images = [
        build_image("lab/one:1", [shared, layer("one", 50_000)]),
        build_image("lab/two:1", [shared, layer("two", 50_000)]),
    ]
    made = tmp_path / "online/there/deep/pod"  # deeper than bundles are looked for
    save(made, images)
    return cut(made, 3, 30_000)


def to_open(conversation: Conversation) -> None:
    conversation.hear(FIRST)
    conversation.answer("2")


def test_a_set_is_opened_and_a_volume_added(
    talk: Talk, parts: list[tuple[Volume, Contents]], tmp_path: Path, known: Known
) -> None:
    for part in parts[:2]:
        as_tar(tmp_path / "disk", *part)
    third = as_directory(tmp_path / "elsewhere/further/below", *parts[2])
    conversation = talk()
    to_open(conversation)
    conversation.choose("pod: 2 of 3 volumes")
    conversation.hear("2 of 3 volumes are here; number 3 of pod is missing")
    conversation.choose("Add a further volume")
    conversation.hear("Path of the volume: ")
    conversation.answer(str(third))
    conversation.hear("all 2 images are complete")
    conversation.choose("Verify 2 images")
    conversation.hear("All 2 images are whole")
    conversation.hear("Read: 3 of 3 volumes")
    conversation.choose("Go on to Destination")
    conversation.hear("Where should the 2 images go")
    conversation.answer("q")
    assert conversation.end() == 0
    spec = known()[0].directory.chain.steps[0].spec
    assert isinstance(spec, VerifySpec)
    assert len(spec.others) == 2


def test_with_one_drive_volumes_are_imported_one_by_one(
    talk: Talk, parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    def insert(part: tuple[Volume, Contents]) -> None:
        shutil.rmtree(tmp_path / "tray", ignore_errors=True)
        shutil.move(as_directory(tmp_path / "online/there/burned", *part), tmp_path / "tray")

    insert(parts[1])
    conversation = talk()
    to_open(conversation)
    conversation.choose("pod: 1 of 3 volumes")
    conversation.choose("Import it")
    conversation.hear(r"Keep it in \[")
    conversation.answer("kept")
    conversation.choose("Import volume 2")
    conversation.hear("1 of 3 volumes is read, insert any other")
    for number, part in enumerate((parts[2], parts[0]), 2):
        insert(part)
        conversation.choose("Look for the next volume")
        conversation.choose(f"Import volume {part[0].number}")
        if number < 3:
            conversation.hear("2 of 3 volumes are read, insert any other")
    conversation.hear("Delivery code, for the online side: ")
    conversation.hear("nothing more is needed")
    conversation.choose("Open pod")
    conversation.hear("all 2 images are complete")
    conversation.answer("q")
    assert conversation.end() == 0
    assert verify.run(VerifySpec(tmp_path / "kept"), discard, CancelToken()).ok


def test_a_signature_may_be_required(
    talk: Talk, parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    for part in parts:
        as_tar(tmp_path / "disk", *part)
    conversation = talk()
    to_open(conversation)
    conversation.choose("pod: 3 of 3 volumes")
    conversation.choose("Name who may sign it: there is no list yet")
    conversation.hear("List of who may sign.*: ")
    conversation.answer("/no/such/list")
    conversation.hear("There is no file /no/such/list")
    conversation.hear("List of who may sign.*: ")
    conversation.answer()
    conversation.hear("Refuse what nobody on it signed")
    conversation.answer("y")
    conversation.hear("Not yet: nobody on the list signed it")
    conversation.answer("q")
    assert conversation.end() == 0
