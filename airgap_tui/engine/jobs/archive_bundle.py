"""Any source of a push as an opened bundle: a bundle in place, an archive through a working one.

A registry wants every layer's digest before the layer, and an archive tells them only as it passes.
So its layers are compressed into a working bundle first, beside the archive or where the user says;
it goes when the work is done, and stays for the next run where it was interrupted.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AirgapError,
    ContentError,
    EnvironmentFailure,
    MalformedContent,
    NoRoom,
    NotFound,
    UsageError,
)
from airgap_tui.engine.events import Note, Sink
from airgap_tui.engine.jobs.ingest import ingest_archive
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.sources import open_sources
from airgap_tui.engine.quantities import size


@contextmanager
def opened(
    paths: Sequence[Path], work: Path | None, sink: Sink, token: CancelToken
) -> Iterator[tuple[BundleReader, tuple[ItemResult, ...]]]:
    """The bundle that the paths stand for, and what could not be read of its archives.

    `paths` are a bundle, volumes of one set, an archive, or a directory of archives; `work` is
    where a working bundle may lie. Raises as `BundleReader.open` does, and `NoRoom` or
    `EnvironmentFailure` for the latter.
    """
    bundles, archives = open_sources(paths)
    path = paths[0]
    if len(bundles) > 1 or (bundles and archives) or (archives and len(paths) > 1):
        raise UsageError(
            "several paths are pushed together only where they are volumes of one set",
            hint="Push one bundle after the other.",
        )
    if bundles:
        yield bundles[0], ()
        return
    place = (work or archives[0].parent) / f"{path.name}.pushing"
    needed = sum(archive.stat().st_size for archive in archives)
    free = Room.at(place.parent).free
    if needed > free:
        raise NoRoom(
            f"{place.parent}: {size(needed, up=True)} needed to unpack {path.name} before it is"
            f" pushed, {size(free, down=True)} free",
            hint="Name another directory with --work.",
        )
    sink(Note(f"{path.name} is unpacked into {place} first; that goes again when it is pushed"))
    failures: list[ItemResult] = []
    try:
        with BundleWriter.open(place, "push", None, None, sink) as writer:
            for archive in archives:
                found = ingest_archive(archive, writer, None, sink=sink, token=token)
                failures += [item for item in found if not item.succeeded]
            writer.finish(token)
    except NoRoom:
        raise
    except EnvironmentFailure as error:
        raise EnvironmentFailure(
            f"{path.name} cannot be unpacked beside itself: {error.message}",
            hint="Name a directory that can be written with --work.",
        ) from None
    bundle = BundleReader.open(place)
    if not bundle.items and failures:
        shutil.rmtree(place, ignore_errors=True)
        raise _first(failures)
    yield bundle, tuple(failures)
    shutil.rmtree(place, ignore_errors=True)


def _first(failures: list[ItemResult]) -> AirgapError:
    first = failures[0]
    kind = MalformedContent if first.exit_code == ContentError.exit_code else NotFound
    return kind(first.error, hint=first.hint)
