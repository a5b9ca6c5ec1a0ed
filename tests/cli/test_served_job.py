"""A job that serves, on the command line: listed, attached to, stopped."""

from __future__ import annotations

from pathlib import Path

from airgap_tui.engine.jobs import worker
from airgap_tui.engine.jobs.chain import Chain, Step
from airgap_tui.engine.jobs.job_list import describe
from airgap_tui.engine.jobs.serve import ServeSpec
from tests import services
from tests.e2e import command
from tests.engine.bundle.sample_source import save
from tests.images import SampleImages


def test_listed_attached_to_and_stopped(tmp_path: Path, sample_images: SampleImages) -> None:
    save(tmp_path / "pod", sample_images.images)
    own = {"XDG_STATE_HOME": str(tmp_path / "state")}
    chain = Chain((Step("serve", ServeSpec((tmp_path / "pod",), port=0)),))
    job = worker.start(chain, tmp_path / "state" / "airgap-tui")
    attached = None
    try:
        services.wait_for(lambda: describe(job.directory).snapshot.served is not None)
        listed = command.airgap_tui("jobs", more=own)
        assert "serve" in listed.out and "Running" in listed.out
        attached = command.start("attach", "pod", more=own)
        stopped = command.airgap_tui("stop", "pod", more=own)
        assert stopped.code == 0 and "pod: serve has ended." in stopped.err
        finished, attached = command.finish(attached), None
        assert finished.code == 0
        assert "Served 5 images. 0 requests, 0 kB sent in" in finished.err
    finally:
        worker.stop(describe(job.directory), at_once=True)
        if attached is not None:
            attached.kill()
            attached.communicate()
