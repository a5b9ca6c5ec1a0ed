"""A bundle from end to end: what is saved is what is read, by us and by others."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Manifest
from tests.conftest import Run
from tests.engine.bundle.sample_source import reference_of, save
from tests.images import SampleImages


@pytest.fixture(scope="module")
def saved(sample_images: SampleImages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished bundle with every kind of sample, indexes whole."""
    path = tmp_path_factory.mktemp("saved") / "bundle"
    save(path, sample_images.everything, platform=None)
    return path


def test_what_is_saved_is_read_back_byte_for_byte(
    saved: Path, sample_images: SampleImages, token: CancelToken
) -> None:
    reader = BundleReader.open(saved)
    for sample in sample_images.everything:
        closure = reader.source.resolve(reference_of(sample), None, token)
        assert str(closure.root.digest) == sample.digest
        assert closure.root.raw == sample.documents[-1][1]
        for blob in closure.blobs:
            buffer = memoryview(bytearray(blob.size + 1))
            with closing(reader.source.open(closure.reference, blob, 0, token)) as content:
                filled = 0
                while count := content.readinto(buffer[filled:]):
                    filled += count
            assert Digest.of(buffer[:filled]) == blob.digest


def test_every_item_is_recorded_as_done(saved: Path, sample_images: SampleImages) -> None:
    items = {item.name: item for item in BundleReader.open(saved).items}
    assert set(items) == {reference_of(s).tagged_name for s in sample_images.everything}
    assert {item.state for item in items.values()} == {ItemState.DONE}
    pytorch = items[reference_of(sample_images.pytorch).tagged_name]
    assert str(pytorch.digest) == sample_images.pytorch.digest
    assert pytorch.bytes == sample_images.pytorch.size


def test_checksums_hold_for_sha256sum(saved: Path) -> None:
    told = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"],
        cwd=saved,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    listed = {line.split()[1] for line in (saved / "SHA256SUMS").read_text().splitlines()}
    there = {str(p.relative_to(saved)) for p in saved.rglob("*") if p.is_file()}
    assert listed == there - {"SHA256SUMS"}


def test_a_finished_bundle_leaves_nothing_under_way(saved: Path) -> None:
    assert not (saved / ".partial").exists()
    assert "saving" not in json.loads((saved / "bundle.json").read_text())


def test_one_platform_of_an_index_is_stored_as_its_manifest(
    tmp_path: Path, sample_images: SampleImages
) -> None:
    save(tmp_path / "b", [sample_images.multi])
    (item,) = BundleReader.open(tmp_path / "b").items
    assert str(item.digest) == sample_images.multi.images[0].digest
    assert str(item.index_digest) == sample_images.multi.digest
    assert str(item.platform) == "linux/amd64"


@pytest.mark.skopeo
def test_skopeo_reads_every_image_by_its_name(
    saved: Path, sample_images: SampleImages, skopeo: Run, tmp_path: Path
) -> None:
    for sample in sample_images.everything:
        name = reference_of(sample).tagged_name
        if sample is sample_images.zero_size:
            continue  # an artifact has no name that others know
        shown = skopeo("inspect", "--raw", f"oci:{saved}:{name}", check=False)
        if shown.returncode and "docker" in sample.media_type:
            # skopeo 1.9 finds manifests of Docker's own types only in the archive form.
            assert "no descriptor found" in shown.stderr
            continue
        assert str(Digest.of(shown.stdout.encode())) == sample.digest
        if sample is sample_images.nested:
            continue  # skopeo copies no index within an index
        target = tmp_path / sample.digest.partition(":")[2]
        skopeo("copy", "--all", "--preserve-digests", f"oci:{saved}:{name}", f"dir:{target}")
        assert str(Digest.of((target / "manifest.json").read_bytes())) == sample.digest


@pytest.mark.skopeo
def test_skopeo_reads_a_tar_of_it_as_a_docker_archive(
    saved: Path, sample_images: SampleImages, skopeo: Run, tmp_path: Path
) -> None:
    tar = tmp_path / "bundle.tar"
    subprocess.run(["tar", "-cf", tar, "-C", saved, "."], check=True, timeout=60)
    tags = json.loads(skopeo("list-tags", f"docker-archive:{tar}").stdout)["Tags"]
    assert set(tags) == {
        reference_of(s).tagged_name
        for s in sample_images.everything
        if s is not sample_images.zero_size
    }
    for sample in sample_images.images:
        name = reference_of(sample).tagged_name
        config = skopeo("inspect", "--config", "--raw", f"docker-archive:{tar}:{name}").stdout
        assert config.encode() == sample.config


def test_layers_are_described_for_engines(saved: Path, sample_images: SampleImages) -> None:
    reader = BundleReader.open(saved)
    (item,) = [i for i in reader.items if i.name == reference_of(sample_images.pytorch).tagged_name]
    manifest = reader.closure(item).root
    assert isinstance(manifest, Manifest)
    config = reader.config(manifest)
    assert [str(d) for d in config.diff_ids] == [
        layer.diff_id for layer in sample_images.pytorch.content
    ]
    assert reader.uncompressed_size(manifest) > sum(layer.size for layer in manifest.layers)
