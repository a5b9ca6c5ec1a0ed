"""Keys to sign with: files, an agent that holds one, and lists of who is trusted."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.signatures.ssh_signer import Signer
from airgap_tui.engine.cancel import CancelToken
from tests import services

NAME = "ops@example.org"


@dataclass(frozen=True, slots=True)
class Key:
    """A key pair of OpenSSH; `file` is the private one."""

    file: Path

    @property
    def public(self) -> Path:
        return self.file.with_name(f"{self.file.name}.pub")

    @property
    def fingerprint(self) -> str:
        done = services.run_program("ssh-keygen", "-l", "-E", "sha256", "-f", str(self.public))
        return done.stdout.split()[1]

    def allowed(self, path: Path, name: str = NAME, options: str = "") -> Path:
        """A list of allowed signers with this one in it."""
        kind, key = self.public.read_text().split()[:2]
        with path.open("a") as file:
            file.write(f"{name} {options}{' ' if options else ''}{kind} {key}\n")
        return path


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Key:
    services.program("ssh-keygen")
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", NAME, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=60)
    return Key(path)


def sign(content: bytes, key: Path) -> bytes:
    with Signer(key, CancelToken()) as signer:
        return signer.sign(content)


def answering(passphrase: str, directory: Path, patch: pytest.MonkeyPatch, note: str = "") -> Path:
    """Let `ssh-keygen` ask a program for passphrases, as on a desktop; the file that has a line for
    each time that it was asked: what the shell command `note` prints then, usually "asked"."""
    seen, program = directory / "asked", directory / "ask-for-passphrase"
    program.write_text(f"#!/bin/sh\n{{ {note or 'echo asked'}; }} >> {seen}\necho '{passphrase}'\n")
    program.chmod(0o755)
    patch.setenv("SSH_ASKPASS", str(program))
    patch.setenv("SSH_ASKPASS_REQUIRE", "force")
    return seen


@contextmanager
def agent(key: Key) -> Iterator[str]:
    """An agent that holds the key; the path of its socket."""
    services.program("ssh-agent")
    started = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True)
    found = re.search(r"SSH_AUTH_SOCK=([^;]+);.*SSH_AGENT_PID=(\d+);", started.stdout, re.DOTALL)
    assert found is not None
    environment = {**os.environ, "SSH_AUTH_SOCK": found[1], "SSH_AGENT_PID": found[2]}
    try:
        subprocess.run(
            ["ssh-add", "-q", str(key.file)], check=True, env=environment, timeout=60
        )  # fmt: skip
        yield found[1]
    finally:
        subprocess.run(["ssh-agent", "-k"], env=environment, capture_output=True, check=False)


@contextmanager
def gpg_home(path: Path, *names: str) -> Iterator[dict[str, str]]:
    """A keyring of its own with a key for each name; the environment that uses it."""
    services.program("gpg")
    path.mkdir(mode=0o700)
    environment = {**os.environ, "GNUPGHOME": str(path)}
    try:
        for name in names:
            gpg(
                environment, "--passphrase", "", "--quick-gen-key", name, "ed25519", "sign", "never"
            )
        yield environment
    finally:
        subprocess.run(
            ["gpgconf", "--kill", "all"], env=environment, capture_output=True, check=False
        )  # fmt: skip


def gpg(environment: dict[str, str], *arguments: str) -> bytes:
    command = ["gpg", "--batch", "--no-tty", "--quiet", "--pinentry-mode", "loopback", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
    return done.stdout
