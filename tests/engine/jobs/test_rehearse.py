"""The rehearsal goes through, cleans up, can be stopped, and notices what it is there for."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ContentMismatch, EnvironmentFailure, Stopped
from airgap_tui.engine.events import Event, JobFinished, JobStarted, Note
from airgap_tui.engine.jobs import rehearse
from airgap_tui.engine.jobs.rehearse import RehearseSpec
from airgap_tui.engine.jobs.samples import make_samples
from airgap_tui.engine.oci.manifest import Index
from tests.conftest import EventLog
from tests.services import need_root, run_program

ROOT = Path(__file__).parents[3]


def test_it_goes_through_narrates_and_leaves_nothing(
    tmp_path: Path, events: EventLog, token: CancelToken
) -> None:
    result = rehearse.run(RehearseSpec(tmp_path), events, token)
    assert list(tmp_path.iterdir()) == []
    assert result.exit_code == 0
    assert result.seconds < 30
    assert [step.name for step in result.steps if step.seconds < 0 or not step.outcome] == []
    told = [note.text for note in events.of(Note)]
    steps = [text for text in told if re.match(rf"\d of {len(result.steps)}: ", text)]
    assert len(steps) == len(result.steps)
    assert any("airgap-tui save -f images_list.txt" in text for text in steps)
    assert (len(events.of(JobStarted)), len(events.of(JobFinished))) == (1, 1)
    compared = result.to_json()["compared"]
    assert compared["images"] == 4
    assert compared["bytes"] > 10_000_000


_ON_AN_ISLAND = """
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    up = struct.pack("16sh14x", b"lo", 1)
    fcntl.ioctl(any_socket, 0x8914, up)  # SIOCSIFFLAGS: a new namespace begins with loopback down
from pathlib import Path
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.events import discard
from airgap_tui.engine.jobs.rehearse import RehearseSpec, run
print(run(RehearseSpec(Path(sys.argv[1])), discard, CancelToken()).images)
"""


def test_it_needs_no_network_but_loopback_and_no_proxy(tmp_path: Path) -> None:
    need_root()
    nowhere = "http://192.0.2.1:3128"
    done = run_program(
        "unshare", "--net", sys.executable, "-c", _ON_AN_ISLAND, str(tmp_path),
        environment={"http_proxy": nowhere, "https_proxy": nowhere, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.strip() == "4"


def test_what_is_kept_can_be_looked_at(
    tmp_path: Path, events: EventLog, token: CancelToken
) -> None:
    result = rehearse.run(RehearseSpec(tmp_path / "new", keep=True), events, token)
    assert result.kept is not None
    assert len(BundleReader.open(result.kept / "bundle.tar").items) == 4


@pytest.mark.parametrize("step", range(1, 10))
def test_stopped_at_any_step_it_cleans_up(tmp_path: Path, step: int) -> None:
    token = CancelToken()

    def stop_there(event: Event) -> None:
        if isinstance(event, Note) and event.text.startswith(f"{step} of "):
            token.cancel()

    if step == 9:  # nothing is waited for any more
        rehearse.run(RehearseSpec(tmp_path), stop_there, token)
    else:
        with pytest.raises(Stopped):
            rehearse.run(RehearseSpec(tmp_path), stop_there, token)
    assert list(tmp_path.iterdir()) == []


_LINGERING = """
import sys
from airgap_tui.__main__ import main
from airgap_tui.engine.jobs import rehearse

def run(spec, sink, token, run=rehearse.run):
    def linger(event):
        sink(event)
        if getattr(event, "text", "").startswith("3 of 9"):
            token._event.wait()
    return run(spec, linger, token)

rehearse.run = run
sys.exit(main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    """It comes at the third of nine steps, however quick the machine is."""
    command = [sys.executable, "-c", _LINGERING, "rehearse", "--directory", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(line.startswith("3 of 9") for line in process.stderr)
        process.send_signal(number)
        assert "4 of 9" not in process.stderr.read()
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert list(tmp_path.iterdir()) == []


def test_damage_on_the_way_is_noticed(tmp_path: Path, token: CancelToken) -> None:
    def damage(event: Event) -> None:
        if isinstance(event, Note) and event.text.startswith("6 of "):
            (carried,) = tmp_path.glob("*/bundle.tar")
            with tarfile.open(carried) as tar:
                largest = max(tar, key=lambda member: member.size)
            with carried.open("r+b") as file:
                file.seek(largest.offset_data + 1000)
                file.write(b"damage")

    with pytest.raises(ContentMismatch):
        rehearse.run(RehearseSpec(tmp_path), damage, token)
    assert list(tmp_path.iterdir()) == []


def test_other_content_that_arrives_is_noticed(
    tmp_path: Path, token: CancelToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swap(event: Event) -> None:
        if isinstance(event, Note) and event.text.startswith("9 of "):
            (arrived,) = tmp_path.glob("*/arrived")
            arrived.rename(arrived.with_name("aside"))
            monkeypatch.setattr("airgap_tui.engine.jobs.samples._MOST", 1_000_000)
            make_samples(arrived, token)

    with pytest.raises(ContentMismatch, match="was sent as"):
        rehearse.run(RehearseSpec(tmp_path), swap, token)


def test_no_place_to_write(tmp_path: Path, events: EventLog, token: CancelToken) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailure, match="nothing can be written"):
        rehearse.run(RehearseSpec(tmp_path / "file"), events, token)


def test_samples_are_the_same_every_time_and_share_their_base(
    tmp_path: Path, token: CancelToken
) -> None:
    assert make_samples(tmp_path / "one", token) == make_samples(tmp_path / "two", token)
    one, two = BundleReader.open(tmp_path / "one"), BundleReader.open(tmp_path / "two")
    assert [item.digest for item in one.items] == [item.digest for item in two.items]
    closures = [one.closure(item) for item in one.items]
    bases = {image.layers[0].digest for closure in closures for image in closure.images}
    assert len(bases) == 1
    indexes = [closure.root for closure in closures if isinstance(closure.root, Index)]
    assert [len(index.platforms) for index in indexes] == [2]
    for closure in closures:
        for image in closure.images:
            config = one.config(image)
            assert len(config.diff_ids) == len(image.layers)
