"""Writes volumes: announced before the first byte, each reported as it ends."""

from __future__ import annotations

from collections.abc import Sequence

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.checksums import MAX_BYTES
from airgap_tui.engine.bundle.media.storage import DirectoryStorage
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.volumes.arrangement import VolumeLayout
from airgap_tui.engine.bundle.volumes.file_sums import add_file_sums, read_file_sums
from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.bundle.volumes.plan import VolumePlan
from airgap_tui.engine.bundle.volumes.room import check_room
from airgap_tui.engine.bundle.volumes.transfer_sheet import SheetVolume
from airgap_tui.engine.bundle.volumes.writer import VolumeWriter
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError, ContentError, NotFound, Stopped
from airgap_tui.engine.events import (
    BlobDone,
    BlobPlanned,
    BlobProgress,
    BlobStarted,
    ItemChanged,
    ItemSized,
    ItemState,
    Sink,
)
from airgap_tui.engine.jobs.cut_blobs import hash_cut_blobs, plan_cut_blobs
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.oci.digest import Digest


class Exporting:
    """Writes the chosen volumes of a set one after the other; what is there is left as it is."""

    def __init__(
        self,
        spec: ExportSpec,
        bundle: BundleReader,
        plan: VolumePlan,
        sink: Sink,
        token: CancelToken,
    ) -> None:
        self._spec = spec
        self._bundle = bundle
        self._plan = plan
        self._sink = sink
        self._token = token
        self._writer = VolumeWriter(spec.medium, bundle.storage, token, plan.epoch)
        self._sizes: dict[int, int] = {}
        self.written = 0

    def run(self, numbers: Sequence[int]) -> list[ItemResult]:
        spec, plan = self._spec, self._plan
        laid = {number: plan.lay_out(number, {}) for number in numbers}
        held = {
            number
            for number in numbers
            if not spec.again and self._writer.is_finished(laid[number])
        }
        wanted = [number for number in numbers if number not in held]
        check_room(spec.medium, [laid[number] for number in wanted])
        cut = plan_cut_blobs(plan, wanted, self._sink)
        self._sizes = {n: plan.lay_out(n, {}).size for n in range(1, plan.count + 1)}
        for number in numbers:
            self._announce(laid[number], held=number in held)
        if wanted:
            self._writer.check_writable()
        pieces = hash_cut_blobs(self._bundle, cut, self._sink, self._token)
        self._writer.begin()
        results: list[ItemResult] = []
        stopped_by: AirgapError | None = None
        for number in numbers:
            name = plan.name_of(number)
            if number in held:
                self._remember(name)
                results.append(ItemResult(name, ItemState.HELD, bytes=laid[number].size))
                continue
            if stopped_by is not None:
                reason = "a volume before it failed"
                results.append(ItemResult(name, ItemState.LEFT_OUT, error=reason))
                self._sink(ItemChanged(name, ItemState.LEFT_OUT, reason))
                continue
            try:
                results.append(self._write(number, pieces))
            except Stopped:
                raise
            except AirgapError as error:
                results.append(ItemResult.failed(name, error))
                self._sink(ItemChanged(name, ItemState.FAILED, results[-1].error))
                if not isinstance(error, ContentError):
                    stopped_by = error
        return results

    def _announce(self, laid: VolumeLayout, *, held: bool) -> None:
        """Totals are known before the first byte."""
        self._sink(ItemSized(laid.name, laid.size, 0 if held else laid.size))
        if held:
            self._sink(ItemChanged(laid.name, ItemState.HELD, "it is there"))
            return
        for content in laid.contents:
            blob = _blob(laid.volume.number, content.path)
            self._sink(BlobPlanned(blob, content.size, (laid.name,)))

    def sheet_volumes(self) -> tuple[SheetVolume, ...]:
        """All volumes of the set, as a transfer sheet lists them."""
        return tuple(self._sheet_volume(number) for number in range(1, self._plan.count + 1))

    def _sheet_volume(self, number: int) -> SheetVolume:
        plan, medium = self._plan, self._spec.medium
        name, size = plan.name_of(number), self._sizes[number]
        if plan.form is not Form.DIRECTORY:
            sha256 = read_file_sums(medium).get(name, "")
            if sha256 and (medium / name).is_file():
                # An image is planned with some room; reading a disc back needs its very size.
                size = (medium / name).stat().st_size
            return SheetVolume(number, plan.form.value, size, name, sha256)
        try:
            sums = DirectoryStorage(medium / name).read(layout.CHECKSUMS, MAX_BYTES)
        except NotFound:  # it is on another disk
            return SheetVolume(number, plan.form.value, size, name)
        file = f"{name}/{layout.CHECKSUMS}"
        return SheetVolume(number, plan.form.value, size, file, Digest.of(sums).hex)

    def _write(self, number: int, pieces: dict[str, str]) -> ItemResult:
        laid = self._plan.lay_out(number, pieces)
        name = laid.name
        self._sink(ItemChanged(name, ItemState.EXPORTING))
        begun: set[str] = set()
        left = {content.path: content.size for content in laid.contents}

        def report(path: str, count: int) -> None:
            blob = _blob(number, path)
            if path not in begun:
                begun.add(path)
                self._sink(BlobStarted(blob))
            if count:
                self._sink(BlobProgress(blob, count))
            left[path] -= count
            if not left[path]:
                self._sink(BlobDone(blob))

        sha256 = self._writer.write(laid, report, again=self._spec.again)
        if sha256:
            add_file_sums(self._spec.medium, {name: sha256})
        self.written += laid.size
        self._sink(ItemChanged(name, ItemState.DONE, "", f"sha256:{sha256}" if sha256 else ""))
        return ItemResult(
            name, ItemState.DONE, f"sha256:{sha256}" if sha256 else "", bytes=laid.size
        )

    def _remember(self, name: str) -> None:
        """A volume that was finished just before an end still needs its line beside it."""
        if self._spec.form is Form.DIRECTORY or name in read_file_sums(self._spec.medium):
            return
        add_file_sums(self._spec.medium, {name: self._writer.sha256(name)})


def _blob(number: int, path: str) -> str:
    """What progress calls a file of a volume."""
    digest = layout.digest_of_path(path)
    return str(digest) if digest is not None else f"{number}: {path}"
