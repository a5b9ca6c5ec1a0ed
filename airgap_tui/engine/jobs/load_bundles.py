"""Images out of bundles into an engine: what it lacks, in one stream made on the fly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from airgap_tui.engine.bundle.archives.docker_archive import (
    ANY_ENGINE,
    EVERYTHING,
    BrokenBlob,
    DockerArchive,
    LoadImage,
)
from airgap_tui.engine.bundle.inventory import IMAGE, SIGNATURE, Item
from airgap_tui.engine.bundle.names import image_for, root_of
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.docker.engine import Engine
from airgap_tui.engine.errors import (
    AirgapError,
    ContentMismatch,
    EngineFailure,
    NameConflict,
    NotFound,
    Stopped,
)
from airgap_tui.engine.events import (
    BlobDone,
    BlobDropped,
    BlobPlanned,
    BlobProgress,
    BlobStarted,
    ItemChanged,
    ItemSized,
    ItemState,
    Level,
    Note,
    Sink,
)
from airgap_tui.engine.jobs.engine_room import check_load_room
from airgap_tui.engine.jobs.left_out import absent_of, refuse
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.unfinished import why_unfinished
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Manifest
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.redaction import redact


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image to load; `target` is the name that `naming` adds, `digests` as in `Item`."""

    reference: str
    image: LoadImage
    target: Reference | None = None
    digests: frozenset[Digest] = frozenset()

    def expected(self, engine: Engine) -> Digest:
        """The image ID that this image has in that engine."""
        if engine.info.containerd_store:
            return self.image.manifest.digest
        return self.image.image_id


def choose(
    bundles: Sequence[BundleReader],
    references: Sequence[Reference],
    naming: Naming | None,
    platform: Platform,
) -> tuple[list[Wanted], list[ItemResult]]:
    """The images to load of opened bundles, and results for what cannot be one of them.

    Of an index the image for `platform` is taken. Raises `NameConflict`.
    """
    found: dict[str, tuple[BundleReader, Item]] = {}
    missing = {reference.tagged_name: reference for reference in references}
    for bundle in bundles:
        for item in bundle.items:
            if item.kind == SIGNATURE:
                continue
            asked = [r for r in references if bundle.inventory.find(r) == item]
            if references and not asked:
                continue
            for reference in asked:
                missing.pop(reference.tagged_name, None)
            other = found.setdefault(item.name, (bundle, item))[1]
            if other.digest != item.digest:
                raise NameConflict(
                    f"{item.name} is in two of the bundles with different content",
                    hint="Load them one after the other; the last one gets the name.",
                )
    results = [
        ItemResult.failed(str(reference), NotFound(f"no bundle here holds {reference}"))
        for reference in missing.values()
    ]
    targets = naming.assign(item.reference for _, item in found.values()) if naming else {}
    wanted = []
    for bundle, item in found.values():
        try:
            image = _image(bundle, item, platform)
        except AirgapError as error:
            results.append(ItemResult.failed(item.name, error))
            continue
        if image is None:
            results.append(ItemResult(item.name, ItemState.LEFT_OUT, str(item.digest or "")))
            continue
        target = targets.get(item.reference)
        names = tuple(name for name in (item.reference, target) if name is not None and name.tag)
        wanted.append(Wanted(item.name, replace(image, names=names), target, item.digests))
    return wanted, results


def _image(bundle: BundleReader, item: Item, platform: Platform) -> LoadImage | None:
    """The one image that an engine gets; None for other items. Raises what reading raises."""
    if item.state is not ItemState.DONE:
        raise why_unfinished(item)
    if item.kind != IMAGE:
        return None
    read = bundle.document
    manifest = image_for(root_of(item), platform, lambda d: read(d.digest, d.media_type))
    if manifest is None:
        return None
    return LoadImage(bundle, manifest, (), bundle.config(manifest).platform)


class BundleLoading:
    """One `docker load` for many images; `sent` counts the bytes of layers that went out."""

    def __init__(self, engine: Engine, force: bool, sink: Sink, token: CancelToken) -> None:
        self._engine = engine
        self._force = force
        self._sink = sink
        self._token = token
        self._done: dict[str, ItemResult] = {}
        self.sent = 0

    def run(self, wanted: Sequence[Wanted]) -> list[ItemResult]:
        to_send = [one for one in wanted if not self._already_there(one)]
        self._check_room(to_send)
        while to_send:
            to_send = self._send(to_send)
        return [self._done[one.reference] for one in wanted]

    def _already_there(self, one: Wanted) -> bool:
        """Settle what needs no bytes: held by the engine, at most under another name."""
        self._token.check()
        expected = one.expected(self._engine)
        missing = [name for name in one.image.names if self._id_of(name) != expected]
        if missing or not one.image.names:
            if not held(self._engine, one):
                return False
            for name in missing:
                self._engine.tag(str(expected), name.name, str(name.tag))
        state = ItemState.DONE if missing else ItemState.HELD
        self._settle(one, state, "tagged; its layers were there" if missing else "already loaded")
        return True

    def _id_of(self, name: Reference) -> Digest | None:
        try:
            return self._engine.inspect(name.tagged_name).id
        except NotFound:
            return None

    def _send(self, wanted: list[Wanted]) -> list[Wanted]:
        """One stream; what is left to be sent again is returned."""
        archive = DockerArchive(
            self._token,
            reads=EVERYTHING if self._engine.info.can_read_zstd else ANY_ENGINE,
            oci=self._engine.info.containerd_store,
        )
        planned = []
        for one in wanted:
            try:
                archive.add(one.image)
            except Stopped:
                raise
            except AirgapError as error:
                self._fail(one, error)
            else:
                planned.append(one)
        if not planned:
            return []
        progress = _Progress(archive, planned, self._sink)
        try:
            self._engine.load(archive.chunks(), self._sink, self._token)
        except BrokenBlob as error:
            progress.dropped(error.message)
            broken = [one for one in planned if error.digest in _digests(one)]
            for one in broken or planned:
                self._fail(one, error)
            return [one for one in planned if broken and one not in broken]
        except EngineFailure as error:
            progress.dropped(error.message)
            full = "no space" in error.message.lower()
            if len(planned) == 1 or full or not self._engine_answers(planned[0]):
                for one in planned:
                    self._fail(one, error)
                return []
            text = f"{redact(error.message)}; each image is now tried alone"
            self._sink(Note(text, Level.WARNING))
            for one in planned:
                self._send([one])
            return []
        finally:
            self.sent += progress.sent
        progress.finished()
        for one in planned:
            self._check(one)
        return []

    def _engine_answers(self, one: Wanted) -> bool:
        """One that died takes no image alone either."""
        try:
            held(self._engine, one)
        except EngineFailure:
            return False
        return True

    def _check(self, one: Wanted) -> None:
        """Whether the engine now has every name with the right ID."""
        expected = one.expected(self._engine)
        try:
            for name in [name.tagged_name for name in one.image.names] or [str(expected)]:
                actual = self._engine.inspect(name).id
                if actual != expected:
                    raise ContentMismatch(
                        f"{name} has the image ID {actual} in {self._engine.info.name}, and"
                        f" {expected} in the bundle"
                    )
        except NotFound as error:
            lacking = EngineFailure(
                f"{self._engine.info.name} took {one.reference} without an error and does not have"
                " it now",
                hint="Its disk may be full, or its log says why.",
            )
            self._fail(one, lacking if error.message else error)
        except AirgapError as error:
            self._fail(one, error)
        else:
            self._settle(one, ItemState.DONE)

    def _settle(self, one: Wanted, state: ItemState, reason: str = "") -> None:
        expected = str(one.expected(self._engine))
        size = sum(blob.size for blob in one.image.manifest.blobs)
        target = one.target.tagged_name if one.target is not None else ""
        self._done[one.reference] = ItemResult(one.reference, state, expected, size, target=target)
        self._sink(ItemChanged(one.reference, state, reason, expected))

    def _fail(self, one: Wanted, error: AirgapError) -> None:
        self._done[one.reference] = ItemResult.failed(one.reference, error)
        self._sink(ItemChanged(one.reference, ItemState.FAILED, redact(error.message)))

    def _check_room(self, wanted: Sequence[Wanted]) -> None:
        """The unpacked layers, and the copy of the archive that most engines make before."""
        if wanted:
            unpacked, archive = weights(wanted)
            check_load_room(self._engine, unpacked, archive, self._force, self._sink)


def weights(wanted: Sequence[Wanted]) -> tuple[int, int]:
    """Bytes of all distinct layers: unpacked, as recorded or estimated, and as they are sent."""
    layers: dict[Digest, tuple[BundleReader, Manifest, Descriptor]] = {}
    for one in wanted:
        for layer in one.image.manifest.layers:
            layers.setdefault(layer.digest, (one.image.bundle, one.image.manifest, layer))
    unpacked = sum(
        bundle.uncompressed_size(replace(manifest, layers=(layer,)))
        for bundle, manifest, layer in layers.values()
    )
    return unpacked, sum(layer.size for _, _, layer in layers.values())


def held(engine: Engine, one: Wanted) -> bool:
    """Whether the engine has the image, under whatever name; nothing is changed there."""
    try:
        engine.inspect(str(one.expected(engine)))
    except NotFound:
        return False
    return True


def check_bases(wanted: Sequence[Wanted], engine: Engine) -> None:
    """Raise `NotFound` where an update lacks layers of its base, and the engine has not the whole
    image already: before anything is sent."""
    for bundle in {id(one.image.bundle): one.image.bundle for one in wanted}.values():
        if not bundle.inventory.assumes:
            continue
        closures = (
            bundle.below(Reference.parse(one.reference), one.image.manifest.descriptor)
            for one in wanted
            if one.image.bundle is bundle and not held(engine, one)
        )
        refuse(str(bundle.storage.location), absent_of(bundle, closures))


def _digests(one: Wanted) -> frozenset[Digest]:
    return frozenset(blob.digest for blob in one.image.manifest.blobs)


class _Progress:
    """Turns the bytes of one stream into events."""

    def __init__(self, archive: DockerArchive, planned: Sequence[Wanted], sink: Sink) -> None:
        self._sink = sink
        self._left = dict(archive.members)
        self._open: set[Digest] = set()
        self.sent = 0
        archive.report = self._report
        for one in planned:
            sink(ItemChanged(one.reference, ItemState.LOADING))
            size = sum(self._left[digest] for digest in _digests(one))
            sink(ItemSized(one.reference, size, size))
        for digest, size in self._left.items():
            items = tuple(one.reference for one in planned if digest in _digests(one))
            sink(BlobPlanned(str(digest), size, items))

    def _report(self, digest: Digest, count: int) -> None:
        if digest not in self._open:
            self._open.add(digest)
            self._sink(BlobStarted(str(digest)))
        self.sent += count
        self._left[digest] -= count
        self._sink(BlobProgress(str(digest), count))
        if not self._left[digest]:
            self._sink(BlobDone(str(digest)))
            del self._left[digest]

    def finished(self) -> None:
        """Everything is there; empty layers had no bytes to tell of."""
        for digest in self._left:
            self._sink(BlobDone(str(digest)))

    def dropped(self, reason: str) -> None:
        for digest in self._left:
            self._sink(BlobDropped(str(digest), reason))
