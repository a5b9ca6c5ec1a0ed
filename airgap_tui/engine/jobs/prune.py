"""What a kept bundle no longer needs: items by name, and content that no item needs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle.names import present
from airgap_tui.engine.bundle.needs import needs_of
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.volumes.piece_store import PieceStore
from airgap_tui.engine.bundle.volumes.volumes_read import unfinished_imports
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, MalformedContent, NotFound, UsageError
from airgap_tui.engine.events import ItemChanged, ItemState, JobFinished, JobStarted, Note, Sink
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count as counted
from airgap_tui.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class RemoveSpec:
    """`references` are the names to take out of the bundle; their content stays until a prune."""

    bundle: Path
    references: tuple[Reference, ...]
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class PruneSpec:
    """`dry_run` tells what would go, and removes nothing."""

    bundle: Path
    dry_run: bool = False
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class PruneResult:
    """`blobs` and `bytes` are what no kept item needs; `items` are those that were taken out."""

    items: tuple[ItemResult, ...]
    blobs: int
    bytes: int
    seconds: float

    @property
    def exit_code(self) -> int:
        return combined_exit_code(self.items)

    def to_json(self) -> dict[str, Any]:
        return {
            "items": [item.to_json() for item in self.items],
            "blobs": self.blobs,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
        }


def remove(spec: RemoveSpec, sink: Sink, token: CancelToken) -> PruneResult:
    """Take items out of a bundle, with the signatures of them. The result's numbers are what a
    prune would free.

    Raises `NotFound` before anything is changed where the bundle has no item of a name.
    """
    started = time.monotonic()
    bundle = _opened(spec.bundle)
    known = {item.name: item for item in bundle.items}
    absent = [str(r) for r in spec.references if r.tagged_name not in known]
    if absent:
        raise NotFound(
            f"{spec.bundle} does not hold {', '.join(absent)}",
            hint="It holds " + ", ".join(sorted(known)) + "." if known else "It holds nothing.",
        )
    items = [known[reference.tagged_name] for reference in dict.fromkeys(spec.references)]
    sink(JobStarted("remove", str(spec.bundle), tuple(item.name for item in items)))
    with BundleWriter.open(spec.bundle, "remove", bundle.inventory.platform, None, sink) as writer:
        for item in items:
            writer.forget(item.reference)
            sink(ItemChanged(item.name, ItemState.DONE, "removed"))
        writer.finish(token)
    blobs, size = _measure(BundleReader.open(spec.bundle), token)
    results = tuple(
        ItemResult(item.name, ItemState.DONE, str(item.digest or ""), item.bytes) for item in items
    )
    sink(JobFinished("remove", 0))
    return PruneResult(results, blobs, size, time.monotonic() - started)


def prune(spec: PruneSpec, sink: Sink, token: CancelToken) -> PruneResult:
    """Remove the content that no item needs.

    Raises `UsageError` while items wait for content, whose needs nobody can tell, and
    `MalformedContent` where a manifest that an item needs cannot be read, for the same reason.
    """
    started = time.monotonic()
    bundle = _opened(spec.bundle)
    _check_finished(bundle)
    sink(JobStarted("prune", str(spec.bundle), ()))
    if spec.dry_run:
        blobs, size = _measure(bundle, token)
        sink(JobFinished("prune", 0))
        return PruneResult((), blobs, size, time.monotonic() - started)
    with BundleWriter.open(spec.bundle, "prune", bundle.inventory.platform, None, sink) as writer:
        bundle = BundleReader.open(spec.bundle)
        _check_finished(bundle)
        blobs, size = _measure(bundle, token)
        needs = needs_of(bundle, token)
        writer.remove_content(digest for digest in bundle.stored() if digest not in needs)
        pieces = PieceStore(spec.bundle)
        for digest in pieces.waiting():
            pieces.drop(digest)
        for note in unfinished_imports(spec.bundle):
            note.forget()
            sink(Note("An import that was begun reads all its volumes again when it goes on"))
        writer.finish(token)
    sink(JobFinished("prune", 0))
    return PruneResult((), blobs, size, time.monotonic() - started)


def _opened(path: Path) -> BundleReader:
    bundle = BundleReader.open(path)
    if not path.is_dir() or not bundle.inventory.id:
        raise UsageError(
            f"{path} is not a bundle that can be changed",
            hint="Name the directory that save or import filled.",
        )
    return bundle


def _check_finished(bundle: BundleReader) -> None:
    waiting = [item.name for item in bundle.items if item.state is ItemState.WAITING]
    if waiting:
        still = "still waits" if len(waiting) == 1 else "still wait"
        raise UsageError(
            f"{counted(len(waiting), 'item')} of {bundle.storage.location} {still} for content,"
            f" as {waiting[0]}",
            hint="Finish the import or the save first, or take them out: airgap-tui remove.",
        )


def _measure(bundle: BundleReader, token: CancelToken) -> tuple[int, int]:
    """The number and bytes of the files that no item needs."""
    needs = needs_of(bundle, token)
    for item in present(bundle.inventory):
        try:
            bundle.closure(item)
        except AirgapError as error:
            raise MalformedContent(
                f"what {item.name} needs cannot be told: {error.message}",
                hint="Repair it first with save or import, or take it out: airgap-tui remove.",
            ) from None
    sizes = [bundle.size(digest) or 0 for digest in bundle.stored() if digest not in needs]
    return len(sizes), sum(sizes)
