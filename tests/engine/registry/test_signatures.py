"""What is found about an image: referrers by API and by tag, cosign's tags, bounds."""

from __future__ import annotations

import json

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference
from tests.engine.registry.conftest import OpenSource, StartFake
from tests.fakes import faults
from tests.fakes.registry import Answer, Fault
from tests.images import OCI_INDEX, SampleImages, build_artifact, fallback_tag

AMD64 = Platform("linux", "amd64")


def test_referrers_of_referrers_and_of_children(
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages, token: CancelToken
) -> None:
    fake = start_fake()
    index = sample_images.multi
    child = index.images[1]
    sbom = build_artifact("library/multi:sbom", {"sbom": b"1"}, subject=child)
    signed = build_artifact("library/multi:signed", {"signature": b"2"}, subject=sbom)
    for sample in (sbom, signed):
        fake.add(sample)
    reference = Reference.parse(fake.add(index))
    closure = open_source(signatures=True).resolve(reference, None, token)
    assert [str(s.root.digest) for s in closure.signatures] == [sbom.digest, signed.digest]
    assert {blob.digest for blob in closure.needed} > {blob.digest for blob in closure.blobs}
    amd64 = open_source(signatures=True).resolve(reference, AMD64, token)
    assert amd64.signatures == (), "they speak about the other platform"


def test_all_pages_of_referrers_count(
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages, token: CancelToken
) -> None:
    fake = start_fake()
    sample = sample_images.base
    sboms = [build_artifact(f"x:{n}", {"sbom": bytes([n])}, subject=sample) for n in range(3)]
    reference = Reference.parse(fake.add(sample, "a/b:1"))
    for number, sbom in enumerate(sboms):
        fake.add(sbom, f"a/b:sbom{number}")

    def page(number: int) -> Fault:
        """One of them, and where the next is; the last page names itself."""
        sbom, following = sboms[number], min(number + 1, 2)
        entry = {"mediaType": sbom.media_type, "digest": sbom.digest, "size": len(sbom.manifest)}
        value = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
        link = f'</v2/a/b/referrers/{sample.digest}?page={following}>; rel="next"'
        headers = [("Content-Type", OCI_INDEX), ("Link", link)]
        return lambda _seen, _honest: Answer(200, headers, json.dumps(value).encode())

    for number in (2, 1):
        fake.script("GET", rf"referrers/{sample.digest}\?page={number}", page(number), forever=True)
    fake.script("GET", f"referrers/{sample.digest}$", page(0))
    closure = open_source(signatures=True).resolve(reference, AMD64, token)
    assert [str(s.root.digest) for s in closure.signatures] == [sbom.digest for sbom in sboms]
    assert len(fake.seen("GET", f"referrers/{sample.digest}")) == 4


def test_the_tag_that_stands_for_the_list(
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages, token: CancelToken
) -> None:
    fake = start_fake(referrers_api=False)
    sample = sample_images.base
    sbom = build_artifact("x:y", {"sbom": b"1"}, subject=sample)
    reference = Reference.parse(fake.add(sample, "a/b:1"))
    fake.add(sbom, "a/b:sbom")
    entries = [
        {"mediaType": sbom.media_type, "digest": digest, "size": size}
        for digest, size in (
            (sbom.digest, len(sbom.manifest)),
            ("sha256:" + "0" * 64, 10),  # gone in the meantime
        )
    ]
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    fake.manifests["a/b"][fallback_tag(sample.digest)] = (OCI_INDEX, raw)
    closure = open_source(signatures=True).resolve(reference, AMD64, token)
    assert [str(s.root.digest) for s in closure.signatures] == [sbom.digest]


def test_registries_that_answer_every_address_with_a_page(
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages, token: CancelToken
) -> None:
    fake = start_fake()
    reference = Reference.parse(fake.add(sample_images.base))
    fake.script("GET", "referrers", faults.status(200), forever=True)
    assert open_source(signatures=True).resolve(reference, AMD64, token).signatures == ()


def test_registries_that_deny_what_is_not_there(
    start_fake: StartFake, open_source: OpenSource, sample_images: SampleImages, token: CancelToken
) -> None:
    fake = start_fake()
    reference = Reference.parse(fake.add(sample_images.base))
    fake.script("GET", "referrers|sha256-", faults.refused(403, "DENIED"), forever=True)
    assert open_source(signatures=True).resolve(reference, AMD64, token).signatures == ()
