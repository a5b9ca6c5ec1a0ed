"""Ansible Vault: files that `ansible-vault` made, own ones, and what is broken in which way."""

from __future__ import annotations

import binascii
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap_tui.engine.credentials import ansible_vault
from airgap_tui.engine.credentials.ansible_vault import Vault
from airgap_tui.engine.errors import AccessDenied, AirgapError, MalformedContent, UsageError

FILES = Path(__file__).parent / "files"
PASSWORD = "fixture-vault-password"


@pytest.mark.parametrize(("name", "label"), [("vault-1.1.yml", ""), ("vault-1.2.yml", "site")])
def test_files_of_the_real_program(name: str, label: str) -> None:
    data = (FILES / name).read_bytes()
    assert ansible_vault.is_vault(data)
    assert Vault.parse(data, name).label == label
    opened = ansible_vault.decrypt(data, PASSWORD, name)
    assert opened == (FILES / "plain.yml").read_bytes()


def test_the_same_salt_gives_the_very_bytes_of_the_real_program() -> None:
    for name in ("vault-1.1.yml", "vault-1.2.yml"):
        data = (FILES / name).read_bytes()
        known = Vault.parse(data, name)
        plain = (FILES / "plain.yml").read_bytes()
        assert ansible_vault.encrypt(plain, PASSWORD, known.label, known.salt) == data


@settings(max_examples=30)
@given(st.binary(max_size=200), st.text(min_size=1, max_size=20), st.sampled_from(["", "a", "é-1"]))
def test_what_was_encrypted_is_decrypted(text: bytes, password: str, label: str) -> None:
    password = password.encode("utf-8", "ignore").decode() or "x"
    data = ansible_vault.encrypt(text, password, label)
    assert max(map(len, data.splitlines())) <= 80
    assert Vault.parse(data, "it").label == label
    assert ansible_vault.decrypt(data, password, "it") == text


def test_a_wrong_password_is_told_and_not_shown() -> None:
    data = (FILES / "vault-1.2.yml").read_bytes()
    with pytest.raises(AccessDenied, match="does not open the vault 'site'") as refused:
        ansible_vault.decrypt(data, "wrong-password-of-this-test", "vars.yml")
    assert str(refused.value).startswith("vars.yml: ")
    assert "wrong-password" not in str(refused.value) + refused.value.hint


def test_tampering_is_told() -> None:
    data = ansible_vault.encrypt(b"docker_login_registries: []\n", PASSWORD)
    vault = Vault.parse(data, "it")
    for part in range(3):
        fields = [vault.salt, vault.digest, vault.ciphertext]
        fields[part] = bytes([fields[part][0] ^ 1]) + fields[part][1:]
        digits = binascii.hexlify(b"\n".join(map(binascii.hexlify, fields)))
        with pytest.raises(AccessDenied, match="or it was altered"):
            ansible_vault.decrypt(b"$ANSIBLE_VAULT;1.1;AES256\n" + digits, PASSWORD, "it")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"$ANSIBLE_VAULT;1.1;AES256", "cut off or damaged"),
        (b"$ANSIBLE_VAULT;1.1;AES256\nzz", "cut off or damaged"),
        (b"$ANSIBLE_VAULT;1.1;AES256\n616263", "cut off or damaged"),
        (b"$ANSIBLE_VAULT;1.1;AES256\n61620a63640a7a7a", "cut off or damaged"),
        (b"$ANSIBLE_VAULT;1.0;AES\n6162", "version of Ansible Vault is unknown"),
        (b"$ANSIBLE_VAULT;9.9;AES256\n6162", "version of Ansible Vault is unknown"),
        (b"$ANSIBLE_VAULT;1.1;ROT13\n6162", "not encrypted with AES256"),
        (b"", "version of Ansible Vault is unknown"),
    ],
)
def test_what_is_no_vault(data: bytes, message: str) -> None:
    with pytest.raises(MalformedContent, match=message) as broken:
        ansible_vault.decrypt(data, PASSWORD, "vars.yml")
    assert broken.value.exit_code == 3
    assert str(broken.value).startswith("vars.yml: ")


def test_a_vault_that_is_cut_off() -> None:
    data = (FILES / "vault-1.1.yml").read_bytes()
    for length in range(0, len(data) - 1, 37):
        with pytest.raises((MalformedContent, AccessDenied)):
            ansible_vault.decrypt(data[:length], PASSWORD, "it")


@given(st.binary(max_size=300))
def test_any_bytes_end_in_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(AirgapError):
        ansible_vault.decrypt(b"$ANSIBLE_VAULT;1.1;AES256\n" + data, PASSWORD, "it")


def test_line_ends_of_windows_and_indentation() -> None:
    data = (FILES / "vault-1.1.yml").read_bytes()
    for shown in (data.replace(b"\n", b"\r\n"), b"  " + data.replace(b"\n", b"\n   ")):
        assert ansible_vault.decrypt(shown, PASSWORD, "it").startswith(b"# Logins")


def test_what_cannot_be_made() -> None:
    with pytest.raises(UsageError):
        ansible_vault.encrypt(b"text", "")
    with pytest.raises(UsageError):
        ansible_vault.encrypt(b"text", PASSWORD, "two words")
