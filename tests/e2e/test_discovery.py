"""Discovery as an administrator runs it: over ssh, into a list, stopped half way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airgap_tui.engine import images_list
from tests import services
from tests.e2e import command
from tests.services import SshServer

pytestmark = pytest.mark.sshd


def furnish(server: SshServer, address: str, history: str, programs: dict[str, str]) -> None:
    home = server.home(address)
    (home / ".bash_history").write_text(history)
    programs = {"getent": f"echo root:x:0:0::{home}:/bin/sh", **programs}
    for name, body in programs.items():
        path = server.bin(address) / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)


def test_a_cluster_into_a_list(ssh_server: SshServer, tmp_path: Path) -> None:
    image = "nvcr.io/nvidia/pytorch:25.06-py3"
    secret = "nvapi-" + "Qx7" * 15
    sacct = "printf 'JobID|Submit|State|SubmitLine\\n1|2025-06-01T10:00:00|COMPLETED|"
    sacct += "srun --container-image nvcr.io#nvidia/nemo:25.04 x\\n'"
    furnish(ssh_server, "127.0.0.1", f"docker run {image}\n", {"sacct": sacct})
    furnish(
        ssh_server,
        "127.0.0.2",
        f"docker login -u '$oauthtoken' -p {secret} nvcr.io\ndocker run {image}\n",
        {"sacct": sacct},
    )
    listed = tmp_path / "images_list.txt"
    listed.write_text("# what we carry\nubuntu:24.04\n")
    arguments = [*("discover", "--nodes", "node[1-2],node9", "--live", "history")]
    arguments += ["--live", "submit-line", "-o", str(listed)]
    finished = command.airgap_tui(*arguments, "--json", code=1)
    images = {one["reference"]: one for one in finished.document["images"]}
    assert set(images) == {image, "nvcr.io/nvidia/nemo:25.04"}
    assert [source["host"] for source in images[image]["sources"]] == ["node1", "node2"]
    assert images["nvcr.io/nvidia/nemo:25.04"]["count"] == 1, "one cluster is asked once"
    hosts = {host["host"]: host for host in finished.document["hosts"]}
    assert [hosts[name]["state"] for name in ("node1", "node2", "node9")] == [
        "done",
        "done",
        "failed",
    ]
    assert "refused" in hosts["node9"]["error"] and hosts["node9"]["hint"]
    assert secret not in finished.out + finished.err + listed.read_text()
    lines = listed.read_text().splitlines()
    assert lines[:2] == ["# what we carry", "ubuntu:24.04"]
    assert f"{image}    # 2 times; node1, node2: history" in lines
    again = command.airgap_tui(*arguments, code=1)
    assert "0 images added, 2 there already" in again.err
    assert listed.read_text().splitlines() == lines
    assert len(images_list.parse([images_list.read(listed)]).references) == 3


def test_ctrl_c_tells_what_was_found(ssh_server: SshServer, tmp_path: Path) -> None:
    slow = f"while [ -d {ssh_server.directory} ]; do sleep 0.1; done"
    furnish(ssh_server, "127.0.0.1", "docker run lab/tool:1\n", {"sacct": slow})
    listed = tmp_path / "list.txt"
    arguments = ("discover", "--host", "node1", "--json", "--progress", "json", "-o", listed)
    process = command.start(*arguments)
    assert process.stderr is not None
    for line in process.stderr:  # until the history is read; the rest never ends
        if json.loads(line).get("found"):
            break
    services.interrupt(process)
    finished = command.finish(process)
    assert finished.code == 130
    assert "Stopping; what was found is told." in finished.err
    assert finished.document["stopped"] is True
    assert [one["reference"] for one in finished.document["images"]] == ["docker.io/lab/tool:1"]
    assert "docker.io/lab/tool:1" in listed.read_text()
