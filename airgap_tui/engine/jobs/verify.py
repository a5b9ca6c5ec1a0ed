"""Read every byte of a bundle, compare it with its digest, and say which images are whole.

All files are read in parallel, the largest first, one buffer per thread. What is damaged is noted
for the next save, which fetches just that.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.damage import read_damaged, write_damaged
from airgap_tui.engine.bundle.findings import (
    ABSENT,
    Finding,
    check_archive_twin,
    check_files,
)
from airgap_tui.engine.bundle.media.drive import readers
from airgap_tui.engine.bundle.media.storage import DirectoryStorage
from airgap_tui.engine.bundle.needs import needs_of
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.signatures.signature import Signature, Standing
from airgap_tui.engine.bundle.signatures.signed_bundle import signature_of
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import ContentError, EnvironmentFailure
from airgap_tui.engine.events import (
    JobFinished,
    JobStarted,
    Level,
    Note,
    Sink,
)
from airgap_tui.engine.jobs.cosign_check import CosignCheck
from airgap_tui.engine.jobs.cosign_check import in_words as signed_in_words
from airgap_tui.engine.jobs.left_out import LeftOut, left_out
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.trust import refuse
from airgap_tui.engine.jobs.verify_reading import Reading
from airgap_tui.engine.jobs.volumes_found import VolumesHere
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.quantities import count as counted
from airgap_tui.engine.quantities import size as in_words
from airgap_tui.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class VerifySpec:
    """`others` are further volumes of the set that `path` belongs to. `threads` None takes as many
    as `readers` says for the place. `reports` are files that tell the outcome: .txt for
    people, .json for programs. `cosign_key` is a public key that the cosign signatures of images
    are checked against."""

    path: Path
    settings: Settings = field(default_factory=Settings)
    threads: int | None = None
    others: tuple[Path, ...] = ()
    reports: tuple[Path, ...] = ()
    cosign_key: Path | None = None


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """`blobs` and `bytes` are what was read; `unreferenced` are stored digests no item needs.
    `volumes` are those that were read, None for a bundle that lies in one place."""

    items: tuple[ItemResult, ...]
    blobs: int
    bytes: int
    bad: tuple[Finding, ...]
    missing: tuple[Finding, ...]
    unreferenced: tuple[str, ...]
    seconds: float
    signature: Signature = field(default_factory=Signature)
    left_out: tuple[LeftOut, ...] = ()
    volumes: VolumesHere | None = None
    cosign: tuple[CosignCheck, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything that was saved is whole and nothing that was asked for is lacking."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        altered = self.signature.standing is Standing.ALTERED
        if self.bad or self.missing or altered or any(check.refused for check in self.cosign):
            return ContentError.exit_code
        unread = not all(check.readable for check in self.cosign)
        return combined_exit_code(self.items) or (EnvironmentFailure.exit_code if unread else 0)

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "blobs": self.blobs,
            "bytes": self.bytes,
            "bad": [finding.to_json() for finding in self.bad],
            "missing": [finding.to_json() for finding in self.missing],
            "unreferenced": list(self.unreferenced),
            "signature": self.signature.to_json(),
            "volumes": None if self.volumes is None else self.volumes.to_json(),
            "cosign": [check.to_json() for check in self.cosign],
            "leftOut": [one.to_json() for one in self.left_out],
            "items": [item.to_json() for item in self.items],
            "seconds": round(self.seconds, 3),
        }


def run(spec: VerifySpec, sink: Sink, token: CancelToken) -> VerifyResult:
    """Check a bundle, in a directory or inside a tar or ISO, or the volumes of one; nothing of its
    content is changed.

    Raises as `BundleReader.open` does, `SignatureRefused` where a required signature is not
    good, `UsageError` for a report that is neither text nor JSON, and `NotFound` where
    there is no cosign to check with; what is wrong inside is in the result.
    """
    started = time.monotonic()
    _check_reports(spec.reports)
    reader = BundleReader.open(spec.path, *spec.others)
    volumes = reader.volumes
    signature = signature_of(reader, spec.settings.trust, token)
    if spec.settings.trust.required:
        refuse(signature, spec.settings.trust, str(spec.path))
    sink(JobStarted("verify", str(spec.path), tuple(item.name for item in reader.items)))
    cosign: tuple[CosignCheck, ...] = ()
    if spec.cosign_key is not None:
        # The bundle is served to cosign: a plain verify does without a server.
        from airgap_tui.engine.jobs.cosign import check_images

        cosign = check_images((spec.path, *spec.others), spec.cosign_key, sink, token)
    needs = needs_of(reader, token)
    stored = {
        digest: size
        for name, size in reader.storage.names(f"{layout.BLOBS}/")
        if (digest := layout.digest_of_path(name)) is not None
    }
    threads = spec.threads or readers(reader.locations)
    if volumes is None:
        reading = Reading(reader, needs, stored, sink, token)
        reading.run(threads)
        file_findings = check_files(reader.storage, needs, stored, token)
    else:
        # A bundle in one place is verified without importing what sets need.
        from airgap_tui.engine.jobs.verify_volumes import VolumesReading, check_volumes

        reading = VolumesReading(reader, volumes, needs, stored, sink, token)
        reading.run(threads)
        file_findings = check_volumes(volumes, sink, token)
    file_findings += _check_tool(reader, token)
    file_findings += check_archive_twin(reader)
    if not volumes and reader.inventory.id and reader.storage.extent(layout.CHECKSUMS) is None:
        text = f"There is no {layout.CHECKSUMS}: the last save did not finish"
        sink(Note(text, Level.WARNING))
    result = VerifyResult(
        items=reading.results(),
        blobs=len(stored),
        bytes=sum(stored.values()),
        bad=tuple(reading.bad + [f for f in file_findings if f.problem != ABSENT]),
        missing=tuple(reading.missing + [f for f in file_findings if f.problem == ABSENT]),
        unreferenced=tuple(str(digest) for digest in sorted(stored.keys() - needs.keys())),
        seconds=time.monotonic() - started,
        signature=signature,
        left_out=left_out(reader, needs),
        volumes=None if volumes is None else VolumesHere.of(volumes),
        cosign=cosign,
    )
    _narrate(reader, result, stored, sink)
    if volumes is not None:
        whole = sum(item.succeeded for item in result.items)
        level = Level.WARNING if volumes.missing else Level.INFO
        sink(Note(volumes.standing_with(whole, len(result.items)), level))
    _note_damage(reader, reading)
    _write_reports(spec, reader.name, result)
    sink(JobFinished("verify", result.exit_code))
    return result


def _narrate(
    reader: BundleReader, result: VerifyResult, stored: Mapping[Digest, int], sink: Sink
) -> None:
    for finding in (*result.bad, *result.missing):
        needed = f", needed by {', '.join(finding.items)}" if finding.items else ""
        sink(Note(f"{finding.file}: {finding.problem}{needed}", Level.ERROR))
    standing = result.signature.standing
    if standing is not Standing.UNSIGNED:
        level = {Standing.GOOD: Level.INFO, Standing.ALTERED: Level.ERROR}
        text = f"Signature: {result.signature.sentence}"
        sink(Note(text, level.get(standing, Level.WARNING)))
    for check in result.cosign:
        if check.sentence:
            sink(Note(check.sentence, Level.ERROR))
    if result.cosign:
        sink(Note(f"Cosign: {signed_in_words(result.cosign)}"))
    for one in result.left_out:
        sink(Note(one.sentence))
    if result.unreferenced:
        total = sum(stored[Digest.parse(text)] for text in result.unreferenced)
        files = counted(len(result.unreferenced), "file")
        sink(Note(f"No finished item needs {files} of the bundle ({in_words(total)})"))


def _check_tool(reader: BundleReader, token: CancelToken) -> list[Finding]:
    """Where a bundle neither lists the tool nor holds files of it, nothing is imported for that."""
    there = next(reader.storage.names(f"{layout.TOOL}/"), None)
    if reader.inventory.carried is None and there is None:
        return []
    from airgap_tui.engine.bundle.tool_files import check_tool

    return check_tool(reader.storage, reader.inventory, token)


def _note_damage(reader: BundleReader, reading: Reading) -> None:
    """Leave the next save a note of what to fetch anew."""
    location = reader.storage.location
    if not isinstance(reader.storage, DirectoryStorage):
        return
    digests = {Digest.parse(f.digest) for f in (*reading.bad, *reading.missing) if f.digest}
    if digests or read_damaged(location):
        write_damaged(location, digests)


# Few want a report, and the others need not import what it takes.


def _check_reports(paths: tuple[Path, ...]) -> None:
    if paths:
        from airgap_tui.engine.jobs.verify_report import check_ending

        for path in paths:
            check_ending(path)


def _write_reports(spec: VerifySpec, name: str, result: VerifyResult) -> None:
    if spec.reports:
        from airgap_tui.engine.jobs.verify_report import VerifyReport

        report = VerifyReport.of(result, name, (spec.path, *spec.others))
        for path in spec.reports:
            report.write(path)
