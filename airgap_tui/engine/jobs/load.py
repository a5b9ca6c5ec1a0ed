"""Load images from bundles and archives into Docker or Podman, and see that they are there.

All images of the bundles go in one stream that is made on the fly, each shared layer once. What the
engine has already is not sent. containerd is none of the engines here: its own `ctr images import`
reads the tar of a bundle, names and digests unchanged.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.receipts.receipt import Holder, Received
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.docker.engine import Engine
from airgap_tui.engine.docker.hosts import Kind
from airgap_tui.engine.errors import (
    UsageError,
)
from airgap_tui.engine.events import (
    JobFinished,
    JobStarted,
    Sink,
)
from airgap_tui.engine.jobs.delivered import Left, Place, leave_receipt
from airgap_tui.engine.jobs.load_archive import load_archive
from airgap_tui.engine.jobs.load_bundles import BundleLoading, Wanted, check_bases, choose
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.sources import open_sources
from airgap_tui.engine.jobs.trust import check_signatures, refuse_archives
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.platform import DEFAULT_PLATFORM
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """`paths` are bundles (directory, tar, ISO), archives, or directories of archives.

    `references` empty stands for all images. `naming` adds each image's name in a registry.
    `force` starts although the engine's disk seems too small. `receipt` is where the receipt for
    the online side is written besides the state directory.
    """

    paths: tuple[Path, ...]
    into: Kind = "docker"
    host: str | None = None
    naming: Naming | None = None
    references: tuple[Reference, ...] = ()
    force: bool = False
    settings: Settings = field(default_factory=Settings)
    receipt: Path | None = None


@dataclass(frozen=True, slots=True)
class LoadResult:
    """`engine` is what took the images, such as `Docker 20.10.24`; `bytes` is what was sent;
    `codes` are the delivery codes of the bundles, `receipts` where their receipts lie."""

    items: tuple[ItemResult, ...]
    engine: str
    bytes: int
    seconds: float
    codes: tuple[str, ...] = ()
    receipts: tuple[Path, ...] = ()

    @property
    def exit_code(self) -> int:
        return combined_exit_code(self.items)

    def to_json(self) -> dict[str, Any]:
        return {
            "engine": self.engine,
            "items": [item.to_json() for item in self.items],
            "bytes": self.bytes,
            "deliveryCodes": list(self.codes),
            "receipts": [str(path) for path in self.receipts],
            "seconds": round(self.seconds, 3),
        }


def run(spec: LoadSpec, sink: Sink, token: CancelToken) -> LoadResult:
    """Load everything that the spec names.

    Raises `EngineFailure` (none there, none may be used), `NoRoom` before anything is sent,
    `NameConflict`, `SignatureRefused`, and whatever opening a bundle raises; a single image's
    failure is in the result.
    """
    started = time.monotonic()
    bundles, archives = open_sources(spec.paths)
    refuse_archives(archives, spec.settings.trust)
    check_signatures(bundles, spec.settings.trust, sink, token)
    for bundle in bundles:
        bundle.lean_on(bundles)
    if archives and spec.references:
        raise UsageError(
            f"{archives[0]} is an archive, from which single images cannot be chosen",
            hint="Name images only with a bundle.",
        )
    platform = spec.settings.platform or DEFAULT_PLATFORM
    wanted, results = choose(bundles, spec.references, spec.naming, platform)
    with Engine.connect(spec.host, spec.into) as engine:
        names = [one.reference for one in wanted] + [str(path) for path in archives]
        sink(JobStarted("load", engine.info.name, tuple(names)))
        loading = BundleLoading(engine, spec.force, sink, token)
        check_bases(wanted, engine)
        loaded_images = loading.run(wanted)
        results += loaded_images
        for path in archives:
            token.check()
            loaded, sent = load_archive(engine, path, spec.naming, spec.force, sink, token)
            results += loaded
            loading.sent += sent
        left = _receipts(spec, engine.info.name, bundles, wanted, loaded_images, sink)
        result = LoadResult(
            tuple(results),
            engine.info.name,
            loading.sent,
            time.monotonic() - started,
            tuple(one.code for one in left if one.code),
            tuple(one.receipt for one in left if one.receipt),
        )
    sink(JobFinished("load", result.exit_code))
    return result


def _receipts(
    spec: LoadSpec,
    engine: str,
    bundles: Sequence[BundleReader],
    wanted: Sequence[Wanted],
    results: Sequence[ItemResult],
    sink: Sink,
) -> tuple[Left, ...]:
    """Write down what the engine has now; what there is of each bundle for the online side."""
    there = {result.reference for result in results if result.succeeded}
    place, left = Place(Holder.ENGINE, engine, spec.settings, spec.receipt), []
    for bundle in bundles:
        images = [
            Received(one.reference, image.digest, (image.digest, *(b.digest for b in image.blobs)))
            for one in wanted
            if one.image.bundle is bundle and one.reference in there
            for image in (one.image.manifest,)
        ]
        left.append(leave_receipt(bundle, images, place, sink))
    return tuple(left)
