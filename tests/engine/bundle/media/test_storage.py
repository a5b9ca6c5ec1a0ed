"""Bundles are read in place: in a directory, a tar file or an ISO; nothing leads outside."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pycdlib
import pytest

from airgap_tui.engine.bundle.media.extent import Extent
from airgap_tui.engine.bundle.media.storage import open_storage
from airgap_tui.engine.bundle.media.stored_files import Storage
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AirgapError,
    EnvironmentFailure,
    MalformedContent,
    NotFound,
    UnsafeContent,
    UsageError,
)
from airgap_tui.engine.oci.digest import Digest
from tests.engine.bundle.sample_source import reference_of, save
from tests.images import SampleImages
from tests.services import program

BLOB = "blobs/sha256/" + "a" * 64


@pytest.fixture(scope="module")
def bundle(sample_images: SampleImages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("storage") / "bundle"
    save(path, sample_images.images)
    return path


def as_directory(bundle: Path, _target: Path) -> Path:
    return bundle


def as_tar(bundle: Path, target: Path) -> Path:
    subprocess.run(["tar", "-cf", target, "-C", bundle, "."], check=True, timeout=60)
    return target


def as_pax_tar_of_the_directory(bundle: Path, target: Path) -> Path:
    command = ["tar", "--format=pax", "-cf", str(target), "-C", str(bundle.parent), bundle.name]
    subprocess.run(command, check=True, timeout=60)
    return target


def as_rock_ridge_iso(bundle: Path, target: Path) -> Path:
    program("xorriso")
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", str(target), str(bundle)]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    return target


def as_joliet_iso(bundle: Path, target: Path) -> Path:
    return joliet_iso(bundle, target)


def joliet_iso(bundle: Path, target: Path) -> Path:
    image = pycdlib.PyCdlib()
    image.new(interchange_level=3, joliet=3)
    for number, path in enumerate(sorted(bundle.rglob("*"))):
        joliet = f"/{path.relative_to(bundle)}"
        if path.is_dir():
            image.add_directory(joliet_path=joliet)
        else:
            image.add_file(str(path), f"/F{number:06}.;1", joliet_path=joliet)
    image.write(str(target))
    image.close()
    return target


Form = Callable[[Path, Path], Path]
FORMS = [as_directory, as_tar, as_pax_tar_of_the_directory, as_rock_ridge_iso, as_joliet_iso]


@pytest.fixture(params=FORMS, ids=lambda form: form.__name__.removeprefix("as_"))
def opened(request: pytest.FixtureRequest, bundle: Path, tmp_path: Path) -> Storage:
    form: Form = request.param
    return open_storage(form(bundle, tmp_path / "medium"))


def test_every_form_holds_the_same_files(opened: Storage, bundle: Path) -> None:
    files = {str(p.relative_to(bundle)): p.read_bytes() for p in bundle.rglob("*") if p.is_file()}
    assert dict(opened.names()) == {name: len(content) for name, content in files.items()}
    for name, content in files.items():
        assert opened.read(name, 10_000_000) == content
    assert {n for n, _ in opened.names("blobs/")} == {n for n in files if n.startswith("blobs/")}


def test_an_extent_is_where_the_bytes_lie(opened: Storage, bundle: Path) -> None:
    for name, size in opened.names():
        extent = opened.extent(name)
        assert isinstance(extent, Extent)
        with extent.path.open("rb") as file:
            file.seek(extent.offset)
            assert file.read(extent.size) == (bundle / name).read_bytes()
        assert extent.size == size


def test_reading_begins_at_any_offset_and_ends_with_the_file(opened: Storage, bundle: Path) -> None:
    name, size = max(opened.names(), key=lambda pair: pair[1])
    content, buffer = (bundle / name).read_bytes(), memoryview(bytearray(size))
    for offset in (0, 1, size - 1, size):
        with closing(opened.open(name, offset)) as reader:
            filled = 0
            while count := reader.readinto(buffer[filled:] if filled < size else buffer[:1]):
                filled += count
        assert bytes(buffer[:filled]) == content[offset:]


def test_every_form_is_a_bundle(
    opened: Storage, sample_images: SampleImages, token: CancelToken
) -> None:
    reader = BundleReader.open(opened.location)
    for sample in sample_images.images:
        closure = reader.source.resolve(reference_of(sample), None, token)
        assert str(closure.root.digest) == sample.digest
        assert all(reader.holds(blob) for blob in closure.needed)


@pytest.mark.parametrize(
    "name", ["../bundle.json", "/etc/passwd", "blobs/sha256/../../oci-layout", "thesis.tex", ""]
)
def test_other_names_are_not_there(opened: Storage, name: str) -> None:
    assert opened.extent(name) is None
    with pytest.raises(NotFound):
        opened.open(name)


def test_too_large_a_file_is_not_read(opened: Storage) -> None:
    with pytest.raises(UnsafeContent, match=r"oci-layout has 30 bytes; more than 29 are refused"):
        opened.read("oci-layout", 29)


# --- what is refused


def tar_with(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, b"\x36"])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    path = tar_with(tmp_path / "t", (member(BLOB, kind, "/etc/passwd"), b""))
    with pytest.raises(UnsafeContent, match="not a plain regular file"):
        open_storage(path)


@pytest.mark.parametrize("name", ["../bundle.json", "a/../../x", "/bundle.json"])
def test_names_that_lead_out_of_a_tar_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeContent, match="leads out of the archive"):
        open_storage(tar_with(tmp_path / "t", (member(name), b"x")))


def test_a_file_twice_in_a_tar_is_refused(tmp_path: Path) -> None:
    path = tar_with(tmp_path / "t", (member(BLOB), b"one"), (member(f"./{BLOB}"), b"two"))
    with pytest.raises(UnsafeContent, match="twice"):
        open_storage(path)


def test_other_members_are_passed_over(tmp_path: Path) -> None:
    path = tar_with(
        tmp_path / "t",
        (member("readme", tarfile.SYMTYPE, "/etc/passwd"), b""),
        (member("oci-layout"), b"{}"),
        (member("nested/deeper/bundle.json"), b"{}"),
    )
    assert dict(open_storage(path).names()) == {"oci-layout": 2}


def test_a_tar_that_is_cut_off_is_told(tmp_path: Path, bundle: Path) -> None:
    path = as_tar(bundle, tmp_path / "t")
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(MalformedContent, match="cut off"):
        open_storage(path)


def test_a_header_that_claims_to_be_huge_is_not_read(tmp_path: Path) -> None:
    header = member("x" * 200, tarfile.XHDTYPE)
    header.size = 8 * 1024**3
    (tmp_path / "t").write_bytes(header.tobuf(tarfile.GNU_FORMAT)[-512:] + bytes(1024))
    with pytest.raises(AirgapError):
        open_storage(tmp_path / "t")


def test_two_bundles_in_one_tar_are_told_apart(tmp_path: Path) -> None:
    path = tar_with(
        tmp_path / "t", (member("one/oci-layout"), b"{}"), (member("two/oci-layout"), b"{}")
    )
    with pytest.raises(UsageError, match="several bundles: one/, two/"):
        open_storage(path)


def test_links_in_a_directory_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b" / "blobs" / "sha256").mkdir(parents=True)
    (tmp_path / "b" / BLOB).symlink_to("/etc/passwd")
    storage = open_storage(tmp_path / "b")
    assert list(storage.names()) == []
    with pytest.raises(UnsafeContent, match="not a regular file"):
        storage.open(BLOB)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "blobs").symlink_to(tmp_path / "b" / "blobs")
    with pytest.raises(UnsafeContent, match="is a link"):
        open_storage(tmp_path / "linked")


def test_links_in_an_iso_are_refused(tmp_path: Path) -> None:
    program("xorriso")
    (tmp_path / "b" / "blobs" / "sha256").mkdir(parents=True)
    (tmp_path / "b" / BLOB).symlink_to("/etc/passwd")
    with pytest.raises(UnsafeContent, match="not a regular file"):
        open_storage(as_rock_ridge_iso(tmp_path / "b", tmp_path / "iso"))


def test_an_iso_with_short_names_is_told(tmp_path: Path) -> None:
    image = pycdlib.PyCdlib()
    image.new()
    image.add_fp(io.BytesIO(b"x"), 1, "/F.;1")
    image.write(str(tmp_path / "iso"))
    image.close()
    with pytest.raises(UsageError, match="short names"):
        open_storage(tmp_path / "iso")


def test_an_iso_that_is_cut_off_is_told(tmp_path: Path, bundle: Path) -> None:
    path = joliet_iso(bundle, tmp_path / "iso")
    os.truncate(path, path.stat().st_size - 400_000)
    with pytest.raises(MalformedContent):
        open_storage(path)


@pytest.mark.parametrize("form", [as_tar, as_rock_ridge_iso, as_joliet_iso])
def test_whatever_is_wrong_with_a_medium_is_an_error_of_ours(
    bundle: Path, tmp_path: Path, form: Form
) -> None:
    whole = form(bundle, tmp_path / "whole").read_bytes()
    chance = random.Random(1)  # noqa: S311 - the same broken media each time
    headers = (0, len(whole)) if form is as_tar else (32768, 32768 + 40 * 2048)
    told = 0
    for _ in range(150):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 40)):
            broken[chance.randrange(*headers) % len(broken)] = chance.randrange(256)
        (tmp_path / "broken").write_bytes(broken)
        try:
            storage = open_storage(tmp_path / "broken")
        except AirgapError:
            told += 1
        else:
            assert all(name.count("/") in (0, 2) for name, _size in storage.names())
    assert told


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "neither a directory, a tar file nor an ISO image"),
        (b"some text", "neither a directory, a tar file nor an ISO image"),
        (b"\x1f\x8b\x08" + bytes(600), "is compressed"),
        (b"\x28\xb5\x2f\xfd" + bytes(600), "is compressed"),
    ],
)
def test_other_files_are_told_what_they_are(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        open_storage(tmp_path / "file")


def test_a_device_is_refused() -> None:
    with pytest.raises(UsageError):
        open_storage(Path("/dev/null"))


def test_a_directory_that_is_no_bundle_is_told(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(UsageError, match="is not a bundle"):
        BundleReader.open(tmp_path)


# --- layouts of other tools


@pytest.fixture
def foreign(tmp_path: Path, bundle: Path) -> Iterator[Path]:
    """A layout as other tools write it: without an inventory."""
    target = tmp_path / "foreign"
    subprocess.run(["cp", "-r", bundle, target], check=True, timeout=60)
    for name in ("bundle.json", "manifest.json", "SHA256SUMS"):
        (target / name).unlink()
    yield target


def test_a_layout_without_inventory_is_read_by_its_index(
    foreign: Path, sample_images: SampleImages, token: CancelToken
) -> None:
    reader = BundleReader.open(foreign)
    for sample in sample_images.images:
        closure = reader.source.resolve(reference_of(sample), None, token)
        assert str(closure.root.digest) == sample.digest


@pytest.mark.parametrize("name", ["24.05-py3", None])
def test_a_name_that_is_only_a_tag(
    foreign: Path, sample_images: SampleImages, name: str | None
) -> None:
    index = json.loads((foreign / "index.json").read_text())
    (entry,) = [e for e in index["manifests"] if e["digest"] == sample_images.base.digest]
    entry["annotations"] = {"org.opencontainers.image.ref.name": name} if name else {}
    (foreign / "index.json").write_text(json.dumps({**index, "manifests": [entry]}))
    (item,) = BundleReader.open(foreign).items
    expected = f":{name}" if name else f"@{sample_images.base.digest}"
    assert item.name == f"localhost/foreign{expected}"


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"manifests":[1]}', b'{"manifests":[{"digest":"x"}]}', b"[" * 9999],
)
def test_a_broken_index_is_told(foreign: Path, content: bytes) -> None:
    (foreign / "index.json").write_bytes(content)
    with pytest.raises(MalformedContent, match=r"index\.json"):
        BundleReader.open(foreign)


def test_a_file_that_shrinks_under_a_reader_is_told(tmp_path: Path) -> None:
    (tmp_path / "oci-layout").write_bytes(bytes(100))
    storage = open_storage(tmp_path)
    extent = storage.extent("oci-layout")
    assert extent is not None
    os.truncate(tmp_path / "oci-layout", 0)
    with closing(storage.open("oci-layout")) as reader:
        assert reader.readinto(memoryview(bytearray(10))) == 0
    (tmp_path / "oci-layout").unlink()
    with pytest.raises((NotFound, EnvironmentFailure)):
        storage.read("oci-layout", 1000)


def test_wrong_content_under_a_digest_is_not_read_as_a_manifest(
    tmp_path: Path, bundle: Path, sample_images: SampleImages
) -> None:
    subprocess.run(["cp", "-r", bundle, tmp_path / "b"], check=True, timeout=60)
    digest = Digest.parse(sample_images.base.digest)
    (tmp_path / "b" / "blobs" / "sha256" / digest.hex).write_bytes(sample_images.docker.manifest)
    with pytest.raises(AirgapError, match="other content than its name says"):
        BundleReader.open(tmp_path / "b").document(digest)
