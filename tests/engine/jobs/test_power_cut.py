"""Power that fails and disks that fill up, in the middle of an export or an import: the same again
goes on, and what comes of it is byte for byte what an undisturbed run makes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import NoRoom
from airgap_tui.engine.events import discard
from airgap_tui.engine.jobs import export, importing
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.importing import ImportSpec
from airgap_tui.engine.settings import Settings
from tests import services
from tests.engine.bundle.sample_source import save
from tests.engine.jobs.power_cut import tree_of
from tests.images import build_image, layer_of, tar_of

ROOT = Path(__file__).resolve().parents[3]
LAYERS = (1_700_000, 800_000, 400_000, 40_000)
SIZES = {Form.DIRECTORY: "1.5MB", Form.TAR: "1.5MB", Form.ISO: "2.5MB"}
"""One layer is larger, and is cut."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    chance = random.Random(2)  # noqa: S311 - test content
    layers = [
        layer_of(tar_of({f"file-{number}": chance.randbytes(size)}))
        for number, size in enumerate(LAYERS)
    ]
    path = tmp_path_factory.mktemp("cut") / "pod"
    save(path, [build_image("large/one:1", layers), build_image("large/two:2", layers[1:3])])
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path / "state")


def volumes(bundle: Path, target: Path, form: Form, settings: Settings) -> list[Path]:
    if form is Form.ISO:
        services.program("xorriso")
    spec = ExportSpec(bundle, target, form, SIZES[form], settings=settings)
    result = export.run(spec, discard, CancelToken())
    assert result.exit_code == 0
    assert result.count > 1
    return [target / item.reference for item in result.items]


def cut_often(form: str, source: Path, work: Path, points: int, *more: str | Path) -> None:
    """A process of its own: it forks, and threads of a test run would not come along."""
    work.mkdir()
    command = [sys.executable, "-m", "tests.engine.jobs.power_cut", form, source, work, points]
    done = subprocess.run(
        [*map(str, command), *map(str, more)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("form", "points"), [(Form.DIRECTORY, 16), (Form.TAR, 16), (Form.ISO, 5)], ids=str
)
def test_an_export_that_is_cut_off_at_any_call(
    bundle: Path, tmp_path: Path, form: Form, points: int
) -> None:
    if form is Form.ISO:
        services.program("xorriso")
    cut_often(form.value, bundle, tmp_path / "work", points, SIZES[form])


@pytest.mark.parametrize("form", [Form.DIRECTORY, Form.TAR], ids=str)
def test_an_import_that_is_cut_off_at_any_call(
    bundle: Path, tmp_path: Path, settings: Settings, form: Form
) -> None:
    media = volumes(bundle, tmp_path / "media", form, settings)
    cut_often("import", bundle, tmp_path / "work", 16, *media)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """It has room for a part of the bundle."""
    services.need_root()
    mounted = tmp_path / "disk"
    mounted.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(mounted)]
    if subprocess.run(mount, capture_output=True, timeout=30).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True, timeout=30)


def enlarge(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True, timeout=30)


@pytest.mark.parametrize("form", list(Form), ids=str)
def test_an_import_onto_a_disk_that_fills_up(
    bundle: Path, tmp_path: Path, small_disk: Path, settings: Settings, form: Form
) -> None:
    media = tuple(volumes(bundle, tmp_path / "media", form, settings))
    importing.run(
        ImportSpec(media, tmp_path / "undisturbed", settings=settings), discard, CancelToken()
    )
    spec = ImportSpec(media, small_disk / "kept", force=True, settings=settings)
    with pytest.raises(NoRoom, match="no space left"):
        importing.run(spec, discard, CancelToken())
    enlarge(small_disk)
    assert importing.run(spec, discard, CancelToken()).exit_code == 0
    assert tree_of(small_disk / "kept") == tree_of(tmp_path / "undisturbed")


@pytest.mark.parametrize("form", [Form.DIRECTORY, Form.TAR], ids=str)
def test_an_export_onto_a_medium_that_fills_up(
    bundle: Path, tmp_path: Path, small_disk: Path, settings: Settings, form: Form
) -> None:
    """It looked as if there were room: something else took it meanwhile."""
    target = small_disk / "medium"
    other = small_disk / "other"

    def sink(_event: object) -> None:
        if target.exists() and not other.exists():
            other.write_bytes(bytes(1_500_000))
            enlarge(small_disk)
            subprocess.run(
                ["mount", "-o", "remount,size=3m", str(small_disk)], check=True, timeout=30
            )

    enlarge(small_disk)
    spec = ExportSpec(bundle, target, form, SIZES[form], settings=settings)
    full = export.run(spec, sink, CancelToken())
    assert full.exit_code
    assert any("no space left" in item.error for item in full.items)
    enlarge(small_disk)
    assert export.run(spec, discard, CancelToken()).exit_code == 0
    volumes(bundle, tmp_path / "undisturbed", form, settings)
    assert tree_of(target) == tree_of(tmp_path / "undisturbed")
