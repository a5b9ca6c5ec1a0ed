"""Which keys can sign in the background: those in a real agent, and files without a passphrase."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap_tui.engine.bundle.signatures import signing_keys, ssh_signature
from airgap_tui.engine.cancel import CancelToken
from tests.services import run_program, short_directory
from tests.signing import NAME, Key, agent, make_key, sign

TOKEN = CancelToken()


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def test_the_agents_keys_sign_by_their_public_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert signing_keys.keys_in_agent(TOKEN) == ()
    key = make_key(tmp_path / "id", passphrase="")
    with short_directory() as directory, agent(key) as socket:
        assert directory
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        (found,) = signing_keys.keys_in_agent(TOKEN)
        assert (found.comment, found.fingerprint) == (NAME, key.fingerprint)
        assert not found.in_hardware
        made = signing_keys.public_file(found, tmp_path / "state", home=tmp_path)
        assert made.is_relative_to(tmp_path / "state")
        key.file.unlink()
        assert signing_keys.why_not(made, TOKEN) == ""
        assert sign(b"content", made).startswith(ssh_signature.HEAD)
        (tmp_path / ".ssh").mkdir()
        own = tmp_path / ".ssh" / "id.pub"
        own.write_text(key.public.read_text())
        assert signing_keys.public_file(found, tmp_path / "state", home=tmp_path) == own
    monkeypatch.delenv("SSH_AUTH_SOCK")
    assert signing_keys.why_not(made, TOKEN) == "Not in the agent: ssh-add loads it"


def test_a_locked_key_signs_once_it_is_in_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = make_key(tmp_path / "id")
    with short_directory() as directory, agent(locked) as socket:
        assert directory
        run_program("ssh-keygen", "-p", "-P", "", "-N", "correct horse", "-f", str(locked.file))
        assert signing_keys.why_not(locked.file, TOKEN) == "It has a passphrase: ssh-add it first"
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        assert signing_keys.why_not(locked.file, TOKEN) == ""
        assert sign(b"content", locked.file).startswith(ssh_signature.HEAD)


def test_the_private_file_beside_a_public_one_will_do(tmp_path: Path) -> None:
    key, locked = make_key(tmp_path / "id"), make_key(tmp_path / "locked", passphrase="correct")
    assert signing_keys.why_not(key.public, TOKEN) == ""
    assert sign(b"content", key.public).startswith(ssh_signature.HEAD)
    assert "passphrase" in signing_keys.why_not(locked.public, TOKEN)


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_file_without_a_passphrase_will_do(tmp_path: Path, kind: str) -> None:
    assert signing_keys.why_not(make_key(tmp_path / "id", kind).file, TOKEN) == ""


def test_why_a_file_will_not_do(tmp_path: Path) -> None:
    locked: Key = make_key(tmp_path / "locked", passphrase="correct horse")
    assert "passphrase" in signing_keys.why_not(locked.file, TOKEN)
    assert signing_keys.why_not(tmp_path / "none", TOKEN) == "There is no such file"
    (tmp_path / "text").write_text("no key at all\n")
    (tmp_path / "text").chmod(0o600)
    assert signing_keys.why_not(tmp_path / "text", TOKEN)
