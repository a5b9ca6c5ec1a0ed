"""Digests: what can be checked, and nothing else."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.errors import InvalidDigest
from airgap_tui.engine.oci.digest import Digest

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize("text", [f"sha256:{HEX}", f"sha512:{HEX}{HEX}"])
def test_known_digests_are_read_and_written_unchanged(text: str) -> None:
    assert str(Digest.parse(text)) == text
    assert Digest.parse(text).short == "0123456789ab"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected algorithm:hex"),
        (HEX, "expected algorithm:hex"),
        (f":{HEX}", "expected algorithm:hex"),
        (f"sha256:{HEX}\n", "expected algorithm:hex"),
        (f"sha256: {HEX}", "expected algorithm:hex"),
        ("sha256:../../../etc/passwd", "expected algorithm:hex"),
        (f"sha256:{HEX[:-1]}", "64 hex digits, not 63"),
        (f"sha512:{HEX}", "128 hex digits, not 64"),
        (f"sha256:{HEX.upper()}", "lower case"),
        (f"sha384:{HEX}{HEX[:32]}", "sha384 is unknown"),
        (f"SHA256:{HEX}", "SHA256 is unknown"),
    ],
)
def test_what_cannot_be_checked_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidDigest, match=reason):
        Digest.parse(text)


@given(st.binary(max_size=300), st.sampled_from(["sha256", "sha512"]))
def test_the_digest_of_bytes_is_the_same_however_they_are_hashed(
    data: bytes, algorithm: str
) -> None:
    digest = Digest.of(data, algorithm)
    hasher = digest.hasher()
    hasher.update(memoryview(data)[:7])
    hasher.update(bytearray(data[7:]))
    assert Digest.from_hasher(hasher, algorithm) == digest
    assert digest.hex == hashlib.new(algorithm, data).hexdigest()
    assert Digest.parse(str(digest)) == digest
