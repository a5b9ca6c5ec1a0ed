"""Secrets do not leave: whatever was remembered, and whatever looks like one."""

from __future__ import annotations

import pytest

from airgap_tui.engine.redaction import redact, remember


def test_a_remembered_secret_is_masked_wherever_it_turns_up() -> None:
    remember("correct horse battery")
    assert redact("<correct horse battery> twice: correct horse battery") == (
        "<********> twice: ********"
    )


def test_a_secret_inside_a_longer_one_leaves_no_rest() -> None:
    remember("staple")
    remember("staple-and-more")
    assert redact("x staple-and-more y") == "x ******** y"


def test_very_short_texts_are_not_remembered() -> None:
    remember("abc")
    remember("")
    assert redact("abcdef") == "abcdef"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("key nvapi-Ab_c-123 here", "key ******** here"),
        ("Authorization: Bearer eyJ.abc-_/+=", "Authorization: Bearer ********"),
        ("authorization: basic dXNlcjpwYXNz", "authorization: basic ********"),
        ("https://user:pass@nvcr.io/v2/", "https://********@nvcr.io/v2/"),
        ("http://proxy.lan:3128", "http://proxy.lan:3128"),
        ("https://TOKEN@git.lan/", "https://********@git.lan/"),
        ("ssh://admin@dgx01:22", "ssh://admin@dgx01:22"),
        ("ssh://admin:pass@dgx01", "ssh://********@dgx01"),
        (
            "https://s3/x?X-Amz-Signature=abc&X-Amz-Date=1&ok=2",
            "https://s3/x?********&********&ok=2",
        ),
        (
            "https://gcs/x?X-Goog-Credential=a%2Fb&X-Goog-Signature=0af",
            "https://gcs/x?********&********",
        ),
        ("https://cdn/x?token=abc&y=1", "https://cdn/x?********&y=1"),
        ("docker://$oauthtoken:KEYKEY@nvcr.io#a", "docker://********@nvcr.io#a"),
        (f"docker://ubuntu:1@sha256:{'0f' * 32}", f"docker://ubuntu:1@sha256:{'0f' * 32}"),
        (f"docker://u:KEY@x@sha256:{'0f' * 32}", f"docker://********@x@sha256:{'0f' * 32}"),
        ("docker://u:KEYKEY@sha256:5000/x", "docker://********@sha256:5000/x"),
        ("a basic fault", "a basic fault"),
        ("nvcr.io/nvidia/cuda:1@sha256:00ff", "nvcr.io/nvidia/cuda:1@sha256:00ff"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, expected: str) -> None:
    assert redact(text) == expected
