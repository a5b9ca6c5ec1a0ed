"""Reads what a verify found damaged once more: a dirty disc or a bad cable may do better now."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from airgap_tui.engine.buffer import buffer
from airgap_tui.engine.bundle.damage import write_damaged
from airgap_tui.engine.bundle.findings import Finding
from airgap_tui.engine.bundle.media.storage import DirectoryStorage
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, ContentError, EnvironmentFailure
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.verify import VerifyResult
from airgap_tui.engine.oci.digest import Digest


def run(
    path: Path, before: VerifyResult, token: CancelToken, others: Sequence[Path] = ()
) -> VerifyResult:
    """The result as it is after reading the damaged and missing layers again; `others` are further
    volumes of the set.

    What is wrong with files that have no digest of their own stays. Raises as `BundleReader.open`.
    """
    reader = BundleReader.open(path, *others)
    bad = tuple(finding for finding in before.bad if not _whole(reader, finding, token))
    missing = tuple(finding for finding in before.missing if not _whole(reader, finding, token))
    left = {item for finding in (*bad, *missing) for item in finding.items}
    cured = {item for f in (*before.bad, *before.missing) for item in f.items} - left
    items = tuple(_cured(item) if item.reference in cured else item for item in before.items)
    if isinstance(reader.storage, DirectoryStorage):
        write_damaged(reader.storage.location, _digests(*bad, *missing))
    return replace(before, items=items, bad=bad, missing=missing)


def sizes(path: Path, findings: tuple[Finding, ...], others: Sequence[Path] = ()) -> dict[str, int]:
    """The bytes of each damaged layer as it should be, by digest, where the bundle says so.

    Raises as `BundleReader.open`.
    """
    reader = BundleReader.open(path, *others)
    wanted = {finding.digest for finding in findings if finding.digest}
    found: dict[str, int] = {}
    for item in reader.items:
        if item.state is ItemState.DONE:
            try:
                blobs = reader.closure(item).blobs
            except AirgapError:
                continue  # its own manifest is among what is damaged
            found.update({str(b.digest): b.size for b in blobs if str(b.digest) in wanted})
    return found


def _digests(*findings: Finding) -> set[Digest]:
    return {Digest.parse(finding.digest) for finding in findings if finding.digest}


def _whole(reader: BundleReader, finding: Finding, token: CancelToken) -> bool:
    if not finding.digest:
        return False
    digest = Digest.parse(finding.digest)
    hasher = digest.hasher()
    try:
        _forget(reader, digest)
        with closing(reader.open_blob(digest)) as content:
            while count := content.readinto(buffer()):
                token.check()
                hasher.update(buffer()[:count])
    except (ContentError, EnvironmentFailure):
        return False
    return Digest.from_hasher(hasher, digest.algorithm) == digest


def _forget(reader: BundleReader, digest: Digest) -> None:
    """Let the kernel drop what it read before: otherwise it would give just that again."""
    extent = reader.extent(digest)
    for part in () if extent is None else extent.parts:
        with contextlib.suppress(OSError), open(part.path, "rb") as file:
            os.posix_fadvise(file.fileno(), part.offset, part.size, os.POSIX_FADV_DONTNEED)


def _cured(item: ItemResult) -> ItemResult:
    return replace(item, state=ItemState.DONE, error="", hint="", exit_code=0)
