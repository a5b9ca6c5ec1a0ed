"""What a save would do, in numbers, before anything is written; a save itself begins with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from airgap_tui.engine.bundle.encoding.reencode import finder
from airgap_tui.engine.bundle.layout import partial_path
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AirgapError, NoRoom, NotFound
from airgap_tui.engine.events import ItemState, Sink
from airgap_tui.engine.jobs.lookup import Planned, known_to, look_up, open_existing
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.save_spec import Origin, SaveSpec
from airgap_tui.engine.oci.content import Closure
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import size as in_words
from airgap_tui.engine.registry.source import RateLimit, RegistrySource

if TYPE_CHECKING:
    from airgap_tui.engine.bundle.receipts.assumption import Assumption


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """A row of a plan. Bytes: `size` = `shared` (with rows above) + `held` + `left_out` (what the
    offline side has) + `to_fetch`."""

    reference: str
    platforms: tuple[str, ...]
    digest: str
    size: int
    shared: int
    held: int
    to_fetch: int
    result: ItemResult
    left_out: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            **self.result.to_json(),
            "platforms": list(self.platforms),
            "digest": self.digest or None,
            "bytes": {
                "size": self.size,
                "shared": self.shared,
                "held": self.held,
                "leftOut": self.left_out,
                "toFetch": self.to_fetch,
            },
        }


@dataclass(frozen=True, slots=True)
class PlannedBlob:
    """A file that the bundle would hold, and one of the images that it is of."""

    reference: Reference
    descriptor: Descriptor


@dataclass(frozen=True, slots=True)
class PlanResult:
    """A plan. `problems` are the reasons why a save would refuse to start. `blobs` are the files
    that the bundle would hold; none where they are known only as they pass. `begun` are the bytes
    of them that an interrupted save left on the disk: they are not fetched again."""

    images: tuple[PlannedImage, ...]
    room: Room
    needed: int
    problems: tuple[NoRoom, ...]
    rate_limits: tuple[RateLimit, ...]
    blobs: tuple[PlannedBlob, ...] = ()
    begun: int = 0

    @property
    def unique(self) -> int:
        """Bytes of all images after deduplication."""
        return sum(image.size - image.shared for image in self.images)

    @property
    def to_fetch(self) -> int:
        return sum(image.to_fetch for image in self.images)

    @property
    def left_out(self) -> int:
        """Bytes that the offline side has."""
        return sum(image.left_out for image in self.images)

    @property
    def carried(self) -> int:
        """Bytes that go onto media."""
        return self.unique - self.left_out

    @property
    def exit_code(self) -> int:
        code = combined_exit_code(image.result for image in self.images)
        return code or (NoRoom.exit_code if self.problems else 0)

    def to_json(self) -> dict[str, Any]:
        return {
            "items": [image.to_json() for image in self.images],
            "bytes": {
                "size": sum(image.size for image in self.images),
                "unique": self.unique,
                "held": sum(image.held for image in self.images),
                "leftOut": self.left_out,
                "toFetch": self.to_fetch,
                "begun": self.begun,
            },
            "room": {
                "free": self.room.free,
                "needed": self.needed,
                "fileSystem": self.room.file_system,
                "largestFile": self.room.largest_file,
            },
            "problems": [problem.message for problem in self.problems],
            "rateLimits": [
                {
                    "registry": limit.registry,
                    "limit": limit.limit,
                    "remaining": limit.remaining,
                    "windowSeconds": limit.window_seconds,
                }
                for limit in self.rate_limits
            ],
        }


def run(
    spec: SaveSpec,
    sink: Sink,
    token: CancelToken,
    credentials: CredentialStore | None = None,
) -> PlanResult:
    """Look every image up and add up what a save would fetch. Nothing is written."""
    bundle = open_existing(spec.bundle)
    if spec.origin is not Origin.REGISTRY:
        return _plan_streams(spec, bundle, token)
    network = spec.settings.network
    with closing(
        RegistrySource(
            network, credentials or CredentialStore.load(), sink, signatures=spec.with_signatures
        )
    ) as source:
        known = known_to(spec, bundle, sink, token)
        planned = look_up(spec, source, bundle, sink, token)
        before = bundle.inventory.assumes if bundle is not None else ()
        assumes = () if known is None else known.assumptions(to_come(planned), before)
        return measure(spec, planned, bundle, source.rate_limits(), assumes)


def to_come(planned: Iterable[Planned]) -> Iterator[Closure]:
    """What the bundle does not have whole yet."""
    for image in planned:
        if image.closure is not None and not image.complete:
            yield image.closure


def measure(
    spec: SaveSpec,
    planned: Sequence[Planned],
    bundle: BundleReader | None,
    rate_limits: tuple[RateLimit, ...] = (),
    assumes: tuple[Assumption, ...] = (),
) -> PlanResult:
    """The numbers of a plan, and whether the disk can hold what is to come."""
    holds = _holds_nothing if bundle is None else finder(bundle, spec.compression)
    counted: set[Digest] = set()
    assumed = {digest for assumption in assumes for digest in assumption.layers}
    images = tuple(_row(image, holds, assumed, counted) for image in planned)
    missing = _missing(planned, lambda blob: blob.digest in assumed or holds(blob))
    room = Room.at(spec.bundle)
    begun = _partial_bytes(spec.bundle, missing)
    needed = sum(blob.size for blob in missing) - begun
    if spec.compression is not None and missing:
        # The original stays beside its re-encoded copy until the copy is whole.
        largest = sorted((blob.size for blob in missing), reverse=True)
        needed += sum(largest[: spec.settings.transfers])
    problems = tuple(_problems(spec.bundle, room, needed, missing))
    blobs = tuple(_blobs(planned, assumed))
    return PlanResult(images, room, needed, problems, rate_limits, blobs, begun)


def _blobs(planned: Iterable[Planned], assumed: Collection[Digest]) -> Iterator[PlannedBlob]:
    """Each file of the images once, without those that the offline side has."""
    seen = set(assumed)
    for image in planned:
        closure = image.closure
        documents = [document.descriptor for document in closure.documents] if closure else []
        for blob in (*documents, *(closure.needed if closure else ())):
            if blob.digest not in seen:
                seen.add(blob.digest)
                yield PlannedBlob(image.reference, blob)


def _holds_nothing(_blob: Descriptor) -> bool:
    return False


def _row(
    planned: Planned,
    holds: Callable[[Descriptor], bool],
    assumed: Collection[Digest],
    counted: set[Digest],
) -> PlannedImage:
    reference, closure = str(planned.reference), planned.closure
    if closure is None:
        assert planned.error is not None  # noqa: S101 - one of the two is always there
        failed = ItemResult.failed(reference, planned.error)
        return PlannedImage(reference, (), "", 0, 0, 0, 0, failed)
    shared = held = left_out = to_fetch = 0
    documents = [document.descriptor for document in closure.documents]
    for blob in (*documents, *closure.blobs):
        if blob.digest in counted:
            shared += blob.size
        elif holds(blob):
            held += blob.size
        elif blob.digest in assumed:
            left_out += blob.size
        else:
            to_fetch += blob.size
        counted.add(blob.digest)
    size, digest = shared + held + left_out + to_fetch, str(closure.root.digest)
    state = ItemState.HELD if planned.complete else ItemState.WAITING
    result = ItemResult(reference, state, digest, size)
    platforms = tuple(str(platform) for platform in closure.platforms)
    return PlannedImage(
        reference, platforms, digest, size, shared, held, to_fetch, result, left_out
    )


def _missing(
    planned: Sequence[Planned], holds: Callable[[Descriptor], bool]
) -> tuple[Descriptor, ...]:
    blobs = {
        blob.digest: blob
        for image in planned
        if image.closure is not None and not image.complete
        for blob in image.closure.needed
    }
    return tuple(blob for blob in blobs.values() if not holds(blob))


def _partial_bytes(bundle: Path, missing: Sequence[Descriptor]) -> int:
    """Bytes of the missing content that an interrupted save left on the disk."""
    total = 0
    for blob in missing:
        try:
            total += min(blob.size, (bundle / partial_path(blob.digest)).stat().st_size)
        except OSError:
            continue
    return total


def _problems(path: Path, room: Room, needed: int, missing: Sequence[Descriptor]) -> list[NoRoom]:
    problems = []
    if needed > room.free:
        problems.append(
            NoRoom(
                f"{path}: {in_words(needed, up=True)} needed,"
                f" {in_words(room.free, down=True)} free",
                hint="Choose another disk, save fewer images, or start anyway with --force.",
            )
        )
    limit = room.largest_file
    large = [blob for blob in missing if limit is not None and blob.size > limit]
    if limit is not None and large:
        problems.append(
            NoRoom(
                f"{path}: {room.file_system} takes no file over {in_words(limit, down=True)},"
                f" and {len(large)} of the layers are larger",
                hint="Choose a disk with ext4, XFS or exFAT.",
            )
        )
    return problems


# --- out of engines and archives, whose layers are known only as they pass


def _plan_streams(spec: SaveSpec, bundle: BundleReader | None, token: CancelToken) -> PlanResult:
    """Sizes are those of the unpacked images, or of the files: the most that can come."""
    rows = _archive_rows(spec) if spec.origin is Origin.ARCHIVE else _engine_rows(spec, bundle)
    token.check()
    images, room = tuple(rows), Room.at(spec.bundle)
    needed = sum(image.to_fetch for image in images)
    return PlanResult(images, room, needed, tuple(_problems(spec.bundle, room, needed, ())), ())


def _archive_rows(spec: SaveSpec) -> Iterator[PlannedImage]:
    for path in spec.archives:
        try:
            size = path.stat().st_size
        except OSError as error:
            absent = NotFound(f"{path} cannot be read: {error.strerror}")
            yield _row_of(ItemResult.failed(str(path), absent))
        else:
            yield _row_of(ItemResult(str(path), ItemState.WAITING, bytes=size))


def _engine_rows(spec: SaveSpec, bundle: BundleReader | None) -> Iterator[PlannedImage]:
    from airgap_tui.engine.docker.engine import Engine
    from airgap_tui.engine.jobs.ingest import asked, held_image

    kind: Literal["docker", "podman"] = "podman" if spec.origin is Origin.PODMAN else "docker"
    with closing(Engine.connect(spec.host, kind)) as engine:
        for reference in dict.fromkeys(spec.references):
            try:
                image = engine.inspect(asked(reference))
            except AirgapError as error:
                yield _row_of(ItemResult.failed(str(reference), error))
                continue
            item = bundle.inventory.find(reference) if bundle else None
            held = held_image(item, image, bundle) if bundle else None
            known = ItemResult(str(reference), ItemState.WAITING, str(image.id), image.size)
            yield _row_of(held or known, image.platform)


def _row_of(result: ItemResult, platform: str = "") -> PlannedImage:
    held = result.bytes if result.state is ItemState.HELD else 0
    platforms = (platform,) if platform else ()
    to_fetch = result.bytes - held
    return PlannedImage(
        result.reference, platforms, result.digest, result.bytes, 0, held, to_fetch, result
    )
