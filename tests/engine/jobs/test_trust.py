"""A signature that is required: refused before anything is done, by every verb alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.signatures.signature import Standing
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import SignatureRefused
from airgap_tui.engine.events import Event, Note, discard
from airgap_tui.engine.jobs import load, push, serve, sign, verify
from airgap_tui.engine.jobs.load import LoadSpec
from airgap_tui.engine.jobs.push import PushSpec
from airgap_tui.engine.jobs.serve import ServeSpec
from airgap_tui.engine.jobs.sign import SignSpec
from airgap_tui.engine.jobs.verify import VerifySpec
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.settings import Settings, Trust
from tests.engine.bundle.sample_source import save
from tests.images import build_image, layer
from tests.signing import NAME, Key, make_key

TOKEN = CancelToken()
NOWHERE = Naming.parse("127.0.0.1:1")
"""Nobody listens there: whoever sends anything fails in another way."""


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return make_key(tmp_path_factory.mktemp("keys") / "id")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    save(tmp_path / "pod", [build_image("team/app:1", [layer("trusted")])])
    return tmp_path / "pod"


@pytest.fixture
def required(tmp_path: Path, key: Key) -> Settings:
    return Settings(trust=Trust(key.allowed(tmp_path / "allowed"), required=True))


def refusals(bundle: Path, settings: Settings) -> list[str]:
    """What each verb says when it refuses the bundle."""
    said = []
    for attempt in (
        lambda: verify.run(VerifySpec(bundle, settings), discard, TOKEN),
        lambda: load.run(
            LoadSpec((bundle,), host="unix:///none", settings=settings), discard, TOKEN
        ),
        lambda: push.run(PushSpec(bundle, NOWHERE, settings), discard, TOKEN),
        lambda: serve.check(ServeSpec((bundle,), port=0, trust=settings.trust)),
        lambda: serve.run(ServeSpec((bundle,), port=0, trust=settings.trust), discard, TOKEN),
    ):
        with pytest.raises(SignatureRefused) as refused:
            attempt()
        said.append(refused.value.message)
        assert refused.value.exit_code == 3
    return said


def test_unsigned_unknown_and_altered_are_refused_with_their_own_reason(
    bundle: Path, required: Settings, tmp_path: Path, key: Key
) -> None:
    assert all("not signed" in text for text in refusals(bundle, required))
    other = make_key(tmp_path / "other")
    sign.run(SignSpec(bundle, other.file), discard, TOKEN)
    assert all(other.fingerprint in text for text in refusals(bundle, required))
    with pytest.raises(SignatureRefused) as refused:
        verify.run(VerifySpec(bundle, required), discard, TOKEN)
    assert f"the public key to {tmp_path / 'allowed'}: ops@" in refused.value.hint
    sign.run(SignSpec(bundle, key.file), discard, TOKEN)
    assert verify.run(VerifySpec(bundle, required), discard, TOKEN).ok
    inventory = bundle / layout.INVENTORY
    inventory.write_bytes(inventory.read_bytes() + b"\n")
    assert all(f"altered after it was signed by {NAME}" in t for t in refusals(bundle, required))


def test_what_was_altered_is_refused_also_where_nothing_is_required(bundle: Path, key: Key) -> None:
    sign.run(SignSpec(bundle, key.file), discard, TOKEN)
    inventory = bundle / layout.INVENTORY
    inventory.write_bytes(inventory.read_bytes() + b"\n")
    with pytest.raises(SignatureRefused):
        push.run(PushSpec(bundle, NOWHERE), discard, TOKEN)
    with pytest.raises(SignatureRefused):
        serve.check(ServeSpec((bundle,), port=0))
    result = verify.run(VerifySpec(bundle), discard, TOKEN)
    assert result.signature.standing is Standing.ALTERED
    assert result.exit_code == 3, "the layers are whole, and still nobody should use it"


def test_verify_tells_the_outcome(bundle: Path, key: Key, required: Settings) -> None:
    told: list[Event] = []
    assert verify.run(VerifySpec(bundle), told.append, TOKEN).signature.to_json() == {
        "standing": "unsigned",
        "form": None,
        "signer": None,
        "fingerprint": None,
        "reason": None,
    }
    sign.run(SignSpec(bundle, key.file), discard, TOKEN)
    result = verify.run(VerifySpec(bundle, required), told.append, TOKEN)
    assert result.to_json()["signature"]["signer"] == NAME
    assert f"Signature: Good: signed by {NAME}, trusted on this machine" in [
        event.text for event in told if isinstance(event, Note)
    ]


def test_archives_cannot_be_signed(tmp_path: Path, required: Settings) -> None:
    archive = tmp_path / "old.tar.xz"
    archive.write_bytes(b"\xfd7zXZ\x00")
    with pytest.raises(SignatureRefused, match="archives cannot be signed"):
        load.run(LoadSpec((archive,), settings=required), discard, TOKEN)
    with pytest.raises(SignatureRefused, match="archives cannot be signed"):
        push.run(PushSpec(archive, NOWHERE, required), discard, TOKEN)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".pushing"] == []
