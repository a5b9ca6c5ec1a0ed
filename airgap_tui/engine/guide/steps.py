"""The two sides of a crossing, and the steps that lead through each."""

from __future__ import annotations

from enum import Enum


class Side(str, Enum):
    """Which network the guide stands in."""

    ONLINE = "online"
    OFFLINE = "offline"

    @property
    def heading(self) -> str:
        return "Online side" if self is Side.ONLINE else "Offline side"

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of the steps, in order: one screen's worth of decisions, or a job to watch."""
        if self is Side.ONLINE:
            return ("Images", "Logins", "Review", "Save", "Verify", "Export")
        return ("Open", "Verify", "Destination", "Review", "Deliver")
