"""Descriptors are read from outside: every field is checked."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.errors import MalformedContent
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.platform import Platform

DIGEST = "sha256:" + "ab" * 32
PLAIN: dict[str, Any] = {"mediaType": "application/x", "digest": DIGEST, "size": 5}


def test_all_fields_are_read_and_written_unchanged() -> None:
    value = {
        **PLAIN,
        "artifactType": "application/y",
        "platform": {
            "architecture": "arm64",
            "os": "linux",
            "variant": "v8",
            "os.version": "1",
        },
        "annotations": {"a": "1", "b": "2"},
        "urls": ["https://x/y"],
        "data": base64.b64encode(b"hello").decode(),
    }
    descriptor = Descriptor.from_json(value, "here")
    assert descriptor.platform == Platform("linux", "arm64", "v8", "1")
    assert descriptor.data == b"hello"
    assert descriptor.to_json() == value


def test_empty_fields_are_left_out() -> None:
    assert Descriptor.from_json(PLAIN, "here").to_json() == PLAIN


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"digest": None}, "digest is not a text"),
        ({"digest": "sha256:short"}, "not a digest"),
        ({"digest": "../../etc/passwd"}, "not a digest"),
        ({"size": -1}, "the size of sha256:"),
        ({"size": "5"}, "is '5'"),
        ({"size": True}, "is True"),
        ({"size": 1.5}, r"is 1\.5"),
        ({"size": None}, "is None"),
        ({"size": 2**63}, "is 9223372036854775808"),
        ({"size": 10**400}, "is 1000000"),
        ({"mediaType": 5}, "mediaType is not a text"),
        ({"annotations": []}, "annotations are not an object"),
        ({"platform": "linux/amd64"}, "a platform is not an object"),
        ({"platform": {"os": 5}}, "os is not a text"),
        ({"data": "%%%"}, "data is not base64"),
        ({"urls": True}, "urls are not a list"),
        ({"urls": "https://x"}, "urls are not a list"),
    ],
)
def test_a_wrong_field_is_named_with_its_document(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(MalformedContent, match=reason) as caught:
        Descriptor.from_json({**PLAIN, **changes}, "the manifest of x")
    assert caught.value.message.startswith("the manifest of x: ")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("value", [None, [], "x", 5])
def test_what_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(MalformedContent, match="not an object"):
        Descriptor.from_json(value, "here")


def test_descriptors_can_be_kept_in_sets() -> None:
    with_notes = Descriptor.from_json({**PLAIN, "annotations": {"a": "b"}}, "x")
    assert len({with_notes, Descriptor.from_json({**PLAIN, "annotations": {"a": "b"}}, "y")}) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*PLAIN, "platform", "annotations", "urls"]), json_values))
def test_any_json_is_a_descriptor_or_malformed(changes: dict[str, Any]) -> None:
    try:
        descriptor = Descriptor.from_json({**PLAIN, **changes}, "here")
    except MalformedContent:
        return
    assert descriptor.size >= 0
