"""Out of real engines into a bundle, and back into an engine: the same images."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.encoding.codec import Compression
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.docker.engine import Engine
from airgap_tui.engine.docker.hosts import Kind
from airgap_tui.engine.errors import NoRoom
from airgap_tui.engine.events import BlobStarted, ItemState, Note
from airgap_tui.engine.jobs import verify
from airgap_tui.engine.jobs.ingest import ingest_archive, ingest_engine
from airgap_tui.engine.jobs.load import LoadSpec
from airgap_tui.engine.jobs.load import run as run_load
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.oci.manifest import Manifest
from airgap_tui.engine.oci.reference import Reference
from tests.conftest import EventLog, Run
from tests.engine.bundle.archives import engine_archives
from tests.images import SampleImage, SampleImages
from tests.services import DockerEngine, PodmanService


def give(host: str, samples: Sequence[SampleImage], kind: Kind = "docker") -> None:
    with Engine.connect(host, kind) as engine:
        engine.load([engine_archives.legacy(samples)], lambda _: None, CancelToken())


def ingest(
    host: str,
    bundle: Path,
    *names: str,
    kind: Kind = "docker",
    compression: str = "gzip",
    events: EventLog | None = None,
    force: bool = False,
) -> tuple[ItemResult, ...]:
    token = CancelToken()
    with Engine.connect(host, kind) as engine, BundleWriter.open(bundle, "save") as writer:
        results = ingest_engine(
            engine,
            [Reference.parse(name) for name in names],
            writer,
            Compression.parse(compression),
            force=force,
            sink=EventLog() if events is None else events,
            token=token,
        )
        writer.finish(token)
    return results


def image_id(bundle: Path, name: str) -> str:
    reader = BundleReader.open(bundle)
    item = reader.inventory.find(Reference.parse(name))
    assert item is not None
    assert item.digest is not None
    manifest = reader.document(item.digest)
    assert isinstance(manifest, Manifest)
    return str(manifest.config.digest)


def check(bundle: Path) -> None:
    result = verify.run(verify.VerifySpec(bundle), lambda _: None, CancelToken())
    assert not result.bad
    assert not result.missing


@pytest.mark.docker
def test_out_and_in_again(
    docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path, skopeo: Run
) -> None:
    samples = [sample_images.pytorch, sample_images.triton, sample_images.with_empty_layer]
    give(docker_engine.host, samples)
    names = [sample.name for sample in samples]
    results = ingest(docker_engine.host, tmp_path, *names)
    assert [result.state for result in results] == [ItemState.DONE] * 3
    check(tmp_path)
    distinct = {layer.diff_id for sample in samples for layer in sample.content}
    # Layers and configs, and a manifest for each image.
    assert len(list((tmp_path / "blobs/sha256").iterdir())) == len(distinct) + 2 * len(samples)
    for sample in samples:
        assert image_id(tmp_path, sample.name) == sample.image_id
        shown = skopeo("inspect", "--config", f"oci:{tmp_path}:docker.io/{sample.name}")
        assert json.loads(shown.stdout)["rootfs"]["diff_ids"] == [
            layer.diff_id for layer in sample.content
        ]
    docker_engine.remove_all_images()
    loaded = run_load(LoadSpec((tmp_path,), host=docker_engine.host), lambda _: None, CancelToken())
    assert {item.reference: item.digest for item in loaded.items} == {
        f"docker.io/{sample.name}": sample.image_id for sample in samples
    }
    assert loaded.exit_code == 0


@pytest.mark.docker
def test_what_the_bundle_has_is_not_exported(
    docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path, events: EventLog
) -> None:
    give(docker_engine.host, [sample_images.base, sample_images.pytorch])
    first = ingest(docker_engine.host, tmp_path, sample_images.base.name)
    # The next image brings the same layers once more: hashed, not stored again.
    before = set((tmp_path / "blobs/sha256").iterdir())
    ingest(docker_engine.host, tmp_path, sample_images.pytorch.name)
    assert len(set((tmp_path / "blobs/sha256").iterdir()) - before) == 3
    again = ingest(docker_engine.host, tmp_path, sample_images.base.name, events=events)
    assert [result.state for result in again] == [ItemState.HELD]
    assert again[0].digest == first[0].digest
    assert not events.of(BlobStarted)


@pytest.mark.docker
def test_two_saves_of_one_image_are_equal(
    docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path
) -> None:
    give(docker_engine.host, [sample_images.pytorch])
    one = ingest(docker_engine.host, tmp_path / "one", sample_images.pytorch.name)
    two = ingest(docker_engine.host, tmp_path / "two", sample_images.pytorch.name)
    assert one[0].digest == two[0].digest


@pytest.mark.docker
def test_a_moved_tag_is_exported_anew(
    docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path
) -> None:
    give(docker_engine.host, [sample_images.base.named("a/b:1")])
    ingest(docker_engine.host, tmp_path, "a/b:1")
    give(docker_engine.host, [sample_images.pytorch.named("a/b:1")])
    (result,) = ingest(docker_engine.host, tmp_path, "a/b:1")
    assert result.state is ItemState.DONE
    assert image_id(tmp_path, "a/b:1") == sample_images.pytorch.image_id


@pytest.mark.docker
def test_an_image_that_is_not_there_does_not_keep_the_others(
    docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path
) -> None:
    give(docker_engine.host, [sample_images.base])
    results = ingest(docker_engine.host, tmp_path, "no/such:1", sample_images.base.name)
    assert [result.state for result in results] == [ItemState.FAILED, ItemState.DONE]
    assert "does not have docker.io/no/such:1" in results[0].error
    states = {item.name: item.state for item in BundleReader.open(tmp_path).items}
    assert states["docker.io/no/such:1"] is ItemState.FAILED


@pytest.mark.docker
@pytest.mark.parametrize("compression", ["zstd:5", "none", "keep"])
def test_compressions(
    compression: str, docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path
) -> None:
    give(docker_engine.host, [sample_images.base])
    ingest(docker_engine.host, tmp_path, sample_images.base.name, compression=compression)
    check(tmp_path)
    ending = {"zstd:5": "+zstd", "none": ".tar", "keep": "+gzip"}[compression]
    records = BundleReader.open(tmp_path).inventory.layers.values()
    assert all(record.media_type.endswith(ending) for record in records)


@pytest.mark.docker
def test_room_for_the_engine_s_staging(
    docker_engine: DockerEngine,
    sample_images: SampleImages,
    tmp_path: Path,
    events: EventLog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    give(docker_engine.host, [sample_images.pytorch, sample_images.triton])
    names = (sample_images.pytorch.name, sample_images.triton.name)
    with Engine.connect(docker_engine.host) as engine:
        largest = max(engine.inspect(name).size for name in names)
    monkeypatch.setattr(Engine, "room", lambda _: largest - 1)
    with pytest.raises(NoRoom, match="first writes its export"):
        ingest(docker_engine.host, tmp_path, *names)
    # Room for one after the other, not for both at once.
    monkeypatch.setattr(Engine, "room", lambda _: largest)
    results = ingest(docker_engine.host, tmp_path, *names, events=events)
    assert [result.state for result in results] == [ItemState.DONE] * 2
    monkeypatch.setattr(Engine, "room", lambda _: 0)
    forced = ingest(docker_engine.host, tmp_path / "x", *names, events=events, force=True)
    assert [result.state for result in forced] == [ItemState.DONE] * 2
    assert any("started all the same" in note.text for note in events.of(Note))


@pytest.mark.podman
def test_podman(podman_socket: PodmanService, sample_images: SampleImages, tmp_path: Path) -> None:
    samples = [
        sample_images.pytorch.named("nvcr.io/nvidia/pytorch:24.05"),
        sample_images.triton.named("nvcr.io/nvidia/triton:24.05"),
    ]
    give(podman_socket.host, samples, "podman")
    results = ingest(
        podman_socket.host, tmp_path, *(sample.name for sample in samples), kind="podman"
    )
    assert [(result.state, result.error) for result in results] == [(ItemState.DONE, "")] * 2
    for sample in samples:
        assert image_id(tmp_path, sample.name) == sample.image_id
    check(tmp_path)


def test_an_archive_file(sample_images: SampleImages, tmp_path: Path, events: EventLog) -> None:
    samples = [sample_images.pytorch, sample_images.triton]
    path = tmp_path / "old.tar.gz"
    path.write_bytes(gzip.compress(engine_archives.since_25(samples)))
    bundle = tmp_path / "bundle"
    with BundleWriter.open(bundle, "save") as writer:
        results = ingest_archive(path, writer, None, sink=events, token=CancelToken())
        writer.finish(CancelToken())
    assert [result.reference for result in results] == [f"docker.io/{s.name}" for s in samples]
    for sample in samples:
        assert image_id(bundle, sample.name) == sample.image_id
    check(bundle)


def test_archives_that_cannot_be_saved(sample_images: SampleImages, tmp_path: Path) -> None:
    cut = tmp_path / "cut.tar"
    cut.write_bytes(engine_archives.legacy([sample_images.base])[:50_000])
    with BundleWriter.open(tmp_path / "bundle", "save") as writer:
        for path, code in ((cut, 3), (tmp_path / "absent.tar", 4)):
            (result,) = ingest_archive(path, writer, None, sink=lambda _: None, token=CancelToken())
            assert (result.state, result.exit_code) == (ItemState.FAILED, code)
            assert str(path) in result.error
