"""What `discover` found, for people: a table on stdout; on stderr what cannot be carried, what
could not be read, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airgap_tui.cli.output import Output, marks, narrate
from airgap_tui.cli.results import tell_next
from airgap_tui.cli.text import Column, table
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.quantities import count

if TYPE_CHECKING:
    from airgap_tui.engine.discovery.finding import Remark
    from airgap_tui.engine.discovery.merging import DiscoveredImage, Unlisted
    from airgap_tui.engine.images_list import Update
    from airgap_tui.engine.jobs.discovery.discover import DiscoverResult

_MOST_TOLD = 20
_COLUMNS = (
    Column("Image", flexible=True),
    Column("Seen", right=True),
    Column("Last use"),
    Column("Sources", flexible=True),
)


def show(
    output: Output, result: DiscoverResult, list_file: Path | None, update: Update | None
) -> None:
    """Everything; `update` is what came of writing the list."""
    output.document({**result.to_json(), "list": _list_json(list_file, update)})
    discovery = result.discovery
    if discovery.images:
        output.data(table(_COLUMNS, [_row(image) for image in discovery.images], output.width))
    if output.progress_mode == "json":
        return
    bad = marks(sys.stderr)["bad"]
    told = _MOST_TOLD if output.verbosity <= 0 else sys.maxsize
    _names(
        f"{bad} {count(len(discovery.failed), 'image')} could not be pulled when somebody tried:",
        [(str(one.reference), one) for one in discovery.failed],
        told,
    )
    _names(
        f"{bad} {count(len(discovery.unresolved), 'name')} cannot be told for sure; look at them, "
        "and add by hand what is needed:",
        [(one.written, one) for one in discovery.unresolved],
        told,
    )
    if output.verbosity >= 0:
        _names(
            f"{count(len(discovery.other), 'name')} of no image in a registry:",
            [(one.written, one) for one in discovery.other],
            told,
        )
    _warnings(discovery.remarks, bad, told)
    _sum(output, result)
    if list_file is not None and update is not None:
        _list(output, list_file, update)


def _row(image: DiscoveredImage) -> list[str]:
    from airgap_tui.engine.jobs.discovery.discovered_list import sources

    last = f"{image.last_used.astimezone():%Y-%m-%d}" if image.last_used else "-"
    return [str(image.reference), str(image.count), last, sources(image)]


def _names(title: str, named: Sequence[tuple[str, DiscoveredImage | Unlisted]], most: int) -> None:
    if not named:
        return
    narrate(title)
    for name, one in named[:most]:
        place = f" ({one.sources[0].place})" if one.sources else ""
        narrate(f"    {name}{f': {one.reason}' if one.reason else ''}{place}")
    _more(len(named), most)


def _more(number: int, most: int) -> None:
    if number > most:
        narrate(f"    and {number - most} more; -v tells all")


def _warnings(remarks: Iterable[Remark], bad: str, most: int) -> None:
    """Each text once with the places that share it, and its remedy."""
    alike: dict[tuple[str, str], list[str]] = {}
    for remark in remarks:
        alike.setdefault((remark.text, remark.remedy), []).append(str(remark.place))
    for (text, remedy), places in alike.items():
        if len(places) == 1:
            narrate(f"{bad} {places[0]}: {text}")
        else:
            narrate(f"{bad} {count(len(places), 'source')}: {text}")
            for place in places[:most]:
                narrate(f"    {place}")
            _more(len(places), most)
        if remedy:
            narrate(f"  {remedy}")


def _sum(output: Output, result: DiscoverResult) -> None:
    """How much was asked; what is absent is said, so that it does not look like nothing used."""
    absent: dict[str, int] = {}
    for source in result.sources:
        if source.absent and not (source.read or source.failed):
            absent[source.kind] = absent.get(source.kind, 0) + 1
    if absent:
        several = len(result.hosts) > 1
        told = [f"{kind} ({count(n, 'host')})" if several else kind for kind, n in absent.items()]
        output.say(f"Not there, so not asked: {', '.join(told)}.")
    if result.too_old:
        output.say(f"{count(result.too_old, 'use')} before --since left out.")
    read = sum(source.read for source in result.sources)
    failed = sum(source.failed for source in result.sources)
    text = f"{count(len(result.discovery.images), 'image')} in use, from {count(read, 'source')}"
    text += f"; {count(failed, 'source')} not or not wholly read" if failed else ""
    dead = [host for host in result.hosts if host.state is ItemState.FAILED]
    if dead:
        text += f"; {len(dead)} of {count(len(result.hosts), 'host')} not or not wholly read"
    if result.stopped:
        narrate(f"Stopped. Until then: {text}.")
    else:
        output.say(f"{text}.")


def _list(output: Output, path: Path, update: Update) -> None:
    text = f"{path}: {count(len(update.added), 'image')} added"
    text += f", {len(update.known)} there already" if update.known else ""
    text += f", {len(update.left_out)} left out as the list says" if update.left_out else ""
    output.say(f"{text}.")
    if update.added or update.known:
        tell_next(output, "plan", "-f", path, "-b", "BUNDLE")


def _list_json(path: Path | None, update: Update | None) -> dict[str, Any] | None:
    if path is None or update is None:
        return None
    return {
        "path": str(path),
        "added": [str(reference) for reference in update.added],
        "known": [str(reference) for reference in update.known],
        "leftOut": [str(reference) for reference in update.left_out],
    }
