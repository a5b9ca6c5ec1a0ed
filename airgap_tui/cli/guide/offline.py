"""The offline side of the plain twin: its steps from a bundle that was carried here."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from airgap_tui.cli.guide.delivery import deliver, review_delivery
from airgap_tui.cli.guide.destination import choose_destination
from airgap_tui.cli.guide.guide import Guide
from airgap_tui.cli.guide.opening import open_bundle
from airgap_tui.cli.guide.verified import see_verified
from airgap_tui.engine.guide.steps import Side


def bring_in(guide: Guide, path: Path | None = None, at: str = "Open") -> None:
    """Lead through the offline side from this step on, with the bundle at `path`."""
    crossing = guide.crossing
    if path != crossing.delivery.path:
        crossing.delivery = replace(crossing.delivery, path=path, images=())
        crossing.contents = crossing.verified = None
    verify = partial(see_verified, side=Side.OFFLINE)
    steps = (open_bundle, verify, choose_destination, review_delivery, deliver)
    bound = [partial(step, guide) for step in steps]
    guide.walk(Side.OFFLINE, bound, Side.OFFLINE.steps.index(at))
