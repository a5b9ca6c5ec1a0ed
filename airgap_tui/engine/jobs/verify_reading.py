"""Read all files of a bundle in parallel, and settle each item once its last file has been read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from airgap_tui.engine.buffer import buffer
from airgap_tui.engine.bundle import remedies
from airgap_tui.engine.bundle.findings import ABSENT, Finding, finding_of
from airgap_tui.engine.bundle.needs import Need
from airgap_tui.engine.bundle.reader import BundleReader
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
    Sink,
)
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.oci.content import Reader
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.quantities import count as counted


class Reading:
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
        self.sink = sink
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
            self.sink(ItemChanged(name, ItemState.VERIFYING))
            self.sink(ItemSized(name, size, size))
        order = sorted(self._stored, key=lambda digest: (-self._stored[digest], digest))
        for digest in order:
            names = tuple(sorted(self._needs[digest].items)) if digest in self._needs else ()
            self.sink(BlobPlanned(str(digest), self._stored[digest], names))
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
                error=item.error or "it was not saved completely",
                hint=remedies.UNFINISHED,
                exit_code=AirgapError.exit_code,
            )
        )

    def _work(self, queue: Iterator[Digest]) -> None:
        while True:
            with self._lock:
                digest = next(queue, None)
            if digest is None:
                return
            self.sink(BlobStarted(str(digest)))
            problem = self._too_long(digest) or self.read(digest)
            with self._lock:
                if problem:
                    self._problems.setdefault(digest, problem)
            self.sink(BlobDropped(str(digest), problem) if problem else BlobDone(str(digest)))
            self._arrived(digest)

    def _too_long(self, digest: Digest) -> str:
        """What is longer than anything says of it is damaged, and may have no end worth reading."""
        need = self._needs.get(digest)
        if need is None or self._stored[digest] <= need.longest:
            return ""
        return f"it has {self._stored[digest]} bytes, not {need.longest}"

    def read(self, digest: Digest) -> str:
        """Hash one file; what is wrong with it, or nothing."""
        return self.compare(digest, lambda: self._reader.open_blob(digest))

    def compare(self, digest: Digest, opener: Callable[[], Reader], *, told: bool = True) -> str:
        """Hash what `opener` opens; what is wrong with it, or nothing. `told` shows progress."""
        name, hasher = str(digest), digest.hasher()
        left = self._stored[digest]
        try:
            with closing(opener()) as content:
                while count := content.readinto(buffer()):
                    self._token.check()
                    hasher.update(buffer()[:count])
                    left -= count
                    if told:
                        self.sink(BlobProgress(name, count))
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
                hint=remedies.not_whole(self._reader),
                exit_code=ContentError.exit_code,
            )
        self._finish_item(result)

    def _finish_item(self, result: ItemResult) -> None:
        with self._lock:
            self._settled[result.reference] = result
        self.sink(ItemChanged(result.reference, result.state, result.error, result.digest))
