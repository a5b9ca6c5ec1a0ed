"""The digests of pieces, and the check of the blobs that they come from.

A piece says nothing of the blob that it was cut from, so such a blob is read as a whole before its
pieces are written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing

from airgap_tui.engine.buffer import buffer
from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.volumes.packing import Part
from airgap_tui.engine.bundle.volumes.plan import VolumePlan
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ContentMismatch
from airgap_tui.engine.events import BlobDone, BlobPlanned, BlobProgress, BlobStarted, Sink
from airgap_tui.engine.oci.digest import Digest

CutBlobs = Mapping[str, Sequence[Part]]
"""Blobs by their paths, with their parts in order."""


def plan_cut_blobs(plan: VolumePlan, numbers: Sequence[int], sink: Sink) -> CutBlobs:
    """What has to be read before these volumes are written: blobs with pieces on them, and those
    that another hash names."""
    sources = {
        part.source
        for number in numbers
        for part in plan.volumes[number - 1]
        if _needs_reading(part)
    }
    parts: dict[str, list[Part]] = {source: [] for source in sorted(sources)}
    for volume in plan.volumes:
        for part in volume:
            if part.source in parts:
                parts[part.source].append(part)
    for source, found in parts.items():
        sink(BlobPlanned(_blob(source), sum(part.size for part in found), ()))
    return {
        source: tuple(sorted(found, key=lambda part: part.start)) for source, found in parts.items()
    }


def hash_cut_blobs(
    bundle: BundleReader, blobs: CutBlobs, sink: Sink, token: CancelToken
) -> dict[str, str]:
    """SHA-256 in hex, by path, of all pieces of these blobs. Raises `ContentMismatch` where one is
    damaged."""
    sums: dict[str, str] = {}
    for source, parts in blobs.items():
        sums.update(_hash(bundle, source, parts, sink, token))
    return sums


def _needs_reading(part: Part) -> bool:
    if part.is_piece:
        return True
    digest = layout.digest_of_path(part.path)
    return digest is not None and digest.algorithm != "sha256"


def _hash(
    bundle: BundleReader, source: str, parts: Sequence[Part], sink: Sink, token: CancelToken
) -> dict[str, str]:
    digest = layout.digest_of_path(source)
    assert digest is not None  # noqa: S101 - only blobs are cut
    whole, sums = digest.hasher(), {}
    sink(BlobStarted(_blob(source)))
    with closing(bundle.open_blob(digest)) as reader:
        for part in parts:
            hasher, left = Digest("sha256", "").hasher(), part.size
            while left:
                token.check()
                count = reader.readinto(buffer()[: min(left, len(buffer()))])
                if not count:
                    break
                view = buffer()[:count]
                hasher.update(view)
                whole.update(view)
                left -= count
                sink(BlobProgress(_blob(source), count))
            sums[part.path] = hasher.hexdigest()
    if Digest.from_hasher(whole, digest.algorithm) != digest:
        raise ContentMismatch(
            f"{bundle.storage.location}: {digest} holds other content than its name says",
            hint="Run the save again: it fetches that blob again.",
        )
    sink(BlobDone(_blob(source)))
    return sums


def _blob(source: str) -> str:
    return f"check: {source}"
