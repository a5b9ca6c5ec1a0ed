"""Holds a finished bundle while what makes it ready to carry is written beside its content:
checksums, signature, notes. The inventory itself does not change, so that its signature stays
valid, unless it has to name a carried tool."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.blob_store import BlobStore
from airgap_tui.engine.bundle.carried_tool import CarriedTool
from airgap_tui.engine.bundle.checksums import format_checksums
from airgap_tui.engine.bundle.completion import checksums_of, name_files
from airgap_tui.engine.bundle.durable import replace_file, sync_file_system, writing
from airgap_tui.engine.bundle.lock import BundleLock
from airgap_tui.engine.bundle.media.storage import DirectoryStorage
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, NotFound, UsageError


class Seal:
    """A bundle in a directory, held for sealing. Each of its writes is one step: a reader, and
    whoever continues after a crash, sees the old file or the new one."""

    def __init__(self, path: Path, bundle: BundleReader) -> None:
        self.path = path
        self.bundle = bundle
        self._storage = DirectoryStorage(path)

    def read(self, name: str, limit: int) -> bytes | None:
        """A file beside the content, or None."""
        return None if self._storage.extent(name) is None else self._storage.read(name, limit)

    def write(self, name: str, content: bytes) -> bool:
        """Give a file this content; False where it has it already."""
        extent = self._storage.extent(name)
        same = extent is not None and extent.size == len(content)
        if same and self._storage.read(name, len(content)) == content:
            return False
        replace_file(self.path / name, content, self.path / layout.PARTIAL / f"{name}.new")
        return True

    def remove(self, name: str) -> None:
        with writing(self.path):
            (self.path / name).unlink(missing_ok=True)

    def write_names(self) -> None:
        """`index.json` and `manifest.json`, where they are not as the inventory says."""
        for name, content in name_files(self.bundle.inventory, self._storage):
            self.write(name, content)

    def write_inventory(self, tool: CarriedTool) -> None:
        """Let the inventory know the tool that is carried: a signature of it as it was is none of
        it any more."""
        inventory = self.bundle.inventory.snapshot()
        inventory.carried = tool
        self.write(layout.INVENTORY, inventory.format())
        self.bundle = BundleReader.open(self.path)

    def write_checksums(self, token: CancelToken) -> bool:
        """`SHA256SUMS` of all that is there now; False where it was right."""
        sums = checksums_of(self._storage, BlobStore(self.path), token)
        return self.write(layout.CHECKSUMS, format_checksums(sums))

    def sync(self) -> None:
        """Return when everything on the file system is on the disk, whoever wrote it.

        Raises `EnvironmentFailure` where the disk refused something since it was opened."""
        sync_file_system(self.path)


@contextmanager
def sealing(path: Path, job: str) -> Iterator[Seal]:
    """Hold the bundle at a path. Raises `UsageError` for what is not a bundle in a directory
    or has not been saved completely, `BundleLocked`, and what `BundleReader.open` raises."""
    if path.is_file():
        raise UsageError(
            f"{path} is a file; a bundle is made ready in its directory",
            hint="Name the directory that  airgap-tui save  filled.",
        )
    BundleReader.open(path)
    lock = BundleLock(path, job)
    try:
        bundle = BundleReader.open(path)
        _check_finished(bundle)
        yield Seal(path, bundle)
    finally:
        lock.release()
        with suppress(OSError):
            (path / layout.PARTIAL).rmdir()


def _check_finished(bundle: BundleReader) -> None:
    where = bundle.storage.location
    if bundle.inventory_digest is None:
        raise UsageError(
            f"{where} was not saved by airgap-tui: it has no {layout.INVENTORY}",
            hint="Save its images into a new bundle.",
        )
    if bundle.inventory.saving:
        raise AirgapError(
            f"{where}: the last save did not finish",
            hint="Run the save again: it continues where it stopped.",
        )
    if not bundle.items:
        raise NotFound(f"{where} holds no image", hint="Save or import images into it first.")
