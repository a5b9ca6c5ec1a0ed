"""From bundles and archives into real engines: everything there, once, checked, and told."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.docker.engine import Engine
from airgap_tui.engine.docker.hosts import Kind
from airgap_tui.engine.errors import NameConflict, NoRoom, UsageError
from airgap_tui.engine.events import (
    BlobDone,
    BlobPlanned,
    BlobProgress,
    BlobStarted,
    Event,
    ItemChanged,
    ItemState,
    JobFinished,
    Note,
)
from airgap_tui.engine.jobs import against_engine
from airgap_tui.engine.jobs.load import LoadResult, LoadSpec, run
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.reference import Reference
from tests.conftest import EventLog
from tests.engine.bundle.archives import engine_archives
from tests.engine.bundle.sample_source import reference_of, save
from tests.images import SampleImage, SampleImages, build_image, layer, zstd_of
from tests.services import DockerEngine, PodmanService, start_docker_engine

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.xz": lzma.compress,
    "tar.zst": zstd_of,
    "tar.bz2": bz2.compress,
}


def load(
    host: str,
    *paths: Path,
    events: EventLog | None = None,
    into: Kind = "docker",
    naming: Naming | None = None,
    references: tuple[Reference, ...] = (),
    force: bool = False,
) -> LoadResult:
    spec = LoadSpec(paths, into, host, naming, references, force)
    return run(spec, EventLog() if events is None else events, CancelToken())


def ids(engine: DockerEngine) -> dict[str, str]:
    """Image IDs by name, as the engine tells them to anybody."""
    return {
        name: str(image["Id"])
        for image in engine.client.api.images()
        for name in image["RepoTags"] or ()
    }


def full(sample: SampleImage) -> str:
    return str(reference_of(sample))


def damage(bundle: Path, digest: str) -> None:
    path = bundle / "blobs" / digest.replace(":", "/")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


# --- bundles --------------------------------------------------------------------------------------


@pytest.mark.docker
def test_a_whole_bundle_in_one_stream(
    docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path, events: EventLog
) -> None:
    samples = [*sample_images.images, sample_images.zstd, sample_images.uncompressed]
    save(tmp_path, [*samples, sample_images.multi])
    result = load(docker_engine.host, tmp_path, events=events)
    assert result.exit_code == 0
    assert {item.reference: item.state for item in result.items} == {
        full(sample): ItemState.DONE for sample in [*samples, sample_images.multi.images[0]]
    }
    expected = {full(sample): sample.image_id for sample in samples}
    expected[full(sample_images.multi.images[0])] = sample_images.multi.images[0].image_id
    assert ids(docker_engine) == expected
    assert {item.reference: item.digest for item in result.items} == expected
    # Each blob is planned once, and every planned byte was counted.
    planned = events.of(BlobPlanned)
    assert len({event.blob for event in planned}) == len(planned) == len(events.of(BlobDone))
    assert sum(e.size for e in planned) == sum(e.bytes for e in events.of(BlobProgress))
    assert result.bytes == sum(event.size for event in planned)
    assert events.of(JobFinished) == [JobFinished("load", 0)]


@pytest.mark.docker
def test_what_is_there_is_not_sent_again(
    docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path
) -> None:
    save(tmp_path, [sample_images.base, sample_images.pytorch])
    assert load(docker_engine.host, tmp_path).exit_code == 0
    again = load(docker_engine.host, tmp_path)
    assert [item.state for item in again.items] == [ItemState.HELD, ItemState.HELD]
    assert again.bytes == 0
    assert again.exit_code == 0


@pytest.mark.docker
def test_names_for_an_offline_registry(
    docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path
) -> None:
    save(tmp_path, [sample_images.base, sample_images.pytorch])
    naming = Naming.parse("reg.lan:5000/mirror")
    result = load(docker_engine.host, tmp_path, naming=naming)
    targets = {f"reg.lan:5000/mirror/{s.name}" for s in (sample_images.base, sample_images.pytorch)}
    assert {item.target for item in result.items} == targets
    assert targets < set(ids(docker_engine))
    # Another registry costs only tags.
    other = load(docker_engine.host, tmp_path, naming=Naming.parse("other.lan"))
    assert other.bytes == 0
    assert ids(docker_engine)[f"other.lan/{sample_images.base.name}"] == sample_images.base.image_id


@pytest.mark.docker
def test_chosen_images_and_one_that_is_not_there(
    docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path
) -> None:
    save(tmp_path, [sample_images.base, sample_images.pytorch])
    wanted = (reference_of(sample_images.base), Reference.parse("nvcr.io/nvidia/absent:1"))
    result = load(docker_engine.host, tmp_path, references=wanted)
    assert {item.reference: item.state for item in result.items} == {
        full(sample_images.base): ItemState.DONE,
        "nvcr.io/nvidia/absent:1": ItemState.FAILED,
    }
    assert list(ids(docker_engine)) == [full(sample_images.base)]
    assert result.exit_code == 1


@pytest.mark.docker
def test_two_bundles_share_one_stream(
    docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path, events: EventLog
) -> None:
    save(tmp_path / "a", [sample_images.base])
    save(tmp_path / "b", [sample_images.pytorch])
    result = load(docker_engine.host, tmp_path / "a", tmp_path / "b", events=events)
    assert result.exit_code == 0
    planned = [event.blob for event in events.of(BlobPlanned)]
    assert len(planned) == len(set(planned)) == 5


def test_two_bundles_that_disagree(sample_images: SampleImages, tmp_path: Path) -> None:
    save(tmp_path / "a", [sample_images.base])
    save(tmp_path / "b", [sample_images.pytorch.named(sample_images.base.name)])
    with pytest.raises(NameConflict):
        load("unix:///nonexistent", tmp_path / "a", tmp_path / "b")


@pytest.mark.docker
def test_a_damaged_image_does_not_keep_the_others(
    docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path, events: EventLog
) -> None:
    save(tmp_path, [sample_images.base, sample_images.pytorch, sample_images.triton])
    damage(tmp_path, sample_images.pytorch.content[2].digest)
    result = load(docker_engine.host, tmp_path, events=events)
    states = {item.reference: item.state for item in result.items}
    assert states == {
        full(sample_images.base): ItemState.DONE,
        full(sample_images.pytorch): ItemState.FAILED,
        full(sample_images.triton): ItemState.DONE,
    }
    assert result.exit_code == 3
    assert full(sample_images.pytorch) not in ids(docker_engine)
    assert full(sample_images.triton) in ids(docker_engine)


@pytest.mark.docker
def test_a_missing_layer_fails_its_image_alone(
    docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path
) -> None:
    save(tmp_path, [sample_images.base, sample_images.pytorch])
    digest = sample_images.pytorch.content[2].digest
    (tmp_path / "blobs" / digest.replace(":", "/")).unlink()
    result = load(docker_engine.host, tmp_path)
    assert [item.state for item in result.items] == [ItemState.DONE, ItemState.FAILED]
    assert digest in result.items[1].error


@pytest.mark.docker
def test_an_image_that_the_engine_refuses_does_not_keep_the_others(
    docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path, events: EventLog
) -> None:
    alien = build_image("alien/image:1", [layer("alien")], platform="windows/amd64")
    save(tmp_path, [sample_images.base, alien], platform=None)
    result = load(docker_engine.host, tmp_path, events=events)
    states = {item.reference: item.state for item in result.items}
    assert states == {full(sample_images.base): ItemState.DONE, full(alien): ItemState.FAILED}
    assert full(sample_images.base) in ids(docker_engine)


@pytest.mark.docker
def test_an_engine_that_dies_is_told_once(sample_images: SampleImages, tmp_path: Path) -> None:
    save(tmp_path, [sample_images.base, sample_images.pytorch, sample_images.triton])
    events = EventLog()
    engine = start_docker_engine()
    try:

        def watch(event: Event) -> None:
            events(event)
            if isinstance(event, BlobStarted):
                engine.kill()

        spec = LoadSpec((tmp_path,), host=engine.host)
        result = run(spec, watch, CancelToken())
    finally:
        engine.stop()
    assert [item.state for item in result.items] == [ItemState.FAILED] * 3
    assert result.exit_code == 4
    assert not [note for note in events.of(Note) if "tried alone" in note.text]


@pytest.mark.docker
def test_too_little_room_is_told_before_anything_is_sent(
    docker_engine: DockerEngine,
    sample_images: SampleImages,
    tmp_path: Path,
    events: EventLog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save(tmp_path / "bundle", [sample_images.pytorch])
    archive = tmp_path / "x.tar"
    archive.write_bytes(engine_archives.legacy([sample_images.pytorch]))
    unpacked = sum(len(one.tar) for one in sample_images.pytorch.content)
    monkeypatch.setattr(Engine, "room", lambda _: unpacked)
    for path in (tmp_path / "bundle", archive):
        with pytest.raises(NoRoom, match="are free"):
            load(docker_engine.host, path)
        assert ids(docker_engine) == {}
    result = load(docker_engine.host, tmp_path / "bundle", events=events, force=True)
    assert result.exit_code == 0
    assert any("started all the same" in note.text for note in events.of(Note))


# --- archives -------------------------------------------------------------------------------------


@pytest.mark.docker
@pytest.mark.parametrize("ending", PACKERS)
def test_archives_of_every_codec(
    ending: str, docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path
) -> None:
    samples = [sample_images.base, sample_images.pytorch]
    path = tmp_path / f"old.{ending}"
    path.write_bytes(PACKERS[ending](engine_archives.legacy(samples)))
    events = EventLog()
    result = load(docker_engine.host, path, events=events, naming=Naming.parse("reg.lan"))
    assert result.exit_code == 0
    assert {(item.reference, item.digest, item.target) for item in result.items} == {
        (f"docker.io/{s.name}", s.image_id, f"reg.lan/{s.name}") for s in samples
    }
    expected = {name: s.image_id for s in samples for name in (s.name, f"reg.lan/{s.name}")}
    assert ids(docker_engine) == expected
    size = path.stat().st_size
    assert sum(event.bytes for event in events.of(BlobProgress)) == pytest.approx(size, abs=5000)


@pytest.mark.docker
@pytest.mark.parametrize(
    "form", [engine_archives.since_25, engine_archives.podman], ids=["since 25", "podman"]
)
def test_archives_of_other_engines(
    form: Callable[[list[SampleImage]], bytes],
    docker_engine: DockerEngine,
    sample_images: SampleImages,
    tmp_path: Path,
) -> None:
    path = tmp_path / "other.tar"
    path.write_bytes(form([sample_images.pytorch]))
    assert load(docker_engine.host, path).exit_code == 0
    assert ids(docker_engine) == {sample_images.pytorch.name: sample_images.pytorch.image_id}


@pytest.mark.docker
def test_a_directory_of_archives_with_a_bad_one(
    docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path
) -> None:
    good = gzip.compress(engine_archives.legacy([sample_images.base]))
    (tmp_path / "a.tar.gz").write_bytes(good)
    (tmp_path / "b.tar.gz").write_bytes(good[:-4000])
    (tmp_path / "c.tar").write_bytes(engine_archives.Archive().finish())
    (tmp_path / "notes.txt").write_text("not an archive")
    result = load(docker_engine.host, tmp_path)
    assert [item.state for item in result.items] == [
        ItemState.DONE,
        ItemState.FAILED,
        ItemState.FAILED,
    ]
    assert result.exit_code == 3
    assert list(ids(docker_engine)) == [sample_images.base.name]


@pytest.mark.docker
def test_a_nameless_archive_of_the_ngc_replicator(
    docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path
) -> None:
    nameless = engine_archives.legacy([sample_images.base]).replace(
        f'"RepoTags":["{sample_images.base.name}"]'.encode(),
        b'"RepoTags":null,"x":"' + b"x" * (len(sample_images.base.name) - 7) + b'"',
    )
    path = tmp_path / "docker_image_nvcr.io%%nvidia%%cuda%%12.4.tar"
    path.write_bytes(nameless)
    result = load(docker_engine.host, path)
    assert [item.reference for item in result.items] == ["nvcr.io/nvidia/cuda:12.4"]
    assert ids(docker_engine) == {"nvcr.io/nvidia/cuda:12.4": sample_images.base.image_id}


def test_what_cannot_be_loaded(tmp_path: Path, sample_images: SampleImages) -> None:
    with pytest.raises(UsageError, match="neither a bundle nor archives"):
        load("unix:///nonexistent", tmp_path)
    path = tmp_path / "x.tar"
    path.write_bytes(engine_archives.legacy([sample_images.base]))
    with pytest.raises(UsageError, match="single images"):
        load("unix:///nonexistent", path, references=(reference_of(sample_images.base),))


# --- Podman ---------------------------------------------------------------------------------------


@pytest.mark.podman
def test_podman(podman_socket: PodmanService, sample_images: SampleImages, tmp_path: Path) -> None:
    samples = [sample_images.pytorch, sample_images.triton, sample_images.zstd]
    save(tmp_path / "bundle", samples)
    naming = Naming.parse("reg.lan")
    result = load(podman_socket.host, tmp_path / "bundle", into="podman", naming=naming)
    assert [(item.state, item.error) for item in result.items] == [(ItemState.DONE, "")] * 3
    archive = tmp_path / "hub.tar"
    archive.write_bytes(engine_archives.legacy([sample_images.docker]))
    assert load(podman_socket.host, archive, into="podman").exit_code == 0
    for sample, name in (
        *((sample, full(sample)) for sample in samples),
        *((sample, f"reg.lan/{sample.name}") for sample in samples),
        (sample_images.docker, f"docker.io/{sample_images.docker.name}"),
    ):
        shown = podman_socket("image", "inspect", "--format", "{{.Id}}", name)
        assert f"sha256:{shown.stdout.strip()}" == sample.image_id


# --- compared with an engine ----------------------------------------------------------------------


@pytest.mark.docker
def test_image_ids_against_an_engine(
    docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path, events: EventLog
) -> None:
    save(tmp_path / "b", [sample_images.base, sample_images.pytorch, sample_images.triton])
    loaded = (reference_of(sample_images.base), reference_of(sample_images.pytorch))
    load(docker_engine.host, tmp_path / "b", references=loaded)
    moved = reference_of(sample_images.pytorch)
    docker_engine.client.api.tag(full(sample_images.base), moved.name, str(moved.tag), force=True)
    archive = tmp_path / "x.tar"
    archive.write_bytes(
        engine_archives.legacy([sample_images.base.named(full(sample_images.base))])
    )
    spec = against_engine.AgainstEngineSpec((tmp_path / "b", archive), host=docker_engine.host)
    result = against_engine.run(spec, events, CancelToken())
    assert [(item.reference, item.state, item.exit_code) for item in result.items] == [
        (full(sample_images.base), ItemState.DONE, 0),
        (full(sample_images.pytorch), ItemState.FAILED, 3),
        (full(sample_images.triton), ItemState.FAILED, 4),
        (full(sample_images.base), ItemState.DONE, 0),
    ]
    assert result.items[1].target_digest == sample_images.base.image_id
    assert result.exit_code == 3
    assert len(events.of(ItemChanged)) == 4
