"""Images in use found in a real terminal, by keys alone: in files, and on hosts over ssh."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal
from tests.services import SshServer

HISTORY = """\
#1748858400
docker run nvcr.io/nvidia/pytorch:25.06-py3
#1748858401
docker run lab/$MODEL:1
"""


def to_where(terminal: Terminal) -> None:
    """From Welcome to the question where to look."""
    terminal.start()
    terminal.wait("Welcome", "Collect images")
    terminal.reach("Collect images", key="Down")
    terminal.press("Enter")
    terminal.wait("Choose the images to carry.")
    terminal.reach("[ Find images in use ]")
    terminal.press("Enter")
    terminal.wait("Where are images in use?", "▸ [ Look on this machine ]")


def test_files_given_by_path(home: Path) -> None:
    (home / "histories").mkdir()
    (home / "histories" / ".bash_history").write_text(HISTORY)
    with Terminal(home) as terminal:
        to_where(terminal)
        terminal.reach("Look in", key="BTab")
        terminal.press("Space")
        terminal.wait("Not yet: choose where to look.")
        terminal.reach("Files")
        terminal.type("histories")
        terminal.wait("1 path", "[ Look in 1 place ]", "airgap-tui discover histories")
        terminal.reach("[ Look in 1 place ]")
        terminal.press("Enter")
        terminal.wait("1 of 1 image in use is chosen; 1 other name is not.", "2025-06-02")
        terminal.press("o")
        terminal.wait("lab/$MODEL:1", "it depends on $MODEL")
        terminal.press("Escape")
        terminal.reach("[ Add 1 image ]")
        terminal.press("Enter")
        terminal.wait("1 of 2 is chosen", "▸ [x] nvcr.io/nvidia/pytorch", "history")
        terminal.reach("[ Find images in use ]")
        terminal.press("Enter")
        terminal.wait("Looked in  1 path", "1 of 1 image in use is chosen")
        terminal.press("Escape")
        terminal.wait("Choose the images to carry.")
        terminal.press("F10")
        assert terminal.ended() == 0


@pytest.mark.sshd
def test_hosts_over_ssh_and_a_stop(ssh_server: SshServer, home: Path) -> None:
    begun = home / "begun"
    (ssh_server.home("127.0.0.1") / ".bash_history").write_text(HISTORY)
    for address in ("127.0.0.1", "127.0.0.2"):
        getent = ssh_server.bin(address) / "getent"
        getent.write_text(f"#!/bin/sh\necho root:x:0:0::{ssh_server.home(address)}:/bin/sh\n")
        getent.chmod(0o755)
    slow = ssh_server.bin("127.0.0.2") / "docker"
    slow.write_text(f"#!/bin/sh\ntouch {begun}\nwhile [ -d {home} ]; do sleep 0.1; done\n")
    slow.chmod(0o755)
    with Terminal(home) as terminal:
        to_where(terminal)
        terminal.reach("Look in", key="BTab")
        terminal.press("Space")
        terminal.press("Tab")
        terminal.type("node[1-2],node9")
        terminal.wait("3 hosts", "[ Look on 3 machines ]")
        terminal.reach("[ Look on 3 machines ]")
        terminal.press("Enter")
        terminal.wait("Looking:", "No answer: connection refused", until=begun.exists)
        terminal.wait("shell histories", "2 names", timeout=60)
        terminal.press("Escape")
        terminal.wait("Stopped. 1 of 1 image in use is chosen", "[ Add 1 image ]")
        terminal.wait("Stopped before all of it was read")
        terminal.press("F10")
        assert terminal.ended() == 0
