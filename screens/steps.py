"""The steps of one side, and what is known of each; the frame draws them, the app walks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from screens.base import WizardScreen


class StepState(str, Enum):
    """What a step is now; the value is the word for it."""

    DONE = "done"
    NOW = "now"
    NEEDS_YOU = "needs you"
    TO_COME = "to come"


@dataclass(frozen=True, slots=True)
class Step:
    """A step as the first row shows it."""

    number: int
    name: str
    state: StepState


class Route:
    """One side's way: its steps in order, the screen of each, and what came of those done.

    `side` stands in the first row: "Online side". `makers` make the screen of a step; a screen is
    made once and kept, so that going back finds every answer as it was.
    """

    def __init__(self, side: str, makers: Mapping[str, Callable[[], WizardScreen[Any]]]) -> None:
        self.side = side
        self.makers = dict(makers)
        self.screens: dict[str, WizardScreen[Any]] = {}
        self._states: dict[str, StepState] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.makers)

    def set_state(self, name: str, state: StepState) -> None:
        """Note what came of a step: DONE, NEEDS_YOU, or TO_COME again."""
        self._states[name] = state

    def forget(self, name: str) -> None:
        """Make the screen of a step anew when it is shown next, without its answers."""
        self.screens.pop(name, None)

    def steps(self, now: str) -> tuple[Step, ...]:
        """All steps as they are while `now` is on the screen."""
        return tuple(
            Step(
                number,
                name,
                StepState.NOW if name == now else self._states.get(name, StepState.TO_COME),
            )
            for number, name in enumerate(self.makers, start=1)
        )

    def before(self, name: str) -> str | None:
        """The step before this one."""
        index = self.names.index(name)
        return self.names[index - 1] if index else None

    def after(self, name: str) -> str | None:
        """The step after this one."""
        index = self.names.index(name)
        return self.names[index + 1] if index + 1 < len(self.names) else None
