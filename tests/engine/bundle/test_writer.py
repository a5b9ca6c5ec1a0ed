"""Whatever happens while a bundle is written, it continues where it stopped and never lies."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.inventory import SIGNATURE, Item
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    BundleLocked,
    ContentMismatch,
    EnvironmentFailure,
    NoRoom,
    Stopped,
    TemporaryFailure,
    UnsafeContent,
    UnsupportedBundle,
    UsageError,
)
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.jobs import verify
from airgap_tui.engine.oci.content import Closure
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest
from airgap_tui.engine.oci.reference import Reference
from tests.conftest import EventLog
from tests.engine.bundle.sample_source import SampleSource, receive, reference_of, save
from tests.images import SampleImage, SampleImages, build_artifact, noise

TOKEN = CancelToken()
REFERENCE = Reference.parse("nvcr.io/nvidia/cuda:1")


class Content:
    """One blob and its sender, which can end early."""

    def __init__(self, data: bytes, algorithm: str = "sha256") -> None:
        self.data = data
        self.blob = Descriptor("application/x", Digest.of(data, algorithm), len(data))
        self.offsets: list[int] = []
        self.reported = 0

    def send(self, bundle: BundleWriter, data: bytes | None = None) -> None:
        sent = self.data if data is None else data
        bundle.receive(REFERENCE, self.blob, lambda o: self._open(sent, o), self._report, TOKEN)

    def _open(self, data: bytes, offset: int) -> _Bytes:
        self.offsets.append(offset)
        return _Bytes(data, offset)

    def _report(self, count: int) -> None:
        self.reported += count


class _Bytes:
    def __init__(self, data: bytes, position: int) -> None:
        self._data, self._position = data, position

    def readinto(self, buffer: memoryview, /) -> int:
        piece = self._data[self._position : self._position + min(len(buffer), 10_000)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def close(self) -> None:
        pass


@pytest.fixture
def content() -> Content:
    return Content(noise("content", 700_000))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bundle"


def stored(path: Path, blob: Descriptor) -> bytes:
    return (path / "blobs" / str(blob.digest).replace(":", "/")).read_bytes()


def partial(path: Path, blob: Descriptor) -> Path:
    return path / ".partial" / str(blob.digest).replace(":", "-")


# --- partial files


def test_a_broken_transfer_is_continued_at_its_byte(path: Path, content: Content) -> None:
    with BundleWriter.open(path, "save") as bundle:
        with pytest.raises(TemporaryFailure):
            content.send(bundle, content.data[:300_000])
        content.send(bundle)
    assert content.offsets == [0, 300_000]
    assert content.reported == len(content.data)
    assert stored(path, content.blob) == content.data


def test_another_process_continues_a_partial_file(path: Path, content: Content) -> None:
    with BundleWriter.open(path, "save") as bundle, pytest.raises(TemporaryFailure):
        content.send(bundle, content.data[:650_000])
    assert partial(path, content.blob).read_bytes() == content.data[:650_000]
    content.reported = 0
    with BundleWriter.open(path, "save") as bundle:
        content.send(bundle)
    assert content.offsets == [0, 650_000]
    assert content.reported == 50_000
    assert stored(path, content.blob) == content.data


def test_a_whole_partial_file_is_not_asked_for_again(path: Path, content: Content) -> None:
    with BundleWriter.open(path, "save") as bundle:
        partial(path, content.blob).write_bytes(content.data)
        content.send(bundle)
    assert content.offsets == []
    assert stored(path, content.blob) == content.data


@pytest.mark.parametrize("wrong", [bytes(700_000), bytes(700_001)], ids=["wrong", "too long"])
def test_a_partial_file_that_cannot_become_the_blob_is_begun_anew(
    path: Path, content: Content, wrong: bytes
) -> None:
    with BundleWriter.open(path, "save") as bundle:
        partial(path, content.blob).write_bytes(wrong)
        content.send(bundle)
    assert content.offsets == [0]
    assert stored(path, content.blob) == content.data


def test_a_damaged_beginning_is_noticed_at_the_end_and_dropped(
    path: Path, content: Content
) -> None:
    with BundleWriter.open(path, "save") as bundle:
        partial(path, content.blob).write_bytes(bytes(1000))
        with pytest.raises(ContentMismatch, match=str(content.blob.digest)):
            content.send(bundle)
        assert not partial(path, content.blob).exists()
        assert not bundle.has(REFERENCE, content.blob, TOKEN)
        content.send(bundle)
    assert content.offsets == [1000, 0]


def test_wrong_bytes_of_the_right_length_are_never_stored(path: Path, content: Content) -> None:
    with BundleWriter.open(path, "save") as bundle:
        with pytest.raises(ContentMismatch):
            content.send(bundle, bytes(len(content.data)))
        assert not bundle.has(REFERENCE, content.blob, TOKEN)
    assert list(path.glob("blobs/*/*")) == []


def test_a_partial_file_that_is_a_link_is_refused(
    path: Path, content: Content, tmp_path: Path
) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    with BundleWriter.open(path, "save") as bundle:
        partial(path, content.blob).symlink_to(target)
        with pytest.raises(EnvironmentFailure):
            content.send(bundle)
    assert target.read_text() == "precious"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 3_000_001])
def test_any_size_and_algorithm(path: Path, size: int, algorithm: str, events: EventLog) -> None:
    content = Content(noise("some", size), algorithm)
    with BundleWriter.open(path, "save") as bundle:
        content.send(bundle)
        assert bundle.has(REFERENCE, content.blob, TOKEN)
        bundle.finish(TOKEN)
    assert stored(path, content.blob) == content.data
    assert content.reported == size
    told = verify.run(verify.VerifySpec(path), events, TOKEN)
    assert (told.bad, told.missing) == ((), ())
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    subprocess.run(check, cwd=path, check=True, timeout=60)


def test_inline_content_is_not_fetched(path: Path) -> None:
    content = Content(b"{}")
    inline = Descriptor("application/x", content.blob.digest, 2, data=b"{}")
    content.blob = inline
    with BundleWriter.open(path, "save") as bundle:
        content.send(bundle)
    assert content.offsets == []
    assert stored(path, inline) == b"{}"


def test_stopping_keeps_what_came(path: Path, content: Content) -> None:
    token = CancelToken()

    def report(count: int) -> None:
        content.reported += count
        if content.reported >= 300_000:
            token.cancel()

    with BundleWriter.open(path, "save") as bundle, pytest.raises(Stopped):
        bundle.receive(REFERENCE, content.blob, lambda o: _Bytes(content.data, o), report, token)
    # The first step is full after 256 KiB, and the stop comes with the next read of 40,000.
    assert partial(path, content.blob).stat().st_size == content.reported == 302_144


def test_content_of_unknown_digest(path: Path) -> None:
    with BundleWriter.open(path, "save") as bundle:
        with bundle.begin_blob() as file:
            file.write(b"one")
            file.write(memoryview(b"two"))
            blob = file.commit("application/x")
        with bundle.begin_blob() as again:
            again.write(b"onetwo")
            assert again.commit("application/x") == blob
        with bundle.begin_blob() as given_up:
            given_up.write(b"nothing")
    assert blob == Descriptor("application/x", Digest.of(b"onetwo"), 6)
    assert [stored(path, blob)] == [file.read_bytes() for file in path.glob("blobs/*/*")]
    assert not (path / ".partial").exists()


# --- the disk


def test_a_full_disk_is_told_and_can_be_continued(
    path: Path, content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    left = 400_000

    def write(descriptor: int, data: memoryview) -> int:
        nonlocal left
        if len(data) > 100_000:  # the blob, not the small files
            if left <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            data = data[:left]
            left -= len(data)
        return real(descriptor, data)

    with BundleWriter.open(path, "save") as bundle:
        monkeypatch.setattr(os, "write", write)
        with pytest.raises(NoRoom, match="no space left") as told:
            content.send(bundle)
        assert "continues" in told.value.hint
        monkeypatch.undo()
        content.send(bundle)
    assert content.offsets == [0, 400_000]
    assert stored(path, content.blob) == content.data


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 2 MB."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(mounted)]
    try:
        done = subprocess.run(mount, capture_output=True, timeout=30)
    except FileNotFoundError:
        pytest.skip("there is no program mount")
    if done.returncode:
        pytest.skip("a file system cannot be mounted here")
    yield mounted
    subprocess.run(["umount", str(mounted)], check=True, timeout=30)


def test_a_really_full_disk_leaves_a_bundle_that_continues(small_disk: Path) -> None:
    content = Content(noise("large", 3_000_000))
    path = small_disk / "bundle"
    with pytest.raises(NoRoom, match="no space left"), BundleWriter.open(path, "save") as bundle:
        content.send(bundle)
    there = partial(path, content.blob).stat().st_size
    assert 1_000_000 < there < 2_100_000
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True, timeout=30)
    with BundleWriter.open(path, "save") as bundle:
        content.send(bundle)
    assert content.offsets == [0, there]
    assert stored(path, content.blob) == content.data


def test_a_disk_that_is_mounted_read_only_is_told(small_disk: Path) -> None:
    BundleWriter.open(small_disk / "bundle", "save").close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True, timeout=30)
    for path in (small_disk / "bundle", small_disk / "new"):
        with pytest.raises(EnvironmentFailure, match="read-only") as told:
            BundleWriter.open(path, "save")
        assert "writ" in told.value.hint


# --- the place, and the lock


def test_a_file_at_the_path_is_refused(path: Path) -> None:
    path.write_text("something")
    with pytest.raises(UsageError, match="is a file"):
        BundleWriter.open(path, "save")


def test_a_directory_with_other_things_is_refused_and_left_alone(path: Path) -> None:
    path.mkdir()
    (path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="is not a bundle"):
        BundleWriter.open(path, "save")
    assert [entry.name for entry in path.iterdir()] == ["thesis.tex"]


def test_links_that_lead_a_writer_outside_are_refused(
    path: Path, tmp_path: Path, sample_images: SampleImages
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "new-0").write_text("precious")
    save(path, [sample_images.base])
    for name in (".partial", "blobs"):
        if (path / name).exists():
            (path / name).rename(path / "moved")
        (path / name).symlink_to(precious)
        with pytest.raises(UnsafeContent, match="is a link"):
            BundleWriter.open(path, "save")
        (path / name).unlink()
    assert [entry.name for entry in precious.iterdir()] == ["new-0"]


def test_the_root_of_an_empty_disk_is_taken(path: Path) -> None:
    (path / "lost+found").mkdir(parents=True)
    with BundleWriter.open(path, "save") as bundle:
        bundle.finish(TOKEN)
    assert BundleReader.open(path).items == ()


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    path.mkdir()
    newer = b'{"schemaVersion":2,"tool":{"name":"airgap-tui","version":"9.0"},"items":{}}'
    (path / "bundle.json").write_bytes(newer)
    with pytest.raises(UnsupportedBundle, match=r"schema 2 \(written by airgap-tui 9\.0\)"):
        BundleWriter.open(path, "save")
    assert (path / "bundle.json").read_bytes() == newer
    assert {entry.name for entry in path.iterdir()} <= {"bundle.json", ".partial"}


def test_the_second_writer_hears_who_the_first_is(path: Path) -> None:
    with BundleWriter.open(path, "save of 13 images"):
        with pytest.raises(BundleLocked) as told:
            BundleWriter.open(path, "save")
        for part in ("save of 13 images", f"process {os.getpid()}", " on "):
            assert part in told.value.message
    BundleWriter.open(path, "save").close()


def test_readers_need_no_lock(path: Path, sample_images: SampleImages) -> None:
    save(path, [sample_images.base], finish=False)
    with BundleWriter.open(path, "save"):
        (item,) = BundleReader.open(path).items
    assert item.state is ItemState.DONE


# --- items and names


def test_state_survives_without_finish(path: Path, sample_images: SampleImages) -> None:
    save(path, [sample_images.base], finish=False)
    with BundleWriter.open(path, "save") as bundle:
        bundle.record(Item(REFERENCE, ItemState.FAILED, error="access denied"))
    reader = BundleReader.open(path)
    assert {item.name: item.state for item in reader.items} == {
        reference_of(sample_images.base).tagged_name: ItemState.DONE,
        REFERENCE.tagged_name: ItemState.FAILED,
    }
    assert not (path / "SHA256SUMS").exists()


def test_names_are_written_even_when_the_work_was_stopped(
    path: Path, sample_images: SampleImages
) -> None:
    save(path, [sample_images.base], finish=False)
    (entry,) = json.loads((path / "index.json").read_text())["manifests"]
    assert entry["digest"] == sample_images.base.digest


def test_a_save_takes_the_checksums_away_until_it_ends(
    path: Path, sample_images: SampleImages
) -> None:
    save(path, [sample_images.base])
    assert (path / "SHA256SUMS").exists()
    with BundleWriter.open(path, "save"):
        assert not (path / "SHA256SUMS").exists()


def test_equal_content_gives_equal_names(tmp_path: Path, sample_images: SampleImages) -> None:
    save(tmp_path / "one", sample_images.images)
    save(tmp_path / "two", sample_images.images[::-1])
    for name in ("index.json", "manifest.json", "oci-layout"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_annotations_of_names(path: Path, sample_images: SampleImages) -> None:
    odd = sample_images.base.named("nvidia/a__b:1")
    plain = sample_images.pytorch
    signature = build_artifact("nvidia/signature:1", {"sig": b"signed"})
    save(path, [odd, plain, signature])
    entries = json.loads((path / "index.json").read_text())["manifests"]
    told = {entry["digest"]: entry["annotations"] for entry in entries}
    name = "nvcr.io/nvidia/pytorch:24.05-py3"
    assert told[plain.digest] == {
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": name,
    }
    assert told[odd.digest] == {"io.containerd.image.name": "nvcr.io/nvidia/a__b:1"}
    assert told[signature.digest] == {"vnd.airgap-tui.item": "nvcr.io/nvidia/signature:1"}


def test_the_archive_twin_holds_one_platform_of_each_name(
    path: Path, sample_images: SampleImages
) -> None:
    save(path, [sample_images.multi, sample_images.attested], platform=None)
    (entry,) = json.loads((path / "manifest.json").read_text())
    amd64 = sample_images.multi.images[0]
    assert entry["Config"] == "blobs/" + amd64.image_id.replace(":", "/")
    assert entry["RepoTags"] == ["nvcr.io/library/attested:1", "nvcr.io/library/multi:1"]
    assert len(entry["Layers"]) == 1


def test_a_name_by_digest_is_no_tag(path: Path, sample_images: SampleImages) -> None:
    base = sample_images.base
    reference = Reference.parse(f"nvcr.io/{base.repository}@{base.digest}")
    source = SampleSource([base])
    with BundleWriter.open(path, "save") as bundle:
        closure = source.resolve(reference_of(base), None, TOKEN)
        for blob in closure.blobs:
            receive(bundle, source, reference, blob)
        bundle.tag(reference, closure, TOKEN)
        bundle.finish(TOKEN)
    (entry,) = json.loads((path / "manifest.json").read_text())
    assert entry["RepoTags"] == []
    assert BundleReader.open(path).inventory.find(reference) is not None


def test_a_pinned_reference_goes_by_its_tag(path: Path, sample_images: SampleImages) -> None:
    base = sample_images.base
    pinned = reference_of(base).pinned(Digest.parse(base.digest))
    with BundleWriter.open(path, "save") as bundle:
        bundle.record(Item(pinned))
    inventory = BundleReader.open(path).inventory
    assert [item.name for item in inventory.items] == [reference_of(base).tagged_name]


def test_forgetting_an_image_takes_its_signatures_along(
    path: Path, sample_images: SampleImages
) -> None:
    base = sample_images.base
    signature = build_artifact("nvidia/cuda:sig", {"sig": b"x"}, subject=base)
    with_signature(path, base, signature)
    reader = BundleReader.open(path)
    assert [item.kind for item in reader.items] == ["image", SIGNATURE]
    (closure,) = reader.closure(reader.items[0]).signatures
    assert str(closure.root.digest) == signature.digest
    with BundleWriter.open(path, "save") as bundle:
        bundle.forget(reference_of(base))
        bundle.finish(TOKEN)
    assert BundleReader.open(path).items == ()


def with_signature(path: Path, image: SampleImage, signature: SampleImage) -> None:
    source = SampleSource([image, signature])
    closures = [source.resolve(reference_of(s), None, TOKEN) for s in (image, signature)]
    with BundleWriter.open(path, "save") as bundle:
        for closure in closures:
            for blob in closure.blobs:
                receive(bundle, source, closure.reference, blob)
        first, second = closures
        signed = Closure(
            first.reference, first.root, first.documents, first.blobs, (), None, (second,)
        )
        bundle.tag(first.reference, signed, TOKEN)
        bundle.finish(TOKEN)


def test_children_by_sha512_are_found(path: Path, sample_images: SampleImages) -> None:
    child = sample_images.base.document
    described = Descriptor(child.media_type, Digest.of(child.raw, "sha512"), len(child.raw))
    index = Index.build([described])
    source = SampleSource([sample_images.base])
    blobs: tuple[Manifest | Index, ...] = (child, index)
    with BundleWriter.open(path, "save", None) as bundle:
        for blob in child.blobs:
            receive(bundle, source, REFERENCE, blob)
        bundle.tag(REFERENCE, Closure(REFERENCE, index, blobs, child.blobs), TOKEN)
        bundle.finish(TOKEN)
    assert verify.run(verify.VerifySpec(path), EventLog(), TOKEN).ok


# --- kill -9

_DRIVER = """
    import os, shutil, signal, sys
    from pathlib import Path
    from airgap_tui.engine.bundle.encoding.codec import Compression
    from airgap_tui.engine.bundle.reader import BundleReader
    from tests.engine.bundle.sample_source import SampleSource, save
    from tests.images import build_samples

    samples = build_samples().images
    compression = Compression.parse(sys.argv[2])

    def victim(path, last):
        # One process that is killed before its system call number `last`; how many it made.
        reading, writing = os.pipe()
        if not (child := os.fork()):
            calls = 0
            def dying(name):
                real = getattr(os, name)
                def call(*arguments, **options):
                    nonlocal calls
                    calls += 1
                    if calls == last:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return real(*arguments, **options)
                setattr(os, name, call)
            told = os.write
            for name in ("write", "fsync", "replace", "unlink", "mkdir"):
                dying(name)
            save(path, samples, source=SampleSource(samples), compression=compression)
            told(writing, str(calls).encode())
            os._exit(0)
        os.close(writing)
        calls = os.read(reading, 100)
        os.close(reading)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL, status
            return None
        assert status == 0, status
        return int(calls)

    path = Path(sys.argv[1])
    if len(sys.argv) > 3:
        assert victim(path, int(sys.argv[3])) is None
        sys.exit()
    whole = path.with_name("whole")
    calls = victim(whole, 0)
    names = [(whole / name).read_bytes() for name in ("index.json", "manifest.json")]
    kills = 0
    # Each on a bundle of its own, which then comes to its end.
    for last in range(1, calls + 1, max(1, calls // 24)):
        fresh = path.with_name(f"fresh-{last}")
        kills += victim(fresh, last) is None
        if fresh.exists():
            BundleReader.open(fresh)
        assert victim(fresh, 0)
        assert [(fresh / name).read_bytes() for name in ("index.json", "manifest.json")] == names
        assert not (fresh / ".partial").exists()
        shutil.rmtree(fresh)
    # All on one bundle.
    for last in range(1, 2 * calls, 3):
        if victim(path, last) is not None:
            break
        kills += 1
        if path.exists():
            BundleReader.open(path)
    print(kills)
"""


def kill_writers(path: Path, compression: str, *point: int) -> str:
    """Let writers be killed: one at this point, or many; how many is told."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(_DRIVER),
            str(path),
            compression,
            *map(str, point),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("compression", ["keep", "zstd"])
def test_killed_at_any_point_it_continues(
    path: Path, sample_images: SampleImages, compression: str
) -> None:
    """Killed before one system call after the other, the same bundle comes to its end."""
    assert int(kill_writers(path, compression)) > 24
    assert verify.run(verify.VerifySpec(path), EventLog(), TOKEN).ok
    assert len(BundleReader.open(path).items) == len(sample_images.images)
    for name in ("index.json", "manifest.json"):
        assert (path / name).read_bytes() == (path.with_name("whole") / name).read_bytes()
    assert not (path / ".partial").exists()


def test_killed_it_does_not_fetch_again_what_was_whole(
    path: Path, sample_images: SampleImages
) -> None:
    kill_writers(path, "keep", 60)
    there = {str(p.relative_to(path / "blobs")).replace("/", ":") for p in path.glob("blobs/*/*")}
    assert there
    source = SampleSource(sample_images.images)
    save(path, sample_images.images, source=source)
    assert not there & {digest for digest, _offset in source.opened}
