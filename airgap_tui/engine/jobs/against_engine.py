"""Compare image IDs: what a bundle or an archive holds, and what an engine has by the same name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle.archives.file import open_archive
from airgap_tui.engine.bundle.archives.passing import PassingArchive
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.docker.engine import Engine
from airgap_tui.engine.docker.hosts import Kind
from airgap_tui.engine.errors import AirgapError, ContentMismatch, NotFound, Stopped
from airgap_tui.engine.events import ItemChanged, ItemState, JobFinished, JobStarted, Sink
from airgap_tui.engine.jobs.load_bundles import choose
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.sources import open_sources
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.platform import DEFAULT_PLATFORM
from airgap_tui.engine.oci.read_ahead import ReadAhead
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class AgainstEngineSpec:
    """`paths` as in `LoadSpec`."""

    paths: tuple[Path, ...]
    into: Kind = "docker"
    host: str | None = None
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class AgainstEngineResult:
    """Done is the same image ID; an item's `target_digest` is the engine's where they differ."""

    items: tuple[ItemResult, ...]
    engine: str
    seconds: float

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        return combined_exit_code(self.items)

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "engine": self.engine,
            "items": [item.to_json() for item in self.items],
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class _Expected:
    """An image and the IDs under which an engine may hold it: by its config, by its manifest."""

    name: str
    image_id: Digest
    manifest: Digest | None = None


def run(spec: AgainstEngineSpec, sink: Sink, token: CancelToken) -> AgainstEngineResult:
    """Ask the engine for each image. Raises `EngineFailure` and what opening a bundle raises."""
    started = time.monotonic()
    bundles, archives = open_sources(spec.paths)
    wanted, results = choose(bundles, (), None, spec.settings.platform or DEFAULT_PLATFORM)
    expected = [
        _Expected(one.reference, one.image.image_id, one.image.manifest.digest) for one in wanted
    ]
    for path in archives:
        try:
            expected += _in_archive(path, token)
        except Stopped:
            raise
        except AirgapError as error:
            results.append(ItemResult.failed(str(path), error))
    with Engine.connect(spec.host, spec.into) as engine:
        sink(JobStarted("verify", engine.info.name, tuple(one.name for one in expected)))
        for one in expected:
            token.check()
            result = _compared(engine, one)
            sink(ItemChanged(one.name, result.state, result.error, result.digest))
            results.append(result)
        name = engine.info.name
    ended = AgainstEngineResult(tuple(results), name, time.monotonic() - started)
    sink(JobFinished("verify", ended.exit_code))
    return ended


def _compared(engine: Engine, one: _Expected) -> ItemResult:
    ours = one.image_id
    if engine.info.containerd_store and one.manifest is not None:
        ours = one.manifest
    try:
        theirs = engine.inspect(one.name).id
    except NotFound:
        absent = NotFound(
            f"{engine.info.name} does not have {one.name}", hint="airgap-tui load  brings it there."
        )
        return ItemResult.failed(one.name, absent)
    except AirgapError as error:
        return ItemResult.failed(one.name, error)
    if theirs != ours:
        differs = ContentMismatch(
            f"{one.name} is {theirs.short} in {engine.info.name} and {ours.short} here",
            hint="The tag has moved, or one of them was built anew.",
        )
        failed = ItemResult.failed(one.name, differs)
        return ItemResult(
            one.name,
            ItemState.FAILED,
            str(ours),
            error=redact(failed.error),
            hint=failed.hint,
            exit_code=failed.exit_code,
            target_digest=str(theirs),
        )
    return ItemResult(one.name, ItemState.DONE, str(ours))


def _in_archive(path: Path, token: CancelToken) -> Iterator[_Expected]:
    with closing(ReadAhead(open_archive(path), token=token)) as source:
        archive = PassingArchive(source, str(path))
        for _ in archive.chunks():
            token.check()
    for entry in archive.entries:
        if entry.image_id is not None:
            yield from (_Expected(name, entry.image_id) for name in entry.names)
