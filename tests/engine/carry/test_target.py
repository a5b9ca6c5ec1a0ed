"""What people write for whom the tool is carried."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from airgap_tui.engine.carry.target import EVERY, MACHINES, PYTHONS, Target, parse_targets
from airgap_tui.engine.errors import UsageError


@pytest.mark.parametrize("text", ["all", "x86_64,arm64", "3.11, all"])
def test_everything(text: str) -> None:
    assert parse_targets(text) == EVERY
    assert len(EVERY) == len(PYTHONS) * len(MACHINES)


def test_a_part_left_out_stands_for_all_of_its_kind() -> None:
    assert parse_targets("3.11/x86_64") == (Target("3.11", "x86_64"),)
    assert parse_targets("3.12") == (Target("3.12", "aarch64"), Target("3.12", "x86_64"))
    assert parse_targets("amd64") == tuple(Target(python, "x86_64") for python in PYTHONS)


def test_the_order_and_repetition_do_not_matter() -> None:
    assert parse_targets("3.12, 3.11/arm64,3.11/aarch64") == parse_targets("3.11/aarch64,3.12")


@pytest.mark.parametrize(
    "text", ["", "all/x86_64", "3.9", "3.11/sparc", "3.11,", "3.1", "python3.11", "/"]
)
def test_what_there_is_not_is_named(text: str) -> None:
    with pytest.raises(UsageError) as told:
        parse_targets(text)
    assert "3.10, 3.11, 3.12, 3.13, 3.14" in told.value.hint


def test_the_script_on_the_medium_looks_for_each_python() -> None:
    script = (files("airgap_tui.engine.carry") / "medium/run").read_text("ascii")
    looked_for = script.partition("\nfor python in ")[2].partition("; do")[0]
    assert re.findall(r"\bpython(3\.\d+)", looked_for) == list(reversed(PYTHONS))
