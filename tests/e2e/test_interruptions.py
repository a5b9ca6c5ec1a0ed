"""What goes wrong on the way, and that the same command then goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import images, services
from tests.e2e import command
from tests.e2e.command import airgap_tui
from tests.fakes.link import Link
from tests.images import SampleImage

pytestmark = pytest.mark.distribution

MEGABYTE = 1_000_000
LAYERS = 6
LAYER = 5 * MEGABYTE
TRANSFERS = 4


@pytest.fixture(scope="module")
def large(distribution: services.Distribution) -> SampleImage:
    """An image of 30 MB in six layers that do not compress, in the registry."""
    layers = [
        images.layer_of(images.tar_of({f"data-{n}": os.urandom(LAYER)})) for n in range(LAYERS)
    ]
    image = images.build_image(f"large/{os.urandom(4).hex()}:1", layers)
    images.push_image(distribution.host, image)
    return image


@pytest.fixture
def link(distribution: services.Distribution) -> Iterator[Link]:
    """A link to the registry that brings 15 MB in a second."""
    with Link(distribution.port, rate=15 * MEGABYTE) as link:
        yield link


def wait_for_bytes(link: Link, count: int, process: subprocess.Popen[str]) -> None:
    """Until the link has brought so many bytes, or the process has ended."""
    services.wait_for(
        lambda: link.received >= count or process.poll() is not None,
        what=f"{link.received} of {count} bytes came",
    )


def content(bundle: Path) -> dict[str, bytes]:
    """Every file that holds content, by its path; not what tells of the time of saving."""
    told = {"bundle.json", "SHA256SUMS"}
    return {
        str(path.relative_to(bundle)): path.read_bytes()
        for path in bundle.rglob("*")
        if path.is_file() and path.name not in told and "lock" not in path.name
    }


def partial_files(bundle: Path) -> list[Path]:
    return [path for path in bundle.glob(".partial/*") if path.is_file()]


# --- ends that nobody planned ---------------------------------------------------------------------


def test_killed_at_many_points_and_continued(
    large: SampleImage, link: Link, distribution: services.Distribution, tmp_path: Path
) -> None:
    bundle = tmp_path / "pod"
    transfers = 2
    arguments = ("save", f"{link.host}/{large.name}", "-b", bundle, "--json")
    kills = 0
    while True:
        process = command.start(*arguments, "--transfers", str(transfers))
        wait_for_bytes(link, link.received + 4 * MEGABYTE, process)
        if process.poll() is not None:
            break
        process.kill()
        process.communicate()
        kills += 1
        assert kills < 30, f"{link.received} bytes came, and it is not done"
        # Nothing counts as stored that is not whole.
        for path in (bundle / "blobs").rglob("*") if bundle.exists() else ():
            if path.is_file():
                assert images.digest_of(path.read_bytes()) == f"sha256:{path.name}"
    finished = command.finish(process)
    assert finished.code == 0, finished.err
    assert kills >= 6
    # Each kill may cost what was on its way to the disk, not what was there.
    lost = link.received - large.size
    assert lost < kills * transfers * 1.2 * MEGABYTE
    undisturbed = tmp_path / "undisturbed"
    link.rate = None
    airgap_tui("save", f"{link.host}/{large.name}", "-b", undisturbed)
    assert content(bundle) == content(undisturbed)
    assert not partial_files(bundle)
    assert airgap_tui("verify", bundle, "--json").document["ok"] is True


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
def test_stopped_by_a_signal_tells_how_to_go_on(
    large: SampleImage, link: Link, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    bundle = tmp_path / "pod"
    arguments = ("save", f"{link.host}/{large.name}", "-b", str(bundle))
    process = command.start(*arguments)
    wait_for_bytes(link, 8 * MEGABYTE, process)
    link.rate = MEGABYTE
    process.send_signal(sent)
    stopped = command.finish(process)
    assert stopped.code == code, stopped.err
    assert f"airgap-tui {' '.join(arguments)}" in stopped.err
    before = link.received
    link.rate = None
    told = airgap_tui(*arguments, "--json").document
    assert told["items"][0]["state"] == "done"
    # What had come before the signal is not fetched again, but for what was under way.
    assert link.received - before < large.size - 8 * MEGABYTE + TRANSFERS * 1.3 * MEGABYTE
    assert not partial_files(bundle)
    assert airgap_tui("verify", bundle, "--json").document["ok"] is True


def test_second_interrupt_ends_at_once(large: SampleImage, link: Link, tmp_path: Path) -> None:
    link.rate = 100_000
    process = command.start("save", f"{link.host}/{large.name}", "-b", tmp_path / "pod")
    wait_for_bytes(link, 200_000, process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    assert command.finish(process).code == 130


def test_registry_goes_away_and_returns(large: SampleImage, link: Link, tmp_path: Path) -> None:
    process = command.start(
        "save", f"{link.host}/{large.name}", "-b", tmp_path / "pod", "--json", "--progress", "json"
    )
    wait_for_bytes(link, 10 * MEGABYTE, process)
    link.cut()
    assert process.stderr is not None
    for line in process.stderr:  # until it is noticed
        if json.loads(line)["event"] == "blob-retrying":
            break
    link.mend()
    finished = command.finish(process)
    assert finished.code == 0, finished.err
    assert finished.document["items"][0]["state"] == "done"
    assert link.received < large.size + TRANSFERS * 1.3 * MEGABYTE
    assert airgap_tui("verify", tmp_path / "pod", "--json").document["ok"] is True


def test_registry_that_stays_away_fails_the_item_and_keeps_what_came(
    large: SampleImage, link: Link, tmp_path: Path
) -> None:
    bundle = tmp_path / "pod"
    arguments = ("save", f"{link.host}/{large.name}", "-b", bundle, "--json")
    process = command.start(*arguments, more={"AIRGAP_TUI_RETRIES": "1"})
    wait_for_bytes(link, 10 * MEGABYTE, process)
    link.cut()
    finished = command.finish(process)
    assert finished.code == 4, finished.err
    assert finished.document["items"][0]["state"] == "failed"
    assert link.host in finished.document["items"][0]["error"]
    before = link.received
    link.rate = None
    link.mend()
    airgap_tui(*arguments)
    assert link.received - before < large.size - 8 * MEGABYTE


# --- disks ----------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MB."""
    services.need_root()
    path = tmp_path / "disk"
    path.mkdir()
    mount = services.program("mount")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(path)],
        capture_output=True,
        timeout=30,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.decode().strip()}")
    yield path
    services.run_program("umount", str(path))


def test_save_without_room_does_not_begin(large: SampleImage, link: Link, small_disk: Path) -> None:
    refused = airgap_tui("save", f"{link.host}/{large.name}", "-b", small_disk / "pod", code=4)
    assert "needed" in refused.err
    assert "--force" in refused.err
    assert link.received < 100_000
    assert not list(small_disk.rglob("blobs/*/*"))


def test_full_disk_stops_cleanly_and_goes_on_with_more_room(
    large: SampleImage, link: Link, small_disk: Path
) -> None:
    bundle = small_disk / "pod"
    arguments = ("save", f"{link.host}/{large.name}", "-b", bundle, "--force")
    link.rate = None
    full = airgap_tui(*arguments, code=4)
    assert "no room" in full.err.lower() or "full" in full.err.lower()
    assert str(bundle) in full.err
    came = link.received
    services.run_program("mount", "-o", "remount,size=64m", str(small_disk))
    told = airgap_tui(*arguments, "--json").document
    assert told["items"][0]["state"] == "done"
    kept = came + large.size - link.received
    assert kept > 5 * MEGABYTE
    assert airgap_tui("verify", bundle, "--json").document["ok"] is True


# --- two at once ----------------------------------------------------------------------------------


def test_second_writer_is_told_who_is_writing(
    large: SampleImage, link: Link, tmp_path: Path
) -> None:
    link.rate = MEGABYTE
    arguments = ("save", f"{link.host}/{large.name}", "-b", tmp_path / "pod")
    first = command.start(*arguments)
    wait_for_bytes(link, 500_000, first)
    second = airgap_tui(*arguments, code=4)
    assert str(first.pid) in second.err
    assert socket.gethostname() in second.err
    link.rate = None
    assert command.finish(first).code == 0


# --- damage ---------------------------------------------------------------------------------------


def test_damaged_file_is_named_and_alone_fetched_again(
    large: SampleImage, link: Link, tmp_path: Path
) -> None:
    bundle = tmp_path / "pod"
    link.rate = None
    name = f"{link.host}/{large.name}"
    airgap_tui("save", name, "-b", bundle)
    damaged = large.content[2].digest
    path = bundle / "blobs/sha256" / damaged.removeprefix("sha256:")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    told = airgap_tui("verify", bundle, "--json", code=3).document
    assert told["ok"] is False
    assert [bad["digest"] for bad in told["bad"]] == [damaged]
    assert told["bad"][0]["items"] == [name]
    assert airgap_tui("push", bundle, "127.0.0.1:1", code=None).code != 0
    before = link.received
    airgap_tui("save", name, "-b", bundle)
    assert link.received - before < LAYER + MEGABYTE
    assert airgap_tui("verify", bundle, "--json").document["ok"] is True


def test_missing_file_is_named_and_alone_fetched_again(
    large: SampleImage, link: Link, tmp_path: Path
) -> None:
    bundle = tmp_path / "pod"
    link.rate = None
    name = f"{link.host}/{large.name}"
    airgap_tui("save", name, "-b", bundle)
    missing = large.content[4].digest
    (bundle / "blobs/sha256" / missing.removeprefix("sha256:")).unlink()
    told = airgap_tui("verify", bundle, "--json", code=3).document
    assert told["ok"] is False
    assert missing in json.dumps(told["missing"])
    before = link.received
    airgap_tui("save", name, "-b", bundle)
    assert link.received - before < LAYER + MEGABYTE
    assert airgap_tui("verify", bundle, "--json").document["ok"] is True


def test_damaged_file_is_not_pushed(
    large: SampleImage,
    link: Link,
    tmp_path: Path,
    distribution: services.Distribution,
    repository: str,
) -> None:
    bundle = tmp_path / "pod"
    link.rate = None
    airgap_tui("save", f"{link.host}/{large.name}", "-b", bundle)
    path = bundle / "blobs/sha256" / large.content[0].digest.removeprefix("sha256:")
    path.chmod(0o644)
    path.write_bytes(os.urandom(path.stat().st_size))
    told = airgap_tui("push", bundle, f"{distribution.host}/{repository}", "--json", code=3)
    assert large.content[0].digest in told.document["items"][0]["error"]
    with images.registry_session() as session:
        tags = f"{distribution.url}/v2/{repository}/{large.repository}/tags/list"
        assert not session.get(tags, timeout=30).json().get("tags")
