"""What a save would do, in numbers, before anything is written; a save itself begins with it.

Names are looked up here and pinned to digests. What a bundle already began keeps its digests: a tag
that has moved since is noticed and said, and only `refresh` takes the new content.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle.compression import Codec, Compression
from airgap_tui.engine.bundle.inventory import Item
from airgap_tui.engine.bundle.layout import partial_path
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AirgapError, ConnectionFailure, NameConflict, NoRoom
from airgap_tui.engine.events import ItemChanged, ItemState, Level, Note, Sink
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.transfer import in_parallel
from airgap_tui.engine.oci.content import Closure
from airgap_tui.engine.oci.descriptor import Descriptor
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import size as in_words
from airgap_tui.engine.registry.source import RateLimit, RegistrySource
from airgap_tui.engine.settings import Settings

_LOOKUPS = 8
"""Names looked up at once: small requests, so more than there are transfers."""


class Origin(str, Enum):
    """Where images are taken from."""

    REGISTRY = "registry"
    DOCKER = "docker"
    PODMAN = "podman"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class SaveSpec:
    """What `plan` and `save` are asked.

    `compression` None keeps what a registry sent. `archives` are the files of origin `archive`.
    `host` is an engine's address, None for the usual one. `refresh` forgets what the bundle had of
    these. `force` starts although there is not enough room. `archive_dir` also takes one file per
    image, compressed with `archive_codec`.
    """

    references: tuple[Reference, ...]
    bundle: Path
    settings: Settings = field(default_factory=Settings)
    compression: Compression | None = None
    origin: Origin = Origin.REGISTRY
    archives: tuple[Path, ...] = ()
    host: str | None = None
    with_signatures: bool = False
    refresh: tuple[Reference, ...] = ()
    force: bool = False
    archive_dir: Path | None = None
    archive_codec: Codec = Codec.XZ


@dataclass(frozen=True, slots=True)
class Planned:
    """One image of a plan: what it needs, or why it cannot be had.

    `complete` says that the bundle holds all of it under its name. `moved` is what the tag points
    at now, where that is something else than the bundle keeps.
    """

    reference: Reference
    closure: Closure | None = None
    error: AirgapError | None = None
    complete: bool = False
    moved: Digest | None = None


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """A row of a plan. Bytes: `size` = `shared` (with rows above) + `held` + `to_fetch`."""

    reference: str
    platforms: tuple[str, ...]
    digest: str
    size: int
    shared: int
    held: int
    to_fetch: int
    result: ItemResult

    def to_json(self) -> dict[str, Any]:
        return {
            **self.result.to_json(),
            "platforms": list(self.platforms),
            "digest": self.digest or None,
            "bytes": {
                "size": self.size,
                "shared": self.shared,
                "held": self.held,
                "toFetch": self.to_fetch,
            },
        }


@dataclass(frozen=True, slots=True)
class PlanResult:
    """A plan. `problems` are the reasons why a save would refuse to start."""

    images: tuple[PlannedImage, ...]
    room: Room
    needed: int
    problems: tuple[NoRoom, ...]
    rate_limits: tuple[RateLimit, ...]

    @property
    def unique(self) -> int:
        """Bytes of all images after deduplication."""
        return sum(image.size - image.shared for image in self.images)

    @property
    def to_fetch(self) -> int:
        return sum(image.to_fetch for image in self.images)

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
                "toFetch": self.to_fetch,
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
    source = RegistrySource(
        spec.settings.network,
        credentials or CredentialStore.load(),
        sink,
        signatures=spec.with_signatures,
    )
    try:
        planned = look_up(spec, source, bundle, sink, token)
        return measure(spec, planned, bundle, source.rate_limits())
    finally:
        source.close()


def open_existing(path: Path) -> BundleReader | None:
    """The bundle at a path, or None where a save would begin a new one."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return None
    return BundleReader.open(path)


def check_names(references: Sequence[Reference]) -> None:
    """Raise `NameConflict` where two references would get one name in the bundle."""
    taken: dict[str, Reference] = {}
    for reference in references:
        other = taken.setdefault(reference.tagged_name, reference)
        if other != reference:
            raise NameConflict(
                f"{other} and {reference} would get one name in the bundle",
                hint="Choose one of the two digests, or give one of them another tag.",
            )


def look_up(
    spec: SaveSpec,
    source: RegistrySource,
    bundle: BundleReader | None,
    sink: Sink,
    token: CancelToken,
) -> list[Planned]:
    """Every reference of the spec with its closure, in order; one that fails carries its error."""
    references = tuple(dict.fromkeys(spec.references))
    check_names(references)

    def one(reference: Reference) -> Planned:
        return _look_up(reference, spec, source, bundle, sink, token)

    return in_parallel(one, references, _LOOKUPS, token)


def _look_up(
    reference: Reference,
    spec: SaveSpec,
    source: RegistrySource,
    bundle: BundleReader | None,
    sink: Sink,
    token: CancelToken,
) -> Planned:
    sink(ItemChanged(str(reference), ItemState.RESOLVING))
    item = _kept(bundle, reference, spec)
    moved = _moved(reference, item, source, sink, token) if item else None
    try:
        if item and bundle and _satisfies(item, spec) and is_complete(bundle, item):
            return Planned(reference, bundle.closure(item), complete=True, moved=moved)
        pinned = _origin_digest(item)
        wanted = reference.pinned(pinned) if pinned else reference
        closure = source.resolve(wanted, spec.settings.platform, token)
        return Planned(reference, replace(closure, reference=reference), moved=moved)
    except AirgapError as error:
        sink(ItemChanged(str(reference), ItemState.FAILED, error.message))
        return Planned(reference, error=error, moved=moved)


def _kept(bundle: BundleReader | None, reference: Reference, spec: SaveSpec) -> Item | None:
    if bundle is None or reference in spec.refresh:
        return None
    return bundle.inventory.find(reference)


def _satisfies(item: Item, spec: SaveSpec) -> bool:
    """Whether an item is what the spec asks for, in platform and compression."""
    wanted = spec.settings.platform
    if item.state is not ItemState.DONE or (wanted is None) != (item.platform is None):
        return False
    return wanted is None or item.platform is None or item.platform.matches(wanted)


def is_complete(bundle: BundleReader, item: Item) -> bool:
    """Whether the bundle has every file that the item needs, at its right size."""
    try:
        closure = bundle.closure(item)
    except AirgapError:
        return False
    return all(bundle.holds(blob) for blob in closure.needed)


def _origin_digest(item: Item | None) -> Digest | None:
    """The digest by which the source knows what the bundle began."""
    if item is None:
        return None
    return item.index_digest or item.source_digest or item.digest


def _moved(
    reference: Reference, item: Item, source: RegistrySource, sink: Sink, token: CancelToken
) -> Digest | None:
    """What the tag points at now, if the bundle keeps something else of it."""
    if reference.digest or not item.digests:
        return None
    try:
        now = source.head(reference, token).digest
    except ConnectionFailure:
        return None  # a bundle that is whole needs no network to stay so
    except AirgapError as error:
        sink(Note(f"{reference}: {error.message}; the bundle keeps what it has", Level.WARNING))
        return None
    if now in item.digests:
        return None
    sink(
        Note(
            f"{reference} now names other content ({now}); the bundle keeps what it began with."
            f" To take the new one: --refresh {reference}",
            Level.WARNING,
        )
    )
    return now


def measure(
    spec: SaveSpec,
    planned: Sequence[Planned],
    bundle: BundleReader | None,
    rate_limits: tuple[RateLimit, ...] = (),
) -> PlanResult:
    """The numbers of a plan, and whether the disk can hold what is to come."""
    holds: Callable[[Descriptor], bool] = bundle.holds if bundle else lambda _blob: False
    counted: set[Digest] = set()
    images = tuple(_row(image, holds, counted) for image in planned)
    missing = _missing(planned, holds)
    room = Room.at(spec.bundle)
    needed = sum(blob.size for blob in missing) - _partial_bytes(spec.bundle, missing)
    if spec.compression is not None and missing:
        # The original stays beside its re-encoded copy until the copy is whole.
        largest = sorted((blob.size for blob in missing), reverse=True)
        needed += sum(largest[: spec.settings.transfers])
    problems = tuple(_problems(spec.bundle, room, needed, missing))
    return PlanResult(images, room, needed, problems, rate_limits)


def _row(
    planned: Planned, holds: Callable[[Descriptor], bool], counted: set[Digest]
) -> PlannedImage:
    reference, closure = str(planned.reference), planned.closure
    if closure is None:
        assert planned.error is not None  # noqa: S101 - one of the two is always there
        failed = ItemResult.failed(reference, planned.error)
        return PlannedImage(reference, (), "", 0, 0, 0, 0, failed)
    shared = held = to_fetch = 0
    documents = [document.descriptor for document in closure.documents]
    for blob in (*documents, *closure.blobs):
        if blob.digest in counted:
            shared += blob.size
        elif holds(blob):
            held += blob.size
        else:
            to_fetch += blob.size
        counted.add(blob.digest)
    size, digest = shared + held + to_fetch, str(closure.root.digest)
    state = ItemState.HELD if planned.complete else ItemState.WAITING
    result = ItemResult(reference, state, digest, size)
    platforms = tuple(str(platform) for platform in closure.platforms)
    return PlannedImage(reference, platforms, digest, size, shared, held, to_fetch, result)


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


def platform_text(platform: Platform | None) -> str:
    """`linux/amd64`, or `all`."""
    return "all" if platform is None else str(platform)
