"""The NGC catalogue in a real terminal, by keys alone: from a search to a verified bundle.

NGC runs as a process of its own, with a public repository and one that needs the key.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import services
from tests.e2e import command
from tests.e2e.online_walk import seal
from tests.e2e.terminal import Terminal


@pytest.fixture
def ngc() -> Iterator[dict[str, Any]]:
    """What the process told: `environment`, `key`, `dockerConfig`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.ngc"],
        stdout=subprocess.PIPE,
        text=True,
        env=command.environment(),
        cwd=command.ROOT,
    )
    assert process.stdout is not None
    with process.stdout:
        told: dict[str, Any] = json.loads(process.stdout.readline())
    yield told
    process.terminate()
    assert process.wait(services.PATIENCE) == 0


@pytest.fixture
def terminal(ngc: dict[str, Any]) -> Iterator[Terminal]:
    with services.short_directory() as home, Terminal(home, ngc["environment"]) as terminal:
        yield terminal


def to_catalogue(terminal: Terminal) -> None:
    terminal.start()
    terminal.wait("Welcome", "Collect images")
    terminal.reach("Collect images", key="Down")
    terminal.press("Enter")
    terminal.wait("Choose the images to carry.", "▸ Add one")
    terminal.press("Tab", "Tab")
    terminal.wait("▸ Add many   [ NGC catalogue ]")
    terminal.press("Enter")
    terminal.wait("NGC catalogue. Chosen tags join your list", "▸ Search")


def pytorch(terminal: Terminal) -> None:
    """Type the search and the rule of the drawn screen."""
    terminal.type("pytorch")
    terminal.wait("2 of ", " match", "● nvidia/pytorch", "25.06-py3-igpu")
    terminal.press("Enter")
    terminal.wait("▸ [x] 25.06-py3 ", "Tab repositories")
    terminal.press("Tab", "Tab")
    terminal.wait("▸ Rule   Newest")
    terminal.press("End", "C-u")
    terminal.type("2")
    terminal.press("Tab")
    terminal.wait("▸ Variants")
    terminal.type("*-py3")
    terminal.press("Tab")
    terminal.wait("▸ From")
    terminal.type("25.01")
    terminal.wait("2 chosen, 22.2 GB before sharing", "Beyond newest 2", "Before 25.01")


def test_from_a_search_to_a_bundle(terminal: Terminal, ngc: dict[str, Any]) -> None:
    bundle = terminal.directory / "pod"
    to_catalogue(terminal)
    terminal.wait("8 repositories, public images only")
    pytorch(terminal)
    terminal.press("Enter")
    terminal.wait("▸ [x] 25.06-py3")
    terminal.press("Down", "Down", "Space")
    terminal.wait("Chosen by hand", "[ Add 3 tags ]")
    terminal.press("Enter")
    terminal.wait("▸ [ Add 3 tags ]")
    terminal.press("Enter")
    terminal.wait("3 of 4 are chosen", "▸ [x]", "In NGC since 2025-06-24, 11.2 GB; newest")
    terminal.reach("Add many   [ NGC catalogue ]", key="BTab")
    terminal.press("Enter")
    terminal.wait("[pytorch ", "[2 ]", "[*-py3 ", "[25.01 ]", "Chosen by hand")
    terminal.press("Escape")
    terminal.wait("3 of 4 are chosen")
    terminal.reach("[ Next: Logins ]")
    terminal.press("Enter")
    terminal.wait("All 3 images can be read. No login is missing.")
    terminal.reach("[ Next: Review ]")
    terminal.press("Enter")
    terminal.wait("to download", "▸ [ Save ")
    terminal.reach("Save to", key="BTab")
    terminal.press("C-a", "C-k")
    terminal.wait("Give a directory")
    terminal.reach("Save to", key="BTab")
    terminal.type(str(bundle))
    terminal.press("Enter")
    terminal.wait("free, ", "needed")
    terminal.reach("[ Save 3 images ]")
    terminal.press("Enter")
    terminal.wait("every byte read")
    seal(terminal)
    terminal.press("Enter")
    assert terminal.ended() == 0
    items = command.airgap_tui("verify", bundle, "--json").document["items"]
    tags = {item["reference"].rpartition(":")[2] for item in items}
    assert tags == {"25.06-py3", "25.05-py3", "25.04-py3"}


def test_with_a_key_by_ascii_alone(terminal: Terminal, ngc: dict[str, Any]) -> None:
    docker = terminal.directory / ".docker"
    docker.mkdir()
    Path(docker / "config.json").write_text(json.dumps(ngc["dockerConfig"]))
    terminal.type("export NO_COLOR=1")
    terminal.press("Enter")
    terminal.start("--ascii")
    terminal.wait("Welcome", "> ")
    for _ in range(20):
        if "> Collect images" in terminal.screen:
            break
        terminal.press("Down")
    terminal.press("Enter")
    terminal.wait("Choose the images to carry.", "> Add one")
    terminal.press("Tab", "Tab")
    terminal.wait("> Add many   [ NGC catalogue ]")
    terminal.press("Enter")
    terminal.wait("10 repositories, with acme, acme/hpc")
    terminal.type("mesher")
    screen = terminal.wait("1 of 10 match", "* acme/hpc/mesher", "[x] 0.20.1")
    assert screen.isascii()
    assert re.search(r"Command  airgap-tui ngc select acme/hpc/mesher --latest 1", screen)
    assert ngc["key"] not in screen
    terminal.press("Enter")
    terminal.wait("> [x] 0.20.1")
    terminal.press("Enter")
    terminal.wait("> [ Add 1 tag ]")
    terminal.press("Enter")
    terminal.wait("1 of 2 is chosen", "acme/hpc/mesher")
    terminal.press("F10")
    assert terminal.ended() == 0
