"""A name that a document mentions, as a finding: what every source does with a name."""

from __future__ import annotations

from datetime import datetime

from airgap_tui.engine.discovery.finding import Finding, Kind, Place, State
from airgap_tui.engine.discovery.naming import Named, named, shown
from airgap_tui.engine.plain_text import harmless

BUILT_HERE = "built on that machine: it is in no registry"


def mention(
    written: str,
    kind: Kind,
    place: Place,
    *,
    time: datetime | None = None,
    failed: str = "",
    meaning: Named | None = None,
) -> Finding:
    """The finding for a name; `failed` is why its pull failed; `meaning` is given where the source
    knows better than the name itself."""
    meaning = meaning or named(written)
    state, reference, reason = meaning.state, meaning.reference, meaning.reason
    if reference is not None and reference.registry == "localhost":
        state, reference, reason = State.OTHER, None, BUILT_HERE
    elif reference is not None and failed:
        state, reason = State.FAILED, failed
    # JSON can hold halves of characters, which no terminal and no file takes.
    text = shown(written).encode("utf-8", "replace").decode()
    text = harmless(" ".join(text.split()))
    return Finding(text, reference, kind, place, state, time, reason)


def apart(written: str, kind: Kind, place: Place, state: State, reason: str) -> Finding:
    """The finding for a name that the source knows to be no final name of a registry's image."""
    return mention(written, kind, place, meaning=Named(None, state, reason))
