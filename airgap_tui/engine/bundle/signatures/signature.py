"""What a signature of a bundle says: signed, by whom, and whether that counts on this machine.

Four outcomes that have to be told apart, and a fifth for a machine that lacks the program to check
with. What follows from each is for the jobs to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Standing(str, Enum):
    """How a bundle stands with its signature."""

    UNSIGNED = "unsigned"
    GOOD = "good"
    """Signed by somebody who is trusted on this machine, and unchanged since."""
    UNKNOWN_KEY = "unknown-key"
    """Unchanged since it was signed, with a key that does not count on this machine."""
    ALTERED = "altered"
    UNCHECKED = "unchecked"
    """There is a signature, and no program here to check it with."""


@dataclass(frozen=True, slots=True)
class Signature:
    """An outcome. `form` is ssh or gpg. `signer` is the name that this machine knows for the key;
    of an altered bundle, who the signature claims to be from. `fingerprint` is the key's, as
    `ssh-keygen -l` and `gpg` print it. `reason` says why it does not count, or is not checked."""

    standing: Standing = Standing.UNSIGNED
    form: str = ""
    signer: str = ""
    fingerprint: str = ""
    reason: str = ""

    @property
    def sentence(self) -> str:
        """One line for people, different for each outcome."""
        who = self.signer or (f"the key {self.fingerprint}" if self.fingerprint else "")
        because = f" ({self.reason})" if self.reason else ""
        if self.standing is Standing.GOOD:
            return f"Good: signed by {self.signer}, trusted on this machine"
        if self.standing is Standing.UNKNOWN_KEY:
            key = self.fingerprint or "without a fingerprint"
            return f"Signed with a key that this machine does not know: {key}{because}"
        if self.standing is Standing.ALTERED:
            by = f" by {who}" if who else ""
            return f"Altered after it was signed{by}. Do not use it{because}"
        if self.standing is Standing.UNCHECKED:
            return f"Signed, and not checked: {self.reason}"
        return "Not signed"

    def to_json(self) -> dict[str, Any]:
        return {
            "standing": self.standing.value,
            "form": self.form or None,
            "signer": self.signer or None,
            "fingerprint": self.fingerprint or None,
            "reason": self.reason or None,
        }


_WEIGHT = (
    Standing.UNSIGNED,
    Standing.UNCHECKED,
    Standing.UNKNOWN_KEY,
    Standing.GOOD,
    Standing.ALTERED,
)


def weightiest(signatures: tuple[Signature, ...]) -> Signature:
    """Of several signatures the one that decides: one that is broken, else the best."""
    return max(signatures, key=lambda s: _WEIGHT.index(s.standing), default=Signature())
