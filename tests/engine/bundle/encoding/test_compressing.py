"""`--compress`: smaller layers, the same images, and nothing fetched twice."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from airgap_tui.engine.bundle import stored_content
from airgap_tui.engine.bundle.encoding.codec import Codec, Compression
from airgap_tui.engine.bundle.encoding.decompression import decoder
from airgap_tui.engine.bundle.encoding.reencode import finder
from airgap_tui.engine.bundle.inventory import Item
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import MalformedContent, Stopped
from airgap_tui.engine.events import Note
from airgap_tui.engine.jobs import verify
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.content import Closure
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest
from airgap_tui.engine.oci.reference import Reference
from tests.conftest import EventLog, Run
from tests.engine.bundle.sample_source import Sample, SampleSource, receive, reference_of, save
from tests.images import (
    SampleImage,
    SampleImages,
    build_artifact,
    build_image,
    layer_of,
    tar_of,
)

TOKEN = CancelToken()
ZSTD = Compression(Codec.ZSTD)


def item_of(path: Path, sample: Sample) -> Item:
    item = BundleReader.open(path).inventory.find(reference_of(sample))
    assert item is not None
    return item


def manifest_of(path: Path, sample: Sample) -> Manifest:
    reader = BundleReader.open(path)
    root = reader.closure(item_of(path, sample)).root
    assert isinstance(root, Manifest)
    return root


def unpacked(path: Path, layer: Descriptor) -> bytes:
    content = decoder(Codec.ZSTD, BundleReader.open(path).open_blob(layer.digest))
    result, buffer = bytearray(), memoryview(bytearray(65536))
    with closing(content):
        while count := content.readinto(buffer):
            result += buffer[:count]
    return bytes(result)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bundle"


def test_layers_change_and_the_image_id_stays(path: Path, sample_images: SampleImages) -> None:
    samples = [sample_images.pytorch, sample_images.docker, sample_images.uncompressed]
    save(path, samples, compression=ZSTD)
    for sample in samples:
        assert isinstance(sample, SampleImage)
        manifest = manifest_of(path, sample)
        assert manifest.media_type == media_types.OCI_MANIFEST
        assert str(manifest.config.digest) == sample.image_id
        assert manifest.config.media_type == media_types.OCI_CONFIG
        for layer, original in zip(manifest.layers, sample.content, strict=True):
            assert layer.media_type == media_types.OCI_LAYER_ZSTD
            assert unpacked(path, layer) == original.tar
        assert str(item_of(path, sample).source_digest) == sample.digest
    assert verify.run(verify.VerifySpec(path), EventLog(), TOKEN).ok
    assert not (path / ".partial").exists()


def test_originals_are_gone_and_what_replaces_them_is_recorded(
    path: Path, sample_images: SampleImages
) -> None:
    base = sample_images.base
    save(path, [base], compression=ZSTD)
    reader = BundleReader.open(path)
    for layer, original in zip(manifest_of(path, base).layers, base.content, strict=True):
        record = reader.inventory.layers[layer.digest]
        assert str(record.replaces) == original.digest
        assert str(record.diff_id) == original.diff_id
        assert record.uncompressed_size == len(original.tar)
        assert reader.extent(Digest.parse(original.digest)) is None
    assert reader.uncompressed_size(manifest_of(path, base)) == sum(
        len(c.tar) for c in base.content
    )


def test_a_shared_layer_is_fetched_and_encoded_once(
    path: Path, sample_images: SampleImages
) -> None:
    first = SampleSource([sample_images.base])
    save(path, [sample_images.base], source=first, compression=ZSTD)
    second = SampleSource([sample_images.pytorch])
    save(path, [sample_images.pytorch], source=second, compression=ZSTD)
    assert not {d for d, _ in first.opened} & {d for d, _ in second.opened}
    base, pytorch = (manifest_of(path, s) for s in (sample_images.base, sample_images.pytorch))
    assert pytorch.layers[:2] == base.layers


def test_what_a_save_finds_depends_on_its_compression(
    path: Path, sample_images: SampleImages
) -> None:
    base = sample_images.base
    save(path, [base], compression=ZSTD)
    reader = BundleReader.open(path)
    shared = sample_images.pytorch.document.layers[0]
    own = sample_images.pytorch.document.layers[2]
    assert finder(reader, ZSTD)(shared)
    assert not finder(reader, ZSTD)(own)
    assert not finder(reader, None)(shared)
    assert not finder(reader, Compression(Codec.NONE))(shared)
    assert finder(reader, None)(base.document.config)


def test_without_compression_the_originals_are_wanted(
    path: Path, sample_images: SampleImages
) -> None:
    save(path, [sample_images.base], compression=ZSTD)
    save(path, [sample_images.pytorch])
    assert str(item_of(path, sample_images.pytorch).digest) == sample_images.pytorch.digest
    assert item_of(path, sample_images.pytorch).source_digest is None
    assert verify.run(verify.VerifySpec(path), EventLog(), TOKEN).ok


def test_layers_that_have_the_codec_already_are_kept_byte_for_byte(
    path: Path, sample_images: SampleImages
) -> None:
    save(path, [sample_images.base], compression=Compression(Codec.GZIP))
    assert str(item_of(path, sample_images.base).digest) == sample_images.base.digest


def test_artifacts_are_left_alone(path: Path, sample_images: SampleImages) -> None:
    artifact = sample_images.zero_size
    save(path, [artifact], compression=ZSTD)
    assert str(item_of(path, artifact).digest) == artifact.digest


@pytest.mark.parametrize("kind", ["multi", "docker_list", "nested", "attested"])
def test_indexes_follow_their_children(path: Path, sample_images: SampleImages, kind: str) -> None:
    sample = getattr(sample_images, kind)
    save(path, [sample], platform=None, compression=ZSTD)
    reader = BundleReader.open(path)
    (item,) = reader.items
    closure = reader.closure(item)
    assert isinstance(closure.root, Index)
    assert closure.root.media_type == media_types.OCI_INDEX
    assert [c.platform for c in closure.root.manifests] == [
        c.platform for c in sample.document.manifests
    ]
    there = {document.digest for document in closure.documents}
    for child in closure.root.manifests:
        about = child.annotations.get("vnd.docker.reference.digest")
        assert about is None or Digest.parse(about) in there
    assert {layer.media_type for image in closure.images for layer in image.layers} <= {
        media_types.OCI_LAYER_ZSTD,
        "application/vnd.in-toto+json",
    }
    assert verify.run(verify.VerifySpec(path), EventLog(), TOKEN).ok


def test_lost_signatures_are_told(path: Path, sample_images: SampleImages) -> None:
    base = sample_images.base
    signature = build_artifact("nvidia/cuda:sig", {"sig": b"x"}, subject=base)
    source = SampleSource([base, signature])
    first, second = (source.resolve(reference_of(s), None, TOKEN) for s in (base, signature))
    signed = Closure(first.reference, first.root, first.documents, first.blobs, (), None, (second,))
    events = EventLog()
    with BundleWriter.open(path, "save", compression=ZSTD, sink=events) as bundle:
        for closure in (first, second):
            for blob in closure.blobs:
                receive(bundle, source, closure.reference, blob)
        bundle.tag(first.reference, signed, TOKEN)
        bundle.finish(TOKEN)
    (item,) = BundleReader.open(path).items
    assert item.signatures_lost == (signature.digest,)
    (told,) = events.of(Note)
    assert "leaves out 1 signature of the old digest" in told.text


def test_stopped_while_encoding_it_does_not_fetch_again(
    path: Path, sample_images: SampleImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = sample_images.base

    def stopped(*_arguments: object) -> None:
        raise Stopped

    with monkeypatch.context() as patched:
        patched.setattr(stored_content, "reencode", stopped)
        source = SampleSource([base])
        with pytest.raises(Stopped):
            save(path, [base], source=source, compression=ZSTD)
    fetched = {digest for digest, _offset in source.opened}
    again = SampleSource([base])
    save(path, [base], source=again, compression=ZSTD)
    assert not fetched & {digest for digest, _offset in again.opened}
    assert {layer.media_type for layer in manifest_of(path, base).layers} == {
        media_types.OCI_LAYER_ZSTD
    }


def test_a_layer_that_is_no_archive_of_its_kind_fails_by_name(path: Path) -> None:
    broken = b"\x1f\x8b\x08 this is not gzip"
    blob = Descriptor(media_types.OCI_LAYER_GZIP, Digest.of(broken), len(broken))

    class Source:
        def readinto(self, buffer: memoryview, /) -> int:
            buffer[: len(broken)] = broken
            return len(broken)

        def close(self) -> None:
            pass

    with (
        BundleWriter.open(path, "save", compression=ZSTD) as bundle,
        pytest.raises(MalformedContent, match=str(blob.digest)),
    ):
        bundle.receive(
            Reference.parse("a/b:1"), blob, lambda _o: Source(), lambda _count: None, TOKEN
        )


def test_a_layer_that_does_not_shrink_is_encoded_all_the_same(path: Path) -> None:
    noisy = layer_of(tar_of({"noise": os.urandom(200_000)}))
    image = build_image("library/noise:1", [noisy])
    save(path, [image], compression=Compression(Codec.ZSTD, 1))
    (stored,) = manifest_of(path, image).layers
    assert stored.media_type == media_types.OCI_LAYER_ZSTD
    assert unpacked(path, stored) == noisy.tar


def test_a_stored_layer_is_found_by_its_content(path: Path, sample_images: SampleImages) -> None:
    save(path, [sample_images.base], compression=ZSTD)
    wanted = sample_images.base.content[0]
    with BundleWriter.open(path, "save") as bundle:
        found = bundle.layer_for(Digest.parse(wanted.diff_id), Codec.ZSTD)
        assert found is not None
        assert unpacked(path, found) == wanted.tar
        assert bundle.layer_for(Digest.parse(wanted.diff_id), Codec.GZIP) is None
        assert bundle.layer_for(Digest.of(b"other"), Codec.ZSTD) is None


@pytest.mark.skopeo
def test_skopeo_copies_it_with_its_digests(
    path: Path, sample_images: SampleImages, skopeo: Run, tmp_path: Path
) -> None:
    save(path, sample_images.images, compression=ZSTD)
    for sample in sample_images.images:
        name = reference_of(sample).tagged_name
        target = tmp_path / "copy"
        skopeo("copy", "--preserve-digests", f"oci:{path}:{name}", f"dir:{target}")
        digest = Digest.of((target / "manifest.json").read_bytes())
        assert digest == item_of(path, sample).digest
