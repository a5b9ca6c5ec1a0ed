"""Single archives: written, compressed, verified by what is in them, loaded by a real engine."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.archives.file import open_archive
from airgap_tui.engine.bundle.archives.writer import ContentsChecksum
from airgap_tui.engine.bundle.encoding.codec import Codec, Compression, detect
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import Stopped, UsageError
from airgap_tui.engine.events import BlobPlanned, BlobProgress, ItemState
from airgap_tui.engine.jobs import compress, sources, verify_archives
from airgap_tui.engine.jobs.archives import write_archives
from airgap_tui.engine.jobs.result import ItemResult
from tests.conftest import EventLog
from tests.engine.bundle.archives import engine_archives
from tests.engine.bundle.sample_source import reference_of, save
from tests.images import SampleImages
from tests.services import DockerEngine

CODECS = (Codec.NONE, Codec.GZIP, Codec.ZSTD, Codec.XZ)


def write(bundle: Path, directory: Path, codec: Codec) -> tuple[ItemResult, ...]:
    reader = BundleReader.open(bundle)
    return write_archives(reader, reader.items, directory, codec, EventLog(), CancelToken())


def verified(*paths: Path) -> verify_archives.VerifyArchivesResult:
    spec = verify_archives.VerifyArchivesSpec(paths)
    return verify_archives.run(spec, EventLog(), CancelToken())


def contents_md5(path: Path) -> str:
    """As `tar xO | md5sum`, by the standard library."""
    with closing(open_archive(path)) as reader:
        data, buffer = bytearray(), memoryview(bytearray(1 << 16))
        while count := reader.readinto(buffer):
            data += buffer[:count]
    hasher = hashlib.md5(usedforsecurity=False)
    with tarfile.open(fileobj=io.BytesIO(bytes(data))) as tar:
        for member in tar:
            if file := tar.extractfile(member):
                hasher.update(file.read())
    return hasher.hexdigest()


@pytest.mark.parametrize("codec", CODECS)
def test_one_file_for_each_image(codec: Codec, sample_images: SampleImages, tmp_path: Path) -> None:
    samples = [sample_images.base, sample_images.zstd]
    save(tmp_path / "b", samples)
    results = write(tmp_path / "b", tmp_path / "out", codec)
    assert [result.state for result in results] == [ItemState.DONE] * 2
    names = {f"nvcr.io_{s.name.replace('/', '_').replace(':', '-')}.tar" for s in samples}
    names = {name + codec.extension for name in names}
    assert {Path(result.target).name for result in results} == names
    assert set(os.listdir(tmp_path / "out")) == names | {f"{n}.contents.md5" for n in names}
    for name in names:
        path = tmp_path / "out" / name
        assert detect(path.read_bytes()) is codec
        checksum = ContentsChecksum.read(path)
        assert checksum is not None
        assert checksum.md5 == contents_md5(path)
    assert verified(tmp_path / "out").exit_code == 0


def test_contents_are_equal_whatever_the_bundle_s_compression(
    sample_images: SampleImages, tmp_path: Path
) -> None:
    samples = [sample_images.pytorch]
    save(tmp_path / "keep", samples)
    save(tmp_path / "zstd", samples, compression=Compression(Codec.ZSTD))
    for name in ("keep", "zstd"):
        write(tmp_path / name, tmp_path / f"out-{name}", Codec.GZIP)
    one, two = (
        [ContentsChecksum.read(p) for p in sorted((tmp_path / f"out-{n}").glob("*.tar.gz"))]
        for n in ("keep", "zstd")
    )
    assert [c.md5 for c in one if c] == [c.md5 for c in two if c]
    assert len(one) == 1


def test_a_right_file_is_left_alone(sample_images: SampleImages, tmp_path: Path) -> None:
    save(tmp_path / "b", [sample_images.base])
    (first,) = write(tmp_path / "b", tmp_path / "out", Codec.GZIP)
    before = os.stat(first.target)
    (again,) = write(tmp_path / "b", tmp_path / "out", Codec.GZIP)
    assert again.state is ItemState.HELD
    assert os.stat(first.target) == before
    with open(first.target, "ab") as file:
        file.write(b"x")
    (mended,) = write(tmp_path / "b", tmp_path / "out", Codec.GZIP)
    assert mended.state is ItemState.DONE
    assert os.stat(first.target).st_size == before.st_size


def test_a_damaged_bundle_writes_no_file(sample_images: SampleImages, tmp_path: Path) -> None:
    save(tmp_path / "b", [sample_images.base, sample_images.pytorch])
    digest = sample_images.pytorch.content[2].digest
    blob = tmp_path / "b/blobs" / digest.replace(":", "/")
    blob.write_bytes(bytes(len(blob.read_bytes())))
    results = write(tmp_path / "b", tmp_path / "out", Codec.NONE)
    assert [(r.state, r.exit_code) for r in results] == [(ItemState.DONE, 0), (ItemState.FAILED, 3)]
    assert len(os.listdir(tmp_path / "out")) == 2


@pytest.mark.docker
def test_an_engine_loads_what_is_written(
    docker_engine: DockerEngine, sample_images: SampleImages, tmp_path: Path
) -> None:
    samples = [sample_images.pytorch, sample_images.zstd]
    save(tmp_path / "b", samples)
    for codec in (Codec.NONE, Codec.GZIP):
        for result in write(tmp_path / "b", tmp_path / codec.value, codec):
            with open(result.target, "rb") as file:
                docker_engine.client.images.load(file)
        for sample in samples:
            loaded = docker_engine.client.images.get(str(reference_of(sample)))
            assert loaded.id == sample.image_id
        docker_engine.remove_all_images()


# --- compress -------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", CODECS[1:])
@pytest.mark.parametrize("keep", [True, False])
def test_compressing_existing_archives(
    codec: Codec, keep: bool, sample_images: SampleImages, tmp_path: Path, events: EventLog
) -> None:
    data = engine_archives.legacy([sample_images.pytorch])
    path = tmp_path / "x.tar"
    path.write_bytes(data)
    path.chmod(0o600)
    md5 = contents_md5(path)
    result = compress.run(compress.CompressSpec((path,), codec, keep), events, CancelToken())
    assert result.exit_code == 0
    assert path.exists() is keep
    new = tmp_path / f"x.tar{codec.extension}"
    assert (result.before, result.after) == (len(data), new.stat().st_size)
    assert new.stat().st_mode & 0o777 == 0o600, "nobody may read more than before"
    with closing(open_archive(new)) as reader:
        out, buffer = bytearray(), memoryview(bytearray(1 << 16))
        while count := reader.readinto(buffer):
            out += buffer[:count]
    assert bytes(out) == data
    checksum = ContentsChecksum.read(new)
    assert checksum is not None
    assert checksum.md5 == md5
    planned = sum(event.size for event in events.of(BlobPlanned))
    assert sum(event.bytes for event in events.of(BlobProgress)) == planned


def test_what_is_not_compressed(sample_images: SampleImages, tmp_path: Path) -> None:
    whole = engine_archives.legacy([sample_images.base])
    good, cut = tmp_path / "good.tar", tmp_path / "cut.tar"
    link, packed = tmp_path / "link.tar", tmp_path / "packed.tar"
    good.write_bytes(whole)
    cut.write_bytes(whole[:-30_000])
    link.symlink_to(good)
    packed.write_bytes(b"\x1f\x8b\x08" + bytes(100))
    absent = tmp_path / "absent.tar"
    spec = compress.CompressSpec((cut, link, packed, absent, good), Codec.GZIP, keep=True)
    result = compress.run(spec, EventLog(), CancelToken())
    assert [item.state for item in result.items] == [*[ItemState.FAILED] * 4, ItemState.DONE]
    assert result.exit_code == 3
    assert cut.exists()
    assert not (tmp_path / "cut.tar.gz").exists()
    with pytest.raises(UsageError):
        compress.run(compress.CompressSpec((good,), Codec.BZIP2), EventLog(), CancelToken())


def test_the_original_stays_when_the_new_file_is_wrong(
    sample_images: SampleImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compressing program that writes something else than it was given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, body in (("pixz", 'case "$1" in -d) cat;; *) head -c 20000;; esac'),):
        (folder / name).write_text(f"#!/bin/sh\n{body}\ncat > /dev/null\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    path = tmp_path / "x.tar"
    path.write_bytes(engine_archives.legacy([sample_images.base]))
    result = compress.run(compress.CompressSpec((path,)), EventLog(), CancelToken())
    assert result.exit_code == 3
    assert "does not decompress" in result.items[0].error
    assert os.listdir(tmp_path) == ["bin", "x.tar"] or sorted(os.listdir(tmp_path)) == [
        "bin",
        "x.tar",
    ]


def test_stopping_leaves_only_the_original(sample_images: SampleImages, tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(engine_archives.legacy([sample_images.base]))
    token = CancelToken()

    def stop(event: object) -> None:
        if isinstance(event, BlobProgress):
            token.cancel()

    with pytest.raises(Stopped):
        compress.run(compress.CompressSpec((path,), Codec.GZIP), stop, token)
    assert os.listdir(tmp_path) == ["x.tar"]


# --- verify ---------------------------------------------------------------------------------------


def test_contents_that_changed_are_noticed(sample_images: SampleImages, tmp_path: Path) -> None:
    save(tmp_path / "b", [sample_images.base, sample_images.pytorch])
    write(tmp_path / "b", tmp_path / "out", Codec.NONE)
    files = sorted((tmp_path / "out").glob("*.tar"))
    other = engine_archives.legacy([sample_images.triton])
    files[1].write_bytes(other)
    result = verified(tmp_path / "out")
    assert [item.state for item in result.items] == [ItemState.DONE, ItemState.FAILED]
    assert result.exit_code == 3
    assert "checksum" in result.items[1].error
    assert result.items[0].target == str(reference_of(sample_images.base))


def test_layers_are_checked_even_without_a_checksum(
    sample_images: SampleImages, tmp_path: Path
) -> None:
    data = bytearray(engine_archives.legacy([sample_images.base]))
    (tmp_path / "good.tar").write_bytes(data)
    at = data.find(sample_images.base.content[1].tar) + 2000
    data[at] ^= 1
    (tmp_path / "bad.tar").write_bytes(data)
    (tmp_path / "cut.tar").write_bytes(data[:-20_000])
    result = verified(tmp_path)
    assert [item.state for item in result.items] == [
        ItemState.FAILED,
        ItemState.FAILED,
        ItemState.DONE,
    ]
    assert not result.ok
    assert result.bytes > len(data)


def test_which_directories_hold_archives(sample_images: SampleImages, tmp_path: Path) -> None:
    save(tmp_path / "b", [sample_images.base])
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.tar.xz").touch()
    (tmp_path / "a/x.tar.xz.contents.md5").touch()
    assert sources.archives_in(tmp_path / "b") == ()
    assert sources.archives_in(tmp_path / "a") == (tmp_path / "a/x.tar.xz",)
    with pytest.raises(UsageError, match="no archives"):
        verified(tmp_path / "b")
