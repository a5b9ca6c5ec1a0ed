"""What an engine's disk has to hold, checked before the engine is asked for anything.

An engine's classic store writes an archive to its own disk before it unpacks one, and before the
first byte of one is sent.
"""

from __future__ import annotations

from collections.abc import Mapping

from airgap_tui.engine.docker.engine import Engine
from airgap_tui.engine.docker.info import EngineImage
from airgap_tui.engine.errors import NoRoom
from airgap_tui.engine.events import Level, Note, Sink
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import size as in_words


def load_needs(engine: Engine, unpacked: int, archive: int) -> int:
    """Bytes of its disk that an engine takes for a load, the copy that it may make included."""
    return unpacked + (archive if engine.info.untars_to_disk else 0)


def check_load_room(engine: Engine, unpacked: int, archive: int, force: bool, sink: Sink) -> None:
    """For layers of `unpacked` bytes that come in an archive of `archive` bytes.

    Raises `NoRoom` unless `force`.
    """
    needed = load_needs(engine, unpacked, archive)
    free = engine.room()
    if free is not None:
        where = f"in {engine.info.root}, where {engine.info.name} unpacks what it loads"
        need_room(free, needed, where, force, sink)


def export_groups(
    engine: Engine, wanted: Mapping[Reference, EngineImage], force: bool, sink: Sink
) -> list[dict[Reference, EngineImage]]:
    """The images of each export: all at once where the engine has the room to stage that.

    Raises `NoRoom` where the largest does not fit, unless `force`.
    """
    if not wanted:
        return []
    everything = [dict(wanted)]
    if engine.info.containerd_store:
        return everything
    sizes = {image.id: image.size for image in wanted.values()}
    total, free, name = sum(sizes.values()), engine.room(), engine.info.name
    if free is None:
        text = f"{name} writes its export of up to {in_words(total)} to its own disk first"
        sink(Note(f"{text}; how much room it has there cannot be seen from here"))
        return everything
    where = f"in {engine.info.root}, where {name} first writes its export"
    if total <= free:
        text = f"Up to {in_words(total)} are needed {where}; {in_words(free, down=True)} are free"
        sink(Note(text))
        return everything
    need_room(free, max(sizes.values()), where, force, sink)
    return [{reference: image} for reference, image in wanted.items()]


def need_room(free: int, needed: int, where: str, force: bool, sink: Sink) -> None:
    """Raise `NoRoom` where `free` bytes are too few, or say so and go on with `force`."""
    if needed <= free:
        return
    problem = (
        f"About {in_words(needed, up=True)} are needed {where};"
        f" {in_words(free, down=True)} are free"
    )
    if not force:
        raise NoRoom(problem, hint="Make room, or go on all the same with --force.")
    sink(Note(f"{problem}; started all the same", Level.WARNING))
