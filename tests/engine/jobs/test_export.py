"""A bundle on volumes is the same bundle: whole, readable by others, and the same each time."""

from __future__ import annotations

import errno
import io
import os
import random
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.durable import writing
from airgap_tui.engine.bundle.hashed_file import HashedFile
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.bundle.volumes.volume import Volume
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AirgapError,
    BundleLocked,
    ContentMismatch,
    NoRoom,
    NotFound,
    Stopped,
    UnsafeContent,
    UsageError,
    WriteRefused,
)
from airgap_tui.engine.events import BlobDone, BlobProgress, Event, ItemState, discard
from airgap_tui.engine.jobs import export, verify
from airgap_tui.engine.jobs.carried import was_carried
from airgap_tui.engine.jobs.export import ExportResult
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.serial import from_json, to_json
from airgap_tui.engine.jobs.verify import VerifySpec
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.progress import Progress
from airgap_tui.engine.settings import Settings
from tests import services
from tests.conftest import EventLog, Run
from tests.engine.bundle.sample_source import save
from tests.engine.bundle.volumes import volumes
from tests.images import build_image, layer_of, tar_of

FORMS = list(Form)
LAYERS = (2_700_000, 1_300_000, 900_000, 40_000)
SMALL = "4MB"
CUT = "2MB"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images of 5 MB that share layers, one layer larger than two megabytes."""
    chance = random.Random(1)  # noqa: S311 - test content
    layers = [
        layer_of(tar_of({f"file-{number}": chance.randbytes(size)}))
        for number, size in enumerate(LAYERS)
    ]
    path = tmp_path_factory.mktemp("export") / "pod"
    images = [build_image("large/one:1", layers), build_image("large/two:2", layers[1:3])]
    save(path, images)
    return path


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    return tmp_path / "medium"


def run(
    bundle: Path,
    medium: Path,
    form: Form = Form.DIRECTORY,
    size: str = "",
    only: tuple[int, ...] = (),
    sink: Callable[[Event], None] = discard,
    token: CancelToken | None = None,
    again: bool = False,
) -> ExportResult:
    if form is Form.ISO:
        services.program("xorriso")
    spec = ExportSpec(bundle, medium, form, size, only, again)
    return export.run(spec, sink, token or CancelToken())


def files_of(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def unpacked(medium: Path, form: Form, target: Path) -> list[Path]:
    """Each volume as a directory, as programs that know nothing of us see it."""
    if form is Form.DIRECTORY:
        return sorted(medium.iterdir())
    found = []
    for file in sorted(medium.glob(f"*.{form.value}")):
        directory = target / file.stem
        directory.mkdir(parents=True)
        command = ["tar", "-xf", str(file), "-C", str(directory)]
        if form is Form.ISO:
            command = ["xorriso", "-osirrox", "on", "-indev", str(file), "-extract", "/"]
            command += [str(directory)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        subprocess.run(["chmod", "-R", "u+w", str(directory)], check=True, timeout=60)
        found.append(directory)
    return found


def content_of(bundle: Path) -> dict[str, bytes]:
    blobs = {name: data for name, data in files_of(bundle).items() if name.startswith("blobs/")}
    return {**blobs, "bundle.json": (bundle / "bundle.json").read_bytes()}


def member(tar: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        found = archive.extractfile(name)
        assert found is not None
        return found.read()


def check_sums(directory: Path) -> None:
    subprocess.run(
        ["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"],
        cwd=directory, check=True, timeout=60,
    )  # fmt: skip


# --- what is written ------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", ["", SMALL, CUT])
def test_volumes_hold_the_whole_bundle(
    bundle: Path, medium: Path, tmp_path: Path, form: Form, size: str
) -> None:
    result = run(bundle, medium, form, size)
    assert result.exit_code == 0
    assert result.count == len(result.items) == len(result.numbers)
    assert (result.count == 1) == (size == "")
    whole: dict[str, bytes] = {}
    pieces: dict[Digest, dict[int, bytes]] = {}
    directories = unpacked(medium, form, tmp_path / "unpacked")
    assert len(directories) == result.count
    for number, directory in enumerate(directories, 1):
        check_sums(directory)
        files = files_of(directory)
        volume = Volume.parse(files.pop("volume.json"), str(directory))
        assert (volume.set_id, volume.number, volume.count) == (
            result.set_id, number, result.count,
        )  # fmt: skip
        assert {file.path: file.size for file in volume.files} == {
            name: len(data) for name, data in files.items()
        }
        for file in volume.files:
            assert not file.sha256 or Digest.of(files[file.path]).hex == file.sha256
        listed = set((directory / "SHA256SUMS").read_text().split()[1::2])
        assert listed == {*files, "volume.json"} - {"SHA256SUMS"}
        assert (layout.START_HERE in files) == (number == 1)
        assert all(len(part) <= 64 for name in files for part in name.split("/"))
        for name, data in files.items():
            if (place := layout.piece_of_path(name)) is not None:
                pieces.setdefault(place[0], {})[place[1]] = data
            elif layout.digest_of_path(name) is not None or name == "bundle.json":
                assert whole.setdefault(name, data) == data
    for digest, parts in pieces.items():
        whole[layout.blob_path(digest)] = b"".join(parts[offset] for offset in sorted(parts))
    assert whole == content_of(bundle)
    assert bool(pieces) == (size == CUT)
    if form is not Form.DIRECTORY:
        check_sums(medium)
        assert not [path for path in medium.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("form", FORMS)
def test_no_volume_is_larger_than_asked(bundle: Path, medium: Path, form: Form) -> None:
    run(bundle, medium, form, CUT)
    for path in medium.iterdir():
        size = sum(file.stat().st_size for file in path.rglob("*")) if path.is_dir() else 0
        assert max(size, path.stat().st_size if path.is_file() else 0) <= 2_000_000


@pytest.mark.parametrize("form", FORMS)
def test_a_copy_of_the_bundle_gives_the_same_volumes(
    bundle: Path, tmp_path: Path, form: Form
) -> None:
    run(bundle, tmp_path / "first", form, SMALL)
    copy = tmp_path / "elsewhere" / "copy"
    shutil.copytree(bundle, copy, copy_function=shutil.copyfile)
    for path in sorted((copy / "blobs/sha256").iterdir()):  # other inodes and times
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)
    run(copy, tmp_path / "second", form, SMALL)
    assert files_of(tmp_path / "first") == files_of(tmp_path / "second")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", ["", CUT])
def test_one_volume_of_a_set_is_made_again_byte_for_byte(
    bundle: Path, tmp_path: Path, form: Form, size: str
) -> None:
    everything, one = tmp_path / "all", tmp_path / "one"
    count = run(bundle, everything, form, size).count
    number = (count + 1) // 2
    result = run(bundle, one, form, size, only=(number,), again=True)
    (item,) = result.items
    assert (result.numbers, result.count) == ((number,), count)
    if form is Form.DIRECTORY:
        assert files_of(one / item.reference) == files_of(everything / item.reference)
    else:
        assert (one / item.reference).read_bytes() == (everything / item.reference).read_bytes()
        check_sums(one)


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_volume_is_mended_by_making_it_again(
    bundle: Path, medium: Path, form: Form
) -> None:
    name = run(bundle, medium, form, SMALL).items[1].reference
    before = files_of(medium)
    path = medium / name
    if form is Form.DIRECTORY:
        path = max(path.rglob("blobs/sha256/*"), key=lambda file: file.stat().st_size)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"damage")
    assert files_of(medium) != before
    assert run(bundle, medium, form, SMALL).items[1].state is ItemState.HELD
    result = run(bundle, medium, form, SMALL, only=(2,), again=True)
    assert result.items[0].state is ItemState.DONE
    assert files_of(medium) == before


@pytest.mark.parametrize("form", FORMS)
def test_what_is_there_is_not_written_again(bundle: Path, medium: Path, form: Form) -> None:
    first = run(bundle, medium, form, SMALL)
    times = {path: path.stat().st_mtime_ns for path in medium.rglob("*") if path.is_file()}
    if form is not Form.DIRECTORY:
        (medium / "SHA256SUMS").unlink()
    again = run(bundle, medium, form, SMALL)
    assert [item.state for item in again.items] == [ItemState.HELD] * first.count
    assert again.bytes == 0
    for path, time in times.items():
        assert path.name == "SHA256SUMS" or path.stat().st_mtime_ns == time
    if form is not Form.DIRECTORY:
        check_sums(medium)


def test_other_lines_of_the_sums_beside_stay(bundle: Path, medium: Path) -> None:
    medium.mkdir()
    (medium / "notes.pdf").write_bytes(b"notes")
    lines = f"{Digest.of(b'notes').hex}  notes.pdf\n{'0' * 64}  gone.tar\n"
    (medium / "SHA256SUMS").write_text(lines)
    run(bundle, medium, Form.TAR)
    names = (medium / "SHA256SUMS").read_text().split()[1::2]
    assert names == ["notes.pdf", "pod.tar"]
    check_sums(medium)


@pytest.mark.parametrize("form", FORMS)
def test_progress_adds_up(bundle: Path, medium: Path, form: Form) -> None:
    progress, fractions = Progress(), []

    def sink(event: Event) -> None:
        progress.take(event)
        if isinstance(event, BlobProgress):
            fractions.append(progress.snapshot().fraction)

    result = run(bundle, medium, form, CUT, sink=sink)
    snapshot = progress.snapshot()
    assert (snapshot.verb, snapshot.exit_code) == ("export", 0)
    assert snapshot.done == snapshot.total > result.bytes * 0.9
    assert snapshot.blobs_done == snapshot.blobs_total
    assert fractions == sorted(fractions)
    assert {item.state for item in snapshot.items} == {ItemState.DONE}


def test_progress_counts_what_a_kill_left_whole(bundle: Path, medium: Path) -> None:
    (item,) = run(bundle, medium).items
    volume = medium / item.reference
    blob = max(volume.glob("blobs/*/*"), key=lambda path: path.stat().st_size)
    size = blob.stat().st_size
    (volume / ".partial").mkdir()
    blob.rename(volume / ".partial" / f"sha256-{blob.name}")
    told: list[Event] = []
    assert run(bundle, medium, sink=told.append).exit_code == 0
    name = f"sha256:{blob.name}"
    assert sum(e.bytes for e in told if isinstance(e, BlobProgress) and e.blob == name) == size
    assert [e.blob for e in told if isinstance(e, BlobDone)].count(name) == 1
    assert content_of(volume) == content_of(bundle)


@pytest.mark.parametrize("form", [Form.TAR, Form.ISO])
def test_sums_that_are_none_are_found_before_anything_is_written(
    bundle: Path, medium: Path, form: Form
) -> None:
    medium.mkdir()
    (medium / "SHA256SUMS").write_text(f"{'0' * 64}  blobs/sha256/{'0' * 64}\n")
    with pytest.raises(UsageError, match="not a list of the files beside it"):
        run(bundle, medium, form)
    assert [path.name for path in medium.iterdir()] == ["SHA256SUMS"]


def test_a_sheet_without_a_directory_is_found_before_anything_is_written(
    bundle: Path, medium: Path, tmp_path: Path
) -> None:
    spec = ExportSpec(bundle, medium, sheets=(tmp_path / "none/sheet.txt",))
    with pytest.raises(UsageError, match="for the transfer sheet"):
        export.run(spec, discard, CancelToken())
    assert not medium.exists()
    on_the_medium = ExportSpec(bundle, medium, sheets=(medium / "sheet.txt",))
    assert export.run(on_the_medium, discard, CancelToken()).exit_code == 0
    assert (medium / "sheet.txt").is_file()


def test_spec_and_result_can_be_kept(bundle: Path, medium: Path) -> None:
    spec = ExportSpec(bundle, medium, Form.TAR, "dvd", (2, 3))
    assert from_json(ExportSpec, to_json(spec)) == spec
    result = run(bundle, medium, Form.TAR)
    assert from_json(ExportResult, to_json(result)) == result
    told = result.to_json()
    assert told["volumes"][0]["reference"] == "pod.tar"
    assert (
        told["volumes"][0]["digest"] == f"sha256:{Digest.of((medium / 'pod.tar').read_bytes()).hex}"
    )


# --- read by others -------------------------------------------------------------------------------


@pytest.mark.docker
def test_docker_loads_a_tar_of_one_volume(
    bundle: Path, medium: Path, docker_engine: services.DockerEngine
) -> None:
    run(bundle, medium, Form.TAR)
    docker = [services.program("docker"), "--host", docker_engine.host]
    command = [*docker, "load", "-i", str(medium / "pod.tar")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    tags = {tag for image in docker_engine.client.images.list() for tag in image.tags}
    assert {"nvcr.io/large/one:1", "nvcr.io/large/two:2"} <= tags


@pytest.mark.podman
def test_podman_loads_a_tar_of_one_volume(
    bundle: Path, medium: Path, podman_socket: services.PodmanService
) -> None:
    run(bundle, medium, Form.TAR)
    podman_socket("load", "-i", str(medium / "pod.tar"))
    assert "nvcr.io/large/one" in podman_socket("images", "--format", "{{.Repository}}").stdout


def test_skopeo_reads_a_tar_of_one_volume(
    bundle: Path, medium: Path, tmp_path: Path, skopeo: Run
) -> None:
    run(bundle, medium, Form.TAR)
    archive = f"oci-archive:{medium / 'pod.tar'}:nvcr.io/large/two:2"
    skopeo("copy", archive, f"oci:{tmp_path / 'layout'}:two")
    item = BundleReader.open(bundle).inventory.items[1]
    assert item.digest is not None
    assert (tmp_path / "layout" / layout.blob_path(item.digest)).exists()


@pytest.mark.parametrize("form", FORMS)
def test_verify_reads_a_volume_that_is_all(bundle: Path, medium: Path, form: Form) -> None:
    name = run(bundle, medium, form).items[0].reference
    result = verify.run(VerifySpec(medium / name), discard, CancelToken())
    assert result.ok, result


def test_an_iso_has_rock_ridge_and_joliet_names(bundle: Path, medium: Path) -> None:
    run(bundle, medium, Form.ISO)
    digests = sorted(path.name for path in (bundle / "blobs/sha256").iterdir())
    command = ["xorriso", "-indev", str(medium / "pod.iso"), "-lsl", "/blobs/sha256", "--"]
    done = subprocess.run(command, check=True, capture_output=True, timeout=60, text=True)
    assert all(digest in done.stdout for digest in digests)
    raw = (medium / "pod.iso").read_bytes()
    assert all(digest.encode("utf-16-be") in raw for digest in digests)


# --- the ways it can end --------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.events import BlobProgress
from airgap_tui.engine.jobs import export
from airgap_tui.engine.jobs.export_spec import ExportSpec
bundle, medium, form, size, left = sys.argv[1:]
left = int(left)
def sink(event):
    global left
    if isinstance(event, BlobProgress) and "check" not in event.blob:
        left -= event.bytes
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
export.run(ExportSpec(Path(bundle), Path(medium), Form(form), size), sink, CancelToken())
"""


@pytest.mark.parametrize("form", FORMS)
def test_killed_at_many_points_and_continued(bundle: Path, tmp_path: Path, form: Form) -> None:
    undisturbed, medium = tmp_path / "undisturbed", tmp_path / "medium"
    run(bundle, undisturbed, form, CUT)
    kills, command = 0, [sys.executable, "-c", KILLED, str(bundle), str(medium), form.value, CUT]
    while True:
        point = 1 + 370_000 * (kills % 7)  # up to more than a volume
        done = subprocess.run([*command, str(point)], capture_output=True, timeout=60)
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr.decode()
        kills += 1
        assert kills < 60
    assert kills >= 5
    assert files_of(medium) == files_of(undisturbed)


def test_a_tar_that_broke_off_anywhere_is_continued(bundle: Path, tmp_path: Path) -> None:
    """Also where a power cut left zeros, or something else, instead of what was written."""
    run(bundle, tmp_path, Form.TAR)
    whole = (tmp_path / "pod.tar").read_bytes()
    partial, volume = (
        tmp_path / ".pod.tar.partial",
        Volume.parse(member(whole, "volume.json"), "tar"),
    )
    offsets = [file.offset or 0 for file in volume.files]
    ends = [file.size + (file.offset or 0) for file in volume.files]
    cuts = {0, 1, 511, 512, 4096, len(whole) - 1024, len(whole) - 1, len(whole)}
    cuts |= {place + shift for place in (*offsets, *ends) for shift in (-513, -1, 0, 1)}
    for cut in sorted(cuts):
        (tmp_path / "pod.tar").unlink()
        partial.write_bytes(whole[: max(0, cut)])
        run(bundle, tmp_path, Form.TAR)
        assert (tmp_path / "pod.tar").read_bytes() == whole, cut
    for cut in sorted(offsets):
        (tmp_path / "pod.tar").unlink()
        partial.write_bytes(whole[:cut] + bytes(5000) + b"x" * 3_000_000)
        run(bundle, tmp_path, Form.TAR)
        assert (tmp_path / "pod.tar").read_bytes() == whole, cut


@pytest.mark.parametrize("form", FORMS)
def test_stopped_and_continued(bundle: Path, medium: Path, tmp_path: Path, form: Form) -> None:
    token = CancelToken()
    moved = 0

    def sink(event: Event) -> None:
        nonlocal moved
        moved += event.bytes if isinstance(event, BlobProgress) else 0
        if moved > 2_000_000:
            token.cancel()

    with pytest.raises(Stopped):
        run(bundle, medium, form, sink=sink, token=token)
    run(bundle, medium, form)
    run(bundle, tmp_path / "undisturbed", form)
    assert files_of(medium) == files_of(tmp_path / "undisturbed")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    services.need_root()
    mounted = tmp_path / "disk"
    mounted.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(mounted)]
    if subprocess.run(mount, capture_output=True, timeout=30).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True, timeout=30)


@pytest.mark.parametrize("form", FORMS)
def test_room_is_looked_for_before_anything_is_written(
    bundle: Path, small_disk: Path, form: Form
) -> None:
    (small_disk / "other").write_bytes(bytes(3_500_000))
    with pytest.raises(NoRoom, match="are needed for 1 volume"):
        run(bundle, small_disk, form)
    assert [path.name for path in small_disk.iterdir()] == ["other"]
    with pytest.raises(NoRoom) as caught:
        run(bundle, small_disk, form, CUT)
    assert "--change-disks" in caught.value.hint
    assert [path.name for path in small_disk.iterdir()] == ["other"]


@pytest.mark.parametrize("form", FORMS)
def test_a_disk_that_fills_up_meanwhile(bundle: Path, small_disk: Path, form: Form) -> None:
    other = small_disk / "other"
    filled: list[Event] = []

    def sink(event: Event) -> None:
        if isinstance(event, BlobProgress) and not filled:
            filled.append(event)
            with other.open("wb", buffering=0) as file:
                while True:
                    try:
                        file.write(bytes(100_000))
                    except OSError:
                        break
            os.truncate(other, max(0, other.stat().st_size - 1_500_000))

    size, only = (SMALL, (1,)) if form is Form.ISO else ("", ())
    result = run(bundle, small_disk, form, size, only, sink)
    assert result.items[0].state is ItemState.FAILED
    assert result.exit_code == NoRoom.exit_code
    assert {item.state for item in result.items[1:]} <= {ItemState.LEFT_OUT}
    assert "no space left" in result.items[0].error
    other.unlink()
    again = run(bundle, small_disk, form, size, only)
    assert again.exit_code == 0
    if form is not Form.ISO:
        path = small_disk / again.items[0].reference
        assert verify.run(VerifySpec(path), discard, CancelToken()).ok


def test_a_medium_that_takes_nothing_any_more_is_told_of_its_volume(
    bundle: Path, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock cannot be removed either, which is not what has to be told."""
    unlink = Path.unlink

    def refused(_file: HashedFile) -> None:
        with writing(medium):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def kept(path: Path, missing_ok: bool = False) -> None:
        if path.match(layout.LOCK):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        unlink(path, missing_ok)

    monkeypatch.setattr(HashedFile, "sync", refused)
    monkeypatch.setattr(Path, "unlink", kept)
    result = run(bundle, medium, Form.DIRECTORY, SMALL)
    assert [item.state for item in result.items] == [ItemState.FAILED, ItemState.LEFT_OUT]
    assert "input/output error" in result.items[0].error
    assert result.exit_code == 4
    monkeypatch.undo()
    assert run(bundle, medium, Form.DIRECTORY, SMALL).exit_code == 0


def test_a_medium_that_cannot_be_written_is_told_before_the_bundle_is_read(
    bundle: Path, small_disk: Path, events: EventLog
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True, timeout=30)
    with pytest.raises(WriteRefused, match="cannot be written") as caught:
        run(bundle, small_disk, Form.TAR, CUT, (1,), events)
    assert "mount the disk for writing" in caught.value.hint
    assert not events.of(BlobProgress)


def test_only_what_was_written_to_its_end_was_carried(
    bundle: Path, medium: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(state_dir=tmp_path / "state")
    spec = ExportSpec(bundle, medium, Form.DIRECTORY, SMALL, settings=settings)

    def refused(_file: HashedFile) -> None:
        with writing(medium):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(HashedFile, "sync", refused)
    assert export.run(spec, discard, CancelToken()).exit_code == 4
    assert not was_carried(bundle, 0, settings.state_dir)
    monkeypatch.undo()
    assert export.run(spec, discard, CancelToken()).exit_code == 0
    assert was_carried(bundle, 0, settings.state_dir)


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", ["", CUT])
def test_a_damaged_bundle_makes_no_volume(
    bundle: Path, medium: Path, tmp_path: Path, form: Form, size: str
) -> None:
    damaged = tmp_path / "pod"
    shutil.copytree(bundle, damaged)
    blob = max((damaged / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    with blob.open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"damage")
    if size:
        with pytest.raises(ContentMismatch, match=blob.name):
            run(damaged, medium, form, size)
        assert not medium.exists()
        return
    result = run(damaged, medium, form)
    assert result.exit_code == ContentMismatch.exit_code
    assert blob.name in result.items[0].error
    blob.write_bytes((bundle / "blobs/sha256" / blob.name).read_bytes())
    assert run(damaged, medium, form).exit_code == 0


def test_a_bundle_that_lacks_files_is_refused(bundle: Path, medium: Path, tmp_path: Path) -> None:
    lacking = tmp_path / "pod"
    shutil.copytree(bundle, lacking)
    next((lacking / "blobs/sha256").iterdir()).unlink()
    with pytest.raises(ContentMismatch, match="1 file"):
        run(lacking, medium)
    assert not medium.exists()


def test_the_bundle_itself_is_no_medium(bundle: Path) -> None:
    for place in (bundle, bundle / "volumes", bundle.parent):
        with pytest.raises(UsageError):
            run(bundle, place)
    assert sorted(path.name for path in bundle.parent.iterdir()) == ["pod"]


def test_what_lies_in_the_place_of_a_volume_stays(bundle: Path, medium: Path) -> None:
    place = medium / "pod"
    place.mkdir(parents=True)
    (place / "thesis.txt").write_text("mine")
    result = run(bundle, medium)
    assert result.items[0].state is ItemState.FAILED
    assert "is not this volume" in result.items[0].error
    assert [path.name for path in place.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("form", [Form.TAR, Form.ISO])
def test_a_file_of_the_name_of_a_volume_stays(bundle: Path, medium: Path, form: Form) -> None:
    medium.mkdir()
    place = medium / f"pod.{form.value}"
    place.write_bytes(b"an archive that docker save made")
    (item,) = run(bundle, medium, form).items
    assert item.state is ItemState.FAILED and "is not this volume" in item.error
    assert place.read_bytes() == b"an archive that docker save made"
    place.unlink()
    assert run(bundle, medium, form).exit_code == 0
    place.write_bytes(bytes(50_000))  # what was written here is made anew, whatever became of it
    assert run(bundle, medium, form).exit_code == 0
    check_sums(medium)


def test_a_link_in_the_place_of_a_volume_is_not_followed(
    bundle: Path, medium: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    medium.mkdir()
    (medium / "pod").symlink_to(tmp_path / "elsewhere")
    (medium / ".pod.tar.partial").symlink_to(tmp_path / "elsewhere" / "file")
    assert run(bundle, medium).exit_code == UnsafeContent.exit_code
    assert run(bundle, medium, Form.TAR).exit_code != 0
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("only", [(0,), (2,), (1, 99)])
def test_a_volume_that_there_is_not(bundle: Path, medium: Path, only: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="there is no volume"):
        run(bundle, medium, only=only)


def test_one_export_at_a_time(bundle: Path, medium: Path) -> None:
    errors: list[AirgapError] = []

    def sink(event: Event) -> None:
        if isinstance(event, BlobProgress) and not errors:
            other = run(bundle, medium, Form.TAR)
            errors.append(BundleLocked(other.items[0].error))

    assert run(bundle, medium, Form.TAR, sink=sink).exit_code == 0
    assert "is being written by another export" in errors[0].message


def test_without_xorriso_the_package_is_named(
    bundle: Path, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(NotFound) as caught:
        export.run(ExportSpec(bundle, medium, Form.ISO), discard, CancelToken())
    assert "package xorriso" in caught.value.hint
    assert not medium.exists()


@pytest.mark.parametrize("form", FORMS)
def test_a_volume_whose_layers_are_cut_is_exported_again(
    bundle: Path, medium: Path, tmp_path: Path, form: Form
) -> None:
    """What fat32 made of a bundle: all of it on one medium, its largest layers in pieces."""
    ((volume, contents),) = volumes.cut(bundle, 1, 500_000)
    source = volumes.as_directory(tmp_path, volume, contents)
    if form is Form.ISO:
        with pytest.raises(UsageError, match="in pieces, which an ISO image cannot take"):
            run(source, medium, form)
        assert not medium.exists()
        return
    assert run(source, medium, form).exit_code == 0
    (directory,) = unpacked(medium, form, tmp_path / "unpacked")
    assert content_of(directory) == content_of(bundle)
