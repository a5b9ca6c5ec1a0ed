"""What is in use on the offline side and in no bundle is asked for, by its name at the source."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.receipts.receipt import Receipt
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.events import Event, Note, discard
from airgap_tui.engine.jobs import receipts
from airgap_tui.engine.jobs.receipts import ReceiptsSpec
from airgap_tui.engine.jobs.wanted_next import wanted_next
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.settings import Settings
from tests.engine.bundle.sample_source import save
from tests.images import build_image, layer

HELD = build_image("nvidia/pytorch:25.06-py3", [layer("what is here", 9_000)])


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    save(tmp_path / "pod", [HELD])
    return tmp_path / "pod"


def used(*names: str) -> tuple[Reference, ...]:
    return tuple(Reference.parse(name) for name in names)


def test_what_the_bundle_holds_is_not_asked_for(bundle: Path) -> None:
    items = BundleReader.open(bundle).items
    held, new = "nvcr.io/nvidia/pytorch:25.06-py3", "nvcr.io/nvidia/pytorch:25.09-py3"
    by_digest = f"nvcr.io/nvidia/pytorch@{HELD.digest}"
    assert wanted_next(used(held, by_digest, new), items, None, discard) == used(new)


def test_names_of_this_sides_registry_are_turned_back(bundle: Path) -> None:
    items = BundleReader.open(bundle).items
    naming = Naming.parse("harbor.lan/ngc")
    told: list[Event] = []
    names = used(
        "harbor.lan/ngc/nvidia/pytorch:25.06-py3",
        "harbor.lan/ngc/nvidia/pytorch:25.09-py3",
        "harbor.lan/team/own:1",
        "docker.io/library/registry:2",
    )
    wanted = wanted_next(names, items, naming, told.append)
    assert wanted == used("nvcr.io/nvidia/pytorch:25.09-py3", "docker.io/library/registry:2")
    texts = [event.text for event in told if isinstance(event, Note)]
    assert any("1 image in use came from elsewhere" in text for text in texts)
    assert any("harbor.lan/team/own:1" in text for text in texts)


def test_a_receipt_asks_for_what_a_job_script_names(bundle: Path, tmp_path: Path) -> None:
    script = tmp_path / "train.sbatch"
    script.write_text(
        "#!/bin/bash\n#SBATCH -N1\n"
        "srun --container-image=nvcr.io#nvidia/pytorch:25.09-py3 true\n"
        "srun --container-image=nvcr.io#nvidia/pytorch:25.06-py3 true\n"
    )
    asked = used("docker.io/library/busybox:1")
    spec = ReceiptsSpec(
        bundle,
        tmp_path / "r.json",
        wanted=asked,
        settings=Settings(state_dir=tmp_path / "state"),
        discover=True,
        in_use=(script,),
    )
    result = receipts.run(spec, discard, CancelToken())
    written = Receipt.parse((tmp_path / "r.json").read_bytes(), "here")
    assert set(written.wanted) == {*asked, *used("nvcr.io/nvidia/pytorch:25.09-py3")}
    assert set(result.to_json()["wanted"]) == {str(one) for one in written.wanted}
