"""Saving from a real registry: what is fetched, what is kept, what is said, and continuing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.encoding.codec import Compression
from airgap_tui.engine.bundle.layout import blob_path
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import NameConflict, NoRoom, Stopped
from airgap_tui.engine.events import BlobProgress, Event, ItemState, Level, Note
from airgap_tui.engine.jobs import plan, save
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.settings import Settings
from tests.images import SampleImage, SampleIndex, build_image, build_index, layer, push_image
from tests.services import Distribution

pytestmark = pytest.mark.distribution


@pytest.fixture
def images(distribution: Distribution, repository: str) -> Iterator[list[SampleImage]]:
    """Two images that share their base, in the registry."""
    base = layer(f"{repository} base", 600_000)
    made = [
        build_image(f"{repository}/{name}:1", [base, layer(f"{repository} {name}", 300_000)])
        for name in ("one", "two")
    ]
    for image in made:
        push_image(distribution.host, image)
    yield made


def reference(distribution: Distribution, image: SampleImage | SampleIndex) -> Reference:
    return Reference.parse(f"{distribution.host}/{image.name}")


def spec_of(
    distribution: Distribution, bundle: Path, *images: SampleImage | SampleIndex
) -> SaveSpec:
    return SaveSpec(tuple(reference(distribution, image) for image in images), bundle)


def test_images_arrive_whole_and_shared_layers_once(
    distribution: Distribution,
    images: list[SampleImage],
    tmp_path: Path,
    events: list[Event],
    token: CancelToken,
) -> None:
    spec = spec_of(distribution, tmp_path / "b", *images)
    result = save.run(spec, events.append, token)
    assert result.exit_code == 0
    assert [item.state for item in result.items] == [ItemState.DONE] * 2
    assert [item.digest for item in result.items] == [image.digest for image in images]
    distinct = {digest: data for image in images for digest, data in image.blobs.items()}
    wire = sum(e.bytes for e in events if isinstance(e, BlobProgress))
    assert wire == sum(len(data) for data in distinct.values())
    for digest, data in distinct.items():
        assert (tmp_path / "b" / blob_path(Digest.parse(digest))).read_bytes() == data
    assert result.to_json()["bytes"]["reused"] == 0


def test_again_nothing_is_fetched(
    distribution: Distribution, images: list[SampleImage], tmp_path: Path, token: CancelToken
) -> None:
    spec = spec_of(distribution, tmp_path / "b", *images)
    save.run(spec, lambda _event: None, token)
    again = save.run(spec, lambda _event: None, token)
    assert [item.state for item in again.items] == [ItemState.HELD] * 2
    assert again.downloaded == 0
    assert again.reused == again.unique > 0


def test_without_a_network_a_whole_bundle_stays_whole(
    start_distribution: type[Distribution], tmp_path: Path, token: CancelToken
) -> None:
    registry: Distribution = start_distribution()  # type: ignore[call-arg]
    image = build_image("lab/solver:1", [layer("solver", 50_000)])
    push_image(registry.host, image)
    spec = spec_of(registry, tmp_path / "b", image)
    save.run(spec, lambda _event: None, token)
    registry.stop()
    network = replace(spec.settings.network, retry=replace(spec.settings.network.retry, attempts=1))
    spec = replace(spec, settings=replace(spec.settings, network=network))
    assert save.run(spec, lambda _event: None, token).exit_code == 0


def test_a_failing_image_does_not_stop_the_others(
    distribution: Distribution, images: list[SampleImage], tmp_path: Path, token: CancelToken
) -> None:
    unknown = Reference.parse(f"{distribution.host}/{images[0].repository}:no-such-tag")
    spec = spec_of(distribution, tmp_path / "b", images[0])
    spec = replace(spec, references=(unknown, *spec.references))
    result = save.run(spec, lambda _event: None, token)
    assert [item.state for item in result.items] == [ItemState.FAILED, ItemState.DONE]
    assert result.exit_code == 1
    assert "no-such-tag" in result.items[0].error
    states = {item.name: item for item in BundleReader.open(tmp_path / "b").items}
    assert states[str(unknown)].state is ItemState.FAILED
    assert "no-such-tag" in states[str(unknown)].error


def test_a_stopped_save_continues_at_the_byte(
    distribution: Distribution, repository: str, tmp_path: Path, token: CancelToken
) -> None:
    image = build_image(f"{repository}/big:1", [layer(f"{repository} big", 8_000_000)])
    push_image(distribution.host, image)
    spec = spec_of(distribution, tmp_path / "b", image)
    spec = replace(spec, settings=replace(spec.settings, transfers=1))
    first: list[int] = []

    def stop_half_way(event: Event) -> None:
        if isinstance(event, BlobProgress):
            first.append(event.bytes)
            if sum(first) > 4_000_000:
                token.cancel()

    with pytest.raises(Stopped):
        save.run(spec, stop_half_way, token)
    second: list[int] = []
    result = save.run(
        spec,
        lambda e: second.append(e.bytes) if isinstance(e, BlobProgress) else None,
        CancelToken(),
    )
    assert result.exit_code == 0
    total = sum(len(data) for data in image.blobs.values())
    assert sum(first) + sum(second) == total
    assert sum(first) > 4_000_000


def test_a_moved_tag_is_kept_and_said_until_it_is_refreshed(
    distribution: Distribution,
    images: list[SampleImage],
    repository: str,
    tmp_path: Path,
    events: list[Event],
    token: CancelToken,
) -> None:
    spec = spec_of(distribution, tmp_path / "b", images[0])
    save.run(spec, lambda _event: None, token)
    newer = build_image(images[0].name, [layer(f"{repository} newer", 70_000)])
    push_image(distribution.host, newer)
    kept = save.run(spec, events.append, token)
    assert kept.items[0].digest == images[0].digest
    said = [e.text for e in events if isinstance(e, Note)]
    assert any(newer.digest in text and "--refresh" in text for text in said)
    taken = save.run(replace(spec, refresh=spec.references), lambda _event: None, token)
    assert taken.items[0].digest == newer.digest
    assert taken.items[0].state is ItemState.DONE


def test_one_platform_is_the_child_and_all_is_the_index(
    distribution: Distribution, repository: str, tmp_path: Path, token: CancelToken
) -> None:
    children = {
        platform: build_image(
            f"{repository}/multi:1", [layer(f"{repository} {platform}", 9_000)], platform=platform
        )
        for platform in ("linux/amd64", "linux/arm64")
    }
    index = build_index(f"{repository}/multi:1", list(children.values()))
    push_image(distribution.host, index)
    spec = spec_of(distribution, tmp_path / "one", index)
    one = save.run(spec, lambda _event: None, token)
    assert one.items[0].digest == children["linux/amd64"].digest
    (item,) = BundleReader.open(tmp_path / "one").items
    assert str(item.index_digest) == index.digest
    arm64 = replace(spec, settings=Settings(platform=Platform.parse("linux/arm64")))
    said: list[Event] = []
    other = save.run(arm64, said.append, token)
    assert other.items[0].digest == children["linux/arm64"].digest
    (warning,) = [e.text for e in said if isinstance(e, Note) and e.level is Level.WARNING]
    assert "linux/amd64" in warning and "--platform all" in warning
    spec = replace(spec, bundle=tmp_path / "all", settings=Settings(platform=None))
    every = save.run(spec, lambda _event: None, token)
    assert every.items[0].digest == index.digest
    reader = BundleReader.open(tmp_path / "all")
    root = reader.closure(reader.items[0]).root
    assert isinstance(root, Index) and len(root.manifests) == 2


def test_compressed_layers_are_recorded_with_what_they_replace(
    distribution: Distribution, images: list[SampleImage], tmp_path: Path, token: CancelToken
) -> None:
    spec = spec_of(distribution, tmp_path / "b", *images)
    spec = replace(spec, compression=Compression.parse("zstd"))
    events: list[Event] = []
    result = save.run(spec, events.append, token)
    assert result.exit_code == 0
    assert any("Docker before 23.0" in e.text for e in events if isinstance(e, Note))
    reader = BundleReader.open(tmp_path / "b")
    for item, image in zip(reader.items, images, strict=True):
        assert str(item.source_digest) == image.digest != str(item.digest)
        root = reader.closure(item).root
        assert isinstance(root, Manifest)
        assert str(root.config.digest) == image.image_id
        assert all(blob.media_type.endswith("+zstd") for blob in root.layers)
    replaced = {str(record.replaces) for record in reader.inventory.layers.values()}
    assert replaced == {digest for i in images for digest in i.blobs if digest != i.image_id}


def test_no_room_is_told_before_anything_is_fetched(
    distribution: Distribution,
    images: list[SampleImage],
    tmp_path: Path,
    token: CancelToken,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = spec_of(distribution, tmp_path / "b", *images)
    small = Room.at(tmp_path)
    monkeypatch.setattr(Room, "at", lambda _path: replace(small, free=1000))
    fetched: list[Event] = []
    with pytest.raises(NoRoom, match="needed"):
        save.run(spec, lambda e: fetched.append(e) if isinstance(e, BlobProgress) else None, token)
    assert fetched == []
    assert save.run(replace(spec, force=True), lambda _event: None, token).exit_code == 0


def test_a_bundle_that_cannot_be_seen_is_not_planned_as_a_new_one(
    distribution: Distribution, images: list[SampleImage], tmp_path: Path, token: CancelToken
) -> None:
    spec = spec_of(distribution, tmp_path / ("b" * 300), *images)
    with pytest.raises(OSError, match="too long"):
        plan.run(spec, lambda _event: None, token)


def test_a_plan_adds_up_and_writes_nothing(
    distribution: Distribution, images: list[SampleImage], tmp_path: Path, token: CancelToken
) -> None:
    spec = spec_of(distribution, tmp_path / "b", *images)
    planned = plan.run(spec, lambda _event: None, token)
    assert not (tmp_path / "b").exists()
    for image in planned.images:
        assert image.size == image.shared + image.held + image.to_fetch
    first, second = planned.images
    assert first.shared == 0 and second.shared >= 300_000
    assert planned.to_fetch == planned.unique == _downloaded(spec, token)
    later = plan.run(spec, lambda _event: None, token)
    assert later.to_fetch == 0
    assert json.loads(json.dumps(later.to_json()))["items"][0]["state"] == "held"


def test_two_digests_for_one_name_are_refused(
    distribution: Distribution, images: list[SampleImage], tmp_path: Path, token: CancelToken
) -> None:
    one = reference(distribution, images[0])
    spec = SaveSpec(
        tuple(one.pinned(Digest.parse(image.digest)) for image in images), tmp_path / "b"
    )
    with pytest.raises(NameConflict, match="one name"):
        save.run(spec, lambda _event: None, token)


def _downloaded(spec: SaveSpec, token: CancelToken) -> int:
    return save.run(spec, lambda _event: None, token).downloaded
