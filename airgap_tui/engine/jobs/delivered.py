"""What a load, a push or an import leaves for the online side: a receipt of what it delivered, and
a delivery code for sites that nothing may leave."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine.bundle.inventory import now
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.receipts.delivery_code import Shipped
from airgap_tui.engine.bundle.receipts.receipt import Holder, Receipt, Received
from airgap_tui.engine.events import Note, Sink
from airgap_tui.engine.jobs.carried import base_of, keep_receipt
from airgap_tui.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class Place:
    """Where images are now: the kind of place, its name, and where else than in the state directory
    its receipt is wanted."""

    holder: Holder
    name: str
    settings: Settings
    receipt: Path | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """What there is for the online side: the delivery code, empty where too much is missing for
    one, and where the receipt lies, None where there is none."""

    code: str = ""
    receipt: Path | None = None


def leave_receipt(
    bundle: BundleReader,
    images: Sequence[Received],
    place: Place,
    sink: Sink,
    *,
    code: bool = True,
) -> Left:
    """Write the receipt of what arrived, and tell the delivery code; `code` False where more is
    still to come.

    Raises `EnvironmentFailure` where a receipt that was asked for cannot be written."""
    if not images or not bundle.inventory.id:
        return Left()
    receipt = Receipt(
        socket.gethostname(),
        now(),
        place.holder,
        place.name,
        base_of(bundle.inventory),
        tuple(images),
    )
    path = keep_receipt(receipt, place.settings.state_dir, place.receipt, sink)
    if not code:
        return Left(receipt=path)
    names = (image.name for image in images)
    told = Shipped.of(bundle.inventory).code(names, place.holder)
    if told:
        sink(Note(f"Delivery code of {bundle.name}, for the online side: {told}"))
    return Left(told, path)
