"""Words and variables of shell text, beside what a real shell and Python's shlex make of it."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.discovery.finding import Finding, Place
from airgap_tui.engine.discovery.shell.expansion import Variables
from airgap_tui.engine.discovery.shell.scanner import Script
from airgap_tui.engine.discovery.sources import history

SECRET = "hunter22"


def words(text: str) -> list[list[str]]:
    """The words of each command, of a word with several values all of them."""
    commands = Script(text, Variables()).commands()
    return [["|".join(word.values) for word in c.words] for c in commands if c.words]


@given(st.lists(st.text(st.characters(exclude_characters="\0\r", codec="utf-8")), max_size=8))
def test_what_is_quoted_comes_back(listed: list[str]) -> None:
    assert words(shlex.join(["echo", *listed])) == [["echo", *listed]]


@pytest.mark.parametrize(
    "script",
    [
        r"printf '%s\n' a\ b 'c d' \"e\" "
        r'"f \"g\" \\ \$h \i" $' + r"'j\tk\x41\101'",
        "X='a b'; printf '%s\\n' $X \"$X\" x$X\"$X\"y ${X}z",
        "E=; printf '%s\\n' a$E $E \"$E\" b${E}c",
        "A=(one 'two three'); printf '%s\\n' ${A[0]} \"${A[1]}\"",
        "printf '%s\\n' ${U:-d} ${U-\"e\"} ${U:=f} $U; unset U; printf '%s\\n' \"${U:-g}\"",
        "X=registry/name:tag; printf '%s\\n' ${X%:tag} ${X#registry/} ${X%%:tag}",
        "X=a; X+=b; export Y=$X$X; readonly Z=${Y}; printf '%s\\n' $X $Y $Z",
        "printf '%s\\n' a \\\n  b c#d # comment\nprintf '%s\\n' e;printf '%s\\n' f",
        "printf '%s\\n' a >/dev/stdout 2>&1 b </dev/null c",
        "{ printf '%s\\n' a; }; (printf '%s\\n' b); if printf '%s\\n' c; then printf '%s\\n' d; fi",
    ],
)
def test_words_are_those_of_bash(script: str) -> None:
    """Each `printf` of a script prints its words; here they are read without running anything."""
    done = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", script], capture_output=True, check=True, timeout=30
    )
    ours = [word for command in words(script) if command[0] == "printf" for word in command[2:]]
    assert ours == done.stdout.decode().split("\n")[:-1]


@pytest.mark.parametrize("stamps", ["", "%F %T "])
def test_a_history_that_bash_wrote(tmp_path: Path, stamps: str) -> None:
    commands = [
        "docker pull a/one:1",
        "sbatch <<EOF\n#!/bin/sh\n#SBATCH --container-image a/two:2\nsrun true\nEOF",
        "for i in 3 4; do docker pull a/b:$i; done",
    ]
    lines = [f"history -s {shlex.quote(command)}" for command in commands]
    # The format is set in the shell: it is then that bash begins to write times.
    begin = ["set -o history", f"HISTTIMEFORMAT='{stamps}'" if stamps else "", "history -c"]
    script = "\n".join([*begin, *lines, "history -w", "unset HISTFILE", "history"])
    file = tmp_path / "bash_history"
    environment = {**os.environ, "HISTFILE": str(file), "TZ": "UTC", "HISTSIZE": "1000"}
    environment.pop("HISTTIMEFORMAT", None)
    done = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", script],
        capture_output=True,
        check=True,
        timeout=30,
        env=environment,
    )
    for content in (file.read_bytes(), done.stdout):
        found = list(history.read(io.BytesIO(content), Place(str(file))))
        assert all(isinstance(one, Finding) for one in found)
        findings = [one for one in found if isinstance(one, Finding)]
        names = [one.written for one in findings]
        assert names == ["a/one:1", "a/two:2", "a/b:3", "a/b:4"]
        assert all((one.time is not None) == bool(stamps) for one in findings)


def test_a_variable_of_a_condition_has_all_its_values() -> None:
    assert words("if a; then X=1; else X=2; fi; use $X")[-1] == ["use", "1|2"]
    assert words("X=1; test && X=2; use $X")[-1] == ["use", "1|2"]
    assert words("X=1; X=2; use $X")[-1] == ["use", "2"]


def test_values_are_bounded() -> None:
    use = words(f"for x in {' '.join(map(str, range(500)))}; do use $x$x$x; done")[0]
    assert 1 < len(use[1].split("|")) <= 64


def test_a_default_that_is_not_used_does_not_stay() -> None:
    assert words(f"use ${{X:-$Y{SECRET}}} ${{Z%{SECRET}*}}") == [["use", "${X}", "${Z}"]]
