"""What the `cosign` program says of an image of a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CosignCheck:
    """What cosign says of an image. `carried` is whether the bundle has a signature of it; `reason`
    says why none of those counts, and is empty where one does. `readable` is whether this cosign
    knows their form."""

    reference: str
    digest: str
    carried: bool
    reason: str = ""
    readable: bool = True

    @property
    def good(self) -> bool:
        return self.carried and not self.reason

    @property
    def refused(self) -> bool:
        """Whether a signature that was carried does not hold."""
        return self.readable and bool(self.reason)

    @property
    def sentence(self) -> str:
        """Empty where there is nothing to say about it."""
        if not self.reason:
            return ""
        verdict = "cosign does not accept it" if self.readable else "cosign cannot check it"
        return f"{self.reference}: {verdict}: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        return {
            "reference": self.reference,
            "digest": self.digest,
            "carried": self.carried,
            "readable": self.readable,
            "good": self.good,
            "error": self.reason or None,
        }


def in_words(checks: Sequence[CosignCheck]) -> str:
    """How many images are signed with the key, and how many are not."""
    counts = [
        (sum(check.good for check in checks), "signed with the key"),
        (sum(check.refused for check in checks), "not"),
        (sum(not check.readable for check in checks), "in a form that this cosign cannot read"),
        (sum(not check.carried for check in checks), "unsigned"),
    ]
    always = ("signed with the key", "not", "unsigned")
    return ", ".join(f"{number} {what}" for number, what in counts if number or what in always)
