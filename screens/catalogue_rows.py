"""Repositories and tags of the NGC catalogue as rows of tables."""

from __future__ import annotations

from airgap_tui.engine.guide.ngc_catalogue import Candidate, Candidates, about, platforms_of
from airgap_tui.engine.ngc.repository import Repository, TaggedImage
from airgap_tui.engine.quantities import size
from screens.widgets.rows import Column, TableRow

REPOSITORIES = (
    Column("Repository", 25, grow=1),
    Column("Newest", 11),
    Column("Updated", 10),
    Column("What it is", 21, gap=3, grow=2, prose=True),
)
_TAG, _REASON = 16, 16
TAGS = (
    Column("Tag", _TAG, grow=2),
    Column("Updated", 10),
    Column("Size", 9, right=True),
    Column("Platforms", 11),
    Column("Why", _REASON, grow=1, prose=True),
)


class TagRows:
    """The rows of one repository at a time: what does not change in them is made once."""

    def __init__(self) -> None:
        self._listing: object = None
        self._facts: dict[str, tuple[str, str, str]] = {}

    def of(self, candidates: Candidates) -> list[TableRow]:
        if candidates.listing is not self._listing:
            self._listing = candidates.listing
            self._facts = {one.image.tag: _facts(one.image) for one in candidates.tags}
        return [self._row(one) for one in candidates.tags]

    def _row(self, one: Candidate) -> TableRow:
        tag = one.image.tag
        cells = (tag, *self._facts[tag], one.reason)
        return TableRow(tag, cells, chosen=one.chosen, tone="" if one.available else "rest")


def repository_row(one: Repository) -> TableRow:
    updated = f"{one.updated:%Y-%m-%d}" if one.updated else "-"
    name = str(one.name)
    return TableRow(name, (name, one.latest_tag or "-", updated, about(one)))


def detail(candidates: Candidates, tag: str) -> str:
    """The current tag in full, where any is too long for its column in a small window."""
    if not any(len(one.image.tag) > _TAG or len(one.reason) > _REASON for one in candidates.tags):
        return ""
    return next(
        (f"{one.image.tag}: {one.reason}" for one in candidates.tags if one.image.tag == tag), ""
    )


def _facts(image: TaggedImage) -> tuple[str, str, str]:
    date = f"{image.date:%Y-%m-%d}" if image.date else "-"
    return date, size(image.size) if image.size else "-", platforms_of(image)
