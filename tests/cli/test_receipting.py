"""`receipt` by commands: what is in use here is asked for."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Command
from tests.engine.bundle.sample_source import save
from tests.images import build_image, layer


def test_what_is_discovered_is_wanted(command: Command, tmp_path: Path) -> None:
    save(tmp_path / "pod", [build_image("nvidia/pytorch:25.06-py3", [layer("here", 9_000)])])
    script = tmp_path / "jobs/train.sbatch"
    script.parent.mkdir()
    script.write_text("#!/bin/bash\nsrun --container-image=nvcr.io#nvidia/nemo:25.04 true\n")
    named = command("receipt", "-b", "pod", "-o", "r.json", "--json", "--want-discovered", "jobs")
    assert named.code == 0, named.err
    assert named.document["wanted"] == ["nvcr.io/nvidia/nemo:25.04"]
    alone = command("receipt", "--want-discovered", "-b", "pod", "-o", "r.json", "--json")
    assert alone.code == 0, alone.err
    assert "nvcr.io/nvidia/nemo:25.04" not in alone.document["wanted"], "it is in no usual place"
