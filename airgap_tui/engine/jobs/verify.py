"""Read every byte of a bundle, compare it with its digest, and say which images are whole.

All files are read in parallel, the largest first, one buffer per thread. What is damaged is noted
for the next save, which fetches just that.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from airgap_tui.engine.buffer import buffer
from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.damage import read_damaged, write_damaged
from airgap_tui.engine.bundle.findings import (
    ABSENT,
    Finding,
    check_archive_twin,
    check_files,
    finding_of,
)
from airgap_tui.engine.bundle.media.extent import JoinedExtent, Place, open_place
from airgap_tui.engine.bundle.media.storage import DirectoryStorage
from airgap_tui.engine.bundle.needs import Need, needs_of
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.signatures.signature import Signature, Standing
from airgap_tui.engine.bundle.signatures.signed_bundle import signature_of
from airgap_tui.engine.bundle.volumes.findings import check_volume, damaged_pieces, foreign_files
from airgap_tui.engine.bundle.volumes.volume_set import VolumeSet
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, ContentError, EnvironmentFailure
from airgap_tui.engine.events import (
    BlobDone,
    BlobDropped,
    BlobPlanned,
    BlobProgress,
    BlobStarted,
    ItemChanged,
    ItemSized,
    ItemState,
    JobFinished,
    JobStarted,
    Level,
    Note,
    Sink,
)
from airgap_tui.engine.jobs.left_out import LeftOut, left_out
from airgap_tui.engine.jobs.result import ItemResult, combined_exit_code
from airgap_tui.engine.jobs.sources import told_standing
from airgap_tui.engine.jobs.trust import refuse
from airgap_tui.engine.oci.content import Reader
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.quantities import count as counted
from airgap_tui.engine.quantities import size as in_words
from airgap_tui.engine.settings import Settings


@dataclass(frozen=True, slots=True)
class VerifySpec:
    """`others` are further volumes of the set that `path` belongs to. `threads` None takes as many
    as there are processors for this process."""

    path: Path
    settings: Settings = field(default_factory=Settings)
    threads: int | None = None
    others: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """`blobs` and `bytes` are what was read; `unreferenced` are stored digests no item needs."""

    items: tuple[ItemResult, ...]
    blobs: int
    bytes: int
    bad: tuple[Finding, ...]
    missing: tuple[Finding, ...]
    unreferenced: tuple[str, ...]
    seconds: float
    signature: Signature = field(default_factory=Signature)
    left_out: tuple[LeftOut, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything that was saved is whole and nothing that was asked for is lacking."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        if self.bad or self.missing or self.signature.standing is Standing.ALTERED:
            return ContentError.exit_code
        return combined_exit_code(self.items)

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "blobs": self.blobs,
            "bytes": self.bytes,
            "bad": [finding.to_json() for finding in self.bad],
            "missing": [finding.to_json() for finding in self.missing],
            "unreferenced": list(self.unreferenced),
            "signature": self.signature.to_json(),
            "leftOut": [one.to_json() for one in self.left_out],
            "items": [item.to_json() for item in self.items],
            "seconds": round(self.seconds, 3),
        }


def run(spec: VerifySpec, sink: Sink, token: CancelToken) -> VerifyResult:
    """Check a bundle, in a directory or inside a tar or ISO, or the volumes of one; nothing of its
    content is changed.

    Raises as `BundleReader.open` does, and `SignatureRefused` where a signature is required and
    there is no good one; what is wrong inside is in the result.
    """
    started = time.monotonic()
    reader = BundleReader.open(spec.path, *spec.others)
    volumes = reader.storage if isinstance(reader.storage, VolumeSet) else None
    signature = signature_of(reader, spec.settings.trust, token)
    if spec.settings.trust.required:
        refuse(signature, spec.settings.trust, str(spec.path))
    sink(JobStarted("verify", str(spec.path), tuple(item.name for item in reader.items)))
    needs = needs_of(reader, token)
    stored = {
        digest: size
        for name, size in reader.storage.names(f"{layout.BLOBS}/")
        if (digest := layout.digest_of_path(name)) is not None
    }
    reading = _Reading(reader, needs, stored, sink, token)
    reading.run(spec.threads or len(os.sched_getaffinity(0)))
    if volumes is not None:
        file_findings = _check_volumes(volumes, sink, token)
    else:
        file_findings = check_files(reader.storage, needs, stored, token)
    file_findings += check_archive_twin(reader)
    if not volumes and reader.inventory.id and reader.storage.extent(layout.CHECKSUMS) is None:
        text = f"There is no {layout.CHECKSUMS}: the last save did not come to its end"
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
    )
    _narrate(reader, result, stored, sink)
    if volumes is not None:
        sink(Note(told_standing(volumes, result.items), _level(volumes)))
    _note_damage(reader, reading)
    sink(JobFinished("verify", result.exit_code))
    return result


class _Reading:
    """Reads all stored files, and settles each item as soon as its last file has been read."""

    def __init__(
        self,
        reader: BundleReader,
        needs: Mapping[Digest, Need],
        stored: Mapping[Digest, int],
        sink: Sink,
        token: CancelToken,
    ) -> None:
        self._reader = reader
        self._needs = needs
        self._stored = stored
        self._sink = sink
        self._token = token
        self._lock = threading.Lock()
        self._problems: dict[Digest, str] = {}
        self._items = {item.name: item for item in reader.items}
        self._needed: dict[str, list[Need]] = {}
        for need in needs.values():
            for name in need.items:
                self._needed.setdefault(name, []).append(need)
        self._open = {
            name: sum(need.digest in stored for need in needed)
            for name, needed in self._needed.items()
        }
        self._settled: dict[str, ItemResult] = {}
        self.missing = [
            finding_of(need, ABSENT)
            for need in sorted(needs.values(), key=lambda need: need.digest)
            if need.missing
        ]

    @property
    def bad(self) -> list[Finding]:
        findings = []
        for digest in sorted(self._problems):
            need = self._needs.get(digest) or Need(digest, 0)
            findings.append(finding_of(need, self._problems[digest]))
        return findings

    def run(self, threads: int) -> None:
        for need in self._needs.values():
            if need.problems and need.present:
                self._problems[need.digest] = "; ".join(need.problems)
        for name in sorted(self._items.keys() - self._needed.keys()):
            self._settle_unsaved(name)
        for name in sorted(self._needed):
            size = self._items[name].bytes
            self._sink(ItemChanged(name, ItemState.VERIFYING))
            self._sink(ItemSized(name, size, size))
        order = sorted(self._stored, key=lambda digest: (-self._stored[digest], digest))
        for digest in order:
            names = tuple(sorted(self._needs[digest].items)) if digest in self._needs else ()
            self._sink(BlobPlanned(str(digest), self._stored[digest], names))
        for name in [name for name, left in self._open.items() if not left]:
            self._settle(name)
        queue = iter(order)
        with ThreadPoolExecutor(threads, thread_name_prefix="verify") as pool:
            for work in [pool.submit(self._work, queue) for _ in range(threads)]:
                work.result()

    def results(self) -> tuple[ItemResult, ...]:
        """One for each item of the bundle, in its order."""
        return tuple(self._settled[item.name] for item in self._reader.items)

    def _settle_unsaved(self, name: str) -> None:
        item = self._items[name]
        self._finish_item(
            ItemResult(
                name,
                ItemState.FAILED,
                str(item.digest or ""),
                item.bytes,
                error=item.error or "it was not saved to its end",
                hint="Run the save again: it continues where it stopped.",
                exit_code=AirgapError.exit_code,
            )
        )

    def _work(self, queue: Iterator[Digest]) -> None:
        while True:
            with self._lock:
                digest = next(queue, None)
            if digest is None:
                return
            problem = self._read(digest)
            with self._lock:
                if problem:
                    self._problems.setdefault(digest, problem)
            self._sink(BlobDropped(str(digest), problem) if problem else BlobDone(str(digest)))
            self._arrived(digest)

    def _read(self, digest: Digest) -> str:
        """Hash one file; what is wrong with it, or nothing."""
        self._sink(BlobStarted(str(digest)))
        storage = self._reader.storage
        if not isinstance(storage, VolumeSet):
            return self._compare(digest, lambda: self._reader.open_blob(digest))
        try:
            copies = storage.copies(layout.blob_path(digest))
        except AirgapError as error:
            return error.message
        return self._read_copies(digest, storage, copies)

    def _read_copies(self, digest: Digest, volumes: VolumeSet, copies: Sequence[Place]) -> str:
        """What is wrong with content that lies on media; one whole copy of it is enough."""
        problems: list[str] = []
        for place in copies:
            problem = self._compare(digest, partial(open_place, place), told=not problems)
            if problem and isinstance(place, JoinedExtent):
                problem = "; ".join(damaged_pieces(volumes, digest)) or problem
            elif problem:
                problem = f"{volumes.label(place)}: {problem}"
            problems.append(problem)
        if all(problems):
            return "; ".join(problems) or ABSENT
        for problem in filter(None, problems):
            text = f"{problem}; another medium has {digest.short} whole, which is taken"
            self._sink(Note(text, Level.WARNING))
        return ""

    def _compare(self, digest: Digest, opener: Callable[[], Reader], *, told: bool = True) -> str:
        name, hasher = str(digest), digest.hasher()
        left = self._stored[digest]
        try:
            with closing(opener()) as content:
                while count := content.readinto(buffer()):
                    self._token.check()
                    hasher.update(buffer()[:count])
                    left -= count
                    if told:
                        self._sink(BlobProgress(name, count))
        except EnvironmentFailure as error:
            return error.message
        if left:
            return "it is cut off"
        actual = Digest.from_hasher(hasher, digest.algorithm)
        return "" if actual == digest else f"its content has the digest {actual}"

    def _arrived(self, digest: Digest) -> None:
        ready = []
        with self._lock:
            for name in self._needs[digest].items if digest in self._needs else ():
                self._open[name] -= 1
                if not self._open[name]:
                    ready.append(name)
        for name in ready:
            self._settle(name)

    def _settle(self, name: str) -> None:
        """All files of an item have been read: say how it is."""
        item, needed = self._items[name], self._needed[name]
        with self._lock:
            bad = sum(need.digest in self._problems for need in needed)
        absent = sum(need.missing for need in needed)
        parts = [f"{counted(bad, 'file')} damaged"] if bad else []
        parts += [f"{counted(absent, 'file')} missing"] if absent else []
        result = ItemResult(name, ItemState.DONE, str(item.digest or ""), item.bytes)
        if parts:
            result = ItemResult(
                name,
                ItemState.FAILED,
                str(item.digest or ""),
                item.bytes,
                error=", ".join(parts),
                hint="Run the save again, which fetches just these, or copy the medium again.",
                exit_code=ContentError.exit_code,
            )
        self._finish_item(result)

    def _finish_item(self, result: ItemResult) -> None:
        with self._lock:
            self._settled[result.reference] = result
        self._sink(ItemChanged(result.reference, result.state, result.error, result.digest))


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
    for one in result.left_out:
        sink(Note(one.sentence))
    if result.unreferenced:
        total = sum(stored[Digest.parse(text)] for text in result.unreferenced)
        files = counted(len(result.unreferenced), "file")
        sink(Note(f"No finished item needs {files} of the bundle ({in_words(total)})"))


def _check_volumes(volumes: VolumeSet, sink: Sink, token: CancelToken) -> list[Finding]:
    joined = volumes.joined
    findings = []
    for medium in volumes.media:
        findings += check_volume(medium, joined, token)
        if others := foreign_files(medium):
            text = f"{medium.label} also holds {counted(len(others), 'file')} of others, as"
            sink(Note(f"{text} {harmless(others[0])!r}: never opened", Level.WARNING))
    return findings


def _level(volumes: VolumeSet) -> Level:
    return Level.WARNING if volumes.missing else Level.INFO


def _note_damage(reader: BundleReader, reading: _Reading) -> None:
    """Leave the next save a note of what to fetch anew."""
    location = reader.storage.location
    if not isinstance(reader.storage, DirectoryStorage):
        return
    digests = {Digest.parse(f.digest) for f in (*reading.bad, *reading.missing) if f.digest}
    if digests or read_damaged(location):
        write_damaged(location, digests)
