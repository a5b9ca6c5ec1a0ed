"""What may be imported where, seen in child processes: front ends stay out of the engine."""

from __future__ import annotations

import pkgutil
import resource
import subprocess
import sys

import click
import pytest

import airgap_tui.engine
from airgap_tui.cli import main

FRONT_ENDS = {"textual", "rich", "click", "screens", "airgap_tui.cli"}
ENGINE = sorted(
    module.name
    for module in pkgutil.walk_packages(airgap_tui.engine.__path__, "airgap_tui.engine.")
)
VERBS = main.airgap_tui.list_commands(click.Context(main.airgap_tui))


def modules_after(code: str) -> set[str]:
    """The names in `sys.modules` of a fresh interpreter that has run this code."""
    report = "import sys\nsys.stdout.flush()\nprint('\\n'.join(['', '--', *sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return set(done.stdout.partition("\n--\n")[2].split("\n"))


def front_ends(modules: set[str]) -> set[str]:
    return FRONT_ENDS & modules


def test_the_check_sees_a_front_end() -> None:
    assert front_ends(modules_after("import rich, textual")) == {"rich", "textual"}


def test_engine_imports_no_front_end() -> None:
    """All modules in one process; where a front end turns up, each alone tells which it was."""
    if front_ends(modules_after("\n".join(f"import {module}" for module in ENGINE))):
        guilty = {module: front_ends(modules_after(f"import {module}")) for module in ENGINE}
        assert {module: found for module, found in guilty.items() if found} == {}


def run_verb(*arguments: str) -> set[str]:
    """The modules that a verb's command line imports, up to and including its help."""
    return modules_after(
        "import sys\n"
        f"sys.argv = ['airgap-tui', *{arguments!r}]\n"
        "from airgap_tui.__main__ import run\n"
        "run()"
    )


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_imports_textual(verb: str) -> None:
    assert not {"textual", "screens"} & run_verb(verb, "--help")


def test_a_whole_crossing_imports_no_textual() -> None:
    assert not {"textual", "screens"} & run_verb("rehearse", "--quiet")


def test_help_imports_nothing_heavy() -> None:
    heavy = {"requests", "docker", "pycdlib", "textual", "rich", "yaml", "urllib3"}
    assert not heavy & run_verb("--help")


def test_what_reads_logins_is_imported_where_logins_are_read() -> None:
    readers = {f"airgap_tui.engine.credentials.{name}" for name in ("store", "enroot")}
    rare = {"airgap_tui.engine.credentials.deepops", "cryptography", "yaml"}
    assert not (readers | rare) & run_verb("verify", "/nonexistent")
    assert not (readers | rare) & modules_after("import screens.welcome, screens.wizard")
    assert (readers | rare) & run_verb("logins", "--quiet") == readers


def test_help_is_quick() -> None:
    """Within 0.15 s of a bare interpreter: processor time, and the best of several runs, because
    the machine has other tests to run. `tests/bench/run start` measures by the clock."""
    bare = [sys.executable, "-c", "pass"]
    ours = [sys.executable, "-m", "airgap_tui", "--help"]
    more = min(processor_time(ours) for _ in range(10)) - min(
        processor_time(bare) for _ in range(10)
    )
    assert 0 < more < 0.15


def processor_time(command: list[str]) -> float:
    """Seconds that a command and its children took of a core."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
