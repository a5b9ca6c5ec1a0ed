"""Which jobs run, ended, or died without a word; how they are found, and when they are removed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from airgap_tui.engine.errors import NotFound, UsageError
from airgap_tui.engine.jobs.chain import Chain, Step
from airgap_tui.engine.jobs.directory import JobDirectory, Occupant
from airgap_tui.engine.jobs.identity import Identity, start_of
from airgap_tui.engine.jobs.job_list import (
    KEPT,
    KEPT_SECONDS,
    JobState,
    describe,
    find_job,
    list_jobs,
    prune,
)
from airgap_tui.engine.jobs.recorder import Recorder
from airgap_tui.engine.jobs.verify import VerifySpec

Make = Callable[..., JobDirectory]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes job directories: `make("pod", code=0)`, `make(identity=…)`, `make(id="2025…")`."""

    def made(
        bundle: str = "pod",
        *,
        code: int | None = None,
        identity: Identity | None = None,
        name: str = "",
        created: float | None = None,
    ) -> JobDirectory:
        chain = Chain((Step("verify", VerifySpec(tmp_path / bundle)),))
        directory = JobDirectory.create(tmp_path / "state", chain)
        if name:
            renamed = directory.path.with_name(name)
            directory.path.rename(renamed)
            directory = JobDirectory(renamed)
        if created is not None:
            path = directory.path / "spec.json"
            path.write_text(json.dumps({**json.loads(path.read_text()), "created": created}))
        if identity is not None:
            directory.occupy(Occupant(identity, "ops"))
        if code is not None or identity is not None:
            with Recorder(directory) as recorder:
                if code is not None:
                    recorder.finish(code)
        if created is not None and code is not None:
            path = directory.path / "snapshot.json"
            path.write_text(json.dumps({**json.loads(path.read_text()), "at": created + 1}))
        return directory

    return made


def ended_process() -> Identity:
    """A process that was there and is no more."""
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as child:
        start = start_of(child.pid)
        assert start is not None
        identity = replace(Identity.own(), process=child.pid, start=start)
        assert identity.alive
        child.kill()
    return identity


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (0, JobState.FINISHED),
        (1, JobState.FINISHED),
        (4, JobState.FINISHED),
        (143, JobState.STOPPED),
        (130, JobState.STOPPED),
    ],
)
def test_what_has_ended_says_how(make: Make, code: int, state: JobState) -> None:
    job = describe(make(code=code))
    assert job.state is state
    assert job.exit_code == code
    assert job.continuable == (state is JobState.STOPPED)
    assert job.ended is not None


def test_a_process_that_is_there_runs(make: Make) -> None:
    job = describe(make(identity=Identity.own()))
    assert job.state is JobState.RUNNING
    assert job.may_control
    assert job.ended is None
    assert not job.continuable


def test_a_process_that_is_gone_died(make: Make) -> None:
    job = describe(make(identity=ended_process()))
    assert job.state is JobState.DIED
    assert job.continuable
    assert not job.rebooted


def test_another_process_with_the_same_number_is_not_the_job(make: Make) -> None:
    own = Identity.own()
    assert describe(make(identity=replace(own, start=own.start - 1))).state is JobState.DIED


def test_before_the_machine_restarted(make: Make) -> None:
    job = describe(make(identity=replace(Identity.own(), boot="an earlier one")))
    assert job.state is JobState.DIED
    assert job.rebooted


def test_a_job_of_another_host_is_judged_by_its_signs_of_life(make: Make) -> None:
    directory = make(identity=replace(Identity.own(), host="dgx03"))
    job = describe(directory)
    assert (job.state, job.host, job.here) == (JobState.RUNNING, "dgx03", False)
    assert not job.may_control
    path = directory.path / "snapshot.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "at": time.time() - 600}))
    assert describe(directory).state is JobState.DIED


def test_a_job_that_begins_has_no_process_yet(make: Make) -> None:
    assert describe(make()).state is JobState.RUNNING
    assert describe(make(created=time.time() - 300)).state is JobState.DIED


def test_a_zombie_is_dead() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    try:
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert start_of(child) is None
    finally:
        os.waitpid(child, 0)


def test_a_program_may_have_any_name(tmp_path: Path) -> None:
    odd = tmp_path / "x) S 1 (y"
    odd.symlink_to("/bin/sleep")
    with subprocess.Popen([odd, "60"]) as child:
        try:
            started, own = start_of(child.pid), start_of(os.getpid())
            assert started is not None
            assert own is not None
            assert started >= own
        finally:
            child.kill()


def test_the_latest_comes_first_and_earlier_ones_are_superseded(make: Make, tmp_path: Path) -> None:
    make("pod", code=143, name="20250601-000000-aaaa")
    make("other", code=143, name="20250602-000000-bbbb")
    make("pod", code=0, name="20250603-000000-cccc")
    (tmp_path / "state/jobs/rubbish").mkdir()
    (tmp_path / "state/jobs/file").touch()
    jobs = list_jobs(tmp_path / "state")
    assert [job.id[-4:] for job in jobs] == ["cccc", "bbbb", "aaaa"]
    assert [job.continuable for job in jobs] == [False, True, False]
    assert list_jobs(tmp_path / "nothing") == ()


def test_of_two_jobs_in_one_second_the_later_comes_first(make: Make, tmp_path: Path) -> None:
    make("pod", code=143, name="20250601-000000-ffff", created=100.2)
    make("pod", code=143, name="20250601-000000-0000", created=100.7)
    jobs = list_jobs(tmp_path / "state")
    assert [job.id[-4:] for job in jobs] == ["0000", "ffff"]
    assert [job.superseded for job in jobs] == [False, True]


def test_a_job_is_found_by_id_or_bundle(make: Make, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        find_job(())
    make("pod", identity=Identity.own(), name="20250601-000000-aaaa")
    make("pod", code=0, name="20250602-000000-bbbb")
    make("other", code=0, name="20250603-000000-cccc")
    jobs = list_jobs(tmp_path / "state")
    for text, found in (
        ("20250602-000000-bbbb", "bbbb"),
        ("20250602", "bbbb"),
        ("bbbb", "bbbb"),
        ("pod", "aaaa"),
        (str(tmp_path / "pod"), "aaaa"),
        ("other", "cccc"),
        ("", "aaaa"),
    ):
        assert find_job(jobs, text).id.endswith(found), text
    with pytest.raises(UsageError, match="3 jobs"):
        find_job(jobs, "2025")
    with pytest.raises(NotFound, match="no job 'nowhere'"):
        find_job(jobs, "nowhere")


def test_only_old_jobs_that_have_ended_are_removed(make: Make, tmp_path: Path) -> None:
    long_ago = time.time() - KEPT_SECONDS - 3600
    make("stopped", code=143, name="20240101-000000-0000", created=long_ago)
    make("running", identity=Identity.own(), name="20240101-000000-0001", created=long_ago)
    make("old", code=0, name="20240101-000000-0002", created=long_ago)
    make("young", code=0, name="20240101-000000-0003", created=time.time() - 3600)
    for n in range(KEPT):
        make(f"b{n}", code=0, name=f"20240201-0000{n:02d}-ffff", created=long_ago)
    prune(tmp_path / "state")
    left = {path.name[-4:] for path in (tmp_path / "state/jobs").iterdir()}
    assert left == {"0000", "0001", "0003", "ffff"}


def test_another_version_is_left_alone(make: Make, tmp_path: Path) -> None:
    directory = make(code=0)
    path = directory.path / "spec.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schemaVersion": 99}))
    assert list_jobs(tmp_path / "state") == ()
    prune(tmp_path / "state", now=time.time() + 10 * KEPT_SECONDS)
    assert directory.path.exists()


def test_the_host_is_this_one() -> None:
    assert Identity.own().host == socket.gethostname()
    assert Identity.own().alive
