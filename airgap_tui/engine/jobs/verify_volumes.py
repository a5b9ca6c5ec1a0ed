"""What `verify` adds for the volumes of a set: one whole copy of some content is enough, and each
volume is compared with its own list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.findings import ABSENT, Finding
from airgap_tui.engine.bundle.media.extent import JoinedExtent, open_place
from airgap_tui.engine.bundle.needs import Need
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.volumes.findings import (
    check_volume,
    damaged_pieces,
    foreign_files,
    on_volumes,
)
from airgap_tui.engine.bundle.volumes.volume_set import VolumeSet
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.events import Level, Note, Sink
from airgap_tui.engine.jobs.verify_reading import Reading
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.plain_text import harmless
from airgap_tui.engine.quantities import count


class VolumesReading(Reading):
    """Reads the content of a set, wherever it lies on the media."""

    def __init__(
        self,
        reader: BundleReader,
        volumes: VolumeSet,
        needs: Mapping[Digest, Need],
        stored: Mapping[Digest, int],
        sink: Sink,
        token: CancelToken,
    ) -> None:
        super().__init__(reader, needs, stored, sink, token)
        self._volumes = volumes

    @property
    def bad(self) -> list[Finding]:
        return [
            replace(finding, volumes=on_volumes(self._volumes, Digest.parse(finding.digest)))
            for finding in super().bad
        ]

    def read(self, digest: Digest) -> str:
        try:
            copies = self._volumes.copies(layout.blob_path(digest))
        except AirgapError as error:
            return error.message
        problems: list[str] = []
        for place in copies:
            problem = self.compare(digest, partial(open_place, place), told=not problems)
            if problem and isinstance(place, JoinedExtent):
                problem = "; ".join(damaged_pieces(self._volumes, digest)) or problem
            elif problem:
                problem = f"{self._volumes.label(place)}: {problem}"
            problems.append(problem)
        if all(problems):
            return "; ".join(problems) or ABSENT
        for problem in filter(None, problems):
            text = f"{problem}; another medium has {digest.short} whole, which is taken"
            self.sink(Note(text, Level.WARNING))
        return ""


def check_volumes(volumes: VolumeSet, sink: Sink, token: CancelToken) -> list[Finding]:
    """Compare each volume that is here with its list; what others left on it is only told."""
    joined = volumes.joined
    findings = []
    for medium in volumes.media:
        findings += check_volume(medium, joined, token)
        if others := foreign_files(medium):
            text = f"{medium.label} also holds {count(len(others), 'file')} of others, as"
            sink(Note(f"{text} {harmless(others[0])!r}: never opened", Level.WARNING))
    return findings
