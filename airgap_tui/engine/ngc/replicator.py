"""What the NGC Replicator left behind: its state.yml, and its YAML of external images.

It wrote state.yml with Python objects in it, and read it back so that a file could run anything.
Here YAML gives texts, lists and mappings and nothing else, whatever its tags say; that also keeps
a tag such as 18.10 from becoming the number 18.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from airgap_tui.engine.errors import (
    AirgapError,
    InvalidImagesList,
    InvalidReference,
    NotFound,
    UsageError,
)
from airgap_tui.engine.ngc import answers
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count

MAX_BYTES = 4 * 1024 * 1024
_MAX_TAGS = 500_000
_MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class Copied:
    """One tag that it had copied. `date` is when NGC had last changed it then."""

    repository: str
    tag: str
    date: datetime | None


@dataclass(frozen=True, slots=True)
class ReplicatorState:
    """`path` is where it was read. `copied` has external images too, which have no date."""

    path: Path
    copied: tuple[Copied, ...]
    unreadable: int = 0

    def explain(self) -> str:
        """What the file says and what it cannot say, for people."""
        repositories = len({one.repository for one in self.copied})
        of_all = "1 repository" if repositories == 1 else f"{repositories} repositories"
        dated = sum(one.date is not None for one in self.copied)
        text = (
            f"{self.path}: the replicator had copied {count(len(self.copied), 'tag')} of"
            f" {of_all}. Of {dated} it noted when NGC had last changed the"
            " tag; those are left out while that date is the same. It noted no digests, so a push"
            " on the same date would not show."
        )
        if self.unreadable:
            text += f" Not understood in it: {count(self.unreadable, 'line')}."
        return text


def read_state(path: Path) -> ReplicatorState:
    """Read a state.yml. Raises `NotFound`, or `UsageError` for what is none."""
    value = _read(path)
    if isinstance(value, dict) and "dictitems" in value:
        value = value["dictitems"]  # a defaultdict, as Python's YAML writes it
    if value in ("", None):
        value = {}
    if not isinstance(value, dict):
        raise UsageError(
            f"{path} is not a state.yml of the NGC Replicator",
            hint="It maps repositories to tags, and tags to dates.",
        )
    named = sum(len(tags) for tags in value.values() if isinstance(tags, dict))
    if named > _MAX_TAGS:  # one mapping can go by many names
        raise UsageError(f"{path} names more than {_MAX_TAGS} tags: no state.yml")
    copied: list[Copied] = []
    unreadable = 0
    for repository, tags in value.items():
        if not isinstance(tags, dict):
            unreadable += 1
            continue
        for tag, date in tags.items():
            try:
                reference = Reference.parse(f"nvcr.io/{repository}:{tag}")
            except AirgapError:
                unreadable += 1
                continue
            when = answers.moment({"date": date}, "date")
            copied.append(Copied(reference.repository, str(reference.tag), when))
    return ReplicatorState(path, tuple(copied), unreadable)


def read_external_images(path: Path) -> tuple[Reference, ...]:
    """Read `images: [{name: .., tag: ..}]`; no tag is latest. Every bad entry is told at once.

    Raises `NotFound`, `UsageError`, or `InvalidImagesList`.
    """
    value = _read(path)
    listed = value.get("images") if isinstance(value, dict) else None
    if not isinstance(listed, list):
        raise UsageError(
            f"{path} holds no external images",
            hint="Write it like the replicator wanted it: images: [{name: ubuntu, tag: '24.04'}]",
        )
    found: dict[Reference, None] = {}
    bad = []
    for number, item in enumerate(listed, start=1):
        name = item.get("name") if isinstance(item, dict) else None
        tag = item.get("tag", "latest") if isinstance(item, dict) else None
        if not isinstance(name, str) or not isinstance(tag, str) or not name:
            bad.append(f"image {number}: it has no name")
            continue
        try:
            found[Reference.parse(f"{name}:{tag or 'latest'}")] = None
        except InvalidReference as error:
            bad.append(f"image {number}: {error.text[:120]!r}: {error.reason[:120]}")
    if bad:
        more = [f"and {len(bad) - _MOST_TOLD} more"] if len(bad) > _MOST_TOLD else []
        lines = [f"{path}: {count(len(bad), 'image')} cannot be read:", *bad[:_MOST_TOLD], *more]
        raise InvalidImagesList("\n  ".join(lines))
    return tuple(found)


def _read(path: Path) -> Any:
    import yaml  # a tenth of a second, for the few who come from there

    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES} bytes: not a file of the replicator")
    try:
        loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
        return yaml.load(content, Loader=loader)  # noqa: S506 - texts, lists, mappings only
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        where = f", line {place.line + 1}" if place is not None else ""
        raise UsageError(f"{path}{where}: this is not YAML") from None
