"""Receipts: the same again, bounded and strict; delivery codes that survive how people type."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.bundle.receipts.assumption import Base
from airgap_tui.engine.bundle.receipts.delivery_code import MOST_ABSENT, Shipped, is_code
from airgap_tui.engine.bundle.receipts.receipt import Holder, Receipt, Received
from airgap_tui.engine.errors import AirgapError, MalformedContent, UnsupportedBundle
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference

DIGESTS = [Digest.of(bytes([number])) for number in range(12)]
NAMES = [f"nvcr.io/nvidia/image{number}:1" for number in range(6)]


def received(name: str, *numbers: int) -> Received:
    digests = tuple(sorted(DIGESTS[number] for number in {0, *numbers}))
    return Received(name, DIGESTS[0], digests, "harbor.lan/ngc/image")


RECEIPT = Receipt(
    "pod",
    "2025-06-27T10:00:00Z",
    Holder.REGISTRY,
    "harbor.lan/ngc",
    (Base("abc", "pod-2025-06"),),
    (received(NAMES[0], 1, 2), received(NAMES[1], 2, 5)),
    (Reference.parse("nvcr.io/nvidia/pytorch:25.07-py3"),),
)


@given(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.sets(st.integers(0, 11), min_size=1)),
        unique_by=lambda image: image[0],
    ),
    st.sampled_from(list(Holder)),
    st.text(max_size=20),
)
def test_what_was_written_is_read(
    images: list[tuple[str, set[int]]], holder: Holder, site: str
) -> None:
    listed = tuple(received(name, *numbers) for name, numbers in sorted(images))
    receipt = replace(RECEIPT, images=listed, holder=holder, site=site)
    raw = receipt.format()
    again = Receipt.parse(raw, "r")
    assert again == receipt
    assert again.format() == raw
    assert list(again.digests) == sorted({d for image in listed for d in image.needs})


@given(st.recursive(st.none() | st.integers() | st.text(), lambda s: st.lists(s), max_leaves=4))
def test_any_value_in_any_field_is_read_or_refused(value: object) -> None:
    for field in json.loads(RECEIPT.format()):
        document = {**json.loads(RECEIPT.format()), field: value}
        try:
            Receipt.parse(json.dumps(document).encode(), "r")
        except AirgapError as error:
            assert error.message.startswith("r ")


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(MalformedContent, match="not a receipt"):
        Receipt.parse(raw, "r")


def test_a_newer_receipt_says_what_reads_it() -> None:
    document = {**json.loads(RECEIPT.format()), "receiptVersion": 2}
    with pytest.raises(UnsupportedBundle, match="schema 2"):
        Receipt.parse(json.dumps(document).encode(), "r")


def test_an_image_that_needs_what_is_not_listed_is_refused() -> None:
    document = json.loads(RECEIPT.format())
    for number in (-1, 99, True, "0"):
        document["images"][0]["needs"] = [number]
        with pytest.raises(MalformedContent, match="names no digest"):
            Receipt.parse(json.dumps(document).encode(), "r")


# --- delivery codes


SHIPPED = Shipped("abc", tuple((name, str(Digest.of(name.encode()))) for name in NAMES))


@given(st.sets(st.sampled_from(NAMES), min_size=1), st.sampled_from(list(Holder)))
def test_a_code_says_which_images_arrived_and_where(names: set[str], holder: Holder) -> None:
    code = SHIPPED.code(names, holder)
    if len(NAMES) - len(names) > MOST_ABSENT:
        assert code == ""
        return
    assert len(code.replace("-", "")) == 12
    assert is_code(code)
    assert SHIPPED.arrived(code) == (holder, tuple(sorted(names)))


def test_a_code_is_read_however_it_is_typed() -> None:
    code = SHIPPED.code(NAMES, Holder.REGISTRY)
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert SHIPPED.arrived(typed) == SHIPPED.arrived(code.replace("-", "")) is not None


@given(st.integers(0, 11), st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
def test_a_slip_fits_no_bundle(place: int, character: str) -> None:
    code = SHIPPED.code(NAMES, Holder.BUNDLE).replace("-", "")
    slipped = code[:place] + character + code[place + 1 :]
    assert slipped == code or SHIPPED.arrived(slipped) is None


def test_a_code_is_bound_to_its_bundle() -> None:
    code = SHIPPED.code(NAMES, Holder.BUNDLE)
    assert replace(SHIPPED, id="abd").arrived(code) is None
    changed = ((NAMES[0], str(DIGESTS[3])), *SHIPPED.images[1:])
    assert replace(SHIPPED, images=changed).arrived(code) is None
    assert SHIPPED.code((), Holder.BUNDLE) == ""
    assert Shipped("abc", ()).arrived(code) is None


@pytest.mark.parametrize("text", ["", "receipt.json", "7K3M-Q2ZD-X81", "7K3M-Q2ZD-X81AA", "U" * 12])
def test_what_is_no_code(text: str) -> None:
    assert not is_code(text)
