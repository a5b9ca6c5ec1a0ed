"""What is made of what cosign says. Its answers here are those of cosign 2.5 and 3.1; that they say
so is shown where a cosign is installed, by `test_real_cosign`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from airgap_tui.engine.bundle.saved_items import signature_of
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import EnvironmentFailure, NotFound
from airgap_tui.engine.jobs import verify
from airgap_tui.engine.jobs.verify import VerifyResult, VerifySpec
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.settings import Settings
from tests.conftest import EventLog
from tests.engine.bundle.sample_source import SampleSource, reference_of, save
from tests.images import SampleImage, build_artifact, build_image, fallback_tag, layer

TOKEN = CancelToken()
ONE = build_image("lab/one:1", [layer("one", 9_000)])
TWO = build_image("lab/two:1", [layer("two", 9_000)])
SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
ATTESTATION = "https://slsa.dev/provenance/v1"
ACCEPTED = (0, "Verification for 127.0.0.1 --")
NONE = (10, "Error: no signatures found\nerror during command execution: no signatures found")
BY_ANOTHER = (12, "Error: no matching signatures: \x1b[31minvalid signature\x1b[0m when validating")
BUNDLE_BY_ANOTHER = (1, "Error: no matching attestations: failed to verify signature")
NO_SUCH_OPTION = (1, "Error: unknown flag: --new-bundle-format")
Answers = Mapping[str, tuple[int, str]]


@pytest.fixture
def cosign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Answers], Path]:
    """A cosign with these answers: by what its options end in, and "" for all others. Its command
    lines come into the file that is returned."""

    def install(answers: Answers) -> Path:
        program, asked = tmp_path / "bin/cosign", tmp_path / "asked"
        program.parent.mkdir()
        cases = [
            f"*{shlex.quote(f'{option} 127.')}*) printf '%s\\n' {shlex.quote(text)} >&2;"
            f" exit {code};;"
            for option, (code, text) in sorted(answers.items(), reverse=True)
        ]
        lines = ("#!/bin/sh", f'echo "$*" >>{asked}', 'case "$*" in', *cases, "esac", "exit 99")
        program.write_text("\n".join(lines))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        return asked

    return install


def sign(bundle: Path, image: SampleImage) -> None:
    """As cosign 2 leaves it: a tag beside the image's."""
    repository = image.name.partition(":")[0]
    add(bundle, image, build_artifact(f"{repository}:{fallback_tag(image.digest)}.sig", {"s": b""}))


def refer(bundle: Path, image: SampleImage, predicate: str) -> None:
    """As cosign 3 leaves it, and attestations of others: a sigstore bundle about the image."""
    repository = image.name.partition(":")[0]
    kind = "application/vnd.dev.sigstore.bundle.v0.3+json"
    note = {"dev.sigstore.bundle.predicateType": predicate}
    files = {"bundle": predicate.encode()}
    name = f"{repository}:{'signed' if predicate == SIGNATURE else 'attested'}"
    artifact = build_artifact(name, files, artifact_type=kind, subject=image, annotations=note)
    add(bundle, image, artifact)


def add(bundle: Path, image: SampleImage, artifact: SampleImage) -> None:
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
def check(bundle: Path, tmp_path: Path, events: EventLog) -> Callable[..., VerifyResult]:
    key = tmp_path / "cosign.pub"
    key.write_text("a public key")

    def run(key: Path = key, report: Path | None = None) -> VerifyResult:
        settings = Settings(state_dir=tmp_path / "state")
        reports = () if report is None else (report,)
        spec = VerifySpec(bundle, settings, reports=reports, cosign_key=key)
        return verify.run(spec, events, TOKEN)

    return run


def reason_of(result: VerifyResult, image: SampleImage) -> str:
    (found,) = (one for one in result.cosign if one.reference == f"nvcr.io/{image.name}")
    assert found.carried
    return found.reason


def test_a_signature_by_the_key_is_good_and_the_others_are_told_as_unsigned(
    bundle: Path, check: Callable[..., VerifyResult], cosign: Callable[[Answers], Path]
) -> None:
    asked = cosign({"": ACCEPTED})
    sign(bundle, ONE)
    result = check()
    found = {one.reference: one for one in result.cosign}
    assert found["nvcr.io/lab/one:1"].good
    assert not found["nvcr.io/lab/two:1"].carried
    assert result.exit_code == 0
    assert [one["good"] for one in result.to_json()["cosign"]] == [True, False]
    (line,) = asked.read_text().splitlines()
    assert line.startswith("verify --key /")
    assert "/cosign.pub --insecure-ignore-tlog=true 127.0.0.1:" in line
    assert line.endswith(f"/nvcr.io/lab/one@{ONE.digest}")


def test_a_signature_by_another_key_is_content_that_is_not_what_it_claims(
    bundle: Path,
    tmp_path: Path,
    check: Callable[..., VerifyResult],
    cosign: Callable[[Answers], Path],
    events: EventLog,
) -> None:
    cosign({"": BY_ANOTHER})
    sign(bundle, ONE)
    result = check(report=tmp_path / "report.txt")
    reason = reason_of(result, ONE)
    assert "no matching signatures" in reason
    assert "\x1b" not in reason
    assert result.exit_code == 3
    report = (tmp_path / "report.txt").read_text()
    assert "0 signed with the key, 1 not, 1 unsigned" in report
    assert f"nvcr.io/lab/one:1: cosign does not accept it: {reason}" in report
    # What is refused is told at the end, where it is not scrolled away by what was read.
    texts = [getattr(event, "text", "") for event in events]
    read = max(n for n, event in enumerate(events) if type(event).__name__ == "ItemChanged")
    assert texts.index(f"nvcr.io/lab/one:1: cosign does not accept it: {reason}") > read


def test_an_attestation_is_no_signature(
    bundle: Path, check: Callable[..., VerifyResult], cosign: Callable[[Answers], Path]
) -> None:
    asked = cosign({"": BUNDLE_BY_ANOTHER})
    refer(bundle, ONE, ATTESTATION)
    result = check()
    assert not any(one.carried for one in result.cosign)
    assert result.exit_code == 0
    assert not asked.exists()


def test_attestations_of_others_do_not_hide_the_signature_under_a_tag(
    bundle: Path, check: Callable[..., VerifyResult], cosign: Callable[[Answers], Path]
) -> None:
    """Cosign 3 looks at the tag only where no sigstore bundle refers to the image."""
    cosign({"": BUNDLE_BY_ANOTHER, "--new-bundle-format=false": ACCEPTED})
    refer(bundle, ONE, ATTESTATION)
    sign(bundle, ONE)
    assert reason_of(check(), ONE) == ""


def test_a_cosign_that_must_be_told_to_look_for_bundles_is_told(
    bundle: Path, check: Callable[..., VerifyResult], cosign: Callable[[Answers], Path]
) -> None:
    cosign({"": NONE, "--new-bundle-format=true": BUNDLE_BY_ANOTHER})
    refer(bundle, ONE, SIGNATURE)
    assert "no matching attestations" in reason_of(check(), ONE)


@pytest.mark.parametrize("again", [NONE, NO_SUCH_OPTION])
def test_a_cosign_too_old_for_the_signature_is_not_a_signature_refused(
    bundle: Path,
    check: Callable[..., VerifyResult],
    cosign: Callable[[Answers], Path],
    again: tuple[int, str],
) -> None:
    cosign({"": NONE, "--new-bundle-format=true": again})
    refer(bundle, ONE, SIGNATURE)
    result = check()
    assert "this is a sigstore bundle, for cosign 3" in reason_of(result, ONE)
    assert not any(one.refused for one in result.cosign)
    assert result.exit_code == 4


def test_of_a_damaged_signature_the_damage_is_told(
    bundle: Path, check: Callable[..., VerifyResult], cosign: Callable[[Answers], Path]
) -> None:
    cosign({"": NONE})
    refer(bundle, ONE, SIGNATURE)
    (signature,) = (item for item in check().items if item.reference.endswith(":signed"))
    path = bundle / "blobs" / signature.digest.replace(":", "/")
    path.write_bytes(path.read_bytes().replace(b"sign", b"sing", 1))
    result = check()
    assert [finding.digest for finding in result.bad] == [signature.digest]
    assert result.exit_code == 3


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("unknown flag: --insecure-ignore-tlog", "Install cosign 2.0 or later"),
        ("loading verifier from key opts: loading public key: pem to public key", "cosign.pub"),
    ],
)
def test_what_cosign_cannot_begin_with_is_no_fault_of_the_images(
    bundle: Path,
    check: Callable[..., VerifyResult],
    cosign: Callable[[Answers], Path],
    said: str,
    hint: str,
) -> None:
    cosign({"": (1, f"Error: {said}")})
    sign(bundle, ONE)
    with pytest.raises(EnvironmentFailure, match=said.partition(":")[0]) as failure:
        check()
    assert hint in failure.value.hint


def test_without_cosign_it_is_told_before_anything_is_read(
    bundle: Path,
    tmp_path: Path,
    check: Callable[..., VerifyResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sign(bundle, ONE)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFound, match="cosign is not installed"):
        check()
    with pytest.raises(NotFound, match="there is no cosign key"):
        check(tmp_path / "nowhere.pub")
