"""What a worker writes down: what happened, how far it is; no secret, and not too often."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from airgap_tui.engine.events import (
    BlobDone,
    BlobPlanned,
    BlobProgress,
    BlobStarted,
    ItemChanged,
    ItemSized,
    ItemState,
    JobFinished,
    JobStarted,
    Level,
    LoginNeeded,
    Note,
)
from airgap_tui.engine.jobs.chain import Chain, Ended, Step
from airgap_tui.engine.jobs.directory import JobDirectory
from airgap_tui.engine.jobs.recorder import WRITES_PER_SECOND, Recorder
from airgap_tui.engine.jobs.verify import VerifyResult, VerifySpec
from airgap_tui.engine.redaction import remember
from airgap_tui.engine.snapshot import LoginWanted
from tests.services import wait_for


@pytest.fixture
def directory(tmp_path: Path) -> JobDirectory:
    chain = Chain((Step("verify", VerifySpec(tmp_path / "pod")),))
    return JobDirectory.create(tmp_path / "state", chain, command="airgap-tui verify pod")


def lines(directory: JobDirectory) -> list[dict[str, object]]:
    text = (directory.path / "journal.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_the_directory_is_for_its_user_alone(directory: JobDirectory, tmp_path: Path) -> None:
    assert directory.path.stat().st_mode & 0o077 == 0
    assert directory.path.parent.stat().st_mode & 0o077 == 0
    assert directory.chain.place == tmp_path / "pod"
    order = directory.order
    assert (order.verbs, order.place, order.command) == (
        ("verify",),
        tmp_path / "pod",
        "airgap-tui verify pod",
    )
    assert abs(order.created - time.time()) < 60


def test_the_state_and_the_story_come_back(directory: JobDirectory) -> None:
    result = VerifyResult((), 1, 2, (), (), (), 0.5)
    with Recorder(directory) as recorder:
        recorder.take(JobStarted("verify", "pod", ("a.lan/b:1", "a.lan/c:1")))
        recorder.take(ItemChanged("a.lan/b:1", ItemState.VERIFYING))
        recorder.take(ItemSized("a.lan/b:1", 100, 100))
        recorder.take(BlobPlanned("sha256:1", 100, ("a.lan/b:1",)))
        recorder.take(BlobStarted("sha256:1"))
        recorder.take(BlobProgress("sha256:1", 40))
        recorder.take(LoginNeeded("a.lan", "refused"))
        wait_for(lambda: directory.moment.snapshot.done == 40)
        moment = directory.moment
        assert moment.exit_code is None
        assert moment.step == 0
        (transfer,) = moment.snapshot.transfers
        assert (transfer.blob, transfer.items) == ("sha256:1", ("a.lan/b:1",))
        assert moment.snapshot.items[0].state is ItemState.VERIFYING
        assert moment.snapshot.items[0].done == 40
        assert moment.snapshot.logins == (LoginWanted("a.lan", "refused"),)
        recorder.take(BlobDone("sha256:1"))
        recorder.take(Note("It is whole", Level.WARNING))
        recorder.take(JobFinished("verify", 0))
        recorder.ended(Ended("verify", 0, result))
        recorder.finish(0)
    moment = directory.moment
    assert (moment.step, moment.exit_code, moment.snapshot.done) == (1, 0, 100)
    assert moment.snapshot.notes == (Note("It is whole", Level.WARNING),)
    assert directory.ended == (Ended("verify", 0, result),)
    entries, offset = directory.journal()
    assert entries == [
        JobStarted("verify", "pod", ("a.lan/b:1", "a.lan/c:1")),
        ItemChanged("a.lan/b:1", ItemState.VERIFYING),
        LoginNeeded("a.lan", "refused"),
        Note("It is whole", Level.WARNING),
        JobFinished("verify", 0),
        Ended("verify", 0, result),
    ]
    assert directory.journal(offset) == ([], offset)
    assert "It is whole" in directory.log.read_text()


def test_a_secret_in_an_event_is_masked_everywhere(directory: JobDirectory) -> None:
    remember("tr0ub4dor-secret")
    with Recorder(directory) as recorder:
        recorder.take(JobStarted("save", "pod", ("a.lan/b:1",)))
        recorder.take(Note("login with tr0ub4dor-secret"))
        recorder.take(ItemChanged("a.lan/b:1", ItemState.FAILED, "wrong: tr0ub4dor-secret"))
        recorder.take(LoginNeeded("a.lan", "refused tr0ub4dor-secret"))
        recorder.finish(1)
    written = [path.read_text() for path in directory.path.iterdir()]
    assert not [text for text in written if "tr0ub4dor" in text]
    assert "wrong: ********" in (directory.path / "snapshot.json").read_text()


def test_a_line_cut_off_by_a_crash_is_passed_over(directory: JobDirectory) -> None:
    with Recorder(directory) as recorder:
        recorder.take(Note("one"))
        recorder.finish(0)
    with open(directory.path / "journal.jsonl", "ab") as journal:
        journal.write(b'{"at": 1, "event": "no-such-thing"}\nnonsense\n{"at": 2, "event": "no')
    entries, offset = directory.journal()
    assert entries == [Note("one")]
    with open(directory.path / "journal.jsonl", "ab") as journal:
        journal.write(b'te", "text": "two", "level": "info"}\n')
    assert directory.journal(offset)[0] == [Note("two")]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"at": 1}', b'{"snapshot": {"items": 3}}'])
def test_a_snapshot_that_cannot_be_read_is_the_beginning(
    directory: JobDirectory, content: bytes
) -> None:
    (directory.path / "snapshot.json").write_bytes(content)
    assert directory.moment.exit_code is None
    assert directory.moment.snapshot.items == ()


def test_a_directory_that_is_gone_does_not_end_the_job(directory: JobDirectory) -> None:
    with Recorder(directory) as recorder:
        recorder.take(Note("one"))
        shutil.rmtree(directory.path)
        recorder.take(Note("two"))
        recorder.ended(Ended("verify", 0, None))
        recorder.finish(0)
    assert not directory.path.exists()


def test_ten_thousand_layers_cost_little(directory: JobDirectory) -> None:
    """The story stays short, the snapshot is as large as the items, and it is seldom written."""
    items = tuple(f"nvcr.io/nvidia/image-number-{n}:25.06-py3" for n in range(1000))
    written: set[int] = set()
    path = directory.path / "snapshot.json"
    before = time.process_time()
    started = time.monotonic()
    with Recorder(directory) as recorder:
        recorder.take(JobStarted("save", "pod", items))
        for n in range(10_000):
            recorder.take(BlobPlanned(f"sha256:{n:064d}", 1000, (items[n % 1000],)))
        for n in range(10_000):
            blob = f"sha256:{n:064d}"
            recorder.take(BlobStarted(blob))
            recorder.take(BlobProgress(blob, 1000))
            recorder.take(BlobDone(blob))
            written.add(os.stat(path).st_ino)
        recorder.finish(0)
    took = time.monotonic() - started
    assert len(written) <= took * WRITES_PER_SECOND + 2
    assert time.process_time() - before < 10
    assert len(lines(directory)) == 1
    assert path.stat().st_size < 400 * len(items)
    assert directory.moment.snapshot.blobs_done == 10_000
