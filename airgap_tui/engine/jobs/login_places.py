"""`login --for`: keep one login where other software looks for it; planned first, then written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airgap_tui.engine.credentials import places
from airgap_tui.engine.credentials.change import Change
from airgap_tui.engine.credentials.places import Kind, Login, Place
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AirgapError, UsageError
from airgap_tui.engine.redaction import redact

_FOUND = (Kind.DOCKER, Kind.PODMAN, Kind.APPTAINER, Kind.SINGULARITY, Kind.ENROOT)


@dataclass(frozen=True, slots=True)
class Planned:
    """What will change in one place."""

    place: Place
    change: Change


@dataclass(frozen=True, slots=True)
class Kept:
    """One place after it was written; `error` says why it was not."""

    place: Place
    change: Change
    error: AirgapError | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "for": self.place.kind.value,
            **self.change.to_json(),
            "error": redact(self.error.message) if self.error else None,
        }


def plan(
    wanted: Sequence[Place], login: Login, environment: Mapping[str, str] | None = None
) -> tuple[Planned, ...]:
    """What keeping the login in all these places will change; nothing is written.

    Raises as `places.change`, and `UsageError` where two of them are one file.
    """
    environment = os.environ if environment is None else environment
    planned: list[Planned] = []
    for place in dict.fromkeys(wanted):
        change = places.change(place, login, environment)
        for other in planned:
            if change.path is not None and change.path == other.change.path:
                raise UsageError(
                    f"{change.place} is named for {other.place.kind.value} and for"
                    f" {place.kind.value}",
                    hint="Give each a file of its own.",
                )
        planned.append(Planned(place, change))
    return tuple(planned)


def keep(planned: Sequence[Planned]) -> tuple[Kept, ...]:
    """Write all of them; one that fails does not stop the others."""
    results = []
    for one in planned:
        try:
            one.change.apply()
        except AirgapError as error:
            results.append(Kept(one.place, one.change, error))
        else:
            results.append(Kept(one.place, one.change))
    return tuple(results)


def winner(results: Sequence[Kept], login: Login, environment: Mapping[str, str]) -> str:
    """Where another login for the registry is that is used here instead of the one now kept;
    empty where there is none, or where it is in no file that is looked at."""
    looked_at = [
        one
        for one in results
        if one.error is None
        and one.place.kind in _FOUND
        and one.change.path == places.usual_path(one.place.kind, login.registry, environment)
    ]
    if not looked_at:
        return ""
    found = CredentialStore.load(environment).find(login.registry)
    return found.origin if found is not None and found.secret != login.secret else ""


def exit_code(results: Sequence[Kept]) -> int:
    """0 where all are kept, 1 where some are, else the first failure's own."""
    failures = [one.error.exit_code for one in results if one.error is not None]
    if not failures:
        return 0
    return failures[0] if len(failures) == len(results) else AirgapError.exit_code
