"""One check of `doctor`: what it found, what that is for, and the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from airgap_tui.engine.redaction import redact


class Standing(str, Enum):
    """How much a finding matters."""

    GOOD = "good"
    ABSENT = "absent"
    """Not there, and needed only for what `purpose` says."""
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """`finding` and `remedy` are sentences; the remedy is empty where there is nothing to do."""

    name: str
    standing: Standing
    finding: str
    purpose: str = ""
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "standing": self.standing.value,
            "finding": redact(self.finding),
            "purpose": self.purpose,
            "remedy": redact(self.remedy) or None,
        }
