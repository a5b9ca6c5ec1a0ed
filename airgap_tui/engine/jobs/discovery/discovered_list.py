"""What was discovered as `images_list.txt`: each new image, and behind it where it was seen."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from airgap_tui.engine import images_list
from airgap_tui.engine.discovery.merging import DiscoveredImage, Discovery
from airgap_tui.engine.errors import EnvironmentFailure, NotFound
from airgap_tui.engine.images_list import Addition, Update
from airgap_tui.engine.quantities import count

_SOURCES_TOLD = 4


def check(path: Path) -> None:
    """Raise `NotFound` or `EnvironmentFailure` where a list cannot be written: before many hosts
    are asked, and not afterwards."""
    directory = path.resolve().parent
    if not directory.is_dir():
        raise NotFound(
            f"there is no directory for {path}", hint="Name a file in one that is there."
        )
    if not os.access(directory, os.W_OK):
        raise EnvironmentFailure(
            f"the list {path} cannot be written: permission denied",
            hint="Name a file in a directory that you may write to.",
        )


def write(path: Path, discovery: Discovery) -> Update:
    """Add the images in use to a list, or begin one; every line of it stays as it is."""
    today = f"{datetime.now(timezone.utc).astimezone():%Y-%m-%d}"
    heading = f"Discovered {today}. A # before a name leaves it out for good."
    additions = [Addition(image.reference, comment(image)) for image in discovery.images]
    try:
        return images_list.update(path, additions, heading)
    except OSError as error:
        raise EnvironmentFailure(f"the list {path} cannot be written: {error.strerror}") from None


def comment(image: DiscoveredImage) -> str:
    """`12 times, last 2025-06-01; dgx01: history, slurmd-log; dgx02: history`."""
    used = count(image.count, "time")
    if image.last_used is not None:
        used += f", last {image.last_used.astimezone():%Y-%m-%d}"
    return f"{used}; {sources(image)}"


def sources(image: DiscoveredImage) -> str:
    """Which hosts and kinds of sources name it, as briefly as it can be said."""
    kinds: dict[str, dict[str, None]] = {}
    for source in image.sources:
        kinds.setdefault(source.place.host, {})[source.kind.value] = None
    alike: dict[str, list[str]] = {}
    for host in sorted(kinds):
        alike.setdefault(", ".join(sorted(kinds[host])), []).append(host)
    parts = []
    for names, hosts in alike.items():
        told = ", ".join(filter(None, hosts[:_SOURCES_TOLD]))
        if len(hosts) > _SOURCES_TOLD:
            told += f" and {len(hosts) - _SOURCES_TOLD} more"
        parts.append(f"{told}: {names}" if told else names)
    return "; ".join(parts)
