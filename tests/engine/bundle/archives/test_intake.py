"""Archives of every engine end as the same blobs and the same image IDs in a bundle."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.archives.intake import ArchivedImage, take_apart
from airgap_tui.engine.bundle.archives.layer_intake import LayerIntake
from airgap_tui.engine.bundle.archives.seen_layers import SeenLayers
from airgap_tui.engine.bundle.blob_store import BlobFile
from airgap_tui.engine.bundle.encoding.codec import Codec, Compression
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AirgapError,
    ContentMismatch,
    MalformedContent,
    Stopped,
    UnsafeContent,
)
from airgap_tui.engine.events import BlobDone, BlobPlanned, BlobProgress, Sink, discard
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.read_ahead import ReadAhead
from tests.conftest import EventLog
from tests.engine.bundle.archives import engine_archives
from tests.engine.bundle.archives.engine_archives import Archive
from tests.images import SampleImage, SampleImages, compact

FORMS: dict[str, Callable[[Sequence[SampleImage]], bytes]] = {
    "docker before 25": engine_archives.legacy,
    "docker since 25": engine_archives.since_25,
    "podman": engine_archives.podman,
}


def take(
    data: bytes,
    writer: BundleWriter,
    codec: Codec = Codec.GZIP,
    *,
    seen: SeenLayers | None = None,
    token: CancelToken | None = None,
    sink: Sink = discard,
) -> tuple[ArchivedImage, ...]:
    intake = LayerIntake(writer, Compression(codec), 2, token or CancelToken())
    with closing(ReadAhead(io.BytesIO(data))) as source:
        return take_apart(source, intake, what="the archive", sink=sink, seen=seen)


def stored(bundle: Path) -> set[str]:
    return {path.name for path in (bundle / "blobs/sha256").iterdir()}


def plain_layers(bundle: Path, image: ArchivedImage) -> list[bytes]:
    """The unpacked layers as the standard library sees them."""
    return [
        gzip.decompress((bundle / "blobs/sha256" / layer.digest.hex).read_bytes())
        for layer in image.manifest.layers
    ]


@pytest.mark.parametrize("form", FORMS)
def test_image_ids_and_layers_survive(
    form: str, tmp_path: Path, sample_images: SampleImages
) -> None:
    samples = [sample_images.pytorch, sample_images.triton, sample_images.with_empty_layer]
    with BundleWriter.open(tmp_path, "test") as writer:
        images = take(FORMS[form](samples), writer)
    assert [image.names for image in images] == [(sample.name,) for sample in samples]
    assert [str(image.image_id) for image in images] == [s.image_id for s in samples]
    for image, sample in zip(images, samples, strict=True):
        assert plain_layers(tmp_path, image) == [layer.tar for layer in sample.content]
        assert str(image.platform) == "linux/amd64"


def test_every_form_gives_the_same_manifest(tmp_path: Path, sample_images: SampleImages) -> None:
    digests = set()
    for number, form in enumerate(FORMS.values()):
        with BundleWriter.open(tmp_path / str(number), "test") as writer:
            (image,) = take(form([sample_images.pytorch]), writer)
        digests.add(image.manifest.digest)
    assert len(digests) == 1


@pytest.mark.parametrize("form", FORMS)
def test_a_shared_layer_is_stored_once(
    form: str, tmp_path: Path, sample_images: SampleImages
) -> None:
    samples = [sample_images.base, sample_images.pytorch, sample_images.triton]
    with BundleWriter.open(tmp_path, "test") as writer:
        take(FORMS[form](samples), writer)
    distinct = {layer.diff_id for sample in samples for layer in sample.content}
    assert len(stored(tmp_path)) == len(distinct) + len(samples)


@pytest.mark.parametrize("form", FORMS)
def test_a_layer_that_is_there_is_not_compressed_again(
    form: str, tmp_path: Path, sample_images: SampleImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = FORMS[form]([sample_images.base])
    with BundleWriter.open(tmp_path, "test") as writer:
        first = take(data, writer, seen=SeenLayers(tmp_path / ".partial/seen"))

        def refuse() -> None:
            raise AssertionError("a layer was begun anew")

        monkeypatch.setattr(writer, "begin_blob", refuse)
        again = take(data, writer, seen=SeenLayers(tmp_path / ".partial/seen"))
    assert [image.manifest for image in again] == [image.manifest for image in first]


def test_layers_of_an_archive_that_broke_off_are_kept(
    tmp_path: Path, sample_images: SampleImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = engine_archives.legacy([sample_images.pytorch])
    seen = tmp_path / ".partial/seen"
    with BundleWriter.open(tmp_path, "test") as writer:
        with pytest.raises(MalformedContent):
            take(data[: len(data) * 3 // 4], writer, seen=SeenLayers(seen))
        kept = stored(tmp_path)
        assert kept, "the archive is cut behind its first layer"
    with BundleWriter.open(tmp_path, "test") as writer:
        begun = []
        begin = writer.begin_blob

        def counted() -> BlobFile:
            begun.append(begin())
            return begun[-1]

        monkeypatch.setattr(writer, "begin_blob", counted)
        take(data, writer, seen=SeenLayers(seen))
    assert len(begun) == len(sample_images.pytorch.content) - len(kept)


def test_compressed_layers_stay_as_they_are(tmp_path: Path, sample_images: SampleImages) -> None:
    image = sample_images.zstd
    data = engine_archives.with_compressed_layers(
        image, [(layer, layer.blob) for layer in image.content]
    )
    with BundleWriter.open(tmp_path, "test") as writer:
        (taken,) = take(data, writer)
        records = writer.inventory.layers
        for layer in image.content:
            assert str(records[Digest.parse(layer.digest)].diff_id) == layer.diff_id
            assert records[Digest.parse(layer.digest)].uncompressed_size == len(layer.tar)
    assert [str(layer.digest) for layer in taken.manifest.layers] == [
        layer.digest for layer in image.content
    ]
    assert taken.manifest.layers[1].media_type.endswith("+zstd")


@pytest.mark.parametrize("pack", [lzma.compress, bz2.compress])
def test_layers_of_codecs_without_a_media_type_are_compressed_anew(
    pack: Callable[[bytes], bytes], tmp_path: Path, sample_images: SampleImages
) -> None:
    image = sample_images.base
    data = engine_archives.with_compressed_layers(
        image, [(layer, pack(layer.tar)) for layer in image.content]
    )
    with BundleWriter.open(tmp_path, "test") as writer:
        (taken,) = take(data, writer)
    assert plain_layers(tmp_path, taken) == [layer.tar for layer in image.content]


def test_the_manifest_of_containerd_s_store_is_kept(
    tmp_path: Path, sample_images: SampleImages
) -> None:
    samples = [sample_images.pytorch, sample_images.docker]
    with BundleWriter.open(tmp_path, "test") as writer:
        images = take(engine_archives.since_25(samples, stored=True), writer)
    assert [str(image.manifest.digest) for image in images] == [s.digest for s in samples]


@pytest.mark.parametrize("codec", [Codec.NONE, Codec.ZSTD])
def test_other_compressions(codec: Codec, tmp_path: Path, sample_images: SampleImages) -> None:
    with BundleWriter.open(tmp_path, "test") as writer:
        (image,) = take(engine_archives.legacy([sample_images.base]), writer, codec)
    ending = ".tar" if codec is Codec.NONE else "+zstd"
    assert all(layer.media_type.endswith(ending) for layer in image.manifest.layers)
    assert str(image.image_id) == sample_images.base.image_id


def test_a_layer_may_be_in_the_bundle_instead(tmp_path: Path, sample_images: SampleImages) -> None:
    image = sample_images.pytorch
    archive = Archive()
    archive.file("config.json", image.config)
    names = [f"{number}/layer.tar" for number in range(3)]
    archive.file(names[2], image.content[2].tar)
    entry = {"Config": "config.json", "RepoTags": ["x:1"], "Layers": names}
    archive.file("manifest.json", compact([entry]))
    data = archive.finish()
    with BundleWriter.open(tmp_path, "test") as writer:
        with pytest.raises(MalformedContent, match=r"0/layer\.tar is not in it"):
            take(data, writer)
        take(engine_archives.legacy([sample_images.base]), writer)
        (taken,) = take(data, writer)
    assert str(taken.image_id) == image.image_id


def test_a_file_whose_name_lies_is_noticed(tmp_path: Path, sample_images: SampleImages) -> None:
    image = sample_images.base
    wrong = replace(image.content[0], tar=image.content[1].tar)
    honest = engine_archives.podman([image])
    claimed = image.content[0].diff_id.partition(":")[2]
    with BundleWriter.open(tmp_path, "test") as writer, pytest.raises(ContentMismatch):
        take(_with_member(honest, f"{claimed}.tar", wrong.tar), writer)
    assert not stored(tmp_path)


def test_a_layer_that_is_not_what_the_config_says_is_noticed(
    tmp_path: Path, sample_images: SampleImages
) -> None:
    image = sample_images.base
    swapped = [(layer, layer.tar) for layer in reversed(image.content)]
    data = engine_archives.with_compressed_layers(image, swapped)
    with BundleWriter.open(tmp_path, "test") as writer, pytest.raises(ContentMismatch):
        take(data, writer)


def test_a_config_that_is_not_what_its_name_says_is_noticed(
    tmp_path: Path, sample_images: SampleImages
) -> None:
    image = sample_images.base
    other = json.loads(image.config)
    other["config"]["Env"] = ["PATH=/attacker"]
    name = f"{image.image_id.partition(':')[2]}.json"
    data = _with_member(engine_archives.legacy([image]), name, compact(other))
    with BundleWriter.open(tmp_path, "test") as writer, pytest.raises(ContentMismatch):
        take(data, writer)


def test_a_wrong_memory_of_a_layer_costs_one_repetition(
    tmp_path: Path, sample_images: SampleImages
) -> None:
    """Two engines that mean different layers by one name and size: refused, and then right."""
    image = sample_images.base
    data = engine_archives.legacy([image])
    path = tmp_path / "seen"
    with BundleWriter.open(tmp_path / "bundle", "test") as writer:
        take(data, writer, seen=SeenLayers(path))
        names = list(json.loads(path.read_text()))
        path.write_text(json.dumps({name: image.content[1].diff_id for name in names}))
        with pytest.raises(ContentMismatch):
            take(data, writer, seen=SeenLayers(path))
        (taken,) = take(data, writer, seen=SeenLayers(path))
    assert str(taken.image_id) == image.image_id


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"x/layer.tar 5": "sha256:no"}'])
def test_a_broken_memory_is_forgotten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "seen"
    path.write_text(text)
    assert SeenLayers(path).find("x/layer.tar", 5) is None


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({}, MalformedContent),
        ({"manifest.json": b"{}"}, MalformedContent),
        ({"manifest.json": b"[1]"}, MalformedContent),
        ({"manifest.json": b"[" * 100_000}, MalformedContent),
        ({"manifest.json": b"[" + b"[]," * 1_000_001 + b"[]]"}, UnsafeContent),
        ({"manifest.json": b'[{"Config":1}]'}, MalformedContent),
        ({"manifest.json": b'[{"Config":"c","Layers":[]}]'}, MalformedContent),
        ({"manifest.json": b'[{"Config":"c","Layers":["../x"]}]', "c": b"{}"}, MalformedContent),
        (
            {
                "manifest.json": b'[{"Config":"c","Layers":["x"]}]',
                "c": b'{"rootfs":{"diff_ids":[]}}',
            },
            MalformedContent,
        ),
    ],
)
def test_what_is_no_archive_of_images(
    members: dict[str, bytes], error: type[AirgapError], tmp_path: Path
) -> None:
    archive = Archive()
    for name, content in members.items():
        archive.file(name, content)
    with BundleWriter.open(tmp_path, "test") as writer, pytest.raises(error, match="archive"):
        take(archive.finish(), writer)


def test_links_in_a_circle_lead_nowhere(tmp_path: Path, sample_images: SampleImages) -> None:
    archive = Archive()
    archive.other("a/layer.tar", tarfile.SYMTYPE, "../b/layer.tar")
    archive.other("b/layer.tar", tarfile.SYMTYPE, "../a/layer.tar")
    archive.file("c.json", sample_images.uncompressed.config)
    entry = {"Config": "c.json", "Layers": ["a/layer.tar"]}
    archive.file("manifest.json", compact([entry]))
    with BundleWriter.open(tmp_path, "test") as writer, pytest.raises(MalformedContent):
        take(archive.finish(), writer)


def test_a_member_that_is_there_twice_is_refused(
    tmp_path: Path, sample_images: SampleImages
) -> None:
    archive = Archive()
    archive.file("c.json", sample_images.base.config)
    archive._names.clear()
    archive.file("./c.json", sample_images.pytorch.config)
    with BundleWriter.open(tmp_path, "test") as writer, pytest.raises(UnsafeContent):
        take(archive.finish(), writer)


def test_stopping_leaves_a_bundle_that_continues(
    tmp_path: Path, sample_images: SampleImages
) -> None:
    token = CancelToken()
    data = engine_archives.legacy([sample_images.pytorch])

    def stop(event: object) -> None:
        if isinstance(event, BlobDone):
            token.cancel()

    with BundleWriter.open(tmp_path, "test") as writer, pytest.raises(Stopped):
        take(data, writer, token=token, sink=stop)
    assert len(stored(tmp_path)) == 1
    with BundleWriter.open(tmp_path, "test") as writer:
        assert take(data, writer)
    assert BundleReader.open(tmp_path).inventory.saving


def test_progress_counts_every_byte_of_the_layers(
    tmp_path: Path, sample_images: SampleImages, events: EventLog
) -> None:
    with BundleWriter.open(tmp_path, "test") as writer:
        take(engine_archives.podman([sample_images.pytorch]), writer, sink=events)
    total = sum(len(layer.tar) for layer in sample_images.pytorch.content)
    assert sum(event.size for event in events.of(BlobPlanned)) == total
    assert sum(event.bytes for event in events.of(BlobProgress)) == total


def _with_member(data: bytes, name: str, content: bytes) -> bytes:
    """The archive with another content for one member."""
    archive = Archive()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            if member.isfile():
                file = tar.extractfile(member)
                assert file is not None
                archive.file(member.name, content if member.name == name else file.read())
            else:
                archive.other(member.name, member.type, member.linkname)
    return archive.finish()
