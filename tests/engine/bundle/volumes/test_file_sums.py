"""The list of checksums beside volumes: lines come and go, none is lost that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.volumes.file_sums import add_file_sums, read_file_sums
from airgap_tui.engine.errors import EnvironmentFailure


def test_lines_are_added_and_those_of_files_that_are_gone_dropped(tmp_path: Path) -> None:
    assert read_file_sums(tmp_path) == {}
    for name in ("pod-01.tar", "pod-02.tar"):
        (tmp_path / name).touch()
        add_file_sums(tmp_path, {name: "1" * 64})
    (tmp_path / "pod-01.tar").unlink()
    add_file_sums(tmp_path, {"pod-02.tar": "2" * 64})
    assert read_file_sums(tmp_path) == {"pod-02.tar": "2" * 64}


def test_a_list_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / layout.CHECKSUMS).symlink_to(layout.CHECKSUMS)
    with pytest.raises(EnvironmentFailure, match=layout.CHECKSUMS) as told:
        read_file_sums(tmp_path)
    assert told.value.hint == "Check the path: its symbolic links lead in a circle."
