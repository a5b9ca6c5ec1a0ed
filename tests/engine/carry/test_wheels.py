"""Wheels from pip: fetched once, checked always, each on the medium where it has to lie."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.carry.target import EVERY, Target, parse_targets
from airgap_tui.engine.carry.tree import sums_of, tool_files
from airgap_tui.engine.carry.wheels import WheelCache
from airgap_tui.engine.errors import EnvironmentFailure, NotFound, Stopped
from airgap_tui.engine.events import Note, discard
from tests.conftest import EventLog
from tests.wheels import Index, small_index

TOKEN = CancelToken()
SECRET = "hunter2-of-a-registry"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    return small_index(tmp_path / "index", monkeypatch)


@pytest.fixture
def cached(index: Index) -> Index:
    index.fill_cache(index.directory.parent / "cache")
    return index


def names_below(targets: tuple[Target, ...]) -> dict[str, bytes]:
    wheels = WheelCache().fetch(targets, discard, TOKEN)
    return {file.name: file.read() for file in tool_files((), wheels)}


def test_wheels_are_fetched_once(index: Index, events: EventLog) -> None:
    targets = parse_targets("3.10,3.13/x86_64")[1:]
    first = WheelCache().fetch(targets, events, TOKEN)
    assert {target: len(paths) for target, paths in first.items()} == dict.fromkeys(targets, 4)
    assert len(events.of(Note)) == 2
    shutil.rmtree(index.directory)
    assert WheelCache().fetch(targets, events, TOKEN) == first
    assert len(events.of(Note)) == 2
    assert WheelCache().lacking(targets) == ()


def test_a_wheel_that_rots_in_the_cache_is_fetched_again(index: Index) -> None:
    targets = parse_targets("3.11/x86_64")
    (paths,) = WheelCache().fetch(targets, discard, TOKEN).values()
    good = paths[0].read_bytes()
    paths[0].write_bytes(good[:-1])
    assert len(WheelCache().lacking(targets)) == 1
    assert WheelCache().fetch(targets, discard, TOKEN)[targets[0]] == paths
    assert paths[0].read_bytes() == good


def test_an_index_that_serves_another_wheel_is_refused(index: Index) -> None:
    for path in index.directory.glob("pure-*"):
        path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(EnvironmentFailure, match="pip cannot fetch") as told:
        WheelCache().fetch(EVERY[:1], discard, TOKEN)
    assert "--no-tool" in told.value.hint
    assert not list(index.directory.parent.glob("cache/**/*.whl"))


def test_without_pip_there_is_a_remedy(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setenv("PATH", str(index.directory))
    with pytest.raises(NotFound, match="there is no pip here") as told:
        WheelCache().fetch(EVERY[:1], discard, TOKEN)
    assert "--no-tool" in told.value.hint


def test_pip_gets_its_own_settings_and_no_key_of_a_registry(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "python"
    seen = tmp_path / "seen"
    fake.write_text(f"#!/bin/sh\nenv >> {seen}\ncase $* in *--version*) exit 0;; esac\nexit 1\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(fake))
    monkeypatch.setenv("NGC_API_KEY", SECRET)
    monkeypatch.setenv("SOME_URL", f"https://user:{SECRET}@example.org/")
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:own@pypi.example.org/simple")
    with pytest.raises(EnvironmentFailure, match="it ended with 1"):
        WheelCache().fetch(EVERY[:1], discard, TOKEN)
    assert "PIP_INDEX_URL=https://user:own@" in seen.read_text()
    assert SECRET not in seen.read_text()


def test_it_can_be_stopped(index: Index) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Stopped):
        WheelCache().fetch(EVERY[:1], discard, token)


def test_what_targets_share_lies_on_the_medium_once(cached: Index) -> None:
    files = names_below(EVERY)
    table = files["targets.txt"].decode()
    assert "3.10 x86_64 any py310 py310-x86_64 x86_64\n" in table
    assert "3.13 aarch64 aarch64 any py311-py312-py313-py314 py313-aarch64\n" in table
    assert "any/pure/__init__.py" in files
    assert "py310/older/__init__.py" in files and "any/older/__init__.py" not in files
    assert b"abi3" in files["aarch64/shared/__init__.py"]
    assert b"cp312" in files["py312-x86_64/bound/__init__.py"]
    assert "any/airgap_tui/__main__.py" in files and "any/screens/wizard.tcss" in files
    assert "any/airgap_tui/LICENSE" in files
    assert not [name for name in files if "__pycache__" in name]


def test_for_one_target_all_lies_in_one_directory(cached: Index) -> None:
    files = names_below(parse_targets("3.12/x86_64"))
    assert files["targets.txt"] == b"3.12 x86_64 any\n"
    assert b"cp312" in files["any/bound/__init__.py"]


def test_the_same_choice_gives_the_same_files(cached: Index) -> None:
    wheels = WheelCache().fetch(EVERY, discard, TOKEN)
    turned = dict(reversed(list(wheels.items())))
    first, second = (sums_of(tool_files((), one), lambda: None) for one in (wheels, turned))
    assert first == second
    assert os.sep not in "".join(name.partition("/")[0] for name in first)
