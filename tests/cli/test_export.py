"""`export` by commands: what it shows, and one drive for several disks."""

from __future__ import annotations

import random
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.inventory import Item
from airgap_tui.engine.bundle.media.storage import open_storage
from airgap_tui.engine.bundle.volumes.asked import export_again
from airgap_tui.engine.bundle.volumes.volume_medium import VolumeMedium
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.oci.reference import Reference
from tests.cli.conftest import Command
from tests.cli.guide.conftest import Conversation
from tests.engine.bundle.sample_source import save
from tests.images import build_image, layer_of, tar_of
from tests.signing import make_key


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three megabytes in two layers."""
    path = tmp_path_factory.mktemp("export") / "pod"
    layers = [layer_of(tar_of({"x": random_bytes(number)})) for number in range(2)]
    save(path, [build_image("large/one:1", layers)])
    return path


def random_bytes(seed: int) -> bytes:
    return random.Random(seed).randbytes(1_500_000)  # noqa: S311 - test content


@pytest.mark.parametrize(
    "options",
    [
        ("--format", "tar", "--volume-size", "2000kB", "--no-tool"),
        ("--volume-size", "2MB"),
        ("--volume-size", "2MB", "--have", "receipt.json"),
        ("--volume-size", "2MB", "--have", "receipt.json", "--sign", "KEY"),
    ],
    ids=" ".join,
)
def test_a_volume_says_the_command_that_makes_it_anew(
    command: Command, bundle: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    shutil.copytree(bundle, tmp_path / "pod")
    key = str(make_key(tmp_path / "id", "ecdsa").file)
    small = tmp_path / "small"
    save(small, [build_image("large/one:1", [layer_of(tar_of({"x": b""}))])])
    assert command("receipt", "-b", str(small), "-o", "receipt.json").code == 0
    given = [key if word == "KEY" else word for word in options]
    ended = command("export", "pod", "discs", *given)
    assert ended.code == 0, ended.err
    lost = next(one for one in sorted((tmp_path / "discs").iterdir()) if "-2-of-" in one.name)
    volume = VolumeMedium(open_storage(lost)).volume
    words = shlex.split(export_again(volume.bundle_name, volume.asked, [volume.number]))
    known = {"MEDIUM": "again", "RECEIPT": "receipt.json", "KEY": key}
    ended = command(*(known.get(word, word) for word in words[1:]))
    assert ended.code == 0, ended.err
    assert contents(tmp_path / "again" / lost.name) == contents(lost)


def contents(volume: Path) -> dict[str, bytes]:
    files = [volume] if volume.is_file() else [p for p in volume.rglob("*") if p.is_file()]
    return {str(path.relative_to(volume.parent)): path.read_bytes() for path in files}


@pytest.fixture
def lacking(tmp_path: Path) -> Path:
    """A bundle of two images, the save of one of which failed."""
    path = tmp_path / "lacking"
    save(path, [build_image("team/app:1", [layer_of(tar_of({"x": random_bytes(3)}))])])
    with BundleWriter.open(path, "save", None, None) as writer:
        gone = Item(Reference.parse("team/gone:1"), state=ItemState.FAILED, error="no such tag")
        writer.record(gone)
        writer.finish(CancelToken())
    return path


@pytest.mark.parametrize("verb", [("seal",), ("export", "disk")], ids=lambda verb: verb[0])
def test_an_image_whose_save_failed_is_told_and_counts_alike(
    command: Command, lacking: Path, verb: tuple[str, ...]
) -> None:
    for _twice in range(2):
        ended = command(verb[0], str(lacking), *verb[1:])
        assert ended.code == 1, ended.err
        name = "docker.io/team/gone:1"
        assert f"Not carried, because the save did not finish them: {name}" in ended.err
        assert f"! {name}: no such tag\n" in ended.err
        assert "or take the image out with airgap-tui remove" in ended.err
    told = command("--json", verb[0], str(lacking), *verb[1:]).document
    items = told["items" if verb[0] == "seal" else "notCarried"]
    assert [one["reference"] for one in items if one["state"] == "failed"] == [name]
    assert command("remove", "-b", str(lacking), "team/gone:1").code == 0
    assert command(verb[0], str(lacking), *verb[1:-1], *("new" for _ in verb[1:])).code == 0


def test_an_image_that_failed_does_not_stop_the_next_disk(command: Command, lacking: Path) -> None:
    ended = command("export", str(lacking), "disk", "--volume-size", "1MB", "--change-disks")
    assert ended.code == 130, ended.err
    assert "--only-volume 2" in ended.err


def test_what_it_shows(command: Command, bundle: Path, tmp_path: Path) -> None:
    ended = command(
        "export", str(bundle), "discs", "--format", "tar", "--volume-size", "2MB", "--json"
    )
    assert ended.code == 0, ended.err
    told = ended.document
    assert (told["count"], [one["number"] for one in told["volumes"]]) == (2, [1, 2])
    assert {one["state"] for one in told["volumes"]} == {"done"}
    lines = [f"{one['digest'][7:]}  {one['reference']}\n" for one in told["volumes"]]
    assert (tmp_path / "discs/SHA256SUMS").read_text() == "".join(lines)
    again = command("export", str(bundle), "discs", "--format", "tar", "--volume-size", "2MB")
    assert again.code == 0
    assert again.out.count("Already here") == 2
    lost = command(
        "export", str(bundle), "new", "--format=tar", "--volume-size=2MB", "--only-volume", "2"
    )
    assert "1 volume is written" in lost.err
    name = "pod-2-of-2.tar"
    assert (tmp_path / "new" / name).read_bytes() == (tmp_path / "discs" / name).read_bytes()


def test_all_that_an_export_left_in_a_directory_can_be_named(
    command: Command, bundle: Path, tmp_path: Path
) -> None:
    sized = ["--format", "tar", "--volume-size", "2MB"]
    assert command("export", str(bundle), "discs", *sized).code == 0
    everything = sorted(f"discs/{path.name}" for path in (tmp_path / "discs").iterdir())
    assert everything[0] == "discs/SHA256SUMS"
    assert command("verify", *everything).code == 0
    assert command("import", *everything, "-b", "kept").code == 0
    alone = command("verify", everything[0])
    assert alone.code == 3 and "discs/SHA256SUMS" in alone.out


def test_a_volume_that_is_none_asks_for_the_size_of_the_others(
    command: Command, bundle: Path
) -> None:
    ended = command("export", str(bundle), "discs", "--only-volume", "2")
    assert ended.code == 2
    assert "Give the --format and --volume-size that the other volumes" in ended.err


def test_a_dry_run_writes_nothing(command: Command, bundle: Path, tmp_path: Path) -> None:
    arguments = ["export", str(bundle), "discs", "--format", "tar", "--volume-size", "2MB"]
    told = command(*arguments, "--dry-run", "--json").document
    assert told["count"] == 2 and told["problem"] is None
    assert [one["name"] for one in told["volumes"]] == ["pod-1-of-2.tar", "pod-2-of-2.tar"]
    assert told["room"]["needed"] >= told["bytes"]
    assert [gain["compress"] for gain in told["gains"]] == ["zstd", "zstd:12"]
    for_people = command(*arguments, "--dry-run")
    assert for_people.out.startswith("pod-1-of-2.tar: 2 MB, ")
    assert "Nothing is written yet." in for_people.err
    assert "zstd would not make them smaller" in for_people.err
    assert list(tmp_path.iterdir()) == []


def test_a_script_is_told_how_to_go_on(command: Command, bundle: Path, tmp_path: Path) -> None:
    arguments = ["export", str(bundle), "disk", "--volume-size", "2MB", "--change-disks"]
    first = command(*arguments, "--json")
    assert first.code == 130
    assert [one["number"] for one in first.document["volumes"]] == [1]
    assert "volume 2 of 2 is to be written onto the next disk" in first.err
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["pod-1-of-2"]
    told = next(line for line in first.err.splitlines() if "airgap-tui export" in line)
    words = shlex.split(told[told.index("airgap-tui export") :])
    assert words[1:] == [*arguments, "--json", "--only-volume", "2"]
    (tmp_path / "disk").rename(tmp_path / "first")
    second = command(*words[1:])
    assert second.code == 0, second.err
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["pod-2-of-2"]


@pytest.fixture
def talk(environment: dict[str, str], bundle: Path, tmp_path: Path) -> Iterator[Conversation]:
    arguments = ["export", str(bundle), "disk", "--volume-size", "2MB", "--change-disks"]
    conversation = Conversation(environment, tmp_path, *arguments)
    yield conversation
    conversation.close()


def test_a_person_is_asked_for_the_next_disk(talk: Conversation, tmp_path: Path) -> None:
    talk.hear("pod-1-of-2 is written and may be taken out")
    talk.hear("Volume 2 of 2: insert the next disk")
    talk.answer()
    talk.hear("this disk still holds pod-1-of-2")
    talk.hear("insert the next disk")
    (tmp_path / "disk").rename(tmp_path / "first")
    talk.answer()
    assert talk.end() == 0
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["pod-2-of-2"]
    assert "All 2 volumes are written" in " ".join(talk.text.split())


def test_stopping_between_disks_tells_how_to_go_on(talk: Conversation) -> None:
    talk.hear("insert the next disk")
    talk.press(b"\x03")
    assert talk.end() == 130
    assert "--only-volume 2" in " ".join(talk.text.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--volume-size", "floppy"], "not a volume size"),
        (["--only-volume", "7"], "there is no volume 7"),
        (["--change-disks", "--detach"], "cannot be used together"),
        (["--format", "zip"], "zip"),
    ],
)
def test_wrong_usage(command: Command, bundle: Path, options: list[str], said: str) -> None:
    ended = command("export", str(bundle), "disk", *options)
    assert ended.code == 2
    assert said in ended.err
