"""Media become one kept bundle: in any order, past damage and kills, and nothing is believed."""

from __future__ import annotations

import errno
import itertools
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airgap_tui.engine.bundle import layout, room
from airgap_tui.engine.bundle.durable import writing
from airgap_tui.engine.bundle.hashed_file import HashedFile
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.volumes.medium import Form as Format
from airgap_tui.engine.bundle.volumes.piece_store import PieceStore
from airgap_tui.engine.bundle.volumes.volume import Volume
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    EnvironmentFailure,
    MalformedContent,
    NoRoom,
    NotFound,
    UsageError,
)
from airgap_tui.engine.events import (
    BlobPlanned,
    BlobProgress,
    ItemState,
    discard,
)
from airgap_tui.engine.jobs import export, importing, prune, verify
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.importing import ImportResult, ImportSpec
from airgap_tui.engine.jobs.outlook import outlook
from airgap_tui.engine.jobs.prune import PruneSpec, RemoveSpec
from airgap_tui.engine.jobs.verify import VerifySpec
from airgap_tui.engine.oci.reference import Reference
from tests.conftest import EventLog
from tests.engine.bundle.sample_source import reference_of, save
from tests.engine.bundle.volumes.volumes import (
    FORMS,
    Contents,
    Form,
    as_directory,
    as_tar,
    cut,
)
from tests.images import SampleImages
from tests.services import program

PIECE = 20_000
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def bundle(sample_images: SampleImages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("import") / "pod-2025-07"
    save(path, sample_images.everything, platform=None)
    return path


@pytest.fixture
def parts(bundle: Path) -> list[tuple[Volume, Contents]]:
    return cut(bundle, 3, PIECE)


@pytest.fixture
def media(parts: list[tuple[Volume, Contents]], tmp_path: Path) -> list[Path]:
    """Three volumes, each in another form."""
    forms = zip(FORMS, parts, strict=True)
    return [form(tmp_path / "media", *part) for form, part in forms]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def take(kept: Path, *media: Path, events: EventLog | None = None) -> ImportResult:
    sink = discard if events is None else events
    return importing.run(ImportSpec(media, kept), sink, CancelToken())


def states(result: ImportResult) -> set[ItemState]:
    return {item.state for item in result.items}


def files(bundle: Path) -> dict[str, Any]:
    """Every file of a bundle; of the inventory what does not tell of the writing itself."""
    found: dict[str, Any] = {
        str(path.relative_to(bundle)): path.read_bytes()
        for path in sorted(bundle.rglob("*"))
        if path.is_file()
    }
    inventory = json.loads(found["bundle.json"])
    for own in ("id", "name", "created", "updated", "imported"):
        inventory.pop(own, None)
    sums = found["SHA256SUMS"].splitlines()
    found["SHA256SUMS"] = [line for line in sums if not line.endswith(b" bundle.json")]
    return {**found, "bundle.json": inventory}


def test_all_volumes_at_once_are_the_bundle(
    bundle: Path, media: list[Path], kept: Path, events: EventLog
) -> None:
    result = take(kept, *media, events=events)
    assert result.exit_code == 0
    assert states(result) == {ItemState.DONE}
    assert result.standing == "3 of 3 read, and nothing more is needed"
    assert files(kept) == files(bundle)
    assert verify.run(VerifySpec(kept), discard, CancelToken()).ok
    assert result.copied + result.linked == sum(e.size for e in events.of(BlobPlanned))
    assert result.copied + result.linked == sum(e.bytes for e in events.of(BlobProgress))
    assert not (kept / ".partial").exists()
    json.dumps(result.to_json())


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_with_one_drive_the_discs_come_in_any_order(
    bundle: Path, media: list[Path], kept: Path, order: tuple[int, ...]
) -> None:
    for number, index in enumerate(order[:-1], 1):
        result = take(kept, media[index])
        assert result.exit_code == 1
        assert result.standing == f"{number} of 3 read, insert any other"
        assert result.waiting
        again = take(kept, media[index])
        assert (again.copied, again.linked, again.volumes) == (0, 0, number)
    result = take(kept, media[order[-1]])
    assert result.exit_code == 0
    assert files(kept) == files(bundle)
    assert not (kept / ".partial").exists()


def test_files_on_the_same_disk_are_not_copied(
    bundle: Path, parts: list[tuple[Volume, Contents]], kept: Path, tmp_path: Path
) -> None:
    result = take(kept, bundle)
    assert (result.copied, result.count) == (0, 0)
    assert result.linked == sum(p.stat().st_size for p in bundle.glob("blobs/*/*"))
    assert files(kept) == files(bundle)
    blob = next(kept.glob("blobs/*/*"))
    assert blob.stat().st_ino == (bundle / blob.relative_to(kept)).stat().st_ino


def test_a_damaged_file_fails_its_images_and_a_new_volume_mends_that(
    bundle: Path, parts: list[tuple[Volume, Contents]], kept: Path, tmp_path: Path
) -> None:
    media = [as_tar(tmp_path / "bad", *part) for part in parts]
    image = bytearray(media[1].read_bytes())
    name = max(n for n in parts[1][1] if n.startswith("blobs/"))
    at = image.index(parts[1][1][name])
    image[at] ^= 1
    media[1].write_bytes(image)
    result = take(kept, *media)
    assert result.exit_code == 3
    assert (result.damaged, result.standing) == ((2,), "2 of 3 read")
    assert result.damage.startswith("Volume 2 is damaged")
    assert result.damage.endswith("airgap-tui export pod-2025-07 MEDIUM --only-volume 2")
    failed = [item for item in result.items if item.state is ItemState.FAILED]
    assert failed
    assert all("volume 2" in item.error or item.error for item in failed)
    digest = layout.digest_of_path(name)
    assert digest is not None
    assert BundleReader.open(kept).size(digest) is None
    result = take(kept, as_tar(tmp_path / "new", *parts[1]))
    assert result.exit_code == 0
    assert files(kept) == files(bundle)


def test_the_good_copy_of_two_is_taken(
    bundle: Path, parts: list[tuple[Volume, Contents]], kept: Path, tmp_path: Path
) -> None:
    good = [as_directory(tmp_path / "good", *part) for part in parts]
    bad = as_directory(tmp_path / "bad", *parts[0])
    for path in (*bad.glob("blobs/*/*"), *bad.glob("pieces/*/*/*")):
        path.write_bytes(bytes(path.stat().st_size))
    assert take(kept, bad, *good).exit_code == 0
    assert files(kept) == files(bundle)


@pytest.mark.parametrize("form", FORMS)
def test_damaged_pieces_are_found_before_they_are_joined(
    bundle: Path,
    parts: list[tuple[Volume, Contents]],
    kept: Path,
    tmp_path: Path,
    form: Form,
) -> None:
    volume, contents = parts[0]
    name = next(name for name in contents if name.startswith("pieces/"))
    lying = {**contents, name: bytes(len(contents[name]))}
    bad = form(tmp_path / "bad", volume, lying)
    result = take(kept, bad)
    assert result.exit_code in (1, 3)
    assert result.damaged == (volume.number,)
    for part in parts[1:]:
        take(kept, form(tmp_path / "good", *part))
    assert take(kept, form(tmp_path / "good", *parts[0])).exit_code == 0
    assert files(kept) == files(bundle)


def test_only_the_volume_with_the_bad_piece_comes_again(
    bundle: Path, parts: list[tuple[Volume, Contents]], kept: Path, tmp_path: Path
) -> None:
    volume, contents = parts[1]
    name = next(name for name in contents if name.startswith("pieces/"))
    lying = {**contents, name: bytes(len(contents[name]))}
    good = [as_directory(tmp_path / "good", *part) for part in parts]
    bad = as_directory(tmp_path / "bad", volume, lying)
    result = take(kept, good[0], bad, good[2])
    assert result.exit_code == 3
    assert result.damaged == (2,)
    (failed,) = {item.error for item in result.items if item.state is ItemState.FAILED}
    assert failed.startswith("volume 2 ")
    assert take(kept, good[1]).exit_code == 0
    assert files(kept) == files(bundle)


def test_the_good_piece_of_two_is_taken(
    bundle: Path, parts: list[tuple[Volume, Contents]], kept: Path, tmp_path: Path
) -> None:
    good = [as_directory(tmp_path / "good", *part) for part in parts]
    bad = as_directory(tmp_path / "bad", *parts[0])
    for path in bad.glob("pieces/*/*/*"):
        path.write_bytes(bytes(path.stat().st_size))
    result = take(kept, bad, good[0])
    assert (result.damaged, result.waiting) == ((), True)
    assert take(kept, *good[1:]).exit_code == 0
    assert files(kept) == files(bundle)


def test_a_record_of_pieces_that_are_gone_counts_for_nothing(
    bundle: Path, parts: list[tuple[Volume, Contents]], kept: Path, tmp_path: Path
) -> None:
    media = [as_directory(tmp_path, *part) for part in parts]
    take(kept, media[0])
    for path in (kept / ".partial").glob("pieces-*"):  # a kill before the record was dropped
        path.unlink()
    assert take(kept, *media[1:]).exit_code == 1
    assert take(kept, media[0]).exit_code == 0
    assert files(kept) == files(bundle)


def test_a_second_month_comes_into_the_same_bundle(
    bundle: Path, sample_images: SampleImages, kept: Path, tmp_path: Path
) -> None:
    save(tmp_path / "first", sample_images.everything[:1], platform=None)
    take(kept, tmp_path / "first")
    result = take(kept, *[as_tar(tmp_path, *part) for part in cut(bundle, 2, PIECE)])
    assert states(result) == {ItemState.DONE, ItemState.HELD}
    assert {item.name for item in BundleReader.open(kept).items} == {
        item.name for item in BundleReader.open(bundle).items
    }
    assert verify.run(VerifySpec(kept), discard, CancelToken()).ok


def test_a_name_keeps_its_old_content_until_the_new_is_whole(
    sample_images: SampleImages, kept: Path, tmp_path: Path
) -> None:
    save(tmp_path / "new", [sample_images.pytorch])
    take(kept, tmp_path / "new")
    reference = reference_of(sample_images.pytorch)
    old = BundleReader.open(kept).inventory.find(reference)
    assert old is not None
    # The same name for another image, cut so that its content is on the second volume.
    save(tmp_path / "moved", [sample_images.docker])
    inventory = (tmp_path / "moved/bundle.json").read_text()
    name = reference_of(sample_images.docker).tagged_name
    for file in ("bundle.json", "index.json", "manifest.json"):
        path = tmp_path / "moved" / file
        path.write_text(path.read_text().replace(name, reference.tagged_name))
    assert name in inventory
    first, second = cut(tmp_path / "moved", 2, PIECE)
    take(kept, as_directory(tmp_path, *first))
    assert BundleReader.open(kept).inventory.find(reference) == old
    assert take(kept, as_directory(tmp_path, *second)).exit_code == 0
    moved = BundleReader.open(kept).inventory.find(reference)
    assert moved is not None
    assert str(moved.digest) == sample_images.docker.digest


@pytest.mark.parametrize("form", list(Format))
def test_what_export_writes_comes_back(
    bundle: Path, kept: Path, tmp_path: Path, form: Format
) -> None:
    if form is Format.ISO:
        program("xorriso")
    (tmp_path / "disk").mkdir()
    size = "3MB" if form is Format.ISO else "1MB"
    spec = ExportSpec(bundle, tmp_path / "disk", form, size)
    exported = export.run(spec, discard, CancelToken())
    assert exported.exit_code == 0
    media = [tmp_path / "disk" / item.reference for item in exported.items]
    checked = verify.run(VerifySpec(media[0], others=tuple(media[1:])), discard, CancelToken())
    assert (checked.bad, checked.missing, checked.exit_code) == ((), (), 0)
    assert take(kept, *media).exit_code == 0
    assert files(kept) == files(bundle)


# --- interrupted

_KILLED = """
import os, signal, sys
from pathlib import Path
left = int(sys.argv[1])
def counted(function):
    def call(*arguments, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call
for name in ("fsync", "replace", "link", "pwrite", "write", "unlink"):
    setattr(os, name, counted(getattr(os, name)))
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.events import discard
from airgap_tui.engine.jobs import importing
media = tuple(Path(path) for path in sys.argv[3:])
result = importing.run(importing.ImportSpec(media, Path(sys.argv[2])), discard, CancelToken())
sys.exit(result.exit_code)
"""


def test_killed_at_many_points_it_ends_as_if_undisturbed(
    bundle: Path, parts: list[tuple[Volume, Contents]], kept: Path, tmp_path: Path
) -> None:
    """First one disc at a time, so that pieces wait, then the others together."""
    media = [as_tar(tmp_path, *parts[1]), as_directory(tmp_path, *parts[0])]
    media.append(as_tar(tmp_path, *parts[2]))
    chance, kills = random.Random(3), 0  # noqa: S311 - the same points each time
    for here in (media[:1], media[1:]):
        allowed = 12
        while True:
            command = [sys.executable, "-c", _KILLED, str(chance.randint(1, allowed)), str(kept)]
            done = subprocess.run(
                [*command, *map(str, here)],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                timeout=60,
                check=False,
            )
            if done.returncode != -signal.SIGKILL:
                assert done.returncode == (1 if here == media[:1] else 0), done.stderr.decode()
                break
            kills += 1
            allowed = allowed * 3 // 2
    assert kills > 6
    assert files(kept) == files(bundle)
    assert not (kept / ".partial").exists()


# --- refused


def test_a_medium_cannot_be_the_kept_bundle(media: list[Path], bundle: Path) -> None:
    with pytest.raises(UsageError, match="cannot be the bundle that is kept"):
        take(media[0], *media)
    with pytest.raises(UsageError, match="cannot be the bundle that is kept"):
        take(bundle, bundle)


def test_too_little_room_is_told_before_anything_is_copied(
    media: list[Path], kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room.Room, "at", lambda *_: room.Room(1000))
    with pytest.raises(NoRoom, match=r"to be imported, 1 kB free"):
        take(kept, *media)
    assert not list(kept.glob("blobs/*/*"))


def sizes_on(*parts: tuple[Volume, Contents]) -> dict[str, int]:
    """The blobs and pieces on volumes, each once."""
    found = {
        name: len(content) for _volume, contents in parts for name, content in contents.items()
    }
    return {name: size for name, size in found.items() if name.startswith(("blobs/", "pieces/"))}


def test_only_what_is_still_to_come_needs_room(
    bundle: Path,
    parts: list[tuple[Volume, Contents]],
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    media = [as_tar(tmp_path / "media", *part) for part in parts]
    take(kept, media[0])
    begun, here, every = kept / layout.PARTIAL, sizes_on(parts[0]), sizes_on(*parts)
    whole = [name for name in every if name.startswith("blobs/") and name not in here]
    needed = sum(size for name, size in every.items() if name in whole or name[0] == "p")
    needed -= sum(file.stat().st_blocks * 512 for file in begun.glob("pieces-*"))
    assert outlook(media, kept, CancelToken()).needed == needed
    # A kill came in the middle of a blob, and in a piece that is not recorded then.
    name = max(whole, key=lambda name: every[name])
    digest, content = layout.digest_of_path(name), {**parts[1][1], **parts[2][1]}[name]
    assert digest is not None
    (kept / layout.partial_path(digest)).write_bytes(content[: len(content) // 2])
    needed -= len(content) // 2
    next(begun.glob("arrived-*")).write_text("")
    assert outlook(media, kept, CancelToken()).needed == needed
    monkeypatch.setattr(room.Room, "at", lambda *_: room.Room(needed - 1))
    with pytest.raises(NoRoom):
        take(kept, *media)
    monkeypatch.setattr(room.Room, "at", lambda *_: room.Room(needed))
    assert take(kept, *media).exit_code == 0
    assert files(kept) == files(bundle)


@pytest.mark.parametrize("writes", [(HashedFile, "sync"), (PieceStore, "_remember")], ids=str)
def test_a_failing_disk_of_the_kept_bundle_is_no_damage_of_the_media(
    parts: list[tuple[Volume, Contents]],
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    writes: tuple[type, str],
) -> None:
    media = [as_tar(tmp_path / "media", *part) for part in parts]

    def refused(*_arguments: object) -> None:
        with writing(kept / layout.PARTIAL):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(*writes, refused)
    with pytest.raises(EnvironmentFailure, match="cannot be written: input/output error") as caught:
        take(kept, media[0])
    assert str(media[0]) not in caught.value.message
    monkeypatch.undo()
    for medium in media[:-1]:
        take(kept, medium)
    assert take(kept, media[-1]).exit_code == 0


def test_what_came_in_pieces_goes_on_in_pieces(
    bundle: Path, parts: list[tuple[Volume, Contents]], kept: Path, tmp_path: Path
) -> None:
    media = [as_tar(tmp_path / "media", *part) for part in parts]
    take(kept, media[0])
    result = take(kept, *media)
    here = sizes_on(parts[0])
    to_come = {name: size for name, size in sizes_on(*parts).items() if name not in here}
    assert result.copied == sum(to_come.values())
    assert files(kept) == files(bundle)


def test_content_with_another_name_than_its_digest_is_not_kept(
    bundle: Path, parts: list[tuple[Volume, Contents]], kept: Path, tmp_path: Path
) -> None:
    media = [as_directory(tmp_path, *part) for part in parts]
    blobs = sorted(media[0].glob("blobs/sha256/*"), key=lambda path: path.stat().st_size)[-2:]
    first, second = (path.read_bytes() for path in blobs)
    blobs[0].write_bytes(second)
    blobs[1].write_bytes(first)
    result = take(kept, *media)
    assert result.exit_code == 3
    for path in kept.glob("blobs/*/*"):
        assert path.read_bytes() == (bundle / path.relative_to(kept)).read_bytes()


def test_files_that_nobody_lists_are_not_taken(media: list[Path], kept: Path, bundle: Path) -> None:
    (media[0] / "blobs/sha256/evil").write_bytes(b"x")
    (media[0] / "setup.sh").write_bytes(b"#!/bin/sh")
    (media[0] / layout.BLOBS / "sha256" / ("a" * 64)).write_bytes(b"x")
    take(kept, *media)
    assert files(kept) == files(bundle)


# --- removing


def test_prune_removes_what_no_item_needs_and_nothing_else(
    bundle: Path, sample_images: SampleImages, kept: Path
) -> None:
    take(kept, bundle)
    before = len(list(kept.glob("blobs/*/*")))
    reference = reference_of(sample_images.docker)
    removed = prune.remove(RemoveSpec(kept, (reference,)), discard, CancelToken())
    assert [item.reference for item in removed.items] == [reference.tagged_name]
    assert removed.blobs
    assert len(list(kept.glob("blobs/*/*"))) == before
    tried = prune.prune(PruneSpec(kept, dry_run=True), discard, CancelToken())
    assert (tried.blobs, tried.bytes) == (removed.blobs, removed.bytes)
    assert len(list(kept.glob("blobs/*/*"))) == before
    pruned = prune.prune(PruneSpec(kept), discard, CancelToken())
    assert (pruned.blobs, pruned.bytes) == (removed.blobs, removed.bytes)
    assert len(list(kept.glob("blobs/*/*"))) == before - pruned.blobs
    result = verify.run(VerifySpec(kept), discard, CancelToken())
    assert result.ok
    assert result.unreferenced == ()
    assert BundleReader.open(kept).inventory.find(reference) is None
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=kept, check=True, timeout=60)


def test_what_is_not_there_cannot_be_removed(bundle: Path, kept: Path) -> None:
    take(kept, bundle)
    before = files(kept)
    with pytest.raises(NotFound, match=r"does not hold example\.com/no:1"):
        reference = Reference.parse("example.com/no:1")
        prune.remove(RemoveSpec(kept, (reference,)), discard, CancelToken())
    assert files(kept) == before


def test_nothing_goes_while_an_item_waits_or_its_needs_are_not_known(
    bundle: Path, media: list[Path], kept: Path, sample_images: SampleImages
) -> None:
    take(kept, media[0])
    there = sorted(kept.glob("blobs/*/*"))
    with pytest.raises(UsageError, match="still wait for content"):
        prune.prune(PruneSpec(kept), discard, CancelToken())
    assert sorted(kept.glob("blobs/*/*")) == there
    take(kept, *media)
    digest = sample_images.docker.digest.replace(":", "/")
    (kept / "blobs" / digest).unlink()
    with pytest.raises(MalformedContent, match="cannot be told"):
        prune.prune(PruneSpec(kept), discard, CancelToken())
