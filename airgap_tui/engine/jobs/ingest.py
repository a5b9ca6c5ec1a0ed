"""Fills a bundle with images that are only in an engine or in an archive of one.

What passes is taken apart on the fly; the image IDs stay, layers are compressed on the way, and
each is stored once. A layer that the bundle has is not compressed again, so that an export which
broke off costs only its transfer when it is repeated.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.archives.file import open_archive
from airgap_tui.engine.bundle.archives.intake import ArchivedImage, take_apart
from airgap_tui.engine.bundle.archives.layer_intake import LayerIntake
from airgap_tui.engine.bundle.archives.names import reference_in_name
from airgap_tui.engine.bundle.archives.seen_layers import SeenLayers
from airgap_tui.engine.bundle.encoding.codec import Codec, Compression
from airgap_tui.engine.bundle.inventory import Item
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.bundle.writer import BundleWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AirgapError,
    ContentMismatch,
    InvalidReference,
    MalformedContent,
    NoRoom,
    NotFound,
    Stopped,
)
from airgap_tui.engine.events import ItemChanged, ItemState, Level, Note, Sink
from airgap_tui.engine.jobs.engine_room import export_groups, need_room
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Manifest
from airgap_tui.engine.oci.read_ahead import ReadAhead
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.redaction import redact

if TYPE_CHECKING:
    from airgap_tui.engine.docker.engine import Engine
    from airgap_tui.engine.docker.info import EngineImage

DEFAULT_COMPRESSION = Compression(Codec.GZIP)
"""Every engine and enroot reads it."""

_SEEN = f"{layout.PARTIAL}/archive-layers.json"
_MOST_ENCODER_MEMORY = 1024**3
_USUAL_SHRINKING = 0.45


def ingest_engine(
    engine: Engine,
    references: Sequence[Reference],
    writer: BundleWriter,
    compression: Compression | None,
    *,
    force: bool,
    sink: Sink,
    token: CancelToken,
) -> tuple[ItemResult, ...]:
    """Save images out of an engine; the results are in the order of `references`.

    Plain layers are compressed as `compression` says (None: gzip). Raises `NoRoom` where the
    engine's disk cannot take its staged export, or the bundle's disk the layers, unless `force`;
    and `Stopped`.
    """
    results: dict[Reference, ItemResult] = {}
    wanted: dict[Reference, EngineImage] = {}
    bundle = BundleReader.open(writer.path)
    for reference in references:
        token.check()
        try:
            image = engine.inspect(asked(reference))
        except AirgapError as error:
            results[reference] = _failed(reference, error, engine.info.kind, writer, sink)
            continue
        held = held_image(writer.find(reference), image, bundle)
        if held is not None:
            sink(ItemChanged(str(reference), ItemState.HELD, "already in the bundle", held.digest))
            results[reference] = held
            continue
        wanted[reference] = image
        sink(ItemChanged(str(reference), ItemState.WAITING))
        writer.record(Item(reference, ItemState.WAITING, origin=engine.info.kind))
    intake = _intake(writer, compression, token)
    seen = SeenLayers(writer.path / _SEEN)
    _check_bundle_room(wanted, writer.path, intake.compression, force, sink)
    for group in export_groups(engine, wanted, force, sink):
        export = _Export(engine, group, intake, seen, writer, sink, token)
        results.update(export.run())
    return tuple(results[reference] for reference in references)


def ingest_archive(
    path: Path,
    writer: BundleWriter,
    compression: Compression | None,
    *,
    sink: Sink,
    token: CancelToken,
) -> tuple[ItemResult, ...]:
    """Save all images of an archive file, plain or compressed.

    An archive that cannot be read is one failed item, named by its path. Raises `NoRoom` and
    `Stopped`.
    """
    name = str(path)
    sink(ItemChanged(name, ItemState.SAVING))
    intake = _intake(writer, compression, token)
    try:
        with closing(ReadAhead(open_archive(path), token=token)) as source:
            images = take_apart(
                source,
                intake,
                what=name,
                sink=sink,
                items=(name,),
                seen=SeenLayers(writer.path / _SEEN),
            )
        named = [(reference, image) for image in images for reference in _names(image, path)]
    except (Stopped, NoRoom):
        raise
    except AirgapError as error:
        sink(ItemChanged(name, ItemState.FAILED, redact(error.message)))
        return (ItemResult.failed(name, error),)
    sink(ItemChanged(name, ItemState.DONE))
    return tuple(
        _add(reference, image, "archive", None, writer, sink) for reference, image in named
    )


@dataclass(slots=True)
class _Export:
    """One save stream for several images, and one each for those that a failure left."""

    engine: Engine
    wanted: dict[Reference, EngineImage]
    intake: LayerIntake
    seen: SeenLayers
    writer: BundleWriter
    sink: Sink
    token: CancelToken

    def run(self) -> dict[Reference, ItemResult]:
        try:
            return self._run(self.wanted)
        except (Stopped, NoRoom):
            raise
        except AirgapError as error:
            if len(self.wanted) == 1:
                return {reference: self._failed(reference, error) for reference in self.wanted}
            self.sink(
                Note(f"{redact(error.message)}; each image is now tried alone", Level.WARNING)
            )
        results = {}
        for reference, image in self.wanted.items():
            try:
                results.update(self._run({reference: image}))
            except (Stopped, NoRoom):
                raise
            except AirgapError as error:
                results[reference] = self._failed(reference, error)
        return results

    def _run(self, wanted: dict[Reference, EngineImage]) -> dict[Reference, ItemResult]:
        for reference in wanted:
            self.sink(ItemChanged(str(reference), ItemState.SAVING))
        names = [asked(reference) for reference in wanted]
        with closing(self.engine.save(names, self.token, self.sink)) as source:
            images = take_apart(
                source,
                self.intake,
                what=self.engine.info.name,
                sink=self.sink,
                items=tuple(str(reference) for reference in wanted),
                seen=self.seen,
            )
        results = {}
        for reference, image in wanted.items():
            try:
                found = _find(images, reference, image)
                if not self.engine.info.containerd_store and found.image_id != image.id:
                    raise ContentMismatch(
                        f"{reference} has the image ID {image.id} and arrived as {found.image_id}"
                    )
                kind = self.engine.info.kind
                source_digest = _registry_digest(reference, image)
                results[reference] = _add(
                    reference, found, kind, source_digest, self.writer, self.sink
                )
            except AirgapError as error:
                results[reference] = self._failed(reference, error)
        return results

    def _failed(self, reference: Reference, error: AirgapError) -> ItemResult:
        return _failed(reference, error, self.engine.info.kind, self.writer, self.sink)


def _intake(
    writer: BundleWriter, compression: Compression | None, token: CancelToken
) -> LayerIntake:
    chosen = compression or DEFAULT_COMPRESSION
    threads = len(os.sched_getaffinity(0))
    while threads > 2 and chosen.memory(threads) > _MOST_ENCODER_MEMORY:
        threads -= 1
    return LayerIntake(writer, chosen, threads, token)


def asked(reference: Reference) -> str:
    """As engines take it: a digest stands alone, a tag beside it would be a second opinion."""
    return f"{reference.name}@{reference.digest}" if reference.digest else reference.tagged_name


def _check_bundle_room(
    wanted: dict[Reference, EngineImage],
    bundle: Path,
    compression: Compression,
    force: bool,
    sink: Sink,
) -> None:
    sizes = {image.id: image.size for image in wanted.values()}
    factor = 1.0 if compression.codec is Codec.NONE else _USUAL_SHRINKING
    needed = round(sum(sizes.values()) * factor)
    need_room(Room.at(bundle).free, needed, f"in {bundle} for the layers", force, sink)


def held_image(item: Item | None, image: EngineImage, bundle: BundleReader) -> ItemResult | None:
    """The result where the bundle has this very image as that item, whole."""
    if item is None or item.state is not ItemState.DONE or item.digest is None:
        return None
    try:
        manifest = bundle.document(item.digest, item.media_type)
    except AirgapError:
        return None
    if not isinstance(manifest, Manifest) or not all(map(bundle.holds, manifest.blobs)):
        return None
    if image.id not in (manifest.config.digest, manifest.digest, item.source_digest):
        return None
    return ItemResult(item.name, ItemState.HELD, str(item.digest), item.bytes)


def _find(
    images: Sequence[ArchivedImage], reference: Reference, wanted: EngineImage
) -> ArchivedImage:
    """The image in the archive that a name of the engine means."""
    for image in images:
        if reference.tag and reference.tagged_name in map(_normal, image.names):
            return image
    for image in images:
        if wanted.id in (image.image_id, image.manifest.digest):
            return image
    if len(images) == 1:
        return images[0]
    raise MalformedContent(f"{reference} is not in what the engine sent")


def _normal(name: str) -> str:
    try:
        return Reference.parse(name).tagged_name
    except InvalidReference:
        return name


def _registry_digest(reference: Reference, image: EngineImage) -> Digest | None:
    """The digest by which a registry gave this image to the engine, under this repository."""
    for name in image.digests:
        try:
            found = Reference.parse(name)
        except InvalidReference:
            continue
        if found.name == reference.name and found.digest is not None:
            return found.digest
    return None


def _names(image: ArchivedImage, path: Path) -> list[Reference]:
    """The names of an image in an archive, or what the file's name says. Raises `NotFound`."""
    found = [Reference.parse(name) for name in image.names]
    if not found and (hint := reference_in_name(path)) is not None:
        found = [hint]
    if not found:
        raise NotFound(
            f"{path}: the image {image.image_id.short} has no name",
            hint="Load it, give it a tag, and save it by that name.",
        )
    return found


def _add(
    reference: Reference,
    image: ArchivedImage,
    origin: str,
    source_digest: Digest | None,
    writer: BundleWriter,
    sink: Sink,
) -> ItemResult:
    manifest = image.manifest
    known = source_digest or reference.digest
    item = Item(
        replace(reference, digest=None) if reference.tag else reference,
        ItemState.DONE,
        digest=manifest.digest,
        media_type=manifest.media_type,
        size=len(manifest.raw),
        bytes=image.size,
        platform=image.platform,
        source_digest=None if known == manifest.digest else known,
        origin=origin,
    )
    writer.add_image(item, [manifest])
    wanted = writer.inventory.platform
    if wanted is not None and not image.platform.matches(wanted):
        sink(Note(f"{reference} is for {image.platform}, not {wanted}", Level.WARNING))
    sink(ItemChanged(str(reference), ItemState.DONE, digest=str(manifest.digest)))
    return ItemResult(str(reference), ItemState.DONE, str(manifest.digest), image.size)


def _failed(
    reference: Reference, error: AirgapError, origin: str, writer: BundleWriter, sink: Sink
) -> ItemResult:
    said = redact(error.message)
    known = writer.find(reference) or Item(reference, origin=origin)
    if known.state is not ItemState.DONE:
        writer.record(replace(known, state=ItemState.FAILED, error=said))
    sink(ItemChanged(str(reference), ItemState.FAILED, said))
    return ItemResult.failed(str(reference), error)
