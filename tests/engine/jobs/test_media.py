"""Bundles are found where media are mounted, and looked into without reading a layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import Stopped, UsageError
from airgap_tui.engine.jobs.media import find_bundles, look_inside, mount_points, weight
from tests.engine.bundle.sample_source import save
from tests.images import SampleImages


@pytest.fixture
def bundle(tmp_path: Path, sample_images: SampleImages) -> Path:
    save(tmp_path / "disk" / "pods" / "july", sample_images.images)
    return tmp_path / "disk" / "pods" / "july"


def test_bundles_are_found_two_levels_deep(bundle: Path, sample_images: SampleImages) -> None:
    nowhere = Path("/nonexistent")
    (found,) = find_bundles([bundle.parent.parent], mounts=nowhere)
    assert (found.path, found.name, found.waiting) == (bundle, "july", 0)
    assert found.images == len(sample_images.images)
    assert find_bundles([bundle.parent.parent.parent], mounts=nowhere) == ()


def test_media_are_the_mounts_below_the_usual_places(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "2 1 8:17 / /media/usb1 ro - exfat /dev/sdb1 ro\n"
        "3 1 8:18 / /run/media/me/MY\\040DISK ro - iso9660 /dev/sr0 ro\n"
        "4 1 8:19 / /mediator rw - ext4 /dev/sdc1 rw\n"
    )
    assert mount_points(table) == (Path("/media/usb1"), Path("/run/media/me/MY DISK"))
    assert mount_points(tmp_path / "none") == ()


def test_a_whole_bundle_counts_every_file_once(bundle: Path, token: CancelToken) -> None:
    contents = look_inside(bundle, token)
    files = [path for path in bundle.glob("blobs/*/*")]
    assert contents.lacking == () and len(contents.whole) == len(contents.images) > 1
    assert weight(contents.whole) == (len(files), sum(f.stat().st_size for f in files))
    assert contents.updated and not contents.saving


def test_a_file_that_is_cut_short_or_missing_is_told(bundle: Path, token: CancelToken) -> None:
    before = look_inside(bundle, token)
    largest = max(bundle.glob("blobs/*/*"), key=lambda path: path.stat().st_size)
    largest.chmod(0o644)
    with largest.open("r+b") as file:
        file.truncate(10)
    cut = look_inside(bundle, token)
    assert cut.lacking and all("missing or cut short" in i.problem for i in cut.lacking)
    assert weight(cut.whole) < weight(before.whole)
    largest.unlink()
    gone = look_inside(bundle, token)
    assert [i.reference for i in gone.lacking] == [i.reference for i in cut.lacking]


def test_looking_stops_when_asked(bundle: Path, token: CancelToken) -> None:
    token.cancel()
    with pytest.raises(Stopped):
        look_inside(bundle, token)


def test_what_is_no_bundle_is_told(tmp_path: Path, token: CancelToken) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="not a bundle"):
        look_inside(tmp_path, token)
