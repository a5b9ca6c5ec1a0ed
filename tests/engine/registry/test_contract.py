"""What every registry has to do with this client: the same tests on the fake and a real one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ContentMismatch, NotFound, Stopped, TemporaryFailure
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.registry.source import RegistrySource
from tests.engine.registry.conftest import OpenSource, OpenTarget
from tests.engine.registry.exchange import BytesReader, descriptor, opener_of, pull, push, read_once
from tests.fakes.registry import FakeRegistry
from tests.images import (
    SampleImages,
    build_artifact,
    fallback_tag,
    noise,
    push_image,
    remote_manifest,
)

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")


@pytest.fixture(
    params=["fake", pytest.param("distribution", marks=pytest.mark.distribution)],
)
def host(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "fake":
        with FakeRegistry() as registry:
            yield registry.host
    else:
        yield request.getfixturevalue("distribution").host


def test_every_kind_of_image_survives_push_and_pull(
    host: str,
    repository: str,
    sample_images: SampleImages,
    open_target: OpenTarget,
    source: RegistrySource,
    token: CancelToken,
) -> None:
    target = open_target(host)
    for number, sample in enumerate(sample_images.everything):
        reference = Reference.parse(f"{host}/{repository}/{number}:tag")
        assert str(push(target, sample, reference, token)) == sample.digest
        closure = source.resolve(reference, None, token)
        assert [d.raw for d in closure.documents] == [raw for _, raw in sample.documents]
        assert str(closure.root.digest) == sample.digest
        assert pull(source, closure, token) == sample.blobs
        assert closure.size == sample.size
        held = remote_manifest(host, f"{repository}/{number}", "tag")
        assert held == sample.documents[-1][1]


def test_one_platform_of_an_index(
    host: str,
    repository: str,
    sample_images: SampleImages,
    source: RegistrySource,
    token: CancelToken,
) -> None:
    for number, (sample, wanted) in enumerate(
        [
            (sample_images.multi, AMD64),
            (sample_images.multi, ARM64),
            (sample_images.docker_list, ARM64),
            (sample_images.nested, ARM64),
            (sample_images.attested, AMD64),
        ]
    ):
        name = push_image(host, sample, name=f"{repository}/{number}:tag")
        closure = source.resolve(Reference.parse(name), wanted, token)
        expected = next(
            image
            for image in sample.images
            if image.platform[:2] == (wanted.os, wanted.architecture)
        )
        assert str(closure.root.digest) == expected.digest
        assert str(closure.index_digest) == sample.digest
        assert [str(d.digest) for d in closure.documents] == [expected.digest]
        assert [platform.architecture for platform in closure.platforms] == [wanted.architecture]
        assert pull(source, closure, token) == expected.blobs


def test_a_platform_that_is_not_there_is_named_with_those_that_are(
    host: str,
    repository: str,
    sample_images: SampleImages,
    source: RegistrySource,
    token: CancelToken,
) -> None:
    index = push_image(host, sample_images.multi, name=f"{repository}:index")
    single = push_image(host, sample_images.base, name=f"{repository}:single")
    with pytest.raises(NotFound, match=r"linux/s390x.*linux/amd64, linux/arm64/v8"):
        source.resolve(Reference.parse(index), Platform("linux", "s390x"), token)
    with pytest.raises(NotFound, match=r"linux/arm64.*linux/amd64"):
        source.resolve(Reference.parse(single), ARM64, token)
    closure = source.resolve(Reference.parse(single), AMD64, token)
    assert closure.platforms == (AMD64,)
    assert closure.index_digest is None


def test_by_digest_with_or_without_a_tag(
    host: str,
    repository: str,
    sample_images: SampleImages,
    source: RegistrySource,
    token: CancelToken,
) -> None:
    sample = sample_images.base
    name = push_image(host, sample, name=f"{repository}:tag")
    pinned = Reference.parse(name).pinned(Digest.parse(sample.digest))
    assert source.resolve(pinned, AMD64, token).root.raw == sample.manifest
    moved = replace(pinned, tag="elsewhere")
    assert source.resolve(moved, AMD64, token).root.raw == sample.manifest


def test_head_is_what_the_tag_points_at(
    host: str,
    repository: str,
    sample_images: SampleImages,
    source: RegistrySource,
    token: CancelToken,
) -> None:
    sample = sample_images.multi
    name = push_image(host, sample, name=f"{repository}:tag")
    found = source.head(Reference.parse(name), token)
    assert str(found.digest) == sample.digest
    assert found.size == len(sample.manifest)
    assert found.media_type == sample.media_type


def test_what_is_not_there_is_not_found(
    host: str,
    repository: str,
    sample_images: SampleImages,
    source: RegistrySource,
    token: CancelToken,
) -> None:
    name = push_image(host, sample_images.base, name=f"{repository}:tag")
    known = Reference.parse(name)
    absent = descriptor(b"absent")
    for reference in (
        replace(known, tag="absent"),
        known.pinned(Digest.of(b"absent")),
        Reference.parse(f"{host}/{repository}/absent:tag"),
    ):
        with pytest.raises(NotFound, match="404"):
            source.resolve(reference, AMD64, token)
        with pytest.raises(NotFound):
            source.head(reference, token)
    with pytest.raises(NotFound, match=str(absent.digest)):
        source.open(known, absent, 0, token)
    with pytest.raises(NotFound):
        list(source.tags(Reference.parse(f"{host}/{repository}/absent:tag"), token))


def test_a_blob_from_any_offset(
    host: str,
    repository: str,
    sample_images: SampleImages,
    source: RegistrySource,
    token: CancelToken,
) -> None:
    sample = sample_images.base
    reference = Reference.parse(push_image(host, sample, name=f"{repository}:tag"))
    data = sample.layers[0]
    for offset in (0, 1, 100_000, len(data) - 1, len(data)):
        assert read_once(source, reference, descriptor(data), offset, token) == data[offset:]


def test_tags_are_all_listed(
    host: str,
    repository: str,
    sample_images: SampleImages,
    source: RegistrySource,
    token: CancelToken,
) -> None:
    wanted = {f"v{number}" for number in range(7)}
    for tag in wanted:
        name = push_image(host, sample_images.zero_size, name=f"{repository}:{tag}")
    listed = list(source.tags(Reference.parse(name), token))
    assert sorted(listed) == sorted(wanted)


def test_has_and_receive(
    host: str,
    repository: str,
    open_target: OpenTarget,
    token: CancelToken,
) -> None:
    target = open_target(host)
    reference = Reference.parse(f"{host}/{repository}:tag")
    assert target.scope(reference) == repository
    for data in (noise("some", 3_000_000), b"", b"x"):
        blob, moved = descriptor(data), list[int]()
        assert not target.has(reference, blob, token)
        target.receive(reference, blob, opener_of(data), moved.append, token)
        assert target.has(reference, blob, token)
        assert sum(moved) == len(data)


def test_a_blob_that_another_repository_has_is_not_sent_again(
    host: str,
    repository: str,
    open_target: OpenTarget,
    source: RegistrySource,
    token: CancelToken,
) -> None:
    target, data = open_target(host), noise("shared", 100_000)
    blob, moved = descriptor(data), list[int]()
    first = Reference.parse(f"{host}/{repository}/a:tag")
    second = Reference.parse(f"{host}/{repository}/b:tag")
    for reference in (first, second):
        target.receive(reference, blob, opener_of(data), moved.append, token)
    assert sum(moved) == len(data)
    assert read_once(source, second, blob, 0, token) == data


def test_wrong_local_bytes_never_arrive(
    host: str,
    repository: str,
    open_target: OpenTarget,
    token: CancelToken,
) -> None:
    target, reference = open_target(host), Reference.parse(f"{host}/{repository}:tag")
    right = noise("right", 200_000)
    blob = descriptor(right)
    for wrong in (right[:-1] + b"\0", right[:-1], right + b"\0", b""):
        with pytest.raises(ContentMismatch):
            target.receive(
                reference,
                blob,
                opener_of(wrong),
                lambda _count: None,
                token,
            )
        assert not target.has(reference, blob, token)
    target.receive(reference, blob, opener_of(right), lambda _count: None, token)
    assert target.has(reference, blob, token)


def test_an_upload_goes_on_where_the_source_broke(
    host: str,
    repository: str,
    open_target: OpenTarget,
    source: RegistrySource,
    token: CancelToken,
) -> None:
    target, reference = open_target(host), Reference.parse(f"{host}/{repository}:tag")
    data = noise("long", 3_000_000)
    blob, moved = descriptor(data), list[int]()

    class Broken(BytesReader):
        def readinto(self, buffer: memoryview, /) -> int:
            count = super().readinto(buffer)
            if count == 0:
                raise TemporaryFailure("the source broke")
            return count

    with pytest.raises(TemporaryFailure, match="the source broke"):
        target.receive(
            reference,
            blob,
            lambda _offset, _held=0, /: Broken(data[:2_000_000]),
            moved.append,
            token,
        )
    target.receive(reference, blob, opener_of(data), moved.append, token)
    assert sum(moved) == len(data)
    assert read_once(source, reference, blob, 0, token) == data


def test_signatures_go_along(
    host: str,
    repository: str,
    sample_images: SampleImages,
    open_target: OpenTarget,
    open_source: OpenSource,
    token: CancelToken,
) -> None:
    sample = sample_images.base
    tag = f"{fallback_tag(sample.digest)}.sig"
    cosign = build_artifact(f"{repository}:{tag}", {"signature": b"signed"})
    referrer = build_artifact(f"{repository}:x", {"sbom": b"parts"}, subject=sample)
    name = f"{host}/{repository}"
    push(
        open_target(host),
        sample,
        Reference.parse(f"{name}:tag"),
        token,
        signatures={f"{name}:{tag}": cosign, f"{name}@{referrer.digest}": referrer},
    )
    closure = open_source(signatures=True).resolve(Reference.parse(f"{name}:tag"), AMD64, token)
    assert {str(s.root.digest) for s in closure.signatures} == {cosign.digest, referrer.digest}
    assert {s.reference.tag for s in closure.signatures} == {tag, None}
    assert open_source().resolve(Reference.parse(f"{name}:tag"), AMD64, token).signatures == ()


def test_a_stopped_job_stops(
    host: str,
    repository: str,
    sample_images: SampleImages,
    source: RegistrySource,
    token: CancelToken,
) -> None:
    sample = sample_images.base
    reference = Reference.parse(push_image(host, sample, name=f"{repository}:tag"))
    blob = descriptor(sample.layers[0])
    reader = source.open(reference, blob, 0, token)
    token.cancel()
    with pytest.raises(Stopped):
        reader.readinto(memoryview(bytearray(10)))
    reader.close()
    with pytest.raises(Stopped):
        source.resolve(reference, AMD64, token)
