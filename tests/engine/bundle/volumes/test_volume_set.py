"""Volumes are one bundle wherever they lie; what lacks, is foreign or lies is named."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.media.extent import JoinedExtent
from airgap_tui.engine.bundle.needs import needs_of
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.volumes.volume import Volume, VolumeFile
from airgap_tui.engine.bundle.volumes.volume_set import VolumeSet
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AirgapError,
    MalformedContent,
    UnsafeContent,
    UsageError,
)
from airgap_tui.engine.oci.digest import Digest
from tests.engine.bundle.sample_source import reference_of, save
from tests.engine.bundle.volumes import volumes
from tests.engine.bundle.volumes.volumes import Contents, Form, as_directory, as_iso, as_tar, cut
from tests.images import SampleImages

PIECE = 20_000


@pytest.fixture(scope="module")
def bundle(sample_images: SampleImages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("set") / "pod-2025-07"
    save(path, sample_images.everything, platform=None)
    return path


@pytest.fixture
def parts(bundle: Path) -> list[tuple[Volume, Contents]]:
    return cut(bundle, 3, PIECE)


def _names(forms: tuple[Form, ...]) -> str:
    return "-".join(form.__name__ for form in forms)


@pytest.fixture(params=list(itertools.permutations((as_directory, as_tar, as_iso))), ids=_names)
def media(
    request: pytest.FixtureRequest, parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> list[Path]:
    """Three volumes, each in another form."""
    return [form(tmp_path, *part) for form, part in zip(request.param, parts, strict=True)]


@pytest.fixture
def directories(parts: list[tuple[Volume, Contents]], tmp_path: Path) -> list[Path]:
    return [as_directory(tmp_path, *part) for part in parts]


def content_of(reader: BundleReader, name: str, offset: int = 0) -> bytes:
    found, buffer = bytearray(), memoryview(bytearray(7777))
    with closing(reader.storage.open(name, offset)) as stream:
        while count := stream.readinto(buffer):
            found += buffer[:count]
    return bytes(found)


def test_volumes_in_any_form_and_order_are_the_bundle(bundle: Path, media: list[Path]) -> None:
    reader = BundleReader.open(*reversed(media))
    whole = BundleReader.open(bundle)
    assert isinstance(reader.storage, VolumeSet)
    assert reader.storage.standing == "All 3 volumes of pod-2025-07 are here."
    assert dict(reader.storage.names("blobs/")) == dict(whole.storage.names("blobs/"))
    assert reader.storage.cut
    for name, size in whole.storage.names("blobs/"):
        expected = (bundle / name).read_bytes()
        assert content_of(reader, name) == expected
        assert reader.storage.size(name) == size
        place = reader.storage.extent(name)
        assert place is not None
        assert b"".join(at(part.path, part.offset, part.size) for part in place.parts) == expected
    assert reader.items == whole.items


def at(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def test_joined_pieces_are_read_from_any_byte_on(bundle: Path, media: list[Path]) -> None:
    reader = BundleReader.open(*media)
    assert isinstance(reader.storage, VolumeSet)
    digest = max(reader.storage.cut, key=lambda digest: reader.size(digest) or 0)
    name, whole = layout.blob_path(digest), (bundle / layout.blob_path(digest)).read_bytes()
    assert isinstance(reader.storage.extent(name), JoinedExtent)
    for offset in (0, 1, PIECE - 1, PIECE, PIECE + 1, len(whole) - 1, len(whole), len(whole) + 5):
        assert content_of(reader, name, offset) == whole[offset:]


def test_missing_volumes_are_named_and_the_others_still_serve(
    directories: list[Path], sample_images: SampleImages
) -> None:
    reader = BundleReader.open(directories[2], directories[0])
    volumes_here = reader.storage
    assert isinstance(volumes_here, VolumeSet)
    assert volumes_here.missing == (2,)
    assert volumes_here.standing == ("2 of 3 volumes are here; number 2 of pod-2025-07 is missing.")
    alone = BundleReader.open(directories[0]).storage
    assert isinstance(alone, VolumeSet)
    assert alone.standing == "1 of 3 volumes is here; numbers 2, 3 of pod-2025-07 are missing."
    needs = needs_of(reader, CancelToken())
    absent = {digest for digest, need in needs.items() if not need.present}
    assert absent
    assert not any(need.problems for need in needs.values())


def test_a_blob_whose_last_piece_is_missing_is_missing(
    bundle: Path, sample_images: SampleImages, tmp_path: Path
) -> None:
    (volume, contents), (last, rest) = cut(bundle, 2, 10**9)
    name = max((n for n in contents if n.startswith("blobs/")), key=lambda n: len(contents[n]))
    digest = layout.digest_of_path(name)
    assert digest is not None
    data = contents.pop(name)
    contents[layout.piece_path(digest, 0)] = data[:5000]
    inventory = BundleReader.open(bundle).inventory
    volume = volumes.volume_of(inventory, volume.set_id, 1, 3, contents)
    # The manifests are all here, the rest of the blob is not.
    last = volumes.volume_of(inventory, volume.set_id, 2, 3, rest)
    first = as_directory(tmp_path, volume, contents)
    reader = BundleReader.open(first, as_directory(tmp_path, last, rest))
    assert reader.size(digest) is None
    assert name not in dict(reader.storage.names())


def test_the_same_blob_on_two_media_is_taken_from_the_good_one(
    bundle: Path, parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    good = [as_directory(tmp_path / "good", *part) for part in parts]
    bad = as_directory(tmp_path / "bad", *parts[0])
    for path in (*bad.glob("blobs/*/*"), *bad.glob("pieces/*/*/*"), bad / "bundle.json"):
        path.write_bytes(bytes(path.stat().st_size))
    for order in ((bad, *good), (*good, bad)):
        reader = BundleReader.open(*order)
        for name, _size in BundleReader.open(bundle).storage.names("blobs/"):
            assert content_of(reader, name) == (bundle / name).read_bytes()


# --- what is refused


def test_a_volume_of_another_set_is_refused_by_name(
    bundle: Path, directories: list[Path], tmp_path: Path
) -> None:
    foreign = as_directory(tmp_path / "other", *cut(bundle, 2, PIECE, "f" * 32)[0])
    with pytest.raises(UsageError, match=r"volume-1 is volume 1 of pod-2025-07 \(set ffff.*two"):
        BundleReader.open(*directories, foreign)
    with pytest.raises(UsageError, match="is not a volume of a set"):
        BundleReader.open(*directories, bundle)


def test_two_volumes_of_one_number_that_differ_are_refused(
    parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    first = as_directory(tmp_path, *parts[0])
    volume, contents = parts[0]
    contents = {n: d for n, d in contents.items() if n != sorted(contents)[0]}
    files = [file for file in volume.files if file.path in contents]
    other = as_directory(tmp_path / "b", volumes.changed(volume, files), contents)
    with pytest.raises(MalformedContent, match=r"both volume 1 of .* list different files"):
        BundleReader.open(first, other)


def test_volumes_with_different_inventories_are_refused(
    parts: list[tuple[Volume, Contents]], tmp_path: Path
) -> None:
    first = as_directory(tmp_path, *parts[0])
    volume, contents = parts[1]
    contents = {**contents, "bundle.json": contents["bundle.json"].replace(b"nvcr", b"evil")}
    inventory = BundleReader.open(first).inventory
    forged = volumes.volume_of(inventory, volume.set_id, 2, 3, contents)
    with pytest.raises(MalformedContent, match=r"have a different bundle\.json"):
        BundleReader.open(first, as_directory(tmp_path, forged, contents))


def test_an_altered_inventory_is_refused(directories: list[Path]) -> None:
    for directory in directories:
        path = directory / "bundle.json"
        path.write_bytes(path.read_bytes().replace(b"nvcr", b"evil"))
    with pytest.raises(MalformedContent, match=r"bundle\.json is not what volume\.json says"):
        BundleReader.open(*directories)


def test_a_file_of_another_size_is_refused_when_it_is_used(directories: list[Path]) -> None:
    path = next(iter(sorted(directories[0].glob("blobs/*/*"))))
    os.truncate(path, path.stat().st_size + 1)
    reader = BundleReader.open(*directories)
    name = str(path.relative_to(directories[0]))
    with pytest.raises(MalformedContent, match=r"has \d+ bytes, and volume\.json says"):
        reader.storage.open(name)


@pytest.mark.parametrize("directory", ["blobs/sha256", "pieces/sha256"])
def test_a_directory_that_is_a_link_is_refused(
    directories: list[Path], tmp_path: Path, directory: str
) -> None:
    (directories[0] / directory).rename(tmp_path / "elsewhere")
    (directories[0] / directory).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeContent, match="is a link"):
        reader = BundleReader.open(*directories)
        for name, _size in list(reader.storage.names()):
            reader.storage.extent(name)


def test_what_is_not_listed_is_not_there(directories: list[Path], bundle: Path) -> None:
    data = b"#!/bin/sh"
    digest = Digest.of(data)
    (directories[0] / layout.blob_path(digest)).write_bytes(data)
    assert BundleReader.open(*directories).size(digest) is None


Lie = Callable[[list[VolumeFile]], list[VolumeFile]]


def huge(files: list[VolumeFile]) -> list[VolumeFile]:
    last = max(range(len(files)), key=lambda n: files[n].offset or 0)
    size = int("9" * len(str(files[last].size)))
    return [replace(f, size=size) if n == last else f for n, f in enumerate(files)]


def moved(files: list[VolumeFile]) -> list[VolumeFile]:
    """Two files of one size change places."""
    blobs = [file for file in files if file.path.startswith("blobs/")]
    a, b = next((a, b) for a, b in itertools.combinations(blobs, 2) if a.size == b.size)
    swap = {a.path: b.offset, b.path: a.offset}
    return [replace(file, offset=swap.get(file.path, file.offset)) for file in files]


@pytest.mark.parametrize("lie", [huge, moved])
def test_a_list_that_lies_about_a_tar_is_refused_when_the_file_is_used(
    bundle: Path, tmp_path: Path, lie: Lie
) -> None:
    ((volume, contents),) = cut(bundle, 1, 10**9)
    if lie is moved:
        for data in (b"first", b"other"):
            contents[layout.blob_path(Digest.of(data))] = data
        inventory = BundleReader.open(bundle).inventory
        volume = volumes.volume_of(inventory, volume.set_id, 1, 1, contents)
    path = as_tar(tmp_path, volume, contents)
    placed = volumes.placed_in_tar(volume)
    lied = volumes.changed(placed, lie(list(placed.files)))
    raw, had = lied.format(), len(placed.format())
    raw += b" " * (had - len(raw))
    image = bytearray(path.read_bytes())
    assert len(raw) == had
    image[512 : 512 + had] = raw
    path.write_bytes(image)
    with pytest.raises(MalformedContent, match=r"cut off within|is not its own"):
        reader = BundleReader.open(path)
        for name, _size in list(reader.storage.names()):
            reader.storage.extent(name)


def test_a_tar_is_opened_without_reading_its_members(bundle: Path, tmp_path: Path) -> None:
    path = as_tar(tmp_path, *cut(bundle, 1, 10**9)[0])
    image = path.read_bytes()
    end = 512 + int(image[124:135], 8)
    (tmp_path / "head.tar").write_bytes(image[:end])
    os.truncate(tmp_path / "head.tar", len(image))
    with pytest.raises(MalformedContent, match="is not its own"):
        BundleReader.open(tmp_path / "head.tar")


def test_a_tar_that_gnu_tar_made_of_a_volume_is_a_volume(
    directories: list[Path], tmp_path: Path
) -> None:
    made = []
    for directory in directories:
        made.append(tmp_path / f"{directory.name}.tar")
        subprocess.run(["tar", "-cf", made[-1], "-C", directory, "."], check=True, timeout=60)
    reader = BundleReader.open(*made)
    assert isinstance(reader.storage, VolumeSet)
    assert not reader.storage.missing


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_no_volume_json_makes_it_fail_otherwise(
    bundle: Path, tmp_path: Path, data: st.DataObject
) -> None:
    directory = tmp_path / "volume-1"
    if not directory.exists():
        as_directory(tmp_path, *cut(bundle, 2, PIECE)[0])
        (tmp_path / "kept").write_bytes((directory / "volume.json").read_bytes())
    value = json.loads((tmp_path / "kept").read_bytes())
    places = st.sampled_from([*value, *range(len(value["files"]))])
    strange = st.one_of(
        st.none(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=2),
        st.sampled_from(["../../etc/passwd", "blobs/sha256/../../x", "volume.json", "/x"]),
    )  # fmt: skip
    for place in data.draw(st.lists(places, max_size=3)):
        if isinstance(place, int):
            key = data.draw(st.sampled_from(["path", "size", "sha256", "offset"]))
            value["files"][place][key] = data.draw(strange)
        else:
            value[place] = data.draw(strange)
            if place == "files":
                break
    (directory / "volume.json").write_text(json.dumps(value))
    try:
        reader = BundleReader.open(directory)
        for name, _size in reader.storage.names():
            place = reader.storage.extent(name)
            assert place is not None
            assert all(tmp_path in part.path.parents for part in place.parts)
    except AirgapError:
        pass


def test_every_image_of_a_whole_set_resolves(
    media: list[Path], sample_images: SampleImages, token: CancelToken
) -> None:
    reader = BundleReader.open(*media)
    for sample in sample_images.images:
        closure = reader.source.resolve(reference_of(sample), None, token)
        assert str(closure.root.digest) == sample.digest
        assert all(reader.holds(blob) for blob in closure.needed)
