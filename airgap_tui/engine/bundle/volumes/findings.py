"""What is wrong with one volume, apart from its blobs: files that differ, are missing or do not
belong."""

from __future__ import annotations

import os
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.checksums import MAX_BYTES, parse_checksums
from airgap_tui.engine.bundle.findings import ABSENT, Finding
from airgap_tui.engine.bundle.media.storage import DirectoryStorage
from airgap_tui.engine.bundle.volumes.in_tar import TarVolume
from airgap_tui.engine.bundle.volumes.volume_medium import VolumeMedium
from airgap_tui.engine.bundle.volumes.volume_set import VolumeSet, sha256_of
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.oci.digest import Digest

_MOST_FILES = 1_000_000


def check_volume(
    medium: VolumeMedium, whole: frozenset[Digest], token: CancelToken
) -> list[Finding]:
    """Compare every file but the blobs, and but the pieces of the `whole` ones that are read
    elsewhere, with `volume.json`; and the list of checksums with it."""
    findings = []
    for file in medium.volume.files:
        token.check()
        piece = layout.piece_of_path(file.path)
        if piece is not None and piece[0] in whole:
            continue
        if layout.digest_of_path(file.path) is None and (problem := _problem(medium, file.path)):
            told = f"{medium.label}: {problem}"
            findings.append(Finding(file.path, "", told, volumes=(medium.volume.number,)))
    for name in _unlisted(medium):
        problem = f"{medium.label}: {layout.VOLUME} does not list it"
        findings.append(Finding(name, "", problem, volumes=(medium.volume.number,)))
    return findings


def _problem(medium: VolumeMedium, name: str) -> str:
    try:
        place = medium.place(name)
        if place is None:
            return ABSENT
        if name == layout.CHECKSUMS:
            return _checksums_problem(medium)
        if sha256_of(place) != medium.volume.by_path[name].sha256:
            return f"it is not what {layout.VOLUME} says"
    except AirgapError as error:
        return error.message
    return ""


def _checksums_problem(medium: VolumeMedium) -> str:
    sums = parse_checksums(medium.storage.read(layout.CHECKSUMS, MAX_BYTES), str(medium.location))
    raw = medium.storage.read(layout.VOLUME, MAX_BYTES)
    expected = {file.path: file.sha256 for file in medium.volume.files if file.sha256}
    expected[layout.VOLUME] = Digest.of(raw).hex
    wrong = sorted(name for name in sums if sums[name] != expected.get(name))
    wrong += sorted(expected.keys() - sums.keys())
    return f"it does not agree with {layout.VOLUME} about {wrong[0]}" if wrong else ""


def foreign_files(medium: VolumeMedium) -> tuple[str, ...]:
    """What else lies in a volume's directory and is none of its files: never opened."""
    storage = medium.storage
    if not isinstance(storage, DirectoryStorage):
        return ()
    return tuple(name for name in _walk(storage.location) if not layout.is_file_name(name))


def _unlisted(medium: VolumeMedium) -> tuple[str, ...]:
    storage, listed = medium.storage, medium.volume.by_path
    if isinstance(storage, TarVolume):
        return (storage.location.name,) if storage.unlisted() else ()
    if isinstance(storage, DirectoryStorage):
        names = [name for name in _walk(storage.location) if layout.is_file_name(name)]
    else:
        names = [name for name, _size in storage.names()]
    return tuple(name for name in sorted(names) if name not in listed and name != layout.VOLUME)


def _walk(root: Path) -> list[str]:
    """The paths of all files below a directory; links are named and not followed."""
    found: list[str] = []
    for directory, below, files in os.walk(root):
        if directory == str(root) and layout.PARTIAL in below:
            below.remove(layout.PARTIAL)
        links = [name for name in below if os.path.islink(os.path.join(directory, name))]
        for name in (*files, *links):
            found.append(os.path.relpath(os.path.join(directory, name), root))
        if len(found) > _MOST_FILES:
            break
    return found


def on_volumes(volumes: VolumeSet, digest: Digest) -> tuple[int, ...]:
    """The numbers of the volumes that list some content, whole or in pieces."""
    name, pieces = layout.blob_path(digest), volumes.cut
    prefix = f"{layout.PIECES}/{digest.algorithm}/{digest.hex}/"
    found = {
        medium.volume.number
        for medium in volumes.media
        if name in medium.volume.by_path
        or (digest in pieces and any(f.path.startswith(prefix) for f in medium.volume.files))
    }
    return tuple(sorted(found))


def damaged_pieces(volumes: VolumeSet, digest: Digest) -> tuple[str, ...]:
    """The volumes whose pieces of a blob are not what they list, each with the piece's name."""
    prefix = f"{layout.PIECES}/{digest.algorithm}/{digest.hex}/"
    return tuple(
        f"{medium.label}: {file.path} is damaged"
        for medium in volumes.media
        for file in medium.volume.files
        if file.path.startswith(prefix) and _problem(medium, file.path)
    )
