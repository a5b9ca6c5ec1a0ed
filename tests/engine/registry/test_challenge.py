"""Challenges as registries have been seen to write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airgap_tui.engine.registry.challenge import Challenge, parse


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            ['Bearer realm="https://nvcr.io/proxy_auth"'],
            [Challenge("bearer", {"realm": "https://nvcr.io/proxy_auth"})],
        ),
        (
            [
                'Bearer realm="https://nvcr.io/proxy_auth?scope=repository:nvidia/tensorflow'
                ':pull,push"'
            ],
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://nvcr.io/proxy_auth?scope=repository:nvidia/tensorflow"
                        ":pull,push"
                    },
                )
            ],
        ),
        (
            ['BEARER Realm = "https://a/t" , Service="s, with = signs",scope=""'],
            [
                Challenge(
                    "bearer", {"realm": "https://a/t", "service": "s, with = signs", "scope": ""}
                )
            ],
        ),
        (
            ["Bearer realm=https://registry.nvidia.com/t,scope=repository:a/b:pull,push"],
            [
                Challenge(
                    "bearer",
                    {"realm": "https://registry.nvidia.com/t", "scope": "repository:a/b:pull,push"},
                )
            ],
        ),
        (
            ['Basic realm="x", Bearer realm="https://a/t",service="s"'],
            [
                Challenge("basic", {"realm": "x"}),
                Challenge("bearer", {"realm": "https://a/t", "service": "s"}),
            ],
        ),
        (
            ["Negotiate", 'Basic realm="a \\"quoted\\" word"'],
            [Challenge("negotiate"), Challenge("basic", {"realm": 'a "quoted" word'})],
        ),
        (["Negotiate, NTLM"], [Challenge("negotiate"), Challenge("ntlm")]),
        ([""], []),
        ([], []),
    ],
)
def test_forms_that_occur(headers: list[str], expected: list[Challenge]) -> None:
    assert list(parse(headers)) == expected


@given(st.lists(st.text(max_size=60), max_size=4))
def test_nothing_makes_it_fail(headers: list[str]) -> None:
    parse(headers)


def test_a_long_header_takes_no_long_time() -> None:
    parse(["Bearer " + "a=" * 100_000, 'Bearer realm="' + '\\"' * 100_000, "a " * 100_000])
