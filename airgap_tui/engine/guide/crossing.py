"""What the steps of one run share: the answers of both sides, logins for this run, the job.

Answers are frozen values; a step replaces them. Secrets live only here, in memory, until a worker
has them through its pipe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.guide.answers import Collection, Delivery
from airgap_tui.engine.guide.carrying import Carrying
from airgap_tui.engine.guide.ngc_answers import NgcAnswers
from airgap_tui.engine.guide.where import Where
from airgap_tui.engine.settings import Settings

if TYPE_CHECKING:  # the first screen is drawn before any of these is there
    from airgap_tui.engine.credentials.source import Unusable
    from airgap_tui.engine.credentials.store import CredentialStore
    from airgap_tui.engine.guide.in_use import Searched
    from airgap_tui.engine.jobs.access import AccessResult
    from airgap_tui.engine.jobs.job_list import JobInfo
    from airgap_tui.engine.jobs.media import Contents
    from airgap_tui.engine.jobs.plan import PlanResult
    from airgap_tui.engine.jobs.verify import VerifyResult


class Crossing:
    """One crossing as it is decided. `access`, `plan`, `contents` and `verified` are the latest
    answers from the engine, None while there are none for the present choices; `job` is the one to
    watch. `carrying` is what was chosen in step Export, None before. `where` and `searched` are of
    the search for images in use; `not_taken` are logins of files that were named, which cannot be
    used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.collection = Collection(settings=settings)
        self.ngc = NgcAnswers()
        self.carrying: Carrying | None = None
        self.delivery = Delivery(settings=settings)
        self.where = Where()
        self.searched: Searched | None = None
        self.logins: dict[str, Credential | None] = {}
        self.not_taken: tuple[Unusable, ...] = ()
        self.access: AccessResult | None = None
        self.plan: PlanResult | None = None
        self.contents: Contents | None = None
        self.verified: VerifyResult | None = None
        self.job: JobInfo | None = None

    def wish(self, answers: Collection) -> None:
        """Other images: what was found out about the earlier ones is known no more."""
        self.collection = answers
        self.access = self.plan = None

    def credentials(self) -> CredentialStore:
        """The kept logins, and before them those given in this run: None for a registry that needs
        none."""
        from airgap_tui.engine.credentials.store import CredentialStore

        return CredentialStore.load(overrides=self.logins)
