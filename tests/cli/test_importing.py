"""`import` by commands: with one drive the next disc is asked for, and what came is told."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.volumes.volume import Volume
from tests.cli.conftest import Command
from tests.cli.guide.conftest import Conversation
from tests.engine.bundle.sample_source import save
from tests.engine.bundle.volumes.volumes import Contents, as_directory, cut
from tests.images import build_image, layer

ARGUMENTS = ["import", "tray", "-b", "kept", "--change-disks"]


@pytest.fixture
def parts(tmp_path: Path) -> list[tuple[Volume, Contents]]:
    save(tmp_path / "online/pod", [build_image("lab/one:1", [layer("a layer", 90_000)])])
    return cut(tmp_path / "online/pod", 3, 40_000)


def insert(tmp_path: Path, part: tuple[Volume, Contents]) -> None:
    shutil.rmtree(tmp_path / "tray", ignore_errors=True)
    shutil.move(as_directory(tmp_path / "burned", *part), tmp_path / "tray")


@pytest.fixture
def talk(
    environment: dict[str, str], parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> Iterator[Conversation]:
    insert(tmp_path, parts[1])
    conversation = Conversation(environment, tmp_path, *ARGUMENTS)
    yield conversation
    conversation.close()


def test_a_person_is_asked_for_the_next_disc(
    talk: Conversation, parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    talk.hear("1 of 3 read, insert any other")
    talk.hear("Insert the next disk at tray, and press Enter")
    talk.answer()
    talk.hear("volume 2 was read before")
    shutil.rmtree(tmp_path / "tray")
    talk.answer()
    talk.hear("there is no bundle at tray")
    insert(tmp_path, parts[2])
    talk.answer()
    talk.hear("2 of 3 read, insert any other")
    insert(tmp_path, parts[0])
    talk.answer()
    assert talk.end() == 0
    said = " ".join(talk.text.split())
    assert "3 of 3 read, and nothing more is needed" in said
    assert "Delivery code of pod, for the online side: " in said


def test_a_disc_of_another_export_of_the_bundle_is_none_of_the_set(
    talk: Conversation, parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    talk.hear("Insert the next disk")
    insert(tmp_path, cut(tmp_path / "online/pod", 2, 60_000, set_id="0" * 32)[0])
    talk.answer()
    talk.hear("there is no volume of pod, but one of another export of pod")
    insert(tmp_path, parts[0])
    talk.answer()
    talk.hear("2 of 3 read")
    insert(tmp_path, parts[2])
    talk.answer()
    assert talk.end() == 0
    assert "3 of 3 read, and nothing more is needed" in " ".join(talk.text.split())


def test_stopping_between_discs_tells_how_to_go_on(talk: Conversation) -> None:
    talk.hear("Insert the next disk")
    talk.press(b"\x03")
    assert talk.end() == 130
    said = " ".join(talk.text.split())
    assert "What is imported is kept" in said
    assert shlex.join(["airgap-tui", *ARGUMENTS]) in said


def test_a_script_is_told_that_a_disc_has_to_be_changed(
    command: Command, parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    for number, code in ((1, 130), (0, 130), (2, 0)):
        insert(tmp_path, parts[number])
        ended = command(*ARGUMENTS, "--json")
        assert ended.code == code, ended.err
        assert ("Change the disk; then: " in ended.err) == bool(code)
    assert ended.document["volumes"] == {"set": "pod", "read": 3, "count": 3, "damaged": []}
    assert len(ended.document["deliveryCodes"]) == 1
    assert [Path(path).is_file() for path in ended.document["receipts"]] == [True]


def test_without_the_option_a_directory_asks_for_nothing(
    command: Command, parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    insert(tmp_path, parts[0])
    ended = command("import", "tray", "-b", "kept", "--receipt", "receipt.json")
    assert ended.code == 1
    assert "1 of 3 read, insert any other" in ended.err


def test_a_job_of_its_own_cannot_ask(command: Command) -> None:
    ended = command("import", "tray", "-b", "kept", "--change-disks", "--detach")
    assert ended.code == 2
    assert "cannot be used together" in ended.err


def test_what_waits_is_not_told_as_imported(
    command: Command, parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    insert(tmp_path, parts[1])
    ended = command("import", "tray", "-b", "kept")
    assert ended.code == 1
    assert "0 of 1 image is imported; 1 waits. 1 of 3 read, insert any other." in ended.err
    pruned = command("prune", "kept")
    assert "1 item of kept still waits for content" in pruned.err
    pushed = command("push", "kept", "127.0.0.1:1")
    assert "holds no finished image" in pushed.err and "save or import" in pushed.err.lower()


def test_a_set_that_is_not_whole_is_made_whole_by_its_volumes_not_by_a_save(
    command: Command, parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    insert(tmp_path, parts[1])
    some = command("verify", "tray")
    assert some.code == 3
    assert "Name all volumes of the set together." in some.err and "save" not in some.err
    places = [str(as_directory(tmp_path / "all", *part)) for part in parts]
    piece = max((path for path in Path(places[1]).rglob("*") if path.is_file()), key=_size)
    piece.write_bytes(bytes(_size(piece)))
    damaged = command("verify", *places)
    assert damaged.code == 3
    assert "the same export with --only-volume" in damaged.err
    imported = command("import", *places, "-b", "kept")
    assert (
        "the same options as before: airgap-tui export pod MEDIUM --only-volume 2" in imported.err
    )
    kept = command("verify", "kept")
    assert "Run the save or the import again" in kept.err


def _size(path: Path) -> int:
    return path.stat().st_size
