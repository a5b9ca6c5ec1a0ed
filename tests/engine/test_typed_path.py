"""Paths as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from airgap_tui.engine.typed_path import typed_path


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("~", "/home/ann"),
        ("~/pod", "/home/ann/pod"),
        ("~root/pod", "/root/pod"),
        ("~no-such-user/pod", "~no-such-user/pod"),
        ("pod~1", "pod~1"),
    ],
)
def test_homes(text: str, meant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert typed_path(text) == Path(meant)
