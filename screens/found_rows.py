"""Bundles that were found, and the images inside one, as rows and words: pure functions."""

from __future__ import annotations

import os

from airgap_tui.engine.jobs.media import Carried, FoundBundle
from airgap_tui.engine.quantities import count, size
from screens.look import Mark
from screens.widgets.rows import Column, TableRow

COLUMNS = [
    Column("Inside", 49, grow=1),
    Column("State", 12, gap=1),
    Column("Size", 8, gap=2, right=True),
]


def found_in_words(one: FoundBundle) -> str:
    """`13 images, 67.5 GB, in /media/usb1`, `2 of 3 volumes, 45 GB, in /media`."""
    where = str(one.path.parent) if one.path.name == one.name else str(one.path)
    if one.problem:
        return f"Cannot be read, in {where}"
    if one.volumes is not None and one.volumes.count > 1:
        here, volumes = len(one.volumes.numbers), count(one.volumes.count, "volume")
        if len(one.places) > 1:
            where = os.path.commonpath([place.parent for place in one.places])
        return f"{here} of {volumes}, {size(one.bytes)}, in {where}"
    images = count(one.images, "image")
    if one.waiting:
        images = f"{one.images} of {count(one.images + one.waiting, 'image')}"
    return f"{images}, {size(one.bytes)}, in {where}"


def inside_row(image: Carried) -> TableRow:
    state = "Not complete" if image.problem else "Complete"
    cells = (str(image.reference), state, size(image.bytes) if image.bytes else "-")
    mark = Mark.NEEDS_YOU if image.problem else Mark.DONE
    return TableRow(str(image.reference), cells, mark=mark)
