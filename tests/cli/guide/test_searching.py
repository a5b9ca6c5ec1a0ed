"""Images in use, found by prompts alone: where to look, a stop, what is chosen and what is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import services
from tests.cli.guide.conftest import Conversation, Talk
from tests.cli.guide.test_crossing import plain, to_images

HISTORY = """\
#1748772000
docker run --rm nvcr.io/nvidia/pytorch:25.06-py3 nvidia-smi
#1748858400
docker run nvcr.io/nvidia/pytorch:25.06-py3
#1748858401
docker run lab/$MODEL:1
"""


@pytest.fixture
def history(tmp_path: Path) -> None:
    (tmp_path / ".bash_history").write_text(HISTORY)


def asked_where(conversation: Conversation, hosts: str, files: str) -> None:
    to_images(conversation)
    conversation.choose("Find images in use")
    conversation.hear(r"Look on this machine, y or n \[y\]: ")
    conversation.answer("n")
    conversation.hear("Other hosts, may be empty: ")
    conversation.answer(hosts)
    conversation.hear("Files or directories, may be empty: ")
    conversation.answer(files)


def test_found_chosen_and_added(talk: Talk, history: None) -> None:
    conversation = talk()
    to_images(conversation)
    conversation.choose("Find images in use")
    conversation.hear(r"Look on this machine, y or n \[y\]: ")
    conversation.answer("n")
    conversation.hear("Other hosts, may be empty: ")
    conversation.answer("dgx[1-")
    conversation.hear("! Not a range of nodes")
    conversation.hear("Other hosts, may be empty: ")
    conversation.answer()
    conversation.hear("Files or directories, may be empty: ")
    conversation.answer("absent")
    conversation.hear("! There is no such file: absent")
    conversation.hear("Files or directories, may be empty: ")
    conversation.answer(".bash_history")
    conversation.hear(r"airgap-tui discover \.bash_history")
    conversation.choose("Look in 1 place")
    conversation.hear("This machine: Read; 3 names found")
    conversation.hear("1 of 1 image in use is chosen; 1 other name is not")
    conversation.hear("chosen; used 2 times, last on 2025-06-02, in a shell history")
    conversation.choose("Show the names left aside")
    conversation.hear(r"lab/\$MODEL:1")
    conversation.hear(r"it depends on \$MODEL; \.bash_history, line 6")
    conversation.choose("Choose images or leave them out")
    conversation.hear("leave out if they are chosen .*: ")
    conversation.answer("1")
    conversation.hear("0 of 1 image in use are chosen")
    conversation.choose("Choose images or leave them out")
    conversation.hear("leave out if they are chosen .*: ")
    conversation.answer("1")
    conversation.choose("Add 1 image")
    conversation.hear("Added 1 image")
    conversation.hear(r"pytorch:25.06-py3: chosen; history, used 2 times")
    conversation.choose("Go on to Logins")
    conversation.answer("q")
    plain(conversation.text)


def test_ctrl_c_keeps_what_was_found(talk: Talk, history: None, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    (tmp_path / "bin").mkdir()
    ssh = tmp_path / "bin" / "ssh"
    ssh.write_text(f"#!/bin/sh\ntouch {begun}\nexec sleep 60\n")
    ssh.chmod(0o755)
    conversation = talk(PATH=f"{ssh.parent}:{os.environ['PATH']}")
    asked_where(conversation, "node1", ".bash_history")
    conversation.hear(r"airgap-tui discover --host node1 \.bash_history")
    conversation.choose("Look on 1 machine")
    conversation.hear("This machine: Read; 3 names found")
    services.wait_for(begun.exists, what="node1 is asked")
    conversation.press(b"\x03")
    conversation.hear("node1: Stopped before all of it was read")
    conversation.hear("Stopped. 1 of 1 image in use is chosen")
    conversation.choose("Look elsewhere")
    conversation.hear(r"Look on this machine, y or n \[n\]: ")
    conversation.answer("q")
    assert conversation.end() == 0
    plain(conversation.text.replace("^C", ""))
