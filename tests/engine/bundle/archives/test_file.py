"""Archive files: named as the old scripts do, read whatever their codec, written whole or not."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.archives.file import open_archive
from airgap_tui.engine.bundle.archives.names import file_name, is_archive_name, reference_in_name
from airgap_tui.engine.bundle.archives.writer import ArchiveWriter, ContentsChecksum
from airgap_tui.engine.bundle.encoding.codec import Codec, detect
from airgap_tui.engine.errors import EnvironmentFailure, MalformedContent, NoRoom, NotFound
from airgap_tui.engine.oci.reference import Reference
from tests import services
from tests.images import noise, zstd_of

DATA = noise("archive", 700_000)
PACKED = {
    Codec.NONE: DATA,
    Codec.GZIP: gzip.compress(DATA),
    Codec.ZSTD: zstd_of(DATA),
    Codec.XZ: lzma.compress(DATA),
    Codec.BZIP2: bz2.compress(DATA),
}
WRITTEN = (Codec.NONE, Codec.GZIP, Codec.ZSTD, Codec.XZ)


def read(path: Path) -> bytes:
    out = bytearray()
    with closing(open_archive(path)) as reader:
        buffer = memoryview(bytearray(100_000))
        while count := reader.readinto(buffer):
            out += buffer[:count]
        assert reader.position == reader.size == path.stat().st_size
    return bytes(out)


def only_programs(names: tuple[str, ...], directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PATH hold just these, or skip the test."""
    directory.mkdir()
    for name in names:
        (directory / name).symlink_to(services.program(name))
    monkeypatch.setenv("PATH", str(directory))


@pytest.mark.parametrize("programs", [(), ("xz",), ("pixz",)], ids=["library", "xz", "pixz"])
@pytest.mark.parametrize("codec", PACKED)
def test_every_codec_is_read(
    codec: Codec, programs: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_programs(programs, tmp_path / "bin", monkeypatch)
    path = tmp_path / "x.tar.any"
    path.write_bytes(PACKED[codec])
    assert read(path) == DATA


@pytest.mark.parametrize("programs", [(), ("xz",), ("pixz",)], ids=["library", "xz", "pixz"])
@pytest.mark.parametrize("codec", WRITTEN)
def test_every_codec_is_written(
    codec: Codec, programs: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_programs(programs, tmp_path / "bin", monkeypatch)
    path = tmp_path / "new" / "x.tar"
    with ArchiveWriter(path, codec, 2) as file:
        for start in range(0, len(DATA), 90_000):
            file.write(memoryview(DATA)[start : start + 90_000])
        assert not path.exists(), "it gets its name when it is whole"
        size = file.finish()
    assert size == path.stat().st_size
    assert detect(path.read_bytes()) is codec
    assert read(path) == DATA
    assert os.listdir(path.parent) == ["x.tar"]


@pytest.mark.parametrize("codec", WRITTEN)
def test_giving_up_leaves_what_was_there(codec: Codec, tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(b"the old one")
    with pytest.raises(KeyError), ArchiveWriter(path, codec, 2) as file:
        file.write(DATA)
        raise KeyError
    assert path.read_bytes() == b"the old one"
    assert os.listdir(tmp_path) == ["x.tar"]


@pytest.mark.parametrize("codec", WRITTEN)
def test_a_full_disk_is_told_as_such(codec: Codec) -> None:
    services.need_root()
    with services.short_directory() as mount:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", mount], check=True, timeout=30
        )
        try:
            with pytest.raises(NoRoom), ArchiveWriter(mount / "x.tar", codec, 2) as file:
                for _ in range(20):
                    file.write(DATA)
                file.finish()
            assert os.listdir(mount) == []
        finally:
            subprocess.run(["umount", mount], check=True, timeout=30)


@pytest.mark.parametrize("codec", [c for c in PACKED if c is not Codec.NONE])
def test_a_cut_file_is_malformed(codec: Codec, tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(PACKED[codec][:-2000])
    with pytest.raises(MalformedContent, match=str(path)) as caught:
        read(path)
    assert "copy it again" in caught.value.hint


def test_a_program_that_does_not_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, program = tmp_path / "x.tar.bz2", tmp_path / "bin" / "lbzip2"
    path.write_bytes(PACKED[Codec.BZIP2])
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec >&-\nexec sleep 30\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("airgap_tui.engine.bundle.archives.file._PATIENCE", 0.1)
    with pytest.raises(EnvironmentFailure, match="lbzip2 does not end"):
        read(path)


def test_closing_early_ends_the_program(tmp_path: Path) -> None:
    if shutil.which("xz") is None:
        pytest.skip("xz is not installed")
    path = tmp_path / "x.tar.xz"
    path.write_bytes(lzma.compress(bytes(50_000_000)))
    reader = open_archive(path)
    assert reader.readinto(memoryview(bytearray(10))) == 10
    reader.close()
    reader.close()


def test_an_absent_file_is_not_found(tmp_path: Path) -> None:
    for path in (tmp_path / "none.tar", tmp_path):
        with pytest.raises(NotFound, match=str(path)):
            open_archive(path)


@pytest.mark.parametrize(
    ("reference", "codec", "name"),
    [
        ("nvcr.io/nvidia/caffe:18.08-py2", Codec.XZ, "nvcr.io_nvidia_caffe-18.08-py2.tar.xz"),
        ("ubuntu:22.04", Codec.ZSTD, "docker.io_library_ubuntu-22.04.tar.zst"),
        ("reg:5000/a/b", Codec.NONE, "reg-5000_a_b-latest.tar"),
        (f"x.io/a@sha256:{'0' * 64}", Codec.GZIP, f"x.io_a-sha256-{'0' * 64}.tar.gz"),
    ],
)
def test_names_are_those_of_the_old_scripts(reference: str, codec: Codec, name: str) -> None:
    assert file_name(Reference.parse(reference), codec) == name
    assert is_archive_name(name)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        (
            "docker_image_nvcr.io%%nvidia%%pytorch%%24.05-py3.tar",
            "nvcr.io/nvidia/pytorch:24.05-py3",
        ),
        ("docker_image_nvcr.io%%nvidia%%k8s%%dcgm:3.3.tar.gz", "nvcr.io/nvidia/k8s/dcgm:3.3"),
        ("nvcr.io_nvidia_caffe-18.08-py2.tar.xz", None),
        ("docker_image_.tar", None),
        ("docker_image_A%%B.tar", None),
    ],
)
def test_names_of_the_ngc_replicator(name: str, reference: str | None) -> None:
    found = reference_in_name(Path("/x") / name)
    assert (None if found is None else str(found)) == reference


@pytest.mark.parametrize("name", ["x.txt", "tar", "x.tar.xz.contents.md5", ".x.tar.partial"])
def test_other_files_are_no_archives(name: str) -> None:
    assert not is_archive_name(name)


def test_the_checksum_file_is_for_md5sum(tmp_path: Path) -> None:
    archive = tmp_path / "x.tar"
    assert ContentsChecksum.read(archive) is None
    checksum = ContentsChecksum(hashlib.md5(DATA, usedforsecurity=False).hexdigest(), "made of x")
    checksum.write(archive)
    assert ContentsChecksum.read(archive) == checksum
    done = subprocess.run(
        ["md5sum", "-c", ContentsChecksum.path_for(archive)],
        input=DATA,
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == b"-: OK\n"


@pytest.mark.parametrize("text", ["", "x", "0123  -\n", f"{'0' * 32}  other\n"])
def test_a_broken_checksum_file_is_told(tmp_path: Path, text: str) -> None:
    archive = tmp_path / "x.tar"
    ContentsChecksum.path_for(archive).write_text(text)
    with pytest.raises(MalformedContent):
        ContentsChecksum.read(archive)


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailure):
        ArchiveWriter(tmp_path / "file" / "x.tar", Codec.NONE, 1)
