"""A key is made ready first and signs later, through the real ssh-keygen; nothing of it stays."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.signatures.signature import Standing
from airgap_tui.engine.bundle.signatures.signed_bundle import check
from airgap_tui.engine.bundle.signatures.ssh_signer import Signer
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import EnvironmentFailure
from tests.signing import Key, answering, make_key

TOKEN = CancelToken()


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Key:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return make_key(tmp_path / "id", passphrase="only for this test")


def users_of(key: Key) -> list[str]:
    """The processes that have the key on their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(key.file).encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


def test_the_passphrase_is_asked_once_for_all_that_is_signed_later(
    tmp_path: Path, locked: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answering("only for this test", tmp_path, monkeypatch)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    contents = (b"one\n", os.urandom(3 * 1024 * 1024))
    with Signer(locked.file, TOKEN, most=2) as signer:
        signer.make_ready()
        assert asked.read_text() == "asked\n"
        made = [signer.sign(content) for content in contents]
        signer.make_ready()
    assert asked.read_text() == "asked\n"
    allowed = locked.allowed(tmp_path / "allowed")
    for content, signature in zip(contents, made, strict=True):
        assert check(content, signature, allowed, TOKEN).standing is Standing.GOOD
    assert not list(tmp_path.glob("airgap-tui-*"))


def test_a_wrong_passphrase_is_told_when_it_is_typed(
    tmp_path: Path, locked: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering("another", tmp_path, monkeypatch)
    refusing = pytest.raises(EnvironmentFailure, match="incorrect passphrase")
    with Signer(locked.file, TOKEN) as signer, refusing as refused:
        signer.make_ready()
    assert "ssh-add" in refused.value.hint


def test_a_key_that_was_not_needed_is_let_go(tmp_path: Path) -> None:
    key = make_key(tmp_path / "id")
    with Signer(key.file, TOKEN) as signer:
        signer.make_ready()
        assert users_of(key)
    assert not users_of(key)


def test_a_touch_is_asked_for_when_there_is_something_to_sign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, program = make_key(tmp_path / "id"), tmp_path / "bin" / "ssh-keygen"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\necho Signing file >&2\necho 'Confirm user presence for key X' >&2\n"
        'exec /usr/bin/ssh-keygen "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    said: list[str] = []
    with Signer(key.file, TOKEN, said.append) as signer:
        signer.make_ready()
        assert said == []
        signer.sign(b"content")
    assert said == ["Confirm user presence for key X: touch it"]


def test_a_kill_leaves_no_key_in_memory(tmp_path: Path) -> None:
    key = make_key(tmp_path / "id")
    program = (
        "import os, pathlib, signal\n"
        "from airgap_tui.engine.bundle.signatures.ssh_signer import Signer\n"
        "from airgap_tui.engine.cancel import CancelToken\n"
        f"Signer(pathlib.Path({str(key.file)!r}), CancelToken()).make_ready()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=False, timeout=60)
    until = time.monotonic() + 20
    while users_of(key) and time.monotonic() < until:
        os.sched_yield()
    assert not users_of(key)
