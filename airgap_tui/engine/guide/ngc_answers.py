"""What the user has decided in the NGC catalogue: the search, the rule as typed, and by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from airgap_tui.engine.errors import UsageError

if TYPE_CHECKING:  # the first screen is drawn before any tag is
    from airgap_tui.engine.ngc.selection import Rule

_NOTHING: Mapping[str, bool] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class NgcAnswers:
    """`latest`, `variants` and `minimum` are the rule's fields as they were typed, for whichever
    repository is shown; `corrections` are of each repository its own: tag to chosen or not."""

    words: str = ""
    repository: str = ""
    latest: str = "1"
    variants: str = ""
    minimum: str = ""
    corrections: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)

    @property
    def by_hand(self) -> Mapping[str, bool]:
        """The tags of this repository that the rule no longer touches."""
        return self.corrections.get(self.repository, _NOTHING)

    def with_hand(self, by_hand: Mapping[str, bool]) -> NgcAnswers:
        """Other corrections of this repository."""
        return replace(self, corrections={**self.corrections, self.repository: dict(by_hand)})

    @property
    def rule(self) -> Rule:
        """Raises `UsageError` for an impossible choice."""
        from airgap_tui.engine.ngc.selection import Rule

        latest = self.latest.strip()
        if latest and not (latest.isascii() and latest.isdigit() and len(latest) < 10):
            raise UsageError(f"not a number: {latest!r}", hint="Without one, every version counts.")
        rule = Rule(
            include=tuple(self.variants.replace(",", " ").split()),
            minimum=self.minimum.strip(),
            latest=int(latest) if latest else None,
        )
        rule.check()
        return rule
