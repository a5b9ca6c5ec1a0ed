"""The lines of a job's journal: rare events, and how each step ended. As JSON, and read back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, cast

from airgap_tui.engine import events
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import Event
from airgap_tui.engine.jobs.chain import Ended
from airgap_tui.engine.jobs.serial import from_json

RARE: tuple[type, ...] = (
    events.JobStarted,
    events.ItemChanged,
    events.BlobRetrying,
    events.BlobDropped,
    events.BlobPaused,
    events.HostPaused,
    events.LoginNeeded,
    events.LoginSettled,
    events.Note,
    events.JobFinished,
)
"""The kinds of events that are kept: none that comes for each layer that goes well."""

_ENDED = "step-ended"
_KINDS = {events.name_of(kind): kind for kind in RARE}


def line_of(entry: Event | Ended, at: float) -> bytes:
    """An entry that happened `at` seconds since 1970, as a line with its end."""
    told = (
        {"event": _ENDED, **entry.to_json()} if isinstance(entry, Ended) else events.as_json(entry)
    )
    value = {"at": round(at, 3), **told}
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def entries_of(lines: Iterable[bytes]) -> list[Event | Ended]:
    """What the lines say, without those of another version and without half lines."""
    found = (_entry(line) for line in lines)
    return [entry for entry in found if entry is not None]


def _entry(line: bytes) -> Event | Ended | None:
    try:
        value: dict[str, Any] = json.loads(line)
        del value["at"]
        name = value.pop("event")
        if name == _ENDED:
            return Ended.from_json(value)
        return cast(Event, from_json(_KINDS[name], value)) if name in _KINDS else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, AirgapError):
        return None
