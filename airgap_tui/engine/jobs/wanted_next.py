"""Images that are in use on the offline side and that no bundle has brought: wanted from the next
one.

Discovery tells names as they are used here, also those of this side's registry; the online side can
only fetch what goes by the name at its source.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from airgap_tui.engine.bundle.inventory import SIGNATURE, Item
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.discovery.hosts.collecting import LIVE
from airgap_tui.engine.errors import AirgapError, InvalidReference
from airgap_tui.engine.events import Level, Note, Sink
from airgap_tui.engine.jobs.discovery import discover
from airgap_tui.engine.jobs.discovery.discover import DiscoverSpec
from airgap_tui.engine.jobs.discovery.named_files import NamedPath
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count

_MOST_TOLD = 5


def in_use(paths: Sequence[Path], sink: Sink, token: CancelToken) -> tuple[Reference, ...]:
    """The images that discovery finds: in these files, or else on this machine."""
    named = tuple(NamedPath(path) for path in paths)
    spec = DiscoverSpec(named) if named else DiscoverSpec(live=LIVE, here=True)
    found = discover.run(spec, sink, token).discovery.images
    token.check()
    return tuple(dict.fromkeys(image.reference for image in found if not image.reason))


def wanted_next(
    used: Iterable[Reference], items: Sequence[Item], naming: Naming | None, sink: Sink
) -> tuple[Reference, ...]:
    """What of the images in use is in no item, by its name at the source. A name of this side's
    registry is turned back by the rules of `naming`; where they do not tell, it is left out."""
    images = [item for item in items if item.kind != SIGNATURE]
    held = {item.name for item in images}
    digests = {digest for item in images for digest in item.digests}
    sources = _sources(images, naming)
    wanted: dict[Reference, None] = {}
    unknown = []
    for reference in used:
        name = reference
        if naming is not None and reference.registry == naming.registry:
            source = sources.get(reference.name)
            if source is None:
                unknown.append(str(reference))
                continue
            name = replace(source, tag=reference.tag, digest=reference.digest)
        there = name.digest in digests if name.digest is not None else name.tagged_name in held
        if not there:
            wanted[name] = None
    if unknown:
        told = ", ".join(unknown[:_MOST_TOLD]) + (" and more" if len(unknown) > _MOST_TOLD else "")
        text = f"{count(len(unknown), 'image')} in use came from elsewhere, and cannot be asked for"
        sink(Note(f"{text}: {told}", Level.WARNING))
    if wanted:
        names = ", ".join(map(str, wanted))
        sink(Note(f"In use here, and asked for next: {names}"))
    return tuple(wanted)


def _sources(items: Iterable[Item], naming: Naming | None) -> dict[str, Reference]:
    """The repository at the source, by its name in this side's registry."""
    if naming is None:
        return {}
    found = {}
    for item in items:
        try:
            found[naming.target(item.reference).name] = item.reference
        except (AirgapError, InvalidReference):
            continue
    return found
