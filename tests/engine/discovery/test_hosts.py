"""Hosts as people name them: one by one, as Slurm's ranges, in inventories of Ansible."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airgap_tui.engine.discovery.hosts import inventory, ssh
from airgap_tui.engine.discovery.hosts.ssh_host import (
    MOST_HOSTS,
    SshHost,
    distinct,
    expand_nodes,
    nodes,
    parse_host,
)
from airgap_tui.engine.errors import NotFound, UsageError


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("dgx01", SshHost("dgx01")),
        ("admin@dgx01", SshHost("admin@dgx01", "dgx01", "admin")),
        ("ssh://admin@dgx01:2222/", SshHost("admin@dgx01:2222", "dgx01", "admin", 2222)),
        ("dgx01.lab.example:22", SshHost("dgx01.lab.example:22", "dgx01.lab.example", "", 22)),
        ("ann@corp.lan@dgx01", SshHost("ann@corp.lan@dgx01", "dgx01", "ann@corp.lan")),
        ("fe80::1%eth0", SshHost("fe80::1%eth0")),
        ("[::1]:2222", SshHost("[::1]:2222", "::1", "", 2222)),
        ("root@[fd00::7]", SshHost("root@[fd00::7]", "fd00::7", "root")),
    ],
)
def test_one_host(text: str, host: SshHost) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "-oProxyCommand=touch /tmp/x",
        "--",
        "-l@dgx01",
        "root@-oProxyCommand=x",
        "dgx01;reboot",
        "$(reboot)",
        "a b",
        "dgx01\n",
        "dgx01\x1b[2J",
        "",
        "@dgx01",
        "root@",
        "root:secret@dgx01",
        "dgx01:ssh",
        "dgx01:99999",
        "[::1",
        "a" * 300,
    ],
)
def test_what_is_no_host_is_refused_before_ssh_sees_it(text: str) -> None:
    if text == "dgx01\n":  # white space around is a slip, not a host
        assert parse_host(text) == SshHost("dgx01")
        return
    with pytest.raises(UsageError):
        parse_host(text)


@given(st.text(max_size=40))
@example("-x")
def test_no_text_becomes_an_option_of_ssh(text: str) -> None:
    try:
        command = ssh.command(parse_host(text))
    except UsageError:
        return
    assert command[-1] == "sh -s"
    assert command[-3] == "--"
    assert not command[-2].startswith("-")
    if "-l" in command:
        assert not command[command.index("-l") + 1].startswith("-")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("login1", ["login1"]),
        ("dgx[01-04,7],login1", ["dgx01", "dgx02", "dgx03", "dgx04", "dgx7", "login1"]),
        ("dgx[8-11]", ["dgx8", "dgx9", "dgx10", "dgx11"]),
        ("dgx[008-010]-ib", ["dgx008-ib", "dgx009-ib", "dgx010-ib"]),
        ("r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
        ("a, b ,a,", ["a", "b"]),
    ],
)
def test_node_ranges_of_slurm(text: str, found: list[str]) -> None:
    assert list(expand_nodes(text)) == found


def test_a_user_before_a_range_is_of_all_its_nodes() -> None:
    assert [(h.name, h.user) for h in nodes("root@dgx[1-2],login1")] == [
        ("root@dgx1", "root"),
        ("root@dgx2", "root"),
        ("root@login1", "root"),
    ]


@pytest.mark.parametrize(
    "text",
    ["", ",", "dgx[", "dgx]", "dgx[1-2", "dgx[a-b]", "dgx[4-1]", "dgx[]", "a[[1]]", "dgx[1-99999]"],
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        expand_nodes(text)


def test_a_huge_range_costs_nothing() -> None:
    for text in ("a[0-999999999999999999]", ",".join(["n[1-4096]"] * 2) + ",x", "a[1-65]" * 2):
        with pytest.raises(UsageError, match=str(MOST_HOSTS)):
            expand_nodes(text)


def test_a_host_named_twice_is_asked_once() -> None:
    assert [h.name for h in distinct(map(parse_host, ("a", "root@a", "a", "b")))] == [
        "a",
        "root@a",
        "b",
    ]


DEEPOPS = b"""\
# Server Inventory File
[all]
mgmt01     ansible_host=10.0.0.1
dgx[01:03] ansible_user='dgxadmin' # quoted
login01:2222
localhost  ansible_connection=local

[kube-master]
mgmt01

[slurm-node]
dgx[01:03]

[slurm-node:vars]
ansible_user=from-group
ansible_ssh_private_key_file='~/.ssh/id_dgx'

[slurm-cluster:children]
slurm-node
kube-master

[slurm-cluster:vars]
ansible_port = 2200   # a comment
[all:vars]
ansible_user=ubuntu
ansible_port=22
# SSH bastion/jumpbox
#ansible_ssh_common_args='-o ProxyCommand="ssh -W %h:%p -q bastion01"'
"""


def test_the_inventory_of_deepops() -> None:
    read = inventory.parse(DEEPOPS, "inventory")
    assert read.this_machine
    assert read.remarks == ()
    found = {host.name: host for host in read.hosts}
    assert list(found) == ["mgmt01", "dgx01", "dgx02", "dgx03", "login01:2222"]
    assert found["mgmt01"] == SshHost("mgmt01", "10.0.0.1", "ubuntu", 2200)
    assert found["dgx02"] == SshHost("dgx02", "", "dgxadmin", 2200, "~/.ssh/id_dgx")
    assert found["login01:2222"] == SshHost("login01:2222", "login01", "ubuntu", 22)


def test_a_user_with_a_blank_is_refused() -> None:
    with pytest.raises(UsageError, match="not a user"):
        inventory.parse(b"[all]\ndgx01 ansible_user='dgx admin'\n")


YAML = b"""\
---
all:
  vars: {ansible_user: ubuntu, secret: !vault "$ANSIBLE_VAULT;1.1;AES256"}
  hosts:
    login[a:c:2]:
  children:
    slurm-cluster:
      vars: {ansible_port: 2222}
      children:
        slurm-node:
          hosts:
            dgx[08:10]: {ansible_ssh_user: admin}
            dgx08: {ansible_host: 10.1.0.8, ansible_user: root}
            windows: {ansible_connection: winrm}
"""


def test_an_inventory_in_yaml() -> None:
    read = inventory.parse(YAML, "hosts")
    found = {host.name: host for host in read.hosts}
    assert list(found) == ["logina", "loginc", "dgx08", "dgx09", "dgx10"]
    assert found["logina"] == SshHost("logina", "", "ubuntu")
    assert (found["dgx08"].address, found["dgx08"].port) == ("10.1.0.8", 2222)
    assert read.remarks == ("hosts: windows is reached by winrm, not by ssh",)


def test_what_is_not_used_of_an_inventory_is_told_once() -> None:
    read = inventory.parse(
        b"[g]\nn[1:9] ansible_host={{ ip }}\n[g:vars]\nansible_ssh_common_args=-J bastion\n", "inv"
    )
    assert len(read.hosts) == 9
    assert "inv: ansible_ssh_common_args is not used; what ssh needs belongs in ~/.ssh/config" in (
        read.remarks
    )
    assert sum("ansible_ssh_common_args" in remark for remark in read.remarks) == 1
    assert "inv: ansible_host of n1 is a template, and is not used" in read.remarks


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[all]\n",
        b"[all]\n-oProxyCommand=x\n",
        b"[all]\na ansible_host=-oProxyCommand=x\n",
        b"[all]\na ansible_user=-x\n",
        b"[all]\na ansible_port=ssh\n",
        b"[all]\na ansible_port=70000\n",
        b"[all]\na 'open\n",
        b"[all]\nn[1:99999]\n",
        b"[all]\nn[4:1]\n",
        b"[all]\nn[1:9:0]\n",
        b"[all]\nn[1:999999]m[1:999999]\n",
        b"#!/usr/bin/python3\n",
        b"\xff\xfe",
        b"$ANSIBLE_VAULT;1.1;AES256\n62",
        b"---\n- a\n",
        b"---\nall: text\n",
        b"---\nall: {hosts: {a: {ansible_host: [}}\n",
        b"---\nall: &a {children: {b: *a}}\n",
    ],
)
def test_a_bad_inventory_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(UsageError, match="inv"):
        inventory.parse(content, "inv")


def test_groups_in_a_circle_end() -> None:
    read = inventory.parse(b"[a:children]\nb\n[b:children]\na\n[b]\nn1\n[a:vars]\nansible_user=x\n")
    assert read.hosts == (SshHost("n1", "", "x"),)


@given(
    st.one_of(st.binary(max_size=300), st.text("[]:=\n aon1{}-\"'#", max_size=80).map(str.encode))
)
def test_no_bytes_crash_it(content: bytes) -> None:
    try:
        read = inventory.parse(content)
    except UsageError:
        return
    assert all(not host.destination.startswith("-") for host in read.hosts)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        inventory.read(tmp_path / "absent")
    with pytest.raises(UsageError, match="directory"):
        inventory.read(tmp_path)
    (tmp_path / "hosts.yml").write_bytes(YAML)
    assert len(inventory.read(tmp_path / "hosts.yml").hosts) == 5
