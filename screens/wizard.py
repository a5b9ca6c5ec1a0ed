"""How the screens join: the routes of both sides, and what Welcome leads to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs.job_list import JobInfo, JobState
from airgap_tui.engine.settings import Settings
from screens.app import WizardApp
from screens.look import Look
from screens.steps import Route, StepState
from screens.welcome import Openings, WelcomeScreen

_CARRYING = frozenset({"export", "seal"})


class Wizard:
    """The app with its screens; `app` is what runs."""

    def __init__(self, settings: Settings, look: Look, *, host: str = "") -> None:
        self.crossing = Crossing(settings)
        openings = Openings(
            self._online, self._offline, self._watch, self._resume, self._rehearse, _prepare
        )
        self.app = WizardApp(WelcomeScreen(self.crossing, openings), settings, look, host=host)

    def online_route(self) -> Route:
        from screens import routes

        return routes.online(self.crossing)

    def offline_route(self) -> Route:
        from screens import routes

        return routes.offline(self.crossing)

    # What Welcome leads to

    def _online(self) -> None:
        self.app.begin(self.online_route())

    def _offline(self, places: tuple[Path, ...]) -> None:
        if places:
            self.crossing.delivery = self.crossing.delivery.opening(places[0], places[1:])
        self.app.begin(self.offline_route())

    def _import(self, job: JobInfo) -> None:
        """An import, at work or cut short: it is on top of Open."""
        from screens.importing import ImportScreen

        self.app.begin(self.offline_route())
        self.app.push_screen(ImportScreen(self.crossing, job))

    def _watch(self, job: JobInfo) -> None:
        """A running job, at the step where it is watched."""
        self.crossing.job = job
        self.app.log_path = job.directory.log
        self.app.bundle = job.name
        if job.order.verbs[0] == "save":
            self._take_collection(job)
            self._begin_at(self.online_route(), "Save")
        elif job.order.verbs[0] == "import":
            self._import(job)
        elif job.order.verbs[0] in _CARRYING:
            self._at_export(job)
        else:
            self._take_places(job)
            step = "Verify" if job.order.verbs == ("verify",) else "Deliver"
            self._begin_at(self.offline_route(), step)

    def _resume(self, job: JobInfo) -> None:
        """A job that was cut short: its answers are there, and the next step asks what it lacks. Or
        a save that came to its end, and whose bundle is to be carried now."""
        self.app.bundle = job.name
        if job.state is JobState.FINISHED:
            self._take_collection(job)
            self._at_export(job)
        elif job.order.verbs[0] in _CARRYING:
            self._at_export(job)
        elif job.order.verbs[0] == "save" and self._take_collection(job):
            self._begin_at(self.online_route(), "Logins")
        elif job.order.verbs[0] == "import":
            self._import(job)
        else:
            self._take_places(job)
            self._offline(())

    def _at_export(self, job: JobInfo) -> None:
        """Step Export with the job's bundle, at the job where it carries."""
        if _CARRYING & set(job.order.verbs):
            self.crossing.job = job
        collection = self.crossing.collection
        self.crossing.collection = replace(collection, bundle=job.order.place)
        self._begin_at(self.online_route(), "Export")

    def _rehearse(self) -> None:
        from screens.rehearsal import RehearsalPage

        self.app.push_screen(RehearsalPage(self.crossing))

    def _begin_at(self, route: Route, step: str) -> None:
        for name in route.names[: route.names.index(step)]:
            route.set_state(name, StepState.DONE)
        self.app.begin(route, at=step)

    def _take_places(self, job: JobInfo) -> None:
        """Where the bundle is that the job reads."""
        from airgap_tui.engine.guide import chains

        places = chains.places_of(job)
        self.crossing.delivery = self.crossing.delivery.opening(places[0], places[1:])

    def _take_collection(self, job: JobInfo) -> bool:
        """The answers that the job was started with."""
        from airgap_tui.engine.guide import chains

        answers = chains.collection_of(job)
        self.crossing.collection = answers or self.crossing.collection
        return answers is not None


def _prepare() -> None:
    """Have ready what comes after Welcome."""
    from screens import rehearsal, routes  # noqa: F401
