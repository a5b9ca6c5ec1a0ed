"""Compare image IDs: what a bundle or an archive holds, and what an engine has by the same name.

In containerd's store an ID tells how an image came: pulled, it is that of the index with all
platforms; loaded, that of a manifest. There an image is the same also where its layers are.
"""

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
from airgap_tui.engine.docker.info import EngineImage
from airgap_tui.engine.errors import AirgapError, ContentMismatch, NotFound, Stopped
from airgap_tui.engine.events import ItemChanged, ItemState, JobFinished, JobStarted, Sink
from airgap_tui.engine.jobs.load_bundles import Wanted, choose
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
    """An image: `image_id` is its config's digest, `digests` those of its manifest (first) and
    of all else by which it goes, `diff_ids` those of its unpacked layers."""

    name: str
    image_id: Digest
    digests: tuple[Digest, ...]
    diff_ids: tuple[Digest, ...]

    @classmethod
    def of(cls, one: Wanted) -> _Expected:
        image, manifest = one.image, one.image.manifest
        layers = image.bundle.config(manifest).diff_ids
        return cls(one.reference, image.image_id, (manifest.digest, *one.digests), layers)

    def id_in(self, engine: Engine) -> Digest:
        """The ID that a load would give it there."""
        return self.digests[0] if engine.info.containerd_store and self.digests else self.image_id

    def is_held(self, engine: Engine, image: EngineImage) -> bool:
        """Whether what the engine has by this name is this image."""
        if not engine.info.containerd_store:
            return image.id == self.image_id
        same_layers = bool(self.diff_ids) and image.diff_ids == self.diff_ids
        return image.id in self.digests or same_layers


def run(spec: AgainstEngineSpec, sink: Sink, token: CancelToken) -> AgainstEngineResult:
    """Ask the engine for each image. Raises `EngineFailure` and what opening a bundle raises."""
    started = time.monotonic()
    bundles, archives = open_sources(spec.paths)
    wanted, results = choose(bundles, (), None, spec.settings.platform or DEFAULT_PLATFORM)
    expected = [_Expected.of(one) for one in wanted]
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
    ours = one.id_in(engine)
    try:
        image = engine.inspect(one.name)
    except NotFound:
        absent = NotFound(
            f"{engine.info.name} does not have {one.name}", hint="airgap-tui load  brings it there."
        )
        return ItemResult.failed(one.name, absent)
    except AirgapError as error:
        return ItemResult.failed(one.name, error)
    if not one.is_held(engine, image):
        differs = ContentMismatch(
            f"{one.name} is {image.id.short} in {engine.info.name} and {ours.short} here",
            hint="The tag has moved, or one of them was rebuilt.",
        )
        failed = ItemResult.failed(one.name, differs)
        return ItemResult(
            one.name,
            ItemState.FAILED,
            str(ours),
            error=redact(failed.error),
            hint=failed.hint,
            exit_code=failed.exit_code,
            target_digest=str(image.id),
        )
    return ItemResult(one.name, ItemState.DONE, str(ours))


def _in_archive(path: Path, token: CancelToken) -> Iterator[_Expected]:
    with closing(ReadAhead(open_archive(path), token=token)) as source:
        archive = PassingArchive(source, str(path))
        for _ in archive.chunks():
            token.check()
    for entry in archive.entries:
        if entry.image_id is not None:
            for name in entry.names:
                yield _Expected(name, entry.image_id, (), entry.diff_ids)
