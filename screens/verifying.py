"""Step Verify of both sides: the work, and then what came of it."""

from __future__ import annotations

from typing import Any

from airgap_tui.engine.guide import chains, commands, restart
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.steps import Side
from airgap_tui.engine.jobs.chain import Ended
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.verify import VerifyResult
from screens.base import WizardScreen
from screens.remedy import places_of
from screens.verified import VerifiedScreen
from screens.watch import Seen
from screens.working import WorkingScreen


def verify_step(crossing: Crossing, side: Side) -> WizardScreen[Any]:
    """The screen of step Verify as things are: the work, or what came of it."""
    job = crossing.job
    if job is not None and "verify" in job.order.verbs:
        ended = Seen.of(job).of_verbs("verify")
        result = ended.result if ended is not None else None
        if not isinstance(result, VerifyResult):
            return VerifyingScreen(crossing, side)
        crossing.verified = result
        if result.exit_code == 0 and job.order.verbs[-1] != "verify":
            return VerifyingScreen(crossing, side)  # which goes on to what the job does after it
    if crossing.verified is None:
        return VerifyingScreen(crossing, side)
    return VerifiedScreen(crossing, side)


class VerifyingScreen(WorkingScreen):
    """The verify at work; begins it where no job has it."""

    step = "Verify"
    verbs = ("verify",)

    def __init__(self, crossing: Crossing, side: Side) -> None:
        super().__init__(crossing)
        self._side = side
        self.following = "Export" if side is Side.ONLINE else "Destination"

    def on_open(self) -> None:
        super().on_open()
        places = places_of(self.crossing, self._side)
        if self.seen is None and places:
            offline = self._side is Side.OFFLINE
            settings = self.crossing.delivery.settings if offline else self.crossing.settings
            chain = chains.verifying_at(places, settings)
            command = commands.verify(*places, trust=settings.trust)
            self.excerpt, self.not_yet = "Starting ..", "Not yet: the verify is being started."
            self.start(restart.starting(self.crossing, chain, command), self._started)

    def leads_on(self, job: JobInfo, ended: Ended) -> bool:
        return ended.result is not None

    def move_on(self) -> None:
        """To what came of it; where all is whole and the job goes on with it, on with the job."""
        seen, following = self.seen, self.step
        ended = self.ended(seen) if seen is not None else None
        if seen is not None and ended is not None and ended.exit_code == 0:
            more = len(seen.job.order.verbs) > self.index(seen.job) + 1
            following = self.following if more else self.step
        self.wizard.renew_step(following)
