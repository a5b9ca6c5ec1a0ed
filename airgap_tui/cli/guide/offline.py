"""The offline side of the plain twin: its steps from a bundle that was carried here."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from airgap_tui.cli.guide import importing, watching
from airgap_tui.cli.guide.delivery import deliver, review_delivery
from airgap_tui.cli.guide.destination import choose_destination
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.cli.guide.opening import open_bundle
from airgap_tui.cli.guide.verified import see_verified
from airgap_tui.engine.guide import chains
from airgap_tui.engine.guide.steps import Side
from airgap_tui.engine.jobs.job_list import JobInfo, JobState


def bring_in(guide: Guide, places: tuple[Path, ...] = (), at: str = "Open") -> None:
    """Lead through the offline side from this step on, with the bundle at a place, or with the
    volumes of one at several."""
    crossing = guide.crossing
    opening = crossing.delivery.opening(places[0] if places else None, places[1:])
    if opening != crossing.delivery:
        crossing.delivery = opening
        crossing.contents = crossing.verified = None
    verify = partial(see_verified, side=Side.OFFLINE)
    steps = (open_bundle, verify, choose_destination, review_delivery, deliver)
    bound = [partial(step, guide) for step in steps]
    guide.walk(Side.OFFLINE, bound, Side.OFFLINE.steps.index(at))


def go_on_importing(guide: Guide, job: JobInfo) -> None:
    """Watch an import that runs, or go on with one that was cut short; then open what is kept."""
    guide.crossing.job = job
    if job.state is JobState.RUNNING:
        importing.told(guide, watching.watch(guide))
    kept = job.order.place
    importing.go_on_with(guide, job.name, "", chains.places_of(job), kept)
    bring_in(guide, (kept,))
