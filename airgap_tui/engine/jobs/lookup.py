"""Looks names up and pins them to digests before anything is fetched.

What a bundle already began keeps its digests: a tag that has moved since is noticed and said, and
only a refresh takes the new content. A registry that refuses the login itself is waited for where
somebody can give another one; that a login has no right to one image is that image's failure.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from airgap_tui.engine.bundle.inventory import Item
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import (
    AirgapError,
    ConnectionFailure,
    NameConflict,
    Stopped,
)
from airgap_tui.engine.events import ItemChanged, ItemSized, ItemState, Level, Note, Sink
from airgap_tui.engine.jobs.in_parallel import in_parallel
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.oci.content import Closure
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.redaction import redact
from airgap_tui.engine.registry.source import RegistrySource

if TYPE_CHECKING:
    from airgap_tui.engine.jobs.known import Known
    from airgap_tui.engine.jobs.logins import Logins

_LOOKUPS = 8
"""Names looked up at once: small requests, so more than there are transfers."""


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


def open_existing(path: Path) -> BundleReader | None:
    """The bundle at a path, or None where a save would begin a new one. Raises `OSError` where the
    system does not tell: what cannot be seen is not what is not there."""
    try:
        if stat.S_ISDIR(path.stat().st_mode) and not any(path.iterdir()):
            return None
    except (FileNotFoundError, NotADirectoryError):
        return None
    return BundleReader.open(path)


def known_to(
    spec: SaveSpec, bundle: BundleReader | None, sink: Sink, token: CancelToken
) -> Known | None:
    """What the offline side has, going by receipts and codes; None where nothing tells of that, now
    or in an earlier save. Raises as `known_of` does."""
    before = bundle is not None and bundle.inventory.assumes
    if not (spec.have or spec.codes or before):
        return None
    # Most saves carry everything, and begin without importing what receipts need.
    from airgap_tui.engine.jobs.known import known_of

    return known_of(spec.have, spec.codes, spec.settings, sink, token)


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
    *,
    references: Sequence[Reference] | None = None,
    logins: Logins | None = None,
) -> list[Planned]:
    """Every reference of the spec, or of these, with its closure, in order; one that fails carries
    its error. With `logins`, those are left out that wait for a login to be given."""
    if references is None:
        references = tuple(dict.fromkeys(spec.references))
        check_names(references)

    def one(reference: Reference) -> Planned | None:
        since = logins.moment if logins else 0
        waits_for = logins.wanted(reference.registry) if logins else ""
        if not waits_for:
            planned = _look_up(reference, spec, source, bundle, sink, token)
            if planned.error is None:
                _tell_found(planned, sink)
                return planned
            reason = redact(planned.error.message)
            if not (logins and logins.login_refused(planned.error, since)):
                sink(ItemChanged(str(reference), ItemState.FAILED, reason))
                return planned
            waits_for = reason
        sink(ItemChanged(str(reference), ItemState.RETRYING, waits_for))
        return None

    found = in_parallel(one, references, _LOOKUPS, token)
    return [planned for planned in found if planned is not None]


def _tell_found(image: Planned, sink: Sink) -> None:
    """Say that an image waits for its content, or has it."""
    reference = str(image.reference)
    if image.closure is None or not image.complete:
        sink(ItemChanged(reference, ItemState.WAITING))
        return
    digest = str(image.closure.root.digest)
    sink(ItemSized(reference, image.closure.size, 0))
    sink(ItemChanged(reference, ItemState.HELD, "already in the bundle", digest))


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
        if item:
            _tell_other_platform(reference, item, spec, sink)
        pinned = _origin_digest(item)
        wanted = reference.pinned(pinned) if pinned else reference
        closure = source.resolve(wanted, spec.settings.platform, token)
        return Planned(reference, replace(closure, reference=reference), moved=moved)
    except Stopped:
        raise
    except AirgapError as error:
        return Planned(reference, error=error, moved=moved)


def _kept(bundle: BundleReader | None, reference: Reference, spec: SaveSpec) -> Item | None:
    if bundle is None or reference in spec.refresh:
        return None
    return bundle.inventory.find(reference)


def _satisfies(item: Item, spec: SaveSpec) -> bool:
    """Whether an item is what the spec asks for: all platforms, or one that serves."""
    if item.state is not ItemState.DONE or item.platform is None:
        return item.state is ItemState.DONE
    wanted = spec.settings.platform
    return item.index_digest is None if wanted is None else item.platform.matches(wanted)


def _tell_other_platform(reference: Reference, item: Item, spec: SaveSpec, sink: Sink) -> None:
    """A name stands for one content: the image for another platform takes its place."""
    held, wanted = item.platform, spec.settings.platform
    if item.state is not ItemState.DONE or held is None or wanted is None or held.matches(wanted):
        return
    text = f"the bundle has it for {held}, and {wanted} takes that place; --platform all keeps both"
    sink(Note(f"{reference}: {text}", Level.WARNING))


def is_complete(bundle: BundleReader, item: Item) -> bool:
    """Whether the bundle has every file that the item needs, at its right size."""
    try:
        closure = bundle.closure(item)
    except AirgapError:
        return False
    return not bundle.lacking(closure)


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
    except Stopped:
        raise
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
