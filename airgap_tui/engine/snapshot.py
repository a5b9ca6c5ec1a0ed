"""A job at one moment: what front ends draw and `snapshot.json` stores."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from airgap_tui.engine.events import (
    ItemState,
    Level,
    Note,
    Served,
    SourceRead,
    SourceState,
)

_STATES = {state.value: state for state in ItemState}


@dataclass(frozen=True, slots=True)
class ItemProgress:
    """One item. `size` is all of it, `to_do` what was not there, `done` how much of that is now."""

    item: str
    state: ItemState = ItemState.WAITING
    reason: str = ""
    digest: str = ""
    size: int = 0
    to_do: int = 0
    done: int = 0


@dataclass(frozen=True, slots=True)
class Transfer:
    """A layer under way. `retry_in` is in seconds where it waits to be tried again, else None."""

    blob: str
    size: int
    done: int
    items: tuple[str, ...]
    retry_in: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """A host that asked everybody to wait; `seconds` are left."""

    host: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class LoginWanted:
    """A registry whose items wait until somebody gives another login or leaves them out."""

    registry: str
    reason: str


@dataclass(frozen=True, slots=True)
class SourceCount:
    """What one kind of source on one host gave until now; `host` is empty for this machine."""

    host: str
    kind: str
    read: int = 0
    absent: int = 0
    failed: int = 0
    found: int = 0

    def plus(self, event: SourceRead) -> SourceCount:
        """With one more source."""
        return replace(
            self,
            read=self.read + (event.state is SourceState.READ),
            absent=self.absent + (event.state is SourceState.ABSENT),
            failed=self.failed + (event.state is SourceState.FAILED),
            found=self.found + event.found,
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A job at one moment. Sizes in bytes, times in seconds, `rate` in bytes per second.

    `done` of `total` never goes backwards except by what `repeated` counts: bytes that were thrown
    away and have to be moved again. `time_left` is None while it is not known. `quiet_for` is how
    long nothing has moved. `served` is None but for a job that serves, and `sources` empty but for
    one that discovers.
    """

    verb: str = ""
    subject: str = ""
    items: tuple[ItemProgress, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    done: int = 0
    total: int = 0
    repeated: int = 0
    rate: float = 0.0
    time_left: float | None = None
    elapsed: float = 0.0
    quiet_for: float = 0.0
    blobs_done: int = 0
    blobs_total: int = 0
    retries: int = 0
    pauses: tuple[Pause, ...] = ()
    logins: tuple[LoginWanted, ...] = ()
    notes: tuple[Note, ...] = ()
    served: Served | None = None
    sources: tuple[SourceCount, ...] = ()
    exit_code: int | None = None

    @property
    def measured(self) -> bool:
        """Whether it is known what there is to move: not while names are only looked up."""
        return bool(self.total) or all(item.state.final for item in self.items)

    @property
    def fraction(self) -> float:
        """0 to 1; 1 where there is nothing to move, 0 while that is not known."""
        if not self.total:
            return float(self.measured)
        return min(1.0, self.done / self.total)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; states and levels by their words."""
        served = self.served and self.served._asdict()
        return {
            **asdict(replace(self, notes=(), served=None)),
            "notes": [note._asdict() for note in self.notes],
            "served": served,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Snapshot:
        """The opposite of `to_json`. Raises `KeyError`, `TypeError` or `ValueError` for another
        version's."""
        rows: dict[str, tuple[Any, ...]] = {
            "items": tuple(
                ItemProgress(**{**item, "state": _STATES[item["state"]]}) for item in value["items"]
            ),
            "transfers": tuple(
                Transfer(**{**transfer, "items": tuple(transfer["items"])})
                for transfer in value["transfers"]
            ),
            "pauses": tuple(Pause(**pause) for pause in value["pauses"]),
            "logins": tuple(LoginWanted(**wanted) for wanted in value["logins"]),
            "notes": tuple(Note(note["text"], Level(note["level"])) for note in value["notes"]),
            "sources": tuple(SourceCount(**source) for source in value.get("sources", ())),
        }
        served = value.get("served")
        known = None if served is None else Served(**served)
        return cls(**{**value, **rows, "served": known})
