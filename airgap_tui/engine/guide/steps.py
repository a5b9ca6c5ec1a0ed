"""The two sides of a crossing, and the steps that lead through each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Side(str, Enum):
    """Which network the guide stands in."""

    ONLINE = "online"
    OFFLINE = "offline"

    @property
    def heading(self) -> str:
        return "Online side" if self is Side.ONLINE else "Offline side"


class Step(str, Enum):
    """One screen's worth of decisions, or one job to watch."""

    IMAGES = "images"
    LOGINS = "logins"
    REVIEW = "review"
    SAVE = "save"
    VERIFY = "verify"
    OPEN = "open"
    DESTINATION = "destination"
    DELIVER = "deliver"

    @property
    def heading(self) -> str:
        return self.value.capitalize()


STEPS: dict[Side, tuple[Step, ...]] = {
    Side.ONLINE: (Step.IMAGES, Step.LOGINS, Step.REVIEW, Step.SAVE, Step.VERIFY),
    Side.OFFLINE: (Step.OPEN, Step.VERIFY, Step.DESTINATION, Step.REVIEW, Step.DELIVER),
}


class StepState(str, Enum):
    """How far a step is; shown as a mark with a word."""

    DONE = "done"
    NOW = "now"
    TO_COME = "to come"
    NEEDS_YOU = "needs you"


@dataclass(frozen=True, slots=True)
class Progression:
    """Where the guide is among the steps of a side; `troubled` are steps that need the user."""

    side: Side
    now: Step
    troubled: frozenset[Step] = frozenset()

    @property
    def steps(self) -> tuple[tuple[int, Step, StepState], ...]:
        """Number, step and standing of each, in order."""
        steps = STEPS[self.side]
        here = steps.index(self.now)
        return tuple(
            (number + 1, step, self._standing(number, here, step))
            for number, step in enumerate(steps)
        )

    def _standing(self, number: int, here: int, step: Step) -> StepState:
        if number == here:
            return StepState.NOW
        if step in self.troubled:
            return StepState.NEEDS_YOU
        return StepState.DONE if number < here else StepState.TO_COME
