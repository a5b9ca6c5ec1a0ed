"""The tool's wheels in the user's cache: each under its SHA-256, downloaded once."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from airgap_tui.engine.bundle.durable import writing
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.carry import pip
from airgap_tui.engine.carry.locks import Pinned, lock_of
from airgap_tui.engine.carry.target import Target
from airgap_tui.engine.errors import ContentMismatch
from airgap_tui.engine.events import Note, Sink
from airgap_tui.engine.quantities import count
from airgap_tui.engine.settings import cache_dir


class WheelCache:
    """Wheels in a directory, which may be emptied at any time."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory or cache_dir() / "wheels"

    def find(self, wheel: Pinned) -> Path | None:
        """A wheel's file, its content compared with its digest; None where it has to be fetched."""
        for path in sorted((self._directory / wheel.sha256).glob("*.whl")):
            if _sha256(path) == wheel.sha256:
                return path
        return None

    def lacking(self, targets: Iterable[Target]) -> tuple[Pinned, ...]:
        """The wheels for these targets that have to be fetched."""
        wheels = {wheel for target in targets for wheel in lock_of(target)}
        return tuple(sorted(wheel for wheel in wheels if self.find(wheel) is None))

    def at_hand(self, targets: Iterable[Target]) -> frozenset[Path] | None:
        """The wheels for these targets; None where one has to be fetched."""
        wheels = {wheel for target in targets for wheel in lock_of(target)}
        found = [self.find(wheel) for wheel in sorted(wheels)]
        paths = frozenset(path for path in found if path is not None)
        return paths if len(paths) == len(wheels) else None

    def fetch(
        self, targets: Sequence[Target], sink: Sink, token: CancelToken
    ) -> Mapping[Target, tuple[Path, ...]]:
        """The wheels for each target, fetched where they are not there.

        Raises as `find_pip` and `download` of pip, and `ContentMismatch` where it brought something
        else."""
        known: dict[Pinned, Path] = {}
        command: list[str] = []
        for target in targets:
            wheels = [wheel for wheel in lock_of(target) if wheel not in known]
            found = {wheel: path for wheel in wheels if (path := self.find(wheel)) is not None}
            known.update(found)
            lacking = [wheel for wheel in wheels if wheel not in found]
            if lacking:
                sink(Note(f"Fetching {count(len(lacking), 'wheel')} of airgap-tui for {target}"))
                command = command or pip.find_pip()
                known.update(self._download(command, lacking, target, token))
        return {target: tuple(known[wheel] for wheel in lock_of(target)) for target in targets}

    def _download(
        self, command: list[str], wheels: Sequence[Pinned], target: Target, token: CancelToken
    ) -> dict[Pinned, Path]:
        with writing(self._directory):
            self._directory.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix=".fetch-", dir=self._directory))
        try:
            pip.download(command, map(str, wheels), target, work, token)
            brought = {_sha256(path): path for path in sorted(work.glob("*.whl"))}
            found = {}
            for wheel in wheels:
                if wheel.sha256 not in brought:
                    raise ContentMismatch(
                        f"pip did not fetch {wheel.name} {wheel.version} as it is listed",
                        hint="Its index may serve altered files; see pip config list.",
                    )
                path = brought[wheel.sha256]
                place = self._directory / wheel.sha256 / path.name
                with writing(place):
                    place.parent.mkdir(exist_ok=True)
                    os.replace(path, place)
                found[wheel] = place
            return found
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""
