"""How a step of a job ended, in the form of a job's state: the sentences speak of that."""

from __future__ import annotations

from airgap_tui.engine.events import ItemState
from airgap_tui.engine.jobs.chain import Ended
from airgap_tui.engine.snapshot import ItemProgress, Snapshot


def snapshot_of(ended: Ended) -> Snapshot:
    """The step's end as a snapshot: the job's own may be of a later step by now."""
    items = ended.result.items if ended.result is not None else ()
    return Snapshot(
        verb=ended.verb,
        items=tuple(
            ItemProgress(
                item.reference,
                item.state,
                item.error,
                item.digest,
                item.bytes,
                item.bytes,
                item.bytes if item.state is ItemState.DONE else 0,
            )
            for item in items
        ),
        exit_code=ended.exit_code,
    )
