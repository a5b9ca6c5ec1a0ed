"""Help: every verb has one, with an example, in 80 columns, and it is told without the verb."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys

import click
import pytest

from airgap_tui import __version__
from airgap_tui.cli import main
from airgap_tui.cli.main import _VERBS, airgap_tui, run
from tests.cli.conftest import Command

VERBS = sorted(_VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert re.search(rf"Example:\n  +airgap-tui {verb}\b", shown.out)
    assert max(map(len, shown.out.splitlines())) <= 80
    for option in ("--json", "--progress", "--quiet", "--verbose"):
        assert option in shown.out


@pytest.mark.parametrize("verb", VERBS)
def test_the_short_help_of_a_verb_is_how_its_own_begins(verb: str) -> None:
    module, short = _VERBS[verb]
    command: click.Command = getattr(
        importlib.import_module(f"airgap_tui.cli.{module}"), main._FUNCTIONS.get(verb, verb)
    )
    assert " ".join((command.help or "").split()).startswith(short)


@pytest.mark.parametrize("verb", VERBS)
def test_no_option_takes_a_secret(verb: str) -> None:
    command = airgap_tui.get_command(click.Context(airgap_tui), verb)
    assert command is not None
    files = {"key", "client_key", "cosign_key", "tls_key", "htpasswd", "vault_password_file"}
    values = [p.name for p in command.params if not getattr(p, "is_flag", False)]
    assert [n for n in values if n not in files and re.search("pass|secret|token|key$", n)] == []


@pytest.mark.parametrize("arguments", [["--help"], ["-h"]])
def test_the_help_of_all_lists_every_verb(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 0
    out = capsys.readouterr().out
    for verb in VERBS:
        assert re.search(rf"^  {verb} +[A-Z]", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 80


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"airgap-tui {__version__}\n"


def test_without_a_verb_and_a_terminal_a_hint_goes_to_stderr_and_the_code_is_2(
    command: Command,
) -> None:
    ended = command()
    assert ended.code == 2
    assert ended.out == ""
    assert "need a terminal" in ended.err
    assert "--help" in ended.err and "--plain" in ended.err


def test_help_is_told_without_importing_a_verb_or_the_engine(command: Command) -> None:
    script = (
        "import sys; sys.argv = ['airgap-tui', '--help']\n"
        "from airgap_tui.cli.main import run\n"
        "run(['--help'])\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    modules = set(done.stderr.split())
    assert not {m for m in modules if m.startswith("airgap_tui.engine.jobs")}
    assert not {"airgap_tui.cli.saving", "airgap_tui.engine.settings"} & modules
    assert not {"importlib.metadata", "rich", "requests", "docker", "yaml", "asyncio"} & modules
