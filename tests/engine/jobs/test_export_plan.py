"""What an export would write is told before, and is what it then writes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.bundle.volumes.medium import MEDIA, Form, Medium
from airgap_tui.engine.bundle.volumes.packing import BundleFile
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import NotFound, UsageError
from airgap_tui.engine.events import discard
from airgap_tui.engine.jobs import export, export_plan, media_needed, written
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.next_disk import DiskChange, mounted_at
from tests import services
from tests.engine.bundle.sample_source import save
from tests.images import build_image, layer_of, tar_of

TOKEN = CancelToken()
SIZES = (2_700_000, 1_300_000, 900_000, 40_000)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of 5 MB in four layers."""
    chance = random.Random(7)  # noqa: S311 - test content
    layers = [layer_of(tar_of({"x": chance.randbytes(size)})) for size in SIZES]
    path = tmp_path_factory.mktemp("plan") / "pod"
    save(path, [build_image("large/one:1", layers)])
    return path


@pytest.mark.parametrize("form", [Form.DIRECTORY, Form.TAR])
def test_the_plan_is_what_is_written(bundle: Path, tmp_path: Path, form: Form) -> None:
    spec = ExportSpec(bundle, tmp_path / "out", form, "2MB")
    plan = export_plan.run(spec, discard, TOKEN)
    assert not (tmp_path / "out").exists()
    assert plan.problem is None and plan.exit_code == 0
    assert sum(one.pieces for one in plan.volumes) > 1
    result = export.run(spec, discard, TOKEN)
    assert [(one.name, one.bytes) for one in plan.volumes] == [
        (item.reference, item.bytes) for item in result.items
    ]
    assert plan.needed >= result.bytes
    again = export_plan.run(spec, discard, TOKEN)
    assert all(one.held for one in again.volumes) and again.to_write == ()
    assert again.needed == 0


def test_one_volume_alone_needs_its_own_room(bundle: Path, tmp_path: Path) -> None:
    spec = ExportSpec(bundle, tmp_path / "out", Form.TAR, "2MB", only=(2,))
    plan = export_plan.run(spec, discard, TOKEN)
    assert [one.number for one in plan.to_write] == [2]
    assert plan.to_write[0].bytes <= plan.needed < plan.bytes
    with pytest.raises(UsageError, match="there is no volume 9"):
        export_plan.run(
            ExportSpec(bundle, tmp_path / "out", Form.TAR, "2MB", only=(9,)), discard, TOKEN
        )


def test_no_room_is_in_the_plan(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Room, "at", classmethod(lambda _kind, _path: Room(3_000_000, "xfs")))
    spec = ExportSpec(bundle, tmp_path / "out", Form.TAR, "2MB")
    plan = export_plan.run(spec, discard, TOKEN)
    assert plan.problem is not None and plan.exit_code == 4
    assert plan.to_json()["problem"] == plan.problem.message
    one_each = export_plan.run(
        ExportSpec(bundle, tmp_path / "out", Form.TAR, "2MB", one_per_disk=True), discard, TOKEN
    )
    assert one_each.problem is None
    assert one_each.needed < 3_000_000 < plan.needed


def test_iso_images_need_their_program(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFound, match="xorriso"):
        export_plan.run(ExportSpec(bundle, tmp_path / "out", Form.ISO), discard, TOKEN)


@pytest.mark.parametrize("form", list(Form))
def test_media_are_counted_as_they_are_packed(bundle: Path, tmp_path: Path, form: Form) -> None:
    if form is Form.ISO:
        services.program("xorriso")
    files = media_needed.files_of_bundle(bundle, TOKEN)
    for size in ("3MB", "4MB", "20MB"):
        counted = media_needed.volumes(files, Medium.parse(size), form)
        planned = export_plan.run(ExportSpec(bundle, tmp_path / "out", form, size), discard, TOKEN)
        assert counted == len(planned.volumes)
    counts = media_needed.counts(files, form)
    assert set(counts) == {"", *MEDIA} and set(counts.values()) == {1}
    assert media_needed.volumes(files, Medium("too small", 10_000), form) == 0


def test_each_disk_gets_the_next_volume(bundle: Path, tmp_path: Path) -> None:
    spec = ExportSpec(bundle, tmp_path / "disk", Form.DIRECTORY, "2MB", one_per_disk=True)
    first = export.run(spec, discard, TOKEN)
    assert first.numbers == (1,)
    assert first.following == tuple(range(2, first.count + 1))
    change = DiskChange(
        spec.medium, Path("/"), first.items[0].reference, first.following[0], first.count
    )
    assert change.in_the_way == "this disk still holds pod-1-of-" + str(first.count)
    (tmp_path / "disk").rename(tmp_path / "first")
    assert change.in_the_way == "" and change.place == spec.medium
    gone = DiskChange(spec.medium, tmp_path, "pod", 2, 2)
    assert gone.in_the_way == f"nothing is mounted at {tmp_path}"
    second = export.run(
        ExportSpec(*(bundle, spec.medium, spec.form, "2MB", first.following), one_per_disk=True),
        discard,
        TOKEN,
    )
    assert (second.numbers, second.following) == ((2,), first.following[1:])
    assert [path.name for path in spec.medium.iterdir()] == [second.items[0].reference]
    assert mounted_at(tmp_path).is_mount()


def test_what_is_written_is_found_with_how_to_burn_it(bundle: Path, tmp_path: Path) -> None:
    services.program("xorriso")
    spec = ExportSpec(bundle, tmp_path / "my discs", Form.ISO, "4MB")
    result = export.run(spec, discard, TOKEN)
    found = written.look(spec, result)
    assert found.checksums == spec.medium / "SHA256SUMS" and found.unmount is None
    for one, item in zip(found.volumes, result.items, strict=True):
        assert one.sha256 == item.digest.removeprefix("sha256:")
        assert one.bytes == one.path.stat().st_size
        assert one.burning is not None
        assert one.burning[0].endswith(f"-eject '{one.path}'")
        assert f"count={one.bytes // 2048} " in one.burning[1]
    held = written.look(spec, export.run(spec, discard, TOKEN))
    assert [one.sha256 for one in held.volumes] == [one.sha256 for one in found.volumes]


@pytest.mark.parametrize(("size", "form"), [("dvd", Form.ISO), ("fat32", Form.TAR)])
def test_very_many_files_are_counted_soon(size: str, form: Form) -> None:
    files = tuple(BundleFile(f"blobs/sha256/{number:064x}", 5_000_000) for number in range(20_000))
    medium = Medium.parse(size)
    capacity = medium.capacity or medium.largest_file or 0
    least = -(-20_000 * 5_000_000 // capacity)
    assert least <= media_needed.volumes(files, medium, form) <= least + 1
