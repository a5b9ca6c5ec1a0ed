"""Pushing into a real registry: names decided first, digests equal, damage named and not sent."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.encoding.codec import Codec
from airgap_tui.engine.bundle.layout import blob_path
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ConnectionFailure, NameConflict, NotFound
from airgap_tui.engine.events import BlobProgress, Event, ItemState, discard
from airgap_tui.engine.jobs import push, save
from airgap_tui.engine.jobs.archives import write_archives
from airgap_tui.engine.jobs.push import PushSpec
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.platform import DEFAULT_PLATFORM
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.retry import RetryPolicy
from airgap_tui.engine.settings import Network, Settings
from tests.images import (
    SampleImage,
    SampleIndex,
    build_image,
    build_index,
    layer,
    push_image,
    remote_digest,
    remote_manifest,
)
from tests.services import Distribution

pytestmark = pytest.mark.distribution


def saved(
    distribution: Distribution,
    bundle: Path,
    *images: SampleImage | SampleIndex,
    every_platform: bool = False,
) -> Path:
    for image in images:
        push_image(distribution.host, image)
    references = tuple(Reference.parse(f"{distribution.host}/{image.name}") for image in images)
    settings = Settings(platform=None if every_platform else DEFAULT_PLATFORM)
    result = save.run(SaveSpec(references, bundle, settings), lambda _e: None, CancelToken())
    assert result.exit_code == 0
    return bundle


def test_digests_are_those_of_the_source(
    distribution: Distribution, repository: str, tmp_path: Path, token: CancelToken
) -> None:
    base = layer(f"{repository} base", 200_000)
    one = build_image(f"{repository}/one:1", [base])
    arm = build_image(f"{repository}/two:1", [base], platform="linux/arm64")
    two = build_index(f"{repository}/two:1", [one, arm])
    bundle = saved(distribution, tmp_path / "b", one, two, every_platform=True)
    naming = Naming.parse(f"{distribution.host}/offline")
    sent: list[Event] = []
    result = push.run(PushSpec(bundle, naming), sent.append, token)
    assert result.exit_code == 0
    images: tuple[SampleImage | SampleIndex, ...] = (one, two)
    for item, image in zip(result.items, images, strict=True):
        assert item.state is ItemState.DONE
        assert item.digest == item.target_digest == image.digest
        assert item.target == f"{distribution.host}/offline/{image.name}"
        repository_there = f"offline/{image.repository}"
        assert remote_digest(distribution.host, repository_there, image.tag) == image.digest
    again = push.run(PushSpec(bundle, naming), sent.append, token)
    assert [item.state for item in again.items] == [ItemState.HELD] * 2
    assert again.sent == 0


def test_a_shared_layer_is_sent_once(
    distribution: Distribution, repository: str, tmp_path: Path, token: CancelToken
) -> None:
    base = layer(f"{repository} base", 400_000)
    images = [
        build_image(f"{repository}/{name}:1", [base, layer(f"{repository} {name}", 50_000)])
        for name in ("one", "two", "three")
    ]
    bundle = saved(distribution, tmp_path / "b", *images)
    events: list[Event] = []
    naming = Naming.parse(f"{distribution.host}/{repository}-mirror")
    result = push.run(PushSpec(bundle, naming), events.append, token)
    assert result.exit_code == 0
    wire = sum(e.bytes for e in events if isinstance(e, BlobProgress))
    distinct = {digest: data for image in images for digest, data in image.blobs.items()}
    assert wire == result.sent <= sum(len(data) for data in distinct.values())


def test_two_sources_for_one_name_are_refused_before_anything_is_sent(
    distribution: Distribution,
    start_distribution: type[Distribution],
    repository: str,
    tmp_path: Path,
    token: CancelToken,
) -> None:
    other: Distribution = start_distribution()  # type: ignore[call-arg]
    image = build_image(f"{repository}/cuda:1", [layer(f"{repository} a", 20_000)])
    bundle = saved(distribution, tmp_path / "b", image)
    saved(other, bundle, build_image(image.name, [layer(f"{repository} b", 20_000)]))
    sent: list[Event] = []
    spec = PushSpec(bundle, Naming.parse(f"{distribution.host}/m-{repository}"))
    with pytest.raises(NameConflict, match="would both become"):
        push.run(spec, sent.append, token)
    assert sent == []
    kept = replace(spec, naming=replace(spec.naming, keep_registry=True))
    assert push.run(kept, sent.append, token).exit_code == 0


def test_a_damaged_layer_fails_its_image_only(
    distribution: Distribution, repository: str, tmp_path: Path, token: CancelToken
) -> None:
    images = [
        build_image(f"{repository}/{name}:1", [layer(f"{repository} {name}", 80_000)])
        for name in ("good", "bad")
    ]
    bundle = saved(distribution, tmp_path / "b", *images)
    digest = images[1].document.layers[0].digest
    damaged = bundle / blob_path(digest)
    content = bytearray(damaged.read_bytes())
    content[1000] ^= 1
    damaged.chmod(0o644)
    damaged.write_bytes(content)
    naming = Naming.parse(f"{distribution.host}/again-{repository}")
    result = push.run(PushSpec(bundle, naming), lambda _e: None, token)
    states = {item.reference.rpartition("/")[2]: item.state for item in result.items}
    assert states == {"good:1": ItemState.DONE, "bad:1": ItemState.FAILED}
    assert result.exit_code == 3
    damaged.unlink()
    result = push.run(PushSpec(bundle, naming), lambda _e: None, token)
    (bad,) = [item for item in result.items if item.state is ItemState.FAILED]
    assert "1 file missing or damaged in the bundle" in bad.error


def test_a_registry_that_is_not_there_is_told_once(
    distribution: Distribution, repository: str, tmp_path: Path, token: CancelToken
) -> None:
    images = [build_image(f"{repository}/{n}:1", [layer(f"{repository} {n}")]) for n in "ab"]
    bundle = saved(distribution, tmp_path / "b", *images)
    network = Network(retry=RetryPolicy(attempts=2, first_wait=0.01))
    spec = PushSpec(bundle, Naming.parse("127.0.0.1:1"), Settings(network=network))
    events: list[Event] = []
    with pytest.raises(ConnectionFailure, match="cannot be reached") as error:
        push.run(spec, events.append, token)
    assert error.value.exit_code == 4 and error.value.hint
    assert not [event for event in events if isinstance(event, BlobProgress)]


def test_what_the_bundle_does_not_hold_is_named(
    distribution: Distribution, repository: str, tmp_path: Path, token: CancelToken
) -> None:
    image = build_image(f"{repository}/one:1", [layer(f"{repository} x", 10_000)])
    bundle = saved(distribution, tmp_path / "b", image)
    absent = Reference.parse("nvcr.io/nvidia/absent:1")
    spec = PushSpec(bundle, Naming.parse(distribution.host), references=(absent,))
    with pytest.raises(NotFound, match="absent") as caught:
        push.run(spec, lambda _e: None, token)
    assert image.name in caught.value.hint


def test_archives_are_pushed_through_a_working_bundle(
    distribution: Distribution, repository: str, tmp_path: Path, token: CancelToken
) -> None:
    image = build_image(f"{repository}/old:1", [layer(f"{repository} old", 60_000)])
    bundle = saved(distribution, tmp_path / "b", image)
    reader = BundleReader.open(bundle)
    archives = tmp_path / "old archives"
    written = write_archives(reader, reader.items, archives, Codec.ZSTD, discard, token)
    assert [one.state for one in written] == [ItemState.DONE]
    naming = Naming.parse(f"{distribution.host}/from-archive")
    result = push.run(PushSpec(archives, naming), lambda _e: None, token)
    assert result.exit_code == 0
    assert (result.code, result.receipt is None) == ("", False), "no bundle has such a code"
    target = f"from-archive/{image.repository}"
    assert result.items[0].target_digest == remote_digest(distribution.host, target, image.tag)
    manifest = json.loads(remote_manifest(distribution.host, target, image.tag))
    assert manifest["config"]["digest"] == image.image_id, "the image ID stays"
    leftovers = [path.name for path in archives.iterdir() if path.name.endswith(".pushing")]
    assert leftovers == []
