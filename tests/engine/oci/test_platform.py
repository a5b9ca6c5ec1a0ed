"""Platforms: how they are written, and which of an index one gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.errors import InvalidPlatform
from airgap_tui.engine.oci.platform import DEFAULT_PLATFORM, Platform


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("linux/arm64/v8", Platform("linux", "arm64", "v8")),
        ("arm64", Platform("linux", "arm64")),
        (" Linux/X86_64 ", Platform("linux", "amd64")),
        ("linux/aarch64", Platform("linux", "arm64")),
        ("linux/arm/v7", Platform("linux", "arm", "v7")),
        ("windows/amd64", Platform("windows", "amd64")),
        ("linux/ppc64le", Platform("linux", "ppc64le")),
    ],
)
def test_platforms_are_read(text: str, expected: Platform) -> None:
    assert Platform.parse(text) == expected


@pytest.mark.parametrize("text", ["", "/", "linux/", "/amd64", "a/b/c/d", "linux/amd 64", "a\n/b"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(InvalidPlatform, match="not a platform"):
        Platform.parse(text)


@pytest.mark.parametrize(
    ("there", "wanted", "preference"),
    [
        ("linux/amd64", "linux/amd64", 0),
        ("linux/amd64", "linux/arm64", None),
        ("linux/amd64", "windows/amd64", None),
        # arm64 and arm64/v8 are the same.
        ("linux/arm64", "linux/arm64/v8", 0),
        ("linux/arm64/v8", "linux/arm64", 0),
        # An older variant runs on newer hardware, a newer one does not on older.
        ("linux/arm/v6", "linux/arm/v7", 1),
        ("linux/arm/v5", "linux/arm/v7", 2),
        ("linux/arm/v7", "linux/arm/v6", None),
        ("linux/arm/v7", "linux/arm", 0),
        ("linux/arm/v8", "linux/arm", None),
        ("linux/amd64", "linux/amd64/v3", 2),
        ("linux/amd64/v2", "linux/amd64/v3", 1),
        ("linux/amd64/v3", "linux/amd64", None),
        ("linux/arm64/v9", "linux/arm64", None),
        ("linux/ppc64le/power9", "linux/ppc64le", None),
        ("linux/arm", "linux/arm64", None),
    ],
)
def test_how_well_one_platform_serves_another(
    there: str, wanted: str, preference: int | None
) -> None:
    platform, asked = Platform.parse(there), Platform.parse(wanted)
    assert platform.preference(asked) == preference
    assert platform.matches(asked) == (preference is not None)


def test_an_os_version_must_agree_where_both_say_one() -> None:
    old = Platform("windows", "amd64", os_version="10.0.17763.1")
    assert old.matches(Platform("windows", "amd64"))
    assert old.matches(old)
    assert not old.matches(Platform("windows", "amd64", os_version="10.0.20348.1"))


def test_attestations_name_no_platform() -> None:
    assert not Platform("unknown", "unknown").known
    assert not Platform("", "").known
    assert DEFAULT_PLATFORM.known


@given(
    st.sampled_from(["linux", "windows"]),
    st.sampled_from(["amd64", "arm64", "arm", "s390x"]),
    st.sampled_from(["", "v5", "v7", "v8"]),
)
def test_what_is_written_is_read_back_and_serves_itself(
    system: str, architecture: str, variant: str
) -> None:
    platform = Platform(system, architecture, variant)
    assert Platform.parse(str(platform)) == platform
    assert platform.preference(platform) == 0
