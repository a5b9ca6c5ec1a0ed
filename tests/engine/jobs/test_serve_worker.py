"""Serving in a worker: it outlives who started it, tells what it served, and being stopped is its
end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.jobs import worker
from airgap_tui.engine.jobs.chain import Chain, Step
from airgap_tui.engine.jobs.job_list import JobInfo, JobState, describe, list_jobs
from airgap_tui.engine.jobs.serve import ServeResult, ServeSpec
from airgap_tui.engine.snapshot import Snapshot
from tests.engine.bundle.sample_source import save
from tests.images import SampleImages, remote_manifest
from tests.services import wait_for


@pytest.fixture
def bundle(tmp_path: Path, sample_images: SampleImages) -> Path:
    save(tmp_path / "pod", sample_images.images)
    return tmp_path / "pod"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """The state directory; no worker is left behind."""
    yield tmp_path / "state"
    for job in list_jobs(tmp_path / "state"):
        worker.stop(job, at_once=True)


def served(job: JobInfo) -> Snapshot:
    return describe(job.directory).snapshot


def over(job: JobInfo) -> bool:
    return describe(job.directory).state is not JobState.RUNNING


def test_it_tells_what_it_served_and_stopping_it_is_its_end(
    bundle: Path, state: Path, sample_images: SampleImages
) -> None:
    chain = Chain((Step("serve", ServeSpec((bundle,), port=0)),))
    job = worker.start(chain, state)
    wait_for(lambda: served(job).served is not None)
    sample = sample_images.pytorch
    repository = "nvidia/pytorch"
    answer = remote_manifest(served(job).subject, repository, "24.05-py3")
    assert answer == sample.manifest

    def counted() -> bool:
        counts = served(job).served
        return counts is not None and counts.sent >= len(answer)

    wait_for(counted)
    assert any("asked for nvidia/pytorch" in note.text for note in served(job).notes)
    assert worker.stop(describe(job.directory))
    wait_for(lambda: over(job))
    ended = describe(job.directory)
    assert (ended.state, ended.exit_code) == (JobState.FINISHED, 0)
    (step,) = job.directory.ended
    assert isinstance(step.result, ServeResult)
    assert step.result.requests >= 1
    assert len(step.result.items) == len(sample_images.images)


def test_a_port_that_is_taken_ends_it_with_the_reason(bundle: Path, state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        job = worker.start(Chain((Step("serve", ServeSpec((bundle,), port=port)),)), state)
        wait_for(lambda: over(job))
    (step,) = job.directory.ended
    assert "another program listens there" in step.error
    assert describe(job.directory).exit_code == step.exit_code != 0
