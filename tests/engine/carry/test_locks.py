"""The locks that are shipped are of this package as it is."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from airgap_tui.engine.carry.locks import lock_of, parse_lock
from airgap_tui.engine.carry.target import EVERY, PYTHONS, Target
from airgap_tui.engine.errors import EnvironmentFailure

PROJECT = Path(__file__).resolve().parents[3] / "pyproject.toml"


class Dependency(NamedTuple):
    """One that `pyproject.toml` asks for: normalised name, lower bound, for Pythons below which."""

    name: str
    bound: tuple[int, ...]
    below: tuple[int, ...]


def dependencies() -> list[Dependency]:
    text = PROJECT.read_text().partition("\ndependencies = [")[2].partition("]")[0]
    entry = r'"([A-Za-z0-9.-]+)>=([0-9.]+)(?:,<[0-9.]+)?(?:; python_version < \'([0-9.]+)\')?",'
    found = re.findall(entry, text)
    assert len(found) == text.count('",')
    return [
        Dependency(name.lower().replace(".", "-"), version_of(bound), version_of(below or "4"))
        for name, bound, below in found
    ]


def version_of(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


@pytest.mark.parametrize("target", EVERY, ids=str)
def test_each_has_all_that_the_package_asks_for(target: Target) -> None:
    versions = {wheel.name: version_of(wheel.version) for wheel in lock_of(target)}
    for name, bound, below in dependencies():
        if version_of(target.python) < below:
            assert versions[name] >= bound, f"make the locks anew: {name}"
        else:
            assert name not in versions, "the standard library has it"


def test_wheels_that_serve_several_targets_are_the_same_there() -> None:
    """Only the compiled ones differ: so that a medium holds the others once."""
    newest = [{w.sha256 for w in lock_of(t)} for t in EVERY if t.python == PYTHONS[-1]]
    assert len(set.intersection(*newest)) > len(set.union(*newest)) / 2


def test_a_damaged_lock_is_told() -> None:
    with pytest.raises(EnvironmentFailure, match=r"3\.11"):
        parse_lock("click==8.1 --hash=sha256:00\n", "3.11")


def test_the_lock_of_this_python_is_read_as_pip_reads_it() -> None:
    python = f"3.{sys.version_info.minor}"
    for wheel in lock_of(Target(python if python in PYTHONS else PYTHONS[-1], "x86_64")):
        assert re.fullmatch(r"\S+==\S+ --hash=sha256:[0-9a-f]{64}", str(wheel))
