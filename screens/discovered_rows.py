"""Images in use, hosts and sources as rows of tables: pure functions of what was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from airgap_tui.engine.discovery.merging import DiscoveredImage
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide import in_use, in_use_sentences
from airgap_tui.engine.guide.in_use import Searched
from airgap_tui.engine.guide.looking import HostSeen, SourceSeen
from airgap_tui.engine.quantities import count
from screens import names
from screens.look import Mark
from screens.widgets.rows import TableRow

EVERYWHERE = "everywhere"
ORDERS = ("name", "use", "last use")
_MARKS = {
    ItemState.WAITING: Mark.WAITING,
    ItemState.RESOLVING: Mark.UNDER_WAY,
    ItemState.FAILED: Mark.NEEDS_YOU,
    ItemState.LEFT_OUT: Mark.WAITING,
}
_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class Spot:
    """What a row of the table of hosts and sources is about: all, a host, or a source there."""

    key: str
    host: HostSeen | None = None
    source: SourceSeen | None = None

    def has(self, image: DiscoveredImage) -> bool:
        """Whether the image was seen there."""
        if self.host is None:
            return True
        return in_use.seen_at(image, self.host.host, self.source.kind if self.source else "")


def spots(hosts: Sequence[HostSeen]) -> list[Spot]:
    """Every host with its sources below it; before several hosts, all of them as one."""
    found = [Spot(EVERYWHERE)] if len(hosts) > 1 else []
    for host in hosts:
        found.append(Spot(host.name, host))
        found += [Spot(f"{host.name}\n{one.kind}", host, one) for one in host.sources]
    return found


def live_rows(hosts: Sequence[HostSeen]) -> list[TableRow]:
    """While it is looked: how many names each host and source gave until now."""
    rows = []
    for spot in spots(hosts):
        if spot.host is not None:
            found = spot.source.count.found if spot.source else spot.host.found
            rows.append(_row(spot, count(found, "name") if found else "-"))
    return rows


def spot_rows(found: Searched) -> list[TableRow]:
    """When that is over: how many images in use each host and source names."""
    counts = _counts(found.images)
    rows = []
    for spot in spots(found.hosts):
        if spot.host is None:
            total = count(len(found.images), "image") if found.images else "-"
            cells = ("Everywhere", total, in_use_sentences.sources_read(found))
            mark = Mark.NEEDS_YOU if found.unread else Mark.DONE
            rows.append(TableRow(spot.key, cells, mark=mark))
            continue
        kind = spot.source.kind if spot.source else ""
        images = counts.get((spot.host.host, kind), 0)
        named = spot.source.count.found if spot.source else spot.host.found
        # Names that are of no image in use were found all the same.
        text = count(images, "image") if images else count(named, "name") if named else "-"
        rows.append(_row(spot, text))
    return rows


def _counts(images: Iterable[DiscoveredImage]) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for image in images:
        seen = {(source.place.host, source.kind.value) for source in image.sources}
        for key in seen | {(host, "") for host, _kind in seen}:
            counts[key] = counts.get(key, 0) + 1
    return counts


def _row(spot: Spot, found: str) -> TableRow:
    assert spot.host is not None  # noqa: S101 - the row of all is made apart
    if spot.source is not None:
        mark = Mark.NEEDS_YOU if spot.source.troubled else Mark.DONE
        name = f"  {in_use.kind_name(spot.source.kind)}"
        return TableRow(spot.key, (name, found, in_use.source_state(spot.source)), mark=mark)
    done = Mark.NEEDS_YOU if spot.host.troubled else Mark.DONE
    cells = (in_use.host_name(spot.host), found, in_use.host_state(spot.host))
    return TableRow(spot.key, cells, mark=_MARKS.get(spot.host.state, done))


def told(spot: Spot, found: Searched | None) -> tuple[str, str]:
    """The two lines on the row in focus: what is to be said, and its remedy or what is absent."""
    if spot.host is None:
        unread = found.unread if found else 0
        text = f"{count(unread, 'source')} not readable: each row tells what to do about it."
        return (text if unread else "", "")
    kind = spot.source.kind if spot.source else ""
    remarks = in_use.remarks_on(found, spot.host, kind) if found else ()
    for remark in remarks:
        more = f" ({len(remarks) - 1} more: Enter)" if len(remarks) > 1 else ""
        text = f"{remark.place}: {remark.text}" if remark.kind else _capital(remark.text)
        return f"{text}{more}", remark.remedy
    if spot.source is not None:
        return in_use.source_state(spot.source) if spot.source.troubled else "", ""
    return _capital(spot.host.reason), in_use.absent(spot.host)


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def image_cells(image: DiscoveredImage, common: str) -> tuple[str, ...]:
    """Name without the `common` registry, tag, how often it was used, when last, where seen."""
    return (
        names.short(image.reference.name, common),
        names.tag(image.reference),
        str(image.count) if image.count < 100_000 else f"{image.count // 1000}k",
        in_use.last_use(image),
        in_use.found_in(image),
    )


def in_order(
    images: Iterable[tuple[str, DiscoveredImage]], order: str
) -> list[tuple[str, DiscoveredImage]]:
    """By name, the most used first, or the last used first."""
    found = list(images)
    if order == "use":
        found.sort(key=lambda one: -one[1].count)
    elif order == "last use":
        found.sort(key=lambda one: one[1].last_used or _LONG_AGO, reverse=True)
    return found
