"""What the inventory says of a closure once it is stored."""

from __future__ import annotations

from airgap_tui.engine.bundle.inventory import ARTIFACT, IMAGE, SIGNATURE, Item, now
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.oci.content import Closure
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.manifest import Index
from airgap_tui.engine.oci.platform import Platform
from airgap_tui.engine.oci.reference import Reference


def item_of(reference: Reference, source: Closure, stored: Closure, origin: str) -> Item:
    """The item under this name of what the source had, and of it as it was stored: the same, or
    with layers re-encoded."""
    root = stored.root
    changed = root.digest != source.root.digest
    return Item(
        reference,
        ItemState.DONE,
        kind=_kind(stored),
        digest=root.digest,
        media_type=root.media_type,
        size=len(root.raw),
        bytes=stored.size,
        platform=_platform(stored),
        index_digest=source.index_digest,
        source_digest=source.root.digest if changed else None,
        origin=origin,
        signatures_lost=tuple(str(s.root.digest) for s in source.signatures) if changed else (),
        subject=root.subject.digest if root.subject else None,
        saved_at=now(),
        artifact_type=root.artifact_type,
    )


def signature_of(closure: Closure, subject: Digest) -> Item:
    """The item of a signature of `subject`."""
    root = closure.root
    return Item(
        closure.reference,
        ItemState.DONE,
        kind=SIGNATURE,
        digest=root.digest,
        media_type=root.media_type,
        size=len(root.raw),
        bytes=closure.size,
        subject=subject,
        saved_at=now(),
        artifact_type=root.artifact_type,
    )


def _kind(closure: Closure) -> str:
    if closure.images or (isinstance(closure.root, Index) and not closure.root.artifact_type):
        return IMAGE
    return SIGNATURE if closure.root.subject is not None else ARTIFACT


def _platform(closure: Closure) -> Platform | None:
    if isinstance(closure.root, Index) or not closure.platforms:
        return None
    return closure.platforms[0]
