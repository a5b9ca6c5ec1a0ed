"""`logins` and `login --for`: what a shell sees of them, and that no secret is in it."""

from __future__ import annotations

import base64
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_tui.engine.credentials.deepops import DeepOpsLogins
from airgap_tui.engine.credentials.enroot import EnrootCredentials
from tests.cli.conftest import Command
from tests.fakes.registry import FakeRegistry, Tokens
from tests.images import SampleImages

SECRET = "a-password-of-the-cli-test"
FILES = Path(__file__).parents[1] / "engine/credentials/files"
ENROOT = ".config/enroot/.credentials"


@pytest.fixture
def private() -> Iterator[FakeRegistry]:
    with FakeRegistry(tokens=Tokens(users={"robot": SECRET}, anonymous=False)) as fake:
        yield fake


@pytest.fixture
def home(environment: dict[str, str], tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    environment["ENROOT_SYSCONF_PATH"] = str(tmp_path)
    return tmp_path / "home"


def login(command: Command, host: str, *options: str, secret: str = SECRET) -> tuple[int, str, str]:
    arguments = ["login", host, "--username", "robot", "--password-stdin", *options]
    ended = command(*arguments, stdin=f"{secret}\n".encode())
    assert secret not in ended.out + ended.err
    return ended.code, ended.out, ended.err


def test_a_dry_run_shows_every_place_and_asks_and_writes_nothing(
    command: Command, home: Path, tmp_path: Path
) -> None:
    names = ["docker", "podman", "enroot", "apptainer", "singularity", "exports", "kubernetes"]
    options = [word for name in [*names, "kubectl", "playbook"] for word in ("--for", name)]
    ended = command("login", "nvcr.io", *options, "--dry-run")
    assert ended.code == 0
    for said in (
        "For docker: ~/.docker/config.json, mode 0600",
        "machine nvcr.io login $oauthtoken, machine authn.nvidia.com login $oauthtoken",
        "For exports: nothing is written",
        "Nothing is written: this is a dry run.",
    ):
        assert said in ended.err
    assert "export APPTAINER_DOCKER_USERNAME='$oauthtoken'" in ended.out
    assert "kubectl apply -f pull-nvcr.io.yaml" in ended.out
    assert "--docker-password" not in ended.out
    assert list(home.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    document = command("login", "nvcr.io", *options, "--dry-run", "--json").document
    assert document["dryRun"] is True
    assert [change["for"] for change in document["changes"]] == [*names, "kubectl", "playbook"]


def test_what_is_shown_is_written_once_the_login_is_accepted(
    command: Command, home: Path, private: FakeRegistry
) -> None:
    code, out, err = login(command, private.host, "--for", "enroot", "--for", "exports")
    assert code == 0
    assert err.index("For enroot: ~/.config/enroot/.credentials") < err.index("accepts robot")
    assert "enroot: written to ~/.config/enroot/.credentials." in err
    assert "read -rs APPTAINER_DOCKER_PASSWORD" in out
    found = EnrootCredentials.read(home / ENROOT).find(private.host)
    assert found is not None and found.secret == SECRET
    assert not (home / ".docker").exists()


def test_a_login_that_is_refused_is_written_nowhere(
    command: Command, home: Path, private: FakeRegistry
) -> None:
    code, _out, err = login(command, private.host, "--for", "enroot", secret="wrong-" + SECRET)
    assert code == 4
    assert "refused the login" in err
    assert list(home.iterdir()) == []


def test_deepops_with_the_vaults_password_from_a_file(
    command: Command, home: Path, private: FakeRegistry, tmp_path: Path
) -> None:
    (tmp_path / "vp").write_text("vault-password-of-the-test\n")
    options = ["--for", "deepops=vars.yml", "--vault-password-file", "vp"]
    code, out, err = login(command, private.host, *options)
    assert code == 0
    assert "the whole file is vaulted" in err and "-e @vars.yml" in out
    assert "vault-password-of-the-test" not in out + err
    data = (tmp_path / "vars.yml").read_bytes()
    found = DeepOpsLogins.parse(data, "it", "vault-password-of-the-test").find(private.host)
    assert found is not None and found.secret == SECRET
    code, _out, err = login(
        command, private.host, "--for", "deepops=vars.yml", "--vault-password-file", __file__
    )
    assert code == 4 and "does not open the vault" in err


def test_a_program_is_not_run_for_the_vaults_password(
    command: Command, home: Path, tmp_path: Path
) -> None:
    program = tmp_path / "vp"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run; echo secret\n")
    program.chmod(0o755)
    arguments = ["logins", "--from", str(FILES / "vault-1.1.yml")]
    for ended in (
        command(*arguments, "--vault-password-file", str(program)),
        command(*arguments, ANSIBLE_VAULT_PASSWORD_FILE=str(program)),
    ):
        assert ended.code == 2
        assert "is a program, and none is run" in ended.err
    assert not (tmp_path / "was-run").exists()


def test_what_wins_and_what_is_shadowed(
    command: Command, home: Path, private: FakeRegistry
) -> None:
    assert login(command, private.host)[0] == 0
    code, _out, err = login(command, private.host, "--for", "enroot", "--for", "podman")
    assert code == 0 and "wins over it" not in err
    seen = len(private.requests)
    ended = command("logins")
    assert len(private.requests) == seen, "nothing is sent"
    rows = [line.split() for line in ended.out.splitlines()]
    assert [private.host, "robot", "~/.docker/config.json", "Wins"] in [row[1:] for row in rows]
    assert ["robot", "~/.config/containers/auth.json", "Shadowed"] in rows
    assert ["robot", "~/.config/enroot/.credentials", "Shadowed"] in rows
    assert ended.code == 0
    assert SECRET not in ended.out + ended.err


def test_each_image_is_tested_and_a_cause_told_once(
    command: Command, home: Path, private: FakeRegistry, sample_images: SampleImages, tmp_path: Path
) -> None:
    there = private.add(sample_images.base)
    absent = [f"{there.rpartition(':')[0]}:absent-{number}" for number in range(3)]
    (tmp_path / "list.txt").write_text("\n".join([there, *absent]))
    assert login(command, private.host)[0] == 0
    ended = command("logins", "-f", "list.txt", "--test")
    assert ended.code == 1
    assert "1 of 4" in ended.out and "Accepted" in ended.out
    assert ended.err.count("(404)") == 1
    assert "3 images cannot be read: " in ended.err
    for name in absent:
        assert f"    {name}\n" in ended.err
    document = command("logins", "-f", "list.txt", "--test", "--json", "--quiet").document
    (registry,) = document["registries"]
    assert registry["standing"] == "accepted"
    assert [image["readable"] for image in registry["images"]] == [True, False, False, False]
    (failure,) = document["failures"]
    assert failure["images"] == absent


def test_a_vault_is_opened_with_what_is_typed(environment: dict[str, str], home: Path) -> None:
    terminal, slave = pty.openpty()
    arguments = ["logins", "--from", str(FILES / "vault-1.2.yml")]
    process = subprocess.Popen(
        [sys.executable, "-m", "airgap_tui", *arguments],
        stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    seen = typed(terminal, {b"not shown": b"fixture-vault-password\n"})
    assert process.wait(60) == 0, seen
    assert b"nvcr.io" in seen and b"$oauthtoken" in seen
    assert b"fixture-vault-password" not in seen and b"not-a-real" not in seen


def test_a_list_of_kubectl_out_of_a_pipe(command: Command, home: Path) -> None:
    data = json.dumps({"auths": {"reg.lan": {"username": "robot", "password": SECRET}}})
    secret = {
        "kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "metadata": {"name": "pull"},
        "data": {".dockerconfigjson": base64.b64encode(data.encode()).decode()},
    }  # fmt: skip
    ended = command(
        "logins", "--from", "/dev/stdin", stdin=json.dumps({"items": [secret]}).encode()
    )
    assert ended.code == 0
    assert ["reg.lan", "robot", "/dev/stdin,", "secret", "pull", "Used"] in [
        line.split()[1:] for line in ended.out.splitlines()
    ]
    absent = command("logins", "--from", "absent")
    assert absent.code == 4 and "there is no file absent" in absent.err


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 130), (b"\n", 0)])
def test_on_a_terminal_it_is_asked_before_anything_is_written(
    answer: bytes, code: int, environment: dict[str, str], home: Path, private: FakeRegistry
) -> None:
    terminal, slave = pty.openpty()
    arguments = ["login", private.host, "--username", "robot", "--for", "enroot"]
    process = subprocess.Popen(
        [sys.executable, "-m", "airgap_tui", *arguments],
        stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    seen = typed(terminal, {b"not shown": SECRET.encode() + b"\n", b"Write this?": answer})
    assert process.wait(60) == code, seen
    assert (home / ENROOT).exists() == (code == 0)
    assert b"machine 127.0.0.1 login robot" in seen
    assert SECRET.encode() not in seen


def typed(terminal: int, answers: dict[bytes, bytes]) -> bytes:
    """Type each answer once its question stands there; what the terminal showed to its end."""
    seen = b""
    while True:
        try:
            seen += os.read(terminal, 4096)
        except OSError:  # the program has ended
            os.close(terminal)
            return seen
        for question in [one for one in answers if one in seen]:
            os.write(terminal, answers.pop(question))


def test_without_logins(command: Command, home: Path) -> None:
    ended = command("logins")
    assert (ended.code, ended.out) == (0, "")
    assert "No registry has a login here" in ended.err


def test_control_characters_of_files_reach_no_terminal(command: Command, home: Path) -> None:
    path = home / ENROOT
    path.parent.mkdir(parents=True)
    path.write_text("machine a\x1b[31m.lan login \x1b]0;x\x07 password secret\n")
    ended = command("logins")
    assert "\x1b" not in ended.out + ended.err
