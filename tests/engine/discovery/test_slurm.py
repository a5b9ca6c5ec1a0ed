"""Discovery in a real Slurm: its log, its queue, and what its programs say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.discovery.finding import Kind
from airgap_tui.engine.discovery.hosts.collecting import Wanted
from airgap_tui.engine.events import discard
from airgap_tui.engine.jobs.discovery import discover
from airgap_tui.engine.jobs.discovery.discover import DiscoverSpec
from airgap_tui.engine.jobs.discovery.named_files import NamedPath
from tests import services
from tests.engine.discovery.conftest import gather
from tests.slurm import Slurm

pytestmark = pytest.mark.slurm

SLURM = frozenset({Kind.SLURMD_LOG, Kind.SUBMIT_LINE, Kind.JOB_SCRIPT})


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    with Slurm() as slurm:
        yield slurm


def test_what_slurm_knows_of_images(
    slurm: Slurm, tmp_path: Path, token: CancelToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "job.sh"
    script.write_text(
        "#!/bin/sh\n#SBATCH --container-image=nvcr.io\\#nvidia/nemo:25.04\n"
        f"srun --container-image=quay.io#lab/step:2 true\ntouch {tmp_path}/ran\nsleep 60\n"
    )
    output = tmp_path / "slurm-1.out"
    slurm("sbatch", "-D", str(tmp_path), "-o", str(output), str(script))
    services.wait_for((tmp_path / "ran").exists, 60, slurm.log.read_text())
    slurm(
        "srun", "--overlap", "--jobid=1", "--container-image=lab/tool:absent", "true", check=False
    )
    services.wait_for(lambda: "lab/tool:absent" in slurm.log.read_text(), 30)
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    result = discover.run(DiscoverSpec(live=SLURM, here=True), discard, token)
    found = {str(image.reference): image for image in result.discovery.images}
    assert {"nvcr.io/nvidia/nemo:25.04", "quay.io/lab/step:2"} <= set(found)
    kinds = {s.kind: s.place for s in found["quay.io/lab/step:2"].sources}
    assert kinds[Kind.JOB_SCRIPT].path == "job 1" and kinds[Kind.JOB_SCRIPT].line == 3
    log = slurm.log.read_text().splitlines()
    assert (
        "pyxis: imported docker image: quay.io#lab/step:2" in (log[kinds[Kind.SLURMD_LOG].line - 1])
    )
    assert found["quay.io/lab/step:2"].last_used is not None
    assert [str(image.reference) for image in result.discovery.failed] == [
        "docker.io/lab/tool:absent"
    ]
    (accounting,) = [s for s in result.sources if s.kind == "submit-line"]
    assert (accounting.absent, accounting.failed) == (1, 0), "this Slurm keeps no accounts"
    printed = discover.run(DiscoverSpec((NamedPath(output),)), discard, token)
    assert "nvcr.io/nvidia/nemo:25.04" in [str(i.reference) for i in printed.discovery.images]


def test_the_log_that_the_configuration_names_is_found(
    slurm: Slurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    gathered = gather(["sh", "-s"], Wanted(frozenset({Kind.SLURMD_LOG})))
    assert str(slurm.log) in [material.path for material in gathered.of(Kind.SLURMD_LOG)]
