"""What may be imported where, seen in child processes: front ends stay out of the engine."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import airgap_tui.engine

FRONT_ENDS = {"textual", "rich", "click", "screens", "airgap_tui.cli"}
ENGINE = sorted(
    module.name
    for module in pkgutil.walk_packages(airgap_tui.engine.__path__, "airgap_tui.engine.")
)
VERBS = (
    "plan",
    "save",
    "verify",
    "load",
    "push",
    "serve",
    "rehearse",
    "doctor",
    "login",
    "compress",
)


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


@pytest.mark.parametrize("module", ENGINE)
def test_engine_module_imports_no_front_end(module: str) -> None:
    assert front_ends(modules_after(f"import {module}")) == set()


def run_verb(*arguments: str) -> set[str]:
    """The modules that a verb's command line imports, up to and including its help."""
    return modules_after(
        "import sys\n"
        f"sys.argv = ['airgap-tui', *{arguments!r}]\n"
        "from airgap_tui.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_imports_textual(verb: str) -> None:
    assert not {"textual", "screens"} & run_verb(verb, "--help")


def test_help_imports_nothing_heavy() -> None:
    heavy = {"requests", "docker", "pycdlib", "textual", "rich", "yaml", "urllib3"}
    assert not heavy & run_verb("--help")


def test_help_is_quick() -> None:
    """Within 0.15 s of a bare interpreter; the best of several, as the machine has other work."""
    script = Path(sys.executable).with_name("airgap-tui")
    bare = [sys.executable, "-c", "pass"]
    ours = [str(script), "--help"] if script.exists() else [
        sys.executable, "-m", "airgap_tui", "--help"
    ]  # fmt: skip
    best = {"bare": 99.0, "ours": 99.0}
    for _ in range(15):
        for name, command in (("bare", bare), ("ours", ours)):
            begun = time.perf_counter()
            subprocess.run(
                command, check=True, stdout=subprocess.DEVNULL, timeout=60, env=dict(os.environ)
            )
            best[name] = min(best[name], time.perf_counter() - begun)
    assert best["ours"] - best["bare"] < 0.15
