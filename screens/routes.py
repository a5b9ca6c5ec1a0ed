"""The steps of both sides with the screen of each. Imported when a side is chosen, or just after
the first paint: with them come registries, engines and bundles."""

from __future__ import annotations

from functools import partial

from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.guide.steps import Side
from screens.delivered import deliver_step
from screens.destination import DestinationScreen
from screens.exporting import export_step
from screens.images import ImagesScreen
from screens.logins import LoginsScreen
from screens.open import OpenScreen
from screens.review import ReviewScreen
from screens.review_delivery import ReviewDeliveryScreen
from screens.steps import Route
from screens.verifying import verify_step
from screens.working import SavingScreen


def online(crossing: Crossing) -> Route:
    """The side with the internet."""
    makers = (
        partial(ImagesScreen, crossing),
        partial(LoginsScreen, crossing),
        partial(ReviewScreen, crossing),
        partial(SavingScreen, crossing),
        partial(verify_step, crossing, Side.ONLINE),
        partial(export_step, crossing),
    )
    return Route(Side.ONLINE.heading, dict(zip(Side.ONLINE.steps, makers, strict=True)))


def offline(crossing: Crossing) -> Route:
    """The side without."""
    makers = (
        partial(OpenScreen, crossing),
        partial(verify_step, crossing, Side.OFFLINE),
        partial(DestinationScreen, crossing),
        partial(ReviewDeliveryScreen, crossing),
        partial(deliver_step, crossing),
    )
    return Route(Side.OFFLINE.heading, dict(zip(Side.OFFLINE.steps, makers, strict=True)))
