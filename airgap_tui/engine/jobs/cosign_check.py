"""What the `cosign` program says of an image of a bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CosignCheck:
    """What cosign says of an image. `carried` is whether the bundle has a signature of it; `reason`
    says why none of those counts, and is empty where one does."""

    reference: str
    digest: str
    carried: bool
    reason: str = ""

    @property
    def good(self) -> bool:
        return self.carried and not self.reason

    @property
    def refused(self) -> bool:
        """Whether a signature that was carried does not hold."""
        return self.carried and bool(self.reason)

    def to_json(self) -> dict[str, Any]:
        return {
            "reference": self.reference,
            "digest": self.digest,
            "carried": self.carried,
            "good": self.good,
            "error": self.reason or None,
        }
