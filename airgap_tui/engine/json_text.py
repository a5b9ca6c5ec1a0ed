"""JSON from outside, limited by the memory it becomes: 60 MB of empty lists would take 1.5 GB."""

from __future__ import annotations

import json
from typing import Any

from airgap_tui.engine.errors import UnsafeContent

_MOST_CONTAINERS = 1_000_000
_MOST_VALUES = 4_000_000
"""The largest list that a volume has, of 400,000 files, holds 400,000 objects of four values."""


def parse_json(raw: bytes, what: str) -> Any:
    """The value of some JSON, whose bytes the caller has bounded; `what` names it.

    Raises `ValueError` for what is none, or nested too deeply; `UnsafeContent` for too many parts.
    """
    if raw.count(b"{") + raw.count(b"[") > _MOST_CONTAINERS or raw.count(b",") > _MOST_VALUES:
        raise UnsafeContent(f"{what} has millions of parts, which is refused")
    try:
        return json.loads(raw)
    except RecursionError:
        raise ValueError("nested too deeply") from None
