"""The archive for `docker load`: complete, the same each time, and never silently wrong."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.archives.docker_archive import (
    ANY_ENGINE,
    EVERYTHING,
    PLAIN,
    BrokenBlob,
    DockerArchive,
    LoadImage,
)
from airgap_tui.engine.bundle.archives.intake import take_apart
from airgap_tui.engine.bundle.archives.layer_intake import LayerIntake
from airgap_tui.engine.bundle.encoding.codec import Codec, Compression
from airgap_tui.engine.bundle.inventory import LayerRecord
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ContentMismatch, NotFound, Stopped
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Manifest
from airgap_tui.engine.oci.read_ahead import ReadAhead
from airgap_tui.engine.oci.reference import Reference
from tests import services
from tests.engine.bundle.sample_source import reference_of, save
from tests.images import SampleImage, SampleImages


def image_of(
    bundle: BundleReader, sample: SampleImage, *names: str, digest: Digest | None = None
) -> LoadImage:
    manifest = bundle.document(digest or Digest.parse(sample.digest))
    assert isinstance(manifest, Manifest)
    references = tuple(map(Reference.parse, names)) or (reference_of(sample),)
    return LoadImage(bundle, manifest, references, bundle.config(manifest).platform)


def archive_of(
    bundle: BundleReader, *samples: SampleImage, reads: frozenset[Codec] = EVERYTHING
) -> DockerArchive:
    archive = DockerArchive(CancelToken(), reads=reads)
    for sample in samples:
        archive.add(image_of(bundle, sample))
    return archive


def whole(archive: DockerArchive) -> bytes:
    return b"".join(bytes(chunk) for chunk in archive.chunks())


def members(data: bytes) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            if member.isdir():
                continue
            assert member.isreg()
            assert (member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, "")
            assert member.name not in found
            file = tar.extractfile(member)
            assert file is not None
            found[member.name] = file.read()
    return found


def test_directories_stand_before_what_is_in_them(
    tmp_path: Path, sample_images: SampleImages
) -> None:
    """Apptainer 1.4 opens each file of an archive where it is to lie, and makes no directories."""
    save(tmp_path, [sample_images.base])
    data = whole(archive_of(BundleReader.open(tmp_path), sample_images.base))
    there = {""}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            assert member.name.rpartition("/")[0] in there
            if member.isdir():
                assert member.mode == 0o755
                there.add(member.name)
    assert there == {"", "blobs", "blobs/sha256"}


def test_shared_content_is_in_it_once(tmp_path: Path, sample_images: SampleImages) -> None:
    samples = [sample_images.base, sample_images.pytorch, sample_images.with_empty_layer]
    save(tmp_path, samples)
    archive = archive_of(BundleReader.open(tmp_path), *samples)
    data = whole(archive)
    found = members(data)
    blobs = {digest: content for sample in samples for digest, content in sample.blobs.items()}
    for digest, content in blobs.items():
        assert found.pop(f"blobs/{digest.replace(':', '/')}") == content
    for sample in samples:
        assert found.pop(f"blobs/{sample.digest.replace(':', '/')}") == sample.manifest
    assert set(found) == {"oci-layout", "index.json", "manifest.json"}
    assert len(data) == archive.size
    entries = json.loads(found["manifest.json"])
    assert [entry["RepoTags"] for entry in entries] == [[f"nvcr.io/{s.name}"] for s in samples]
    assert entries[2]["Layers"][1] == entries[2]["Layers"][3]


def test_it_is_the_same_each_time(tmp_path: Path, sample_images: SampleImages) -> None:
    save(tmp_path, sample_images.images)
    bundle = BundleReader.open(tmp_path)
    once = whole(archive_of(bundle, *sample_images.images))
    assert whole(archive_of(bundle, *sample_images.images)) == once


def test_one_image_may_have_several_names(tmp_path: Path, sample_images: SampleImages) -> None:
    save(tmp_path, [sample_images.base])
    archive = DockerArchive(CancelToken())
    archive.add(image_of(BundleReader.open(tmp_path), sample_images.base, "a.b/c:1", "d.e:5/f:2"))
    found = members(whole(archive))
    (entry,) = json.loads(found["manifest.json"])
    assert entry["RepoTags"] == ["a.b/c:1", "d.e:5/f:2"]
    index = json.loads(found["index.json"])["manifests"]
    assert [e["annotations"]["io.containerd.image.name"] for e in index] == ["a.b/c:1", "d.e:5/f:2"]


@pytest.mark.parametrize("recorded", [True, False])
def test_layers_that_the_reader_cannot_read_become_plain(
    tmp_path: Path, sample_images: SampleImages, recorded: bool
) -> None:
    sample = sample_images.zstd
    save(tmp_path, [sample])
    if recorded:
        with BundleWriter.open(tmp_path, "test") as writer:
            layer = sample.content[1]
            record = LayerRecord(Digest.parse(layer.diff_id), len(layer.tar))
            writer.record_layer(Digest.parse(layer.digest), record)
    bundle = BundleReader.open(tmp_path)
    found = members(whole(archive_of(bundle, sample, reads=ANY_ENGINE)))
    (entry,) = json.loads(found["manifest.json"])
    assert [found[name] for name in entry["Layers"]] == [
        sample.content[0].blob,
        sample.content[1].tar,
    ]
    assert "index.json" not in found, "its manifest would name layers that are not there"


def test_all_layers_plain(tmp_path: Path, sample_images: SampleImages) -> None:
    samples = [sample_images.pytorch, sample_images.zstd, sample_images.uncompressed]
    save(tmp_path, samples)
    found = members(whole(archive_of(BundleReader.open(tmp_path), *samples, reads=PLAIN)))
    entries = json.loads(found["manifest.json"])
    for entry, sample in zip(entries, samples, strict=True):
        assert [found[name] for name in entry["Layers"]] == [one.tar for one in sample.content]


def test_a_wrongly_recorded_size_is_no_broken_archive(
    tmp_path: Path, sample_images: SampleImages
) -> None:
    sample = sample_images.zstd
    save(tmp_path, [sample])
    for size in (5, 10**9):
        with BundleWriter.open(tmp_path, "test") as writer:
            layer = sample.content[1]
            record = LayerRecord(Digest.parse(layer.diff_id), size)
            writer.record_layer(Digest.parse(layer.digest), record)
        archive = archive_of(BundleReader.open(tmp_path), sample, reads=ANY_ENGINE)
        with pytest.raises(BrokenBlob, match="a different size"):
            whole(archive)


def test_a_damaged_layer_is_named(tmp_path: Path, sample_images: SampleImages) -> None:
    save(tmp_path, [sample_images.base, sample_images.pytorch])
    digest = sample_images.pytorch.content[2].digest
    path = tmp_path / "blobs" / digest.replace(":", "/")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    archive = archive_of(BundleReader.open(tmp_path), sample_images.base, sample_images.pytorch)
    with pytest.raises(BrokenBlob) as caught:
        whole(archive)
    assert str(caught.value.digest) == digest
    assert isinstance(caught.value, ContentMismatch)


def test_an_absent_layer_is_told_before_anything_is_sent(
    tmp_path: Path, sample_images: SampleImages
) -> None:
    save(tmp_path, [sample_images.base, sample_images.pytorch])
    digest = sample_images.pytorch.content[2].digest
    (tmp_path / "blobs" / digest.replace(":", "/")).unlink()
    bundle = BundleReader.open(tmp_path)
    archive = archive_of(bundle, sample_images.base)
    before = whole(archive)
    with pytest.raises(NotFound, match=digest):
        archive.add(image_of(bundle, sample_images.pytorch))
    assert whole(archive) == before, "an image that was refused leaves no trace"


def test_stopping(tmp_path: Path, sample_images: SampleImages) -> None:
    save(tmp_path, [sample_images.base])
    token = CancelToken()
    archive = DockerArchive(token)
    archive.add(image_of(BundleReader.open(tmp_path), sample_images.base))
    token.cancel()
    with pytest.raises(Stopped):
        whole(archive)


def test_contents_checksum_and_reports(tmp_path: Path, sample_images: SampleImages) -> None:
    save(tmp_path, [sample_images.base])
    archive = archive_of(BundleReader.open(tmp_path), sample_images.base)
    told: dict[Digest, int] = {}

    def report(digest: Digest, count: int) -> None:
        told[digest] = told.get(digest, 0) + count

    archive.report = report
    hasher = hashlib.md5(usedforsecurity=False)
    data = b"".join(bytes(chunk) for chunk in archive.chunks(hasher))
    expected = hashlib.md5(b"".join(members(data).values()), usedforsecurity=False)
    assert hasher.hexdigest() == expected.hexdigest()
    assert told == dict(archive.members)


def test_what_is_written_can_be_taken_apart_again(
    tmp_path: Path, sample_images: SampleImages
) -> None:
    samples = list(sample_images.images)
    save(tmp_path / "one", samples)
    data = whole(archive_of(BundleReader.open(tmp_path / "one"), *samples))
    with (
        BundleWriter.open(tmp_path / "two", "test") as writer,
        closing(ReadAhead(io.BytesIO(data))) as source,
    ):
        intake = LayerIntake(writer, Compression(Codec.GZIP), 2, CancelToken())
        images = take_apart(source, intake, what="x", sink=lambda _: None)
    assert [str(image.manifest.digest) for image in images] == [s.digest for s in samples]


@pytest.mark.docker
def test_containerd_takes_it_with_its_digests(
    docker_engine: services.DockerEngine, tmp_path: Path, sample_images: SampleImages
) -> None:
    """As Docker's containerd store does, which this engine is too old for."""
    samples = [*sample_images.images, sample_images.zstd]
    save(tmp_path / "b", samples)
    path = tmp_path / "x.tar"
    path.write_bytes(whole(archive_of(BundleReader.open(tmp_path / "b"), *samples)))
    socket = docker_engine.directory / "exec/containerd/containerd.sock"
    ctr = ("ctr", "--address", str(socket), "--namespace", tmp_path.name)
    services.program("ctr")
    services.run_program(*ctr, "images", "import", "--no-unpack", str(path))
    listed = services.run_program(*ctr, "images", "list").stdout.splitlines()[1:]
    assert {tuple(line.split()[i] for i in (0, 2)) for line in listed} == {
        (str(reference_of(sample)), sample.digest) for sample in samples
    }
