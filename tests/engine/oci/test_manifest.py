"""Manifests and indexes: raw bytes kept, outside content bounded, the right image chosen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.errors import MalformedContent, NotFound
from airgap_tui.engine.oci import manifest as manifests
from airgap_tui.engine.oci import media_types
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index, Manifest, parse
from airgap_tui.engine.oci.platform import Platform


def descriptor(
    name: str, media_type: str = media_types.OCI_LAYER_GZIP, **fields: Any
) -> Descriptor:
    return Descriptor(media_type, Digest.of(name.encode()), len(name), **fields)


CONFIG = descriptor("config", media_types.OCI_CONFIG)
IMAGE = Manifest.build(CONFIG, [descriptor("one"), descriptor("two"), descriptor("one")])


def raw(**changes: Any) -> bytes:
    value = {**json.loads(IMAGE.raw), **changes}
    return json.dumps({k: v for k, v in value.items() if v is not ...}).encode()


def test_the_bytes_are_kept_as_they_came() -> None:
    spaced = b"\n" + json.dumps(json.loads(IMAGE.raw), indent=5).encode() + b"\n"
    document = parse(spaced)
    assert isinstance(document, Manifest)
    assert document.raw == spaced
    assert document.digest == Digest.of(spaced)
    assert document.descriptor.size == len(spaced)
    assert document.layers == IMAGE.layers


def test_each_blob_is_named_once_and_layers_keep_their_order() -> None:
    assert [layer.size for layer in IMAGE.layers] == [3, 3, 3]
    assert IMAGE.blobs == (CONFIG, IMAGE.layers[0], IMAGE.layers[1])


def test_equal_arguments_give_equal_bytes() -> None:
    again = Manifest.build(CONFIG, list(IMAGE.layers))
    assert again.raw == IMAGE.raw
    notes = {"b": "1", "a": "2"}
    one = Index.build([IMAGE.descriptor], annotations=notes)
    two = Index.build([IMAGE.descriptor], annotations=dict(reversed(notes.items())))
    assert one.raw == two.raw


@pytest.mark.parametrize(
    ("inside", "said", "expected"),
    [
        (media_types.OCI_MANIFEST, "", media_types.OCI_MANIFEST),
        (media_types.OCI_MANIFEST, media_types.OCI_MANIFEST, media_types.OCI_MANIFEST),
        (..., f"{media_types.DOCKER_MANIFEST}; charset=utf-8", media_types.DOCKER_MANIFEST),
        (..., "", media_types.OCI_MANIFEST),
        (..., "application/json", media_types.OCI_MANIFEST),
        (media_types.DOCKER_MANIFEST, "application/octet-stream", media_types.DOCKER_MANIFEST),
        (media_types.DOCKER_MANIFEST, "text/html; charset=utf-8", media_types.DOCKER_MANIFEST),
    ],
)
def test_the_type_in_the_body_decides(inside: Any, said: str, expected: str) -> None:
    assert parse(raw(mediaType=inside), said).media_type == expected


def test_an_index_without_a_type_is_told_by_its_content() -> None:
    document = parse(json.dumps({"schemaVersion": 2, "manifests": []}).encode())
    assert isinstance(document, Index)


@pytest.mark.parametrize(
    ("body", "said", "reason"),
    [
        (b"", "", "not JSON"),
        (b"<html>", "", "not JSON"),
        (b"\xff", "", "not JSON"),
        (b"[" * 100_000, "", "not JSON"),
        (b"[]", "", "not an object"),
        (b"null", "", "not an object"),
        (b"{}", "", "not an object"),
        (raw(config=...), "", "a descriptor is not an object"),
        (raw(layers=...), "", "a list of descriptors is missing"),
        (raw(layers={}), "", "a list of descriptors is missing"),
        (raw(layers=[5]), "", "a descriptor is not an object"),
        (raw(annotations=[1]), "", "annotations are not an object"),
        (raw(subject=5), "", "a descriptor is not an object"),
        (raw(mediaType="application/x"), "", "neither a manifest nor an index"),
        (raw(mediaType=5), "", "mediaType is not a text"),
        (raw(), media_types.OCI_INDEX, "sent as .* but the manifest says"),
        (b'{"schemaVersion":1}', "", "old schema 1"),
        (
            raw(),
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            "old schema 1",
        ),
    ],
)
def test_what_cannot_be_a_manifest_is_refused(body: bytes, said: str, reason: str) -> None:
    with pytest.raises(MalformedContent, match=reason) as caught:
        parse(body, said, "nvcr.io/x:1")
    assert caught.value.message.startswith("nvcr.io/x:1: ")


def test_a_manifest_that_is_too_large_is_not_even_read() -> None:
    with pytest.raises(MalformedContent, match="more than 4194304 bytes"):
        parse(b"{" * (manifests.MAX_BYTES + 1))
    assert parse(raw() + b" " * (manifests.MAX_BYTES - len(raw())))


def test_artifacts_are_no_images() -> None:
    assert IMAGE.is_image
    empty = descriptor("{}", "application/vnd.oci.empty.v1+json")
    assert not Manifest.build(empty, [], artifact_type="application/x").is_image
    assert not Manifest.build(descriptor("x", "application/vnd.cncf.helm.config"), []).is_image


def child(name: str, platform: str | None, **annotations: str) -> Descriptor:
    parsed = None if platform is None else Platform(*platform.split("/"))
    return descriptor(name, media_types.OCI_MANIFEST, platform=parsed, annotations=annotations)


INDEX = Index.build(
    [
        child("arm v6", "linux/arm/v6"),
        child("amd64", "linux/amd64"),
        child("amd64 again", "linux/amd64"),
        child("arm64", "linux/arm64/v8"),
        child("arm v7", "linux/arm/v7"),
        child("attestation", "unknown/unknown", **{"vnd.docker.reference.type": "x"}),
        child("without", None),
    ]
)


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("linux/amd64", "amd64"),
        ("linux/amd64/v3", "amd64"),
        ("linux/arm64", "arm64"),
        ("linux/arm", "arm v7"),
        ("linux/arm/v6", "arm v6"),
    ],
)
def test_the_best_match_is_chosen_and_of_equals_the_first(wanted: str, name: str) -> None:
    chosen = INDEX.choose(Platform.parse(wanted), "x")
    assert chosen.digest == Digest.of(name.encode())


def test_a_platform_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(NotFound) as caught:
        INDEX.choose(Platform.parse("linux/s390x"), "nvcr.io/x:1")
    assert "nvcr.io/x:1 has no image for linux/s390x" in caught.value.message
    assert "linux/arm64/v8" in caught.value.message
    assert "unknown" not in caught.value.message
    assert "--platform" in caught.value.hint


def test_an_attestation_is_never_chosen() -> None:
    sly = child("sly", "linux/amd64", **{"vnd.docker.reference.type": "attestation-manifest"})
    with pytest.raises(NotFound):
        Index.build([sly]).choose(Platform.parse("linux/amd64"), "x")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
FIELDS = ["schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "annotations"]


@given(st.dictionaries(st.sampled_from(FIELDS), json_values), st.booleans())
def test_any_json_is_a_manifest_or_malformed(changes: dict[str, Any], whole: bool) -> None:
    value = {**json.loads(IMAGE.raw), **changes} if whole else changes
    body = json.dumps(value).encode()
    try:
        document = parse(body)
    except MalformedContent:
        return
    assert document.raw == body


@given(st.binary(max_size=100))
def test_any_bytes_are_a_manifest_or_malformed(body: bytes) -> None:
    try:
        parse(body)
    except MalformedContent:
        return
