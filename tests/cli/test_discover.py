"""`discover` from the command line: what is data, what is narration, and the list that it keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command

HISTORY = """\
#1748772000
docker run --rm nvcr.io/nvidia/pytorch:25.06-py3 nvidia-smi
#1748858400
docker run nvcr.io/nvidia/pytorch:25.06-py3
#1748858401
docker run lab/$MODEL:1
#1748858402
singularity exec library://lab/tool x
"""


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / ".bash_history"
    path.write_text(HISTORY)
    return path


def test_images_are_data_and_all_else_is_narration(command: Command, history: Path) -> None:
    ended = command("discover", ".bash_history")
    assert ended.code == 0
    title, row = ended.out.splitlines()
    assert title.split() == ["Image", "Seen", "Last", "use", "Sources"]
    assert row.split() == ["nvcr.io/nvidia/pytorch:25.06-py3", "2", "2025-06-02", "history"]
    assert "lab/$MODEL:1: it depends on $MODEL (.bash_history, line 6)" in ended.err
    assert "library://lab/tool" in ended.err
    assert "1 image in use, from 1 source." in ended.err
    quiet = command("discover", ".bash_history", "--quiet")
    assert quiet.out == ended.out
    assert "$MODEL" in quiet.err and "library://" not in quiet.err and "in use" not in quiet.err


def test_json_has_everything(command: Command, history: Path) -> None:
    document = command("discover", ".bash_history", "--json", "-o", "list.txt").document
    assert set(document) == {
        "images", "failed", "unresolved", "other", "warnings", "hosts", "sources", "tooOld",
        "stopped", "list",
    }  # fmt: skip
    (image,) = document["images"]
    assert (image["reference"], image["count"]) == ("nvcr.io/nvidia/pytorch:25.06-py3", 2)
    assert image["lastUsed"] == "2025-06-02T10:00:00Z"
    assert [(s["kind"], s["path"], s["line"]) for s in image["sources"]] == [
        ("history", ".bash_history", 2)
    ]
    assert [one["text"] for one in document["unresolved"]] == ["lab/$MODEL:1"]
    assert [one["text"] for one in document["other"]] == ["library://lab/tool"]
    assert document["list"]["added"] == ["nvcr.io/nvidia/pytorch:25.06-py3"]


def test_progress_as_json_lines_tells_each_source(command: Command, history: Path) -> None:
    import json

    ended = command("discover", ".bash_history", "--progress", "json")
    events = [json.loads(line) for line in ended.err.splitlines()]
    (read,) = [event for event in events if event["event"] == "source-read"]
    assert (read["kind"], read["path"], read["state"]) == ("history", ".bash_history", "read")
    assert read["found"] == 4


def test_a_file_that_cannot_be_read_is_a_warning_with_a_remedy(
    command: Command, history: Path
) -> None:
    ended = command("discover", ".bash_history", "--slurmd-log", "absent.log")
    assert ended.code == 1
    assert "absent.log: " in ended.err and "No such file" in ended.err
    assert "1 source not or not wholly read" in ended.err
    assert command("discover", "--slurmd-log", "absent.log").code == 4


def test_the_list_is_written_once_and_kept(command: Command, history: Path, tmp_path: Path) -> None:
    ended = command("discover", ".bash_history", "-o", "images_list.txt")
    assert "images_list.txt: 1 image added." in ended.err
    assert "airgap-tui plan -f images_list.txt" in ended.err
    written = tmp_path / "images_list.txt"
    assert "# 2 times, last 2025-06-02; history" in written.read_text()
    edited = written.read_text() + "# my own line\nubuntu:24.04\n"
    written.write_text(edited)
    again = command("discover", ".bash_history", "-o", "images_list.txt")
    assert "0 images added, 1 there already" in again.err
    assert written.read_text() == edited
    lost = command("discover", ".bash_history", "-o", "absent/list.txt")
    assert lost.code == 4 and "absent/list.txt" in lost.err and lost.out == ""


def test_age(command: Command, history: Path) -> None:
    ended = command("discover", ".bash_history", "--since", "2025-06-02")
    assert " 1  2025-06-02" in ended.out
    assert "1 use before --since left out." in ended.err
    ended = command("discover", ".bash_history", "--since", "1", "--json")
    assert ended.document["images"] == [] and ended.document["tooOld"] == 4


def test_what_is_hostile_reaches_no_terminal(command: Command, tmp_path: Path) -> None:
    (tmp_path / "hist\x1b]0;x\x07.sh").write_text(
        "#!/bin/sh\ndocker run \x1b[2Jx/y:1 $A\x1b[1m/b\n"
    )
    ended = command("discover", "--history", "hist\x1b]0;x\x07.sh", "-v")
    assert "\x1b" not in ended.out + ended.err
    assert "\x07" not in ended.out + ended.err


def test_hosts_of_an_inventory_that_cannot_be_reached(command: Command, tmp_path: Path) -> None:
    (tmp_path / "inventory").write_text(
        "[all]\nn1 ansible_host=127.0.0.1\nn2 ansible_host=127.0.0.2\n"
        "[all:vars]\nansible_port=1\nansible_ssh_extra_args=-x\n"
    )
    ended = command("discover", "--inventory", "inventory", "--timeout", "20")
    assert ended.code == 4
    assert "n1:ssh: it cannot be reached: ssh: connect to host 127.0.0.1 port 1" in ended.err
    assert "inventory: ansible_ssh_extra_args is not used" in ended.err
    assert "2 of 2 hosts not or not wholly read" in ended.err


def test_this_machine_beside_a_file(
    command: Command, history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = command("discover", ".bash_history", "--json").document
    assert {source["kind"] for source in document["sources"]} == {"history"}
    document = command("discover", ".bash_history", "--here", "--json").document
    kinds = {source["kind"] for source in document["sources"]}
    assert {"history", "enroot", "kubernetes"} <= kinds, "all of this machine's sources are told"
