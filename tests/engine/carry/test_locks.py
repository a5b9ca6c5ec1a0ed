"""The locks that are shipped are of this package as it is."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from airgap_tui.engine.carry.locks import lock_of, parse_lock
from airgap_tui.engine.carry.target import EVERY, Target
from airgap_tui.engine.errors import EnvironmentFailure

PROJECT = Path(__file__).resolve().parents[3] / "pyproject.toml"


def dependencies() -> list[tuple[str, tuple[int, ...]]]:
    """What `pyproject.toml` asks for: normalised names and lower bounds."""
    text = PROJECT.read_text().partition("\ndependencies = [")[2].partition("]")[0]
    found = re.findall(r'"([A-Za-z0-9.-]+)>=([0-9.]+)', text)
    assert len(found) == text.count('",')
    return [(name.lower().replace(".", "-"), version_of(bound)) for name, bound in found]


def version_of(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


@pytest.mark.parametrize("target", EVERY, ids=str)
def test_each_has_all_that_the_package_asks_for(target: Target) -> None:
    versions = {wheel.name: version_of(wheel.version) for wheel in lock_of(target)}
    for name, bound in dependencies():
        assert versions[name] >= bound, f"make the locks anew: {name}"


def test_wheels_that_serve_several_targets_are_the_same_there() -> None:
    """Only the compiled ones differ: so that a medium holds the others once."""
    newest = [{w.sha256 for w in lock_of(t)} for t in EVERY if t.python == "3.13"]
    assert len(set.intersection(*newest)) > len(set.union(*newest)) / 2


def test_a_damaged_lock_is_told() -> None:
    with pytest.raises(EnvironmentFailure, match=r"3\.11"):
        parse_lock("click==8.1 --hash=sha256:00\n", "3.11")


def test_the_lock_of_this_python_is_read_as_pip_reads_it() -> None:
    python = f"3.{min(13, sys.version_info.minor)}"
    for wheel in lock_of(Target(python, "x86_64")):
        assert re.fullmatch(r"\S+==\S+ --hash=sha256:[0-9a-f]{64}", str(wheel))
