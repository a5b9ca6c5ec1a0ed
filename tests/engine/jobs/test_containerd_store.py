"""Docker with the image store of containerd: an image ID there is the digest of what came, be it a
manifest or an index of many platforms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.docker.engine import Engine
from airgap_tui.engine.docker.info import EngineImage, EngineInfo
from airgap_tui.engine.errors import NotFound
from airgap_tui.engine.events import ItemState, discard
from airgap_tui.engine.jobs import against_engine
from airgap_tui.engine.jobs.against_engine import AgainstEngineResult, AgainstEngineSpec
from airgap_tui.engine.jobs.load import LoadSpec
from airgap_tui.engine.jobs.load import run as run_load
from airgap_tui.engine.jobs.save import run as run_save
from airgap_tui.engine.jobs.save_spec import Origin, SaveSpec
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.reference import Reference
from tests.engine.bundle.archives import engine_archives
from tests.engine.bundle.sample_source import reference_of, save
from tests.images import SampleImage, SampleImages, SampleIndex, push_image
from tests.services import Distribution, DockerEngine

DIFFERENT = Digest("sha256", "d" * 64)


def compare(host: str, *paths: Path) -> AgainstEngineResult:
    return against_engine.run(AgainstEngineSpec(paths, host=host), discard, CancelToken())


# --- a real one -----------------------------------------------------------------------------------


@pytest.mark.docker
def test_in_and_out_with_equal_digests(
    containerd_store_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path
) -> None:
    samples = [*sample_images.images, sample_images.zstd]
    save(tmp_path / "in", samples)
    host = containerd_store_engine.host
    loaded = run_load(
        LoadSpec((tmp_path / "in",), "docker", host, Naming.parse("reg.lan")),
        discard,
        CancelToken(),
    )
    assert {item.reference: item.digest for item in loaded.items if not item.error} == {
        str(reference_of(sample)): sample.digest for sample in samples
    }
    assert compare(host, tmp_path / "in").ok
    names = tuple(reference_of(sample) for sample in samples)
    saved = run_save(
        SaveSpec(names, tmp_path / "out", origin=Origin.DOCKER, host=host), discard, CancelToken()
    )
    assert [item.digest for item in saved.items] == [sample.digest for sample in samples]


@pytest.mark.docker
@pytest.mark.distribution
def test_what_it_pulled_for_one_of_many_platforms(
    containerd_store_engine: DockerEngine,
    distribution: Distribution,
    sample_images: SampleImages,
    tmp_path: Path,
) -> None:
    """The engine has the index and one image of it; a bundle has that image."""
    samples: list[SampleIndex] = [sample_images.multi, sample_images.attested]
    host, api = containerd_store_engine.host, containerd_store_engine.client.api
    names = []
    for sample in samples:
        pushed = Reference.parse(push_image(distribution.host, sample))
        api.pull(pushed.name, pushed.tag, platform="linux/amd64")
        names.append(pushed)
    result = run_save(
        SaveSpec(tuple(names), tmp_path / "b", origin=Origin.DOCKER, host=host),
        discard,
        CancelToken(),
    )
    assert [item.digest for item in result.items] == [s.images[0].digest for s in samples]
    assert compare(host, tmp_path / "b").ok
    with Engine.connect(host) as engine:
        assert [str(engine.inspect(str(name)).id) for name in names] == [s.digest for s in samples]


@pytest.mark.docker
def test_an_archive_of_the_old_kind(
    containerd_store_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path
) -> None:
    archive = tmp_path / "x.tar"
    archive.write_bytes(engine_archives.legacy([sample_images.base, sample_images.pytorch]))
    host = containerd_store_engine.host
    assert run_load(LoadSpec((archive,), "docker", host), discard, CancelToken()).exit_code == 0
    assert compare(host, archive).ok
    moved, tag = sample_images.pytorch.name.split(":")
    containerd_store_engine.client.api.tag(sample_images.base.name, moved, tag, force=True)
    assert [item.exit_code for item in compare(host, archive).items] == [0, 3]


# --- what counts as the same ----------------------------------------------------------------------


class KnownEngine:
    """An engine with containerd's store that has these images."""

    info = EngineInfo("docker", "28.0", "1.48", "", True, containerd_store=True)

    def __init__(self, images: Mapping[str, EngineImage]) -> None:
        self._images = images

    def __enter__(self) -> KnownEngine:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def inspect(self, name: str) -> EngineImage:
        if name not in self._images:
            raise NotFound(name)
        return self._images[name]


def held(sample: SampleImage, identifier: str, *layers: Digest) -> dict[str, EngineImage]:
    name = str(reference_of(sample))
    return {name: EngineImage(Digest.parse(identifier), (name,), (), 1, layers)}


def layers_of(sample: SampleImage) -> list[Digest]:
    return [Digest.parse(layer.diff_id) for layer in sample.content]


@pytest.mark.parametrize("pack", [engine_archives.legacy, engine_archives.since_25])
def test_the_same_by_its_digest_or_by_its_layers(
    monkeypatch: pytest.MonkeyPatch, sample_images: SampleImages, tmp_path: Path, pack: object
) -> None:
    sample, other = sample_images.multi.images[0], sample_images.triton
    save(tmp_path / "b", [sample_images.multi])
    archive = tmp_path / "x.tar"
    archive.write_bytes(pack([sample.named(str(reference_of(sample)))]))  # type: ignore[operator]

    def states(images: dict[str, EngineImage]) -> list[ItemState]:
        connect = lambda *_: KnownEngine(images)  # noqa: E731
        monkeypatch.setattr(Engine, "connect", connect)
        return [item.state for item in compare("", tmp_path / "b", archive).items]

    same, differs = ItemState.DONE, ItemState.FAILED
    layers = layers_of(sample)
    assert states(held(sample, sample.digest, *layers)) == [same, same]
    assert states(held(sample, sample_images.multi.digest, *layers)) == [same, same]
    assert states(held(sample, str(DIFFERENT), *layers)) == [same, same], "it came another way"
    assert states(held(sample, sample.digest)) == [same, differs], "an archive knows no manifest"
    assert states(held(sample, str(DIFFERENT), *layers_of(other))) == [differs, differs]
    assert states(held(sample, str(DIFFERENT))) == [differs, differs]
    assert states({}) == [differs, differs]
