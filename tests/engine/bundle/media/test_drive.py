"""How many files are read at once, by what the kernel says of the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.media.drive import readers


def device(tmp_path: Path, rotational: str, *, partition: bool = False) -> Path:
    """A tree as below /sys/dev/block, which knows the disk of `tmp_path`."""
    disk = tmp_path / "devices" / "sda"
    (disk / "queue").mkdir(parents=True)
    (disk / "queue" / "rotational").write_text(f"{rotational}\n")
    target = disk / "sda1" if partition else disk
    target.mkdir(exist_ok=True)
    number = tmp_path.stat().st_dev
    links = tmp_path / "links"
    links.mkdir()
    (links / f"{os.major(number)}:{os.minor(number)}").symlink_to(target)
    return links


@pytest.mark.parametrize("partition", [False, True])
def test_a_disk_that_turns_gets_few(tmp_path: Path, partition: bool) -> None:
    links = device(tmp_path, "1", partition=partition)
    assert readers([tmp_path], links) == 4


@pytest.mark.parametrize(("processors", "expected"), [(1, 4), (4, 8), (64, 32)])
def test_others_get_more_than_there_are_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processors: int, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(processors)))
    assert readers([tmp_path], device(tmp_path, "0")) == expected
    assert readers([tmp_path], tmp_path / "nothing is known") == expected


def test_a_disc_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_block_device", lambda path: path.name == "sr0")
    assert readers([tmp_path, tmp_path / "sr0"], device(tmp_path, "0")) == 1
