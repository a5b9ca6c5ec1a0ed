"""Signatures through the real ssh-keygen and gpg: four outcomes, and nothing asked or left."""

from __future__ import annotations

import os
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.signatures import gpg_signature, ssh_signature
from airgap_tui.engine.bundle.signatures.signature import Signature, Standing, weightiest
from airgap_tui.engine.bundle.signatures.signed_bundle import check, signature_of
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ContentMismatch, EnvironmentFailure, NotFound, UsageError
from airgap_tui.engine.settings import Trust
from tests.engine.bundle.sample_source import save
from tests.images import build_image, layer
from tests.services import short_directory
from tests.signing import NAME, Key, agent, gpg, gpg_home, make_key, sign

TOKEN = CancelToken()
CONTENT = b'{"schemaVersion": 1}\n'


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return make_key(tmp_path_factory.mktemp("keys") / "id")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return make_key(tmp_path_factory.mktemp("keys") / "other")


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_key_of_any_kind_signs_and_is_known_again(tmp_path: Path, kind: str) -> None:
    key = make_key(tmp_path / "id", kind)
    made = sign(CONTENT, key.file)
    found = check(CONTENT, made, key.allowed(tmp_path / "allowed"), TOKEN)
    assert found == Signature(Standing.GOOD, "ssh", NAME, key.fingerprint)
    assert found.sentence == f"Good: signed by {NAME}, trusted on this machine"


def test_four_outcomes_are_four_sentences(tmp_path: Path, key: Key, other: Key) -> None:
    allowed = key.allowed(tmp_path / "allowed")
    made = sign(CONTENT, key.file)
    foreign = sign(CONTENT, other.file)
    good = check(CONTENT, made, allowed, TOKEN)
    unknown = check(CONTENT, foreign, allowed, TOKEN)
    altered = check(CONTENT + b" ", made, allowed, TOKEN)
    assert good.standing is Standing.GOOD
    assert unknown == Signature(Standing.UNKNOWN_KEY, "ssh", "", other.fingerprint)
    assert other.fingerprint in unknown.sentence
    assert altered == Signature(Standing.ALTERED, "ssh", NAME, key.fingerprint)
    assert altered.sentence == f"Altered after it was signed by {NAME}. Do not use it"
    assert Signature().sentence == "Not signed"
    assert len({s.sentence for s in (good, unknown, altered, Signature())}) == 4


def test_without_a_list_every_key_is_unknown_and_what_was_altered_still_is(key: Key) -> None:
    made = sign(CONTENT, key.file)
    assert check(CONTENT, made, None, TOKEN).standing is Standing.UNKNOWN_KEY
    altered = check(b"other", made, None, TOKEN)
    assert altered.standing is Standing.ALTERED
    assert key.fingerprint in altered.sentence


def test_every_line_of_the_list_is_tried_and_its_conditions_hold(tmp_path: Path, key: Key) -> None:
    made = sign(CONTENT, key.file)
    for options, name in (
        ('valid-before="20200101"', "expired"),
        ('namespaces="git"', "may not sign"),
    ):
        allowed = key.allowed(tmp_path / f"allowed-{name}", options=options)
        found = check(CONTENT, made, allowed, TOKEN)
        assert found.standing is Standing.UNKNOWN_KEY
        assert name in found.reason
    allowed = key.allowed(tmp_path / "both", "old@example.org", 'namespaces="git"')
    found = check(CONTENT, made, key.allowed(allowed, "!no@x,a@example.org,*@lab"), TOKEN)
    assert (found.standing, found.signer) == (Standing.GOOD, "a@example.org")


def test_a_signature_for_another_purpose_is_none_of_a_bundle(tmp_path: Path, key: Key) -> None:
    file = tmp_path / "content"
    file.write_bytes(CONTENT)
    command = ["ssh-keygen", "-Y", "sign", "-n", "git", "-f", str(key.file), str(file)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    made = file.with_name("content.sig").read_bytes()
    found = check(CONTENT, made, key.allowed(tmp_path / "allowed"), TOKEN)
    assert found.standing is Standing.ALTERED
    assert "another purpose" in found.sentence


def test_a_key_in_an_agent_signs_by_its_public_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(tmp_path / "id", passphrase="only the agent knows")
    public = tmp_path / "elsewhere.pub"
    with pytest.raises(EnvironmentFailure):
        sign(CONTENT, key.public)
    locked = Key(key.file)
    private = make_key(tmp_path / "open")
    public.write_bytes(private.public.read_bytes())
    with agent(private) as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        private.file.unlink()
        made = sign(CONTENT, public)
    allowed = private.allowed(tmp_path / "allowed")
    assert check(CONTENT, made, allowed, TOKEN).standing is Standing.GOOD
    assert locked.file.exists()


def test_a_key_that_cannot_sign_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no key"):
        sign(CONTENT, tmp_path / "none")
    garbage = tmp_path / "garbage"
    garbage.write_text("no key\n")
    garbage.chmod(0o600)
    with pytest.raises(EnvironmentFailure, match="garbage cannot sign"):
        sign(CONTENT, garbage)


def test_no_key_of_ours_is_in_the_environment_of_a_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: Key
) -> None:
    seen = tmp_path / "seen"
    fake = tmp_path / "bin" / "ssh-keygen"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\nenv > {seen}\nexec /usr/bin/ssh-keygen "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("NGC_API_KEY", "fake-key-of-a-registry")
    sign(CONTENT, key.file)
    assert "fake-key-of-a-registry" not in seen.read_text()


def test_a_machine_without_ssh_keygen_says_so(
    monkeypatch: pytest.MonkeyPatch, key: Key, tmp_path: Path
) -> None:
    made = sign(CONTENT, key.file)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = check(CONTENT, made, None, TOKEN)
    assert found.standing is Standing.UNCHECKED
    assert "ssh-keygen is not installed" in found.sentence


@given(st.binary(max_size=400))
def test_any_bytes_are_a_damaged_signature_or_one_to_check(content: bytes) -> None:
    armoured = ssh_signature.HEAD + b"\n" + content + b"\n-----END SSH SIGNATURE-----\n"
    for candidate in (content, armoured):
        with patch.dict(os.environ, PATH=""), suppress(NotFound):
            found = ssh_signature.check(CONTENT, candidate, None, TOKEN)
            assert found.standing is Standing.ALTERED


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n",
        b"\x88",
    ],
)
def test_what_is_no_signature_counts_as_altered(content: bytes, tmp_path: Path, key: Key) -> None:
    found = check(CONTENT, content, key.allowed(tmp_path / "allowed"), TOKEN)
    assert found.standing is Standing.ALTERED


def test_of_several_signatures_a_broken_one_decides() -> None:
    good, unknown = Signature(Standing.GOOD, "ssh", "a"), Signature(Standing.UNKNOWN_KEY)
    assert weightiest(()) == Signature()
    assert weightiest((unknown, good)) == good
    assert weightiest((good, Signature(Standing.ALTERED))).standing is Standing.ALTERED


def test_gpg_has_the_same_outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, signed = tmp_path / "content", tmp_path / "content.asc"
    content.write_bytes(CONTENT)
    with short_directory() as short, gpg_home(short / "g", "ops <ops@example.org>") as home:
        gpg(home, "--armor", "--output", str(signed), "--detach-sign", str(content))
        binary = gpg(home, "--output", "-", "--detach-sign", str(content))
        keys = tmp_path / "keys.asc"
        keys.write_bytes(gpg(home, "--armor", "--export"))
        monkeypatch.setenv("GNUPGHOME", home["GNUPGHOME"])
        own = check(CONTENT, signed.read_bytes(), None, TOKEN)
        assert (own.standing, own.signer) == (Standing.GOOD, "ops <ops@example.org>")
        made = signed.read_bytes()
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(empty))
    assert check(CONTENT, made, keys, TOKEN) == own
    assert check(CONTENT, binary, keys, TOKEN) == own
    unknown = check(CONTENT, made, None, TOKEN)
    assert (unknown.standing, unknown.fingerprint) == (Standing.UNKNOWN_KEY, own.fingerprint)
    altered = check(b"other", made, keys, TOKEN)
    assert (altered.standing, altered.signer) == (Standing.ALTERED, "ops <ops@example.org>")
    assert check(CONTENT, gpg_signature.HEAD, keys, TOKEN).standing is Standing.ALTERED


# --- beside a bundle


def signed_bundle(path: Path, key: Key) -> Path:
    save(path, [build_image("team/app:1", [layer("signed")])])
    content = (path / layout.INVENTORY).read_bytes()
    made = sign(content, key.file)
    (path / layout.SSH_SIGNATURE).write_bytes(made)
    return path


def test_the_signature_beside_a_bundle(tmp_path: Path, key: Key) -> None:
    path = signed_bundle(tmp_path / "b", key)
    trust = Trust(key.allowed(tmp_path / "allowed"))
    assert signature_of(BundleReader.open(path), trust, TOKEN).standing is Standing.GOOD
    inventory = path / layout.INVENTORY
    inventory.write_bytes(inventory.read_bytes().replace(b'"name": "b"', b'"name": "c"'))
    assert signature_of(BundleReader.open(path), trust, TOKEN).standing is Standing.ALTERED
    (path / layout.SSH_SIGNATURE).unlink()
    assert signature_of(BundleReader.open(path), trust, TOKEN).standing is Standing.UNSIGNED


def test_what_counts_is_the_inventory_that_was_opened(tmp_path: Path, key: Key) -> None:
    path = signed_bundle(tmp_path / "b", key)
    inventory = path / layout.INVENTORY
    good = inventory.read_bytes()
    inventory.write_bytes(good.replace(b'"name": "b"', b'"name": "c"'))
    opened = BundleReader.open(path)
    inventory.write_bytes(good)
    with pytest.raises(ContentMismatch, match="changed while it was read"):
        signature_of(opened, Trust(key.allowed(tmp_path / "allowed")), TOKEN)


def test_a_change_of_the_bundle_ends_its_signature(tmp_path: Path, key: Key) -> None:
    path = signed_bundle(tmp_path / "b", key)
    save(path, [build_image("team/app:2", [layer("another")])])
    assert not (path / layout.SSH_SIGNATURE).exists()
    assert signature_of(BundleReader.open(path), Trust(), TOKEN) == Signature()


def test_a_list_that_is_named_and_not_there_is_wrong_usage(tmp_path: Path, key: Key) -> None:
    path = signed_bundle(tmp_path / "b", key)
    with pytest.raises(UsageError, match="no list of allowed signers"):
        signature_of(BundleReader.open(path), Trust(tmp_path / "none"), TOKEN)


def test_the_usual_place_of_the_list(
    tmp_path: Path, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = signed_bundle(tmp_path / "b", key)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert signature_of(BundleReader.open(path), Trust(), TOKEN).standing is Standing.UNKNOWN_KEY
    (tmp_path / "config" / "airgap-tui").mkdir(parents=True)
    key.allowed(tmp_path / "config" / "airgap-tui" / "allowed_signers")
    assert signature_of(BundleReader.open(path), Trust(), TOKEN).standing is Standing.GOOD


def test_private_keys_stay_private(key: Key) -> None:
    """What the tests make is as ssh-keygen leaves it; it refuses keys that others may read."""
    assert stat.S_IMODE(key.file.stat().st_mode) == 0o600
    key.file.chmod(0o644)
    try:
        with pytest.raises(EnvironmentFailure) as refused:
            sign(CONTENT, key.file)
        assert "chmod 600" in refused.value.hint
    finally:
        key.file.chmod(0o600)
