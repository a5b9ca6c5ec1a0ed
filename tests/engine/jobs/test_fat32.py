"""USB sticks as they are sold: FAT32 knows no links, no owners, and no file of 4 GiB."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.bundle import room
from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import NoRoom
from airgap_tui.engine.events import discard
from airgap_tui.engine.jobs import export, importing, verify
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.importing import ImportSpec
from airgap_tui.engine.jobs.verify import VerifySpec
from airgap_tui.engine.settings import Settings
from tests import services
from tests.engine.bundle.sample_source import save
from tests.images import build_image, layer

MANY = 30


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many small layers, and one of two megabytes."""
    path = tmp_path_factory.mktemp("fat") / "pod"
    small = [layer(f"small-{number}", 900, files=1) for number in range(MANY)]
    save(path, [build_image("many/one:1", [layer("large", 2_000_000), *small])])
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path / "state")


class Stick:
    """FAT32 in a file, mounted by the kernel or, where that has no FAT, by fusefat."""

    def __init__(self, work: Path) -> None:
        self.image, self.path = work / "stick.img", work / "stick"
        self.path.mkdir()
        with self.image.open("wb") as file:
            file.truncate(48 * 1024 * 1024)
        services.run_program(services.program("mkfs.vfat"), "-F", "32", str(self.image))
        mount = ["mount", "-t", "vfat", "-o", "loop", str(self.image), str(self.path)]
        if subprocess.run(mount, capture_output=True, timeout=30).returncode:
            fuse = [services.program("fusefat"), "-o", "rw+", str(self.image), str(self.path)]
            if subprocess.run(fuse, capture_output=True, timeout=30).returncode:
                pytest.skip("FAT cannot be mounted here")

    def remove(self) -> None:
        if self.path.is_mount():
            subprocess.run(["umount", str(self.path)], check=True, timeout=30)

    def is_clean(self) -> bool:
        """Whether the file system is whole, once it is out."""
        check = [services.program("fsck.vfat"), "-n", str(self.image)]
        return subprocess.run(check, capture_output=True, timeout=60).returncode == 0


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[Stick]:
    services.need_root()
    stick = Stick(tmp_path)
    yield stick
    stick.remove()


def test_a_bundle_on_a_stick(
    bundle: Path, stick: Stick, tmp_path: Path, settings: Settings
) -> None:
    spec = ExportSpec(bundle, stick.path, volume_size="fat32", settings=settings)
    written = export.run(spec, discard, CancelToken())
    assert written.exit_code == 0
    volume = stick.path / written.items[0].reference
    check = ["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"]
    subprocess.run(check, cwd=volume, check=True, timeout=60)
    assert verify.run(VerifySpec(volume), discard, CancelToken()).ok
    assert export.run(spec, discard, CancelToken()).bytes == 0

    # Where no file can be linked, it is copied.
    kept = ImportSpec((volume,), stick.path / "kept", settings=settings)
    taken = importing.run(kept, discard, CancelToken())
    assert (taken.exit_code, taken.linked) == (0, 0)
    assert verify.run(VerifySpec(kept.bundle), discard, CancelToken()).ok
    for path in (bundle / "blobs/sha256").iterdir():
        assert (kept.bundle / "blobs/sha256" / path.name).read_bytes() == path.read_bytes()
    stick.remove()
    assert stick.is_clean()


def test_what_a_stick_cannot_hold_is_told_before(
    bundle: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sticks with such limits, but smaller."""
    small = room.Room(10**9, "vfat", largest_file=1_000_000, largest_folder=20)
    monkeypatch.setattr(room.Room, "at", lambda *_: small)
    spec = ExportSpec(bundle, tmp_path / "medium", settings=settings)
    with pytest.raises(NoRoom, match="takes no file of 4 GiB"):
        export.run(spec, discard, CancelToken())
    many = room.Room(10**9, "vfat", largest_folder=20)
    monkeypatch.setattr(room.Room, "at", lambda *_: many)
    with pytest.raises(NoRoom, match=r"takes 20 files in one directory; 3\d are to be written"):
        export.run(spec, discard, CancelToken())
    assert not (tmp_path / "medium").exists()
    as_tar = ExportSpec(bundle, tmp_path / "medium", Form.TAR, settings=settings)
    assert export.run(as_tar, discard, CancelToken()).exit_code == 0


def test_the_limits_of_a_stick_are_known(stick: Stick) -> None:
    found = room.Room.at(stick.path)
    assert found.largest_file == 4 * 1024**3 - 1
    assert found.largest_folder == 10_922
    assert found.free > 40_000_000
