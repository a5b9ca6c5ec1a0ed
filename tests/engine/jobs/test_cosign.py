"""Carried cosign signatures are handed to `cosign` with the bundle served on loopback.

Cosign itself is not here: a stand-in takes its command line, asks the registry for what cosign asks
for, and compares an ECDSA signature with the key. That real cosign agrees is not shown by this.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from airgap_tui.engine.bundle.saved_items import signature_of
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import NotFound
from airgap_tui.engine.events import discard
from airgap_tui.engine.jobs import verify
from airgap_tui.engine.jobs.verify import VerifyResult, VerifySpec
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.settings import Settings
from tests.engine.bundle.sample_source import SampleSource, reference_of, save
from tests.images import SampleImage, build_artifact, build_image, fallback_tag, layer

TOKEN = CancelToken()
ONE = build_image("lab/one:1", [layer("one", 9_000)])
TWO = build_image("lab/two:1", [layer("two", 9_000)])
_COSIGN = """#!{python}
import json, sys, urllib.request
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
verb, option, key, flag, image = sys.argv[1:]
assert (verb, option, flag) == ("verify", "--key", "--insecure-ignore-tlog=true")
place, digest = image.split("@")
host, _, repository = place.partition("/")
def get(kind, name):
    request = urllib.request.Request(f"http://{{host}}/v2/{{repository}}/{{kind}}/{{name}}")
    request.add_header("Accept", "application/vnd.oci.image.manifest.v1+json")
    return urllib.request.urlopen(request, timeout=20).read()
get("manifests", digest)
manifest = json.loads(get("manifests", digest.replace(":", "-") + ".sig"))
files = {{l["annotations"]["org.opencontainers.image.title"]: l for l in manifest["layers"]}}
payload = get("blobs", files["payload"]["digest"])
signature = get("blobs", files["signature"]["digest"])
public = serialization.load_pem_public_key(open(key, "rb").read())
claimed = json.loads(payload)["critical"]["image"]["docker-manifest-digest"]
try:
    public.verify(signature, payload, ec.ECDSA(hashes.SHA256()))
    assert claimed == digest
except Exception:
    print("main.go:69: error during command execution", file=sys.stderr)
    print("Error: no matching signatures: \x1b[31minvalid signature\x1b[0m", file=sys.stderr)
    sys.exit(10)
print("[]")
"""


@pytest.fixture
def cosign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin/cosign"
    program.parent.mkdir()
    program.write_text(_COSIGN.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def public(path: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    path.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    return path


def sign(bundle: Path, image: SampleImage, key: ec.EllipticCurvePrivateKey) -> None:
    """As `cosign sign` leaves it: a tag beside the image's."""
    critical = {"image": {"docker-manifest-digest": image.digest}}
    payload = json.dumps({"critical": critical}).encode()
    made = key.sign(payload, ec.ECDSA(hashes.SHA256()))
    repository = image.name.partition(":")[0]
    name = f"{repository}:{fallback_tag(image.digest)}.sig"
    artifact = build_artifact(name, {"payload": payload, "signature": made})
    source = SampleSource([artifact])
    closure = source.resolve(reference_of(artifact), None, TOKEN)
    with BundleWriter.open(bundle, "save") as writer:
        for blob in closure.blobs:
            writer.receive(
                closure.reference,
                blob,
                lambda at, b=blob: source.open(closure.reference, b, at, TOKEN),  # type: ignore[misc]
                lambda _count: None,
                TOKEN,
            )
        writer.tag(closure.reference, closure, TOKEN)
        writer.record(signature_of(closure, Digest.parse(image.digest)))
        writer.finish(TOKEN)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    save(tmp_path / "pod", [ONE, TWO])
    return tmp_path / "pod"


@pytest.fixture
def check(bundle: Path, tmp_path: Path) -> Callable[[Path], VerifyResult]:
    def run(key: Path) -> VerifyResult:
        settings = Settings(state_dir=tmp_path / "state")
        return verify.run(VerifySpec(bundle, settings, cosign_key=key), discard, TOKEN)

    return run


@pytest.mark.usefixtures("cosign")
def test_a_signature_by_the_key_is_good_and_the_others_are_told_as_unsigned(
    bundle: Path, tmp_path: Path, check: Callable[[Path], VerifyResult]
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    sign(bundle, ONE, key)
    result = check(public(tmp_path / "cosign.pub", key))
    found = {one.reference: one for one in result.cosign}
    assert found["nvcr.io/lab/one:1"].good
    assert not found["nvcr.io/lab/two:1"].carried
    assert result.exit_code == 0
    assert [one["good"] for one in result.to_json()["cosign"]] == [True, False]


@pytest.mark.usefixtures("cosign")
def test_a_signature_by_another_key_is_content_that_is_not_what_it_claims(
    bundle: Path, tmp_path: Path, check: Callable[[Path], VerifyResult]
) -> None:
    sign(bundle, ONE, ec.generate_private_key(ec.SECP256R1()))
    other = ec.generate_private_key(ec.SECP256R1())
    result = check(public(tmp_path / "cosign.pub", other))
    (refused,) = (one for one in result.cosign if one.refused)
    assert refused.reference == "nvcr.io/lab/one:1"
    assert "no matching signatures" in refused.reason
    assert "\x1b" not in refused.reason
    assert result.exit_code == 3


def test_without_cosign_it_is_told_before_anything_is_read(
    bundle: Path,
    tmp_path: Path,
    check: Callable[[Path], VerifyResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    sign(bundle, ONE, key)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFound, match="cosign is not installed"):
        check(public(tmp_path / "cosign.pub", key))
    with pytest.raises(NotFound, match="there is no cosign key"):
        check(tmp_path / "nowhere.pub")
