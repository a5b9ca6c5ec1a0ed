"""What can be done after a verify: read again, fetch again, go on without, trust another signer.

`verified.VerifiedScreen` shows what was found; this half does what is chosen there.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.signatures.signature import Signature
from airgap_tui.engine.bundle.signatures.signed_bundle import signature_of
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import chains, commands, outcome, restart
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.steps import Side
from airgap_tui.engine.jobs import read_again
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.verify import VerifyResult
from airgap_tui.engine.jobs.verify_report import VerifyReport
from airgap_tui.engine.settings import Trust
from screens.errands import ErrandScreen
from screens.modals.signers import SignersPrompt
from screens.reports import ask_and_save


def places_of(crossing: Crossing, side: Side) -> tuple[Path, ...]:
    """The bundle that this side is about, or where its volumes are."""
    if side is Side.OFFLINE and crossing.delivery.places:
        return crossing.delivery.places
    if side is Side.ONLINE and crossing.collection.bundle is not None:
        return (crossing.collection.bundle,)
    return () if crossing.job is None else chains.places_of(crossing.job)


class RemedyScreen(ErrandScreen[None]):
    """Subclasses draw the result that is in the crossing, with `show`."""

    def __init__(self, crossing: Crossing, side: Side) -> None:
        super().__init__()
        self.crossing, self.side = crossing, side

    def show(self) -> None:
        """Draw the result as it is now."""
        raise NotImplementedError

    @property
    def result(self) -> VerifyResult:
        result = self.crossing.verified
        assert result is not None  # noqa: S101 - this screen is only made for one
        return result

    @property
    def places(self) -> tuple[Path, ...]:
        return places_of(self.crossing, self.side) or (Path("BUNDLE"),)

    @property
    def trust(self) -> Trust:
        """Whose signatures count on this side."""
        offline = self.side is Side.OFFLINE
        return self.crossing.delivery.settings.trust if offline else self.crossing.settings.trust

    def leave_out(self) -> None:
        """On the offline side only what is whole goes on."""
        if self.side is Side.OFFLINE:
            crossing = self.crossing
            crossing.delivery = outcome.keeping_whole(crossing.delivery, self.result)

    def read_again(self) -> None:
        """Ask the disk again for what is damaged."""
        places, before = self.places, self.result
        self.not_yet = "Reading it again .."

        def done(result: VerifyResult) -> None:
            self.crossing.verified = result
            self.not_yet = ""
            self.stay()
            self.show()
            still = bool(outcome.findings(result))
            self.say("It is damaged still." if still else "It is whole now.")
            self.focus_likeliest()

        def work(token: CancelToken) -> VerifyResult:
            return read_again.run(places[0], before, token, places[1:])

        self.send_for("read", work, done, self._failed)

    def fetch_again(self) -> None:
        """The save again, which fetches just what is noted as damaged; then the verify again."""
        crossing, job = self.crossing, self.crossing.job
        try:
            chain = chains.fetching_again(crossing.collection, job)
        except AirgapError as error:
            self.wizard.show_error(error)
            return
        command = commands.save(crossing.collection)
        self.start(restart.starting(crossing, chain, command), self._started)

    def _started(self, job: JobInfo) -> None:
        self.crossing.job, self.crossing.verified = job, None
        self.wizard.show_step("Save")
        if self.wizard.route is not None:
            self.wizard.route.forget(self.step)

    def _failed(self, error: AirgapError) -> None:
        self.not_yet = ""
        self.wizard.show_error(error)

    # Signers

    def action_signers(self) -> None:
        """Whose signatures count: checked anew with another list, without reading all again."""
        places = self.places

        def answered(trust: Trust | None) -> None:
            if trust is None:
                return
            self.crossing.delivery = self.crossing.delivery.trusting(trust)

            def done(signature: Signature) -> None:
                self.crossing.verified = replace(self.result, signature=signature)
                self.show()
                self.focus_likeliest()

            def work(token: CancelToken) -> Signature:
                return signature_of(BundleReader.open(*places), trust, token)

            self.send_for("signature", work, done)

        self.app.push_screen(SignersPrompt(self.trust), answered)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "signers":
            return self.side is Side.OFFLINE
        return super().check_action(action, parameters)

    def action_report(self) -> None:
        places = self.places
        ask_and_save(self, VerifyReport.of(self.result, places[0].name, places))
