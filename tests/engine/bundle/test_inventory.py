"""`bundle.json`: what is written is read; what is broken, foreign or newer is told."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airgap_tui.engine.bundle.inventory import Inventory, Item, LayerRecord
from airgap_tui.engine.bundle.inventory_file import InventoryFile
from airgap_tui.engine.errors import MalformedContent, UnsupportedBundle
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference

digests = st.one_of(
    st.binary(max_size=8).map(Digest.of),
    st.binary(max_size=8).map(lambda data: Digest.of(data, "sha512")),
)
names = st.from_regex(r"[a-z]{1,9}(/[a-z0-9]{1,9}){0,2}", fullmatch=True)
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}", fullmatch=True)
references = st.one_of(
    st.builds(lambda name, tag: Reference.parse(f"nvcr.io/{name}:{tag}"), names, tags),
    st.builds(lambda name, digest: Reference.parse(f"nvcr.io/{name}@{digest}"), names, digests),
)
platforms = st.sampled_from(
    [Platform("linux", "amd64"), Platform("linux", "arm64", "v8"), Platform("windows", "amd64")]
)
counts = st.integers(0, 2**60)
texts = st.text(max_size=20)
unknown = st.dictionaries(
    st.from_regex(r"x[a-z]{1,8}", fullmatch=True), st.one_of(texts, counts, st.booleans())
)
items = st.builds(
    Item,
    reference=references,
    state=st.sampled_from([ItemState.DONE, ItemState.FAILED, ItemState.WAITING]),
    kind=st.sampled_from(["image", "signature", "artifact"]),
    digest=st.none() | digests,
    media_type=texts,
    size=counts,
    bytes=counts,
    platform=st.none() | platforms,
    index_digest=st.none() | digests,
    source_digest=st.none() | digests,
    origin=st.sampled_from(["registry", "docker", "podman", "archive"]),
    signatures_lost=st.lists(texts.filter(bool), max_size=2).map(tuple),
    subject=st.none() | digests,
    error=texts,
    saved_at=texts,
    artifact_type=texts,
    unknown=unknown,
)
layers = st.builds(
    LayerRecord,
    diff_id=st.none() | digests,
    uncompressed_size=counts,
    replaces=st.none() | digests,
    media_type=texts,
    unknown=unknown,
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(items, max_size=6),
    st.dictionaries(digests, layers, max_size=4),
    st.none() | platforms,
    st.booleans(),
    unknown,
)
def test_what_is_written_is_read(
    some: list[Item],
    records: dict[Digest, LayerRecord],
    platform: Platform | None,
    saving: bool,
    others: dict[str, Any],
) -> None:
    inventory = Inventory.new("carried", platform)
    inventory.saving, inventory.layers, inventory.unknown = saving, records, others
    for item in some:
        inventory.put(item)
    text = json.dumps(inventory.to_json())
    read = Inventory.parse(text.encode(), "carried")
    assert read == inventory
    assert json.dumps(read.to_json()) == text


@given(st.binary(max_size=200))
def test_any_bytes_are_told_as_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedContent):
        Inventory.parse(raw, "carried")


json_values = st.recursive(
    st.none() | st.booleans() | counts | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["schemaVersion", "id", "name", "tool", "platform", "items", "layers", "created"]
ITEM = ["reference", "state", "digest", "size", "bytes", "platform", "signaturesLost", "error"]


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=3),
    st.dictionaries(st.sampled_from(ITEM), json_values, max_size=3),
)
def test_any_json_is_read_or_told(top: dict[str, Any], item: dict[str, Any]) -> None:
    whole = {"reference": "nvcr.io/a/b:1", **item}
    value = {"schemaVersion": 1, "items": [whole], **top}
    try:
        Inventory.parse(json.dumps(value).encode(), "carried")
    except (MalformedContent, UnsupportedBundle) as error:
        assert error.message.startswith("carried")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({}, "no schemaVersion"),
        ({"schemaVersion": True}, "not a count"),
        ({"schemaVersion": 1, "items": [{}]}, "reference"),
        ({"schemaVersion": 1, "items": [{"reference": "../../etc"}]}, "not an image name"),
        (
            {"schemaVersion": 1, "items": [{"reference": "a:1", "digest": "sha256:../x"}]},
            "not a digest",
        ),
        ({"schemaVersion": 1, "items": [{"reference": "a:1", "state": "odd"}]}, "'odd'"),
        ({"schemaVersion": 1, "items": [{"reference": "a:1"}, {"reference": "a:1"}]}, "twice"),
        ({"schemaVersion": 1, "layers": {"sha256:x": {}}}, "not a digest"),
        ({"schemaVersion": 1, "items": {}}, "wrong kind"),
    ],
)
def test_what_is_wrong_is_named(value: object, reason: str) -> None:
    with pytest.raises(MalformedContent, match=reason):
        Inventory.parse(json.dumps(value).encode(), "carried")


def test_a_newer_schema_names_its_tool() -> None:
    newer = {"schemaVersion": 7, "tool": {"version": "3.1"}, "items": {"of": "another kind"}}
    with pytest.raises(UnsupportedBundle, match=r"schema 7 .*3\.1") as told:
        Inventory.parse(json.dumps(newer).encode(), "carried")
    assert told.value.hint


def test_depth_is_bounded() -> None:
    with pytest.raises(MalformedContent):
        Inventory.parse(b'{"schemaVersion":1,"x":' + b"[" * 100_000, "carried")


def test_a_digest_beside_the_tag_has_to_be_the_content() -> None:
    ours, source, other = (Digest.of(text) for text in (b"ours", b"source", b"other"))
    inventory = Inventory.new("carried", None)
    reference = Reference.parse("nvcr.io/a/b:1")
    inventory.put(Item(reference, ItemState.DONE, digest=ours, source_digest=source))
    assert inventory.find(reference) is not None
    assert inventory.find(reference.pinned(ours)) is not None
    assert inventory.find(reference.pinned(source)) is not None
    assert inventory.find(reference.pinned(other)) is None


def test_many_changes_share_few_writes(tmp_path: Path) -> None:
    (tmp_path / ".partial").mkdir()
    file = InventoryFile(tmp_path, Inventory.new("carried", None))
    seen = set()
    for number in range(2000):
        item = Item(Reference.parse(f"nvcr.io/a/b:{number}"))
        file.change(lambda inventory, item=item: inventory.put(item))  # type: ignore[misc]
        seen.add((tmp_path / "bundle.json").stat().st_ino)
    file.close()
    assert len(Inventory.parse((tmp_path / "bundle.json").read_bytes(), "carried").items) == 2000
    assert len(seen) < 200


def test_a_change_reaches_the_disk_by_itself(tmp_path: Path) -> None:
    (tmp_path / ".partial").mkdir()
    file = InventoryFile(tmp_path, Inventory.new("carried", None))
    file.change(lambda inventory: inventory.put(Item(Reference.parse("a:1"))))
    deadline = time.monotonic() + 20
    while "library/a:1" not in (tmp_path / "bundle.json").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    file.close()
