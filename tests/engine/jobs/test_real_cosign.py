"""Signatures that cosign itself made go with the images, and hold wherever they arrive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import EnvironmentFailure
from airgap_tui.engine.events import discard
from airgap_tui.engine.jobs import push, save, verify
from airgap_tui.engine.jobs.push import PushSpec
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.jobs.serve import ServeSpec, serving
from airgap_tui.engine.jobs.verify import VerifyResult, VerifySpec
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.settings import Settings
from tests.conftest import StartDistribution
from tests.images import SampleImage, build_image, layer, push_image
from tests.services import Distribution, program, run_program

pytestmark = pytest.mark.distribution
TOKEN = CancelToken()
ENVIRONMENT = {"COSIGN_PASSWORD": ""}
TAG, BUNDLE = "--new-bundle-format=false", "--new-bundle-format=true"


@dataclass(frozen=True, slots=True)
class Cosign:
    """The one that is installed. `modern` is one that can make sigstore bundles."""

    directory: Path
    modern: bool

    def key(self, name: str) -> Path:
        """A new key pair, without a password; its public half."""
        prefix = self.directory / name
        run_program(
            "cosign", "generate-key-pair", f"--output-key-prefix={prefix}", environment=ENVIRONMENT
        )
        return prefix.with_suffix(".pub")

    def sign(self, image: str, key: Path, form: str = TAG) -> None:
        self._make("sign", image, key, form)

    def attest(self, image: str, key: Path, form: str) -> None:
        predicate = self.directory / "predicate.json"
        predicate.write_text('{"made": "here"}')
        self._make("attest", image, key, form, f"--predicate={predicate}", "--type=custom")

    def _make(self, verb: str, image: str, key: Path, form: str, *more: str) -> None:
        if form == BUNDLE and not self.modern:
            pytest.skip("this cosign makes no sigstore bundles")
        options = ["--use-signing-config=false", form] if self.modern else []
        run_program(
            "cosign", verb, f"--key={key.with_suffix('.key')}", "--yes", "--tlog-upload=false",
            *options, *more, image, environment=ENVIRONMENT,
        )  # fmt: skip

    def accepts(self, image: str, key: Path) -> bool:
        done = run_program(
            "cosign", "verify", f"--key={key}", "--insecure-ignore-tlog=true", image, check=False
        )
        return done.returncode == 0


@pytest.fixture
def cosign(tmp_path: Path) -> Cosign:
    program("cosign")
    help_text = run_program("cosign", "sign", "--help")
    return Cosign(tmp_path, "--use-signing-config" in help_text.stdout + help_text.stderr)


@pytest.fixture
def key(cosign: Cosign) -> Path:
    return cosign.key("ours")


@pytest.fixture
def image(distribution: Distribution, repository: str) -> Iterator[SampleImage]:
    made = build_image(f"{repository}:1", [layer(repository, 9_000)])
    push_image(distribution.host, made)
    yield made


def at(host: str, image: SampleImage) -> str:
    return f"{host}/{image.repository}@{image.digest}"


def carried(distribution: Distribution, image: SampleImage, bundle: Path) -> Path:
    reference = Reference.parse(f"{distribution.host}/{image.name}")
    save.run(SaveSpec((reference,), bundle, with_signatures=True), discard, TOKEN)
    return bundle


def checked(bundle: Path, key: Path, tmp_path: Path) -> VerifyResult:
    settings = Settings(state_dir=tmp_path / "state")
    return verify.run(VerifySpec(bundle, settings, cosign_key=key), discard, TOKEN)


@pytest.mark.parametrize("form", [TAG, BUNDLE])
def test_a_signature_holds_in_the_bundle_from_it_and_where_it_was_pushed(
    form: str,
    cosign: Cosign,
    key: Path,
    image: SampleImage,
    distribution: Distribution,
    start_distribution: StartDistribution,
    tmp_path: Path,
) -> None:
    cosign.sign(at(distribution.host, image), key, form)
    bundle = carried(distribution, image, tmp_path / "pod")
    result = checked(bundle, key, tmp_path)
    assert [one.good for one in result.cosign] == [True]
    assert result.exit_code == 0
    with serving(ServeSpec((bundle,), port=0)) as served:
        assert cosign.accepts(at(served.address, image), key)
    offline = start_distribution()
    spec = PushSpec(bundle, Naming.parse(offline.host), Settings(state_dir=tmp_path / "state"))
    assert push.run(spec, discard, TOKEN, CredentialStore()).exit_code == 0
    assert cosign.accepts(at(offline.host, image), key)
    assert not cosign.accepts(at(offline.host, image), cosign.key("others"))


@pytest.mark.parametrize(("form", "what"), [(TAG, "signatures"), (BUNDLE, "attestations")])
def test_another_key_is_refused_and_what_is_no_public_key_is_not_asked_with(
    form: str,
    what: str,
    cosign: Cosign,
    key: Path,
    image: SampleImage,
    distribution: Distribution,
    tmp_path: Path,
) -> None:
    cosign.sign(at(distribution.host, image), key, form)
    bundle = carried(distribution, image, tmp_path / "pod")
    result = checked(bundle, cosign.key("others"), tmp_path)
    (refused,) = result.cosign
    assert refused.refused
    assert f"no matching {what}" in refused.reason
    assert result.exit_code == 3
    with pytest.raises(EnvironmentFailure, match="loading public key"):
        checked(bundle, key.with_suffix(".key"), tmp_path)


@pytest.mark.parametrize("form", [TAG, BUNDLE])
def test_an_attestation_is_no_signature_and_hides_none(
    form: str,
    cosign: Cosign,
    key: Path,
    image: SampleImage,
    distribution: Distribution,
    tmp_path: Path,
) -> None:
    name = at(distribution.host, image)
    cosign.attest(name, cosign.key("others"), form)
    (found,) = checked(carried(distribution, image, tmp_path / "one"), key, tmp_path).cosign
    assert not found.carried
    cosign.sign(name, key)
    (found,) = checked(carried(distribution, image, tmp_path / "two"), key, tmp_path).cosign
    assert found.good


def test_an_altered_signature_is_refused(
    cosign: Cosign, key: Path, image: SampleImage, distribution: Distribution, tmp_path: Path
) -> None:
    cosign.sign(at(distribution.host, image), key)
    bundle = carried(distribution, image, tmp_path / "pod")
    items = json.loads((bundle / "bundle.json").read_text())["items"]
    (signature,) = (item["digest"] for item in items if item["kind"] == "signature")
    blobs = bundle / "blobs/sha256"
    manifest = json.loads((blobs / signature.partition(":")[2]).read_text())
    payload = blobs / manifest["layers"][0]["digest"].partition(":")[2]
    payload.write_text(payload.read_text().replace("cosign", "consign", 1))
    result = checked(bundle, key, tmp_path)
    assert [one.refused for one in result.cosign] == [True]
    assert result.exit_code == 3
