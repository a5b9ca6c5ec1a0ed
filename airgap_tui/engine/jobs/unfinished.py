"""Images that a bundle was asked to hold and that were not saved completely: no verb that hands a
bundle on can take them along, and each says so alike."""

from __future__ import annotations

from airgap_tui.engine.bundle import remedies
from airgap_tui.engine.bundle.inventory import SIGNATURE, Item
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import ItemState, Level, Note, Sink
from airgap_tui.engine.jobs.result import ItemResult


def why_unfinished(item: Item) -> AirgapError:
    """What is wrong with an item that is not done."""
    return AirgapError(
        item.error or f"{item.name} was not saved completely", hint=remedies.UNFINISHED
    )


def not_carried(bundle: BundleReader, sink: Sink) -> tuple[ItemResult, ...]:
    """A result for each image that cannot be carried; all of them are told."""
    found = tuple(
        ItemResult.failed(item.name, why_unfinished(item))
        for item in bundle.items
        if item.state is not ItemState.DONE and item.kind != SIGNATURE
    )
    if found:
        names = ", ".join(result.reference for result in found)
        text = f"Not carried, because the save did not finish them: {names}"
        sink(Note(text, Level.WARNING))
    return found
