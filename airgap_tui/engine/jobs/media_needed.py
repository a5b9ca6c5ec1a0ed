"""How many media of the usual sizes a bundle would fill: a finished one, or one that is planned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.bundle.reader import BundleReader
from airgap_tui.engine.bundle.volumes.medium import ANY_SIZE, MEDIA, Form, Medium
from airgap_tui.engine.bundle.volumes.packing import BundleFile, pack
from airgap_tui.engine.bundle.volumes.plan import needed_blobs
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.jobs.plan import PlannedBlob

_LISTS = 64 * 1024
_PER_FILE = 400
"""Bytes that a file has in the lists which every volume repeats, about."""

_MOST_PACKED = 4000


def files_of_bundle(path: Path, token: CancelToken) -> tuple[BundleFile, ...]:
    """What goes onto media of a finished bundle. Raises as `BundleReader.open` and
    `needed_blobs` do."""
    return tuple(needed_blobs(BundleReader.open(path), token))


def files_of_plan(blobs: Iterable[PlannedBlob]) -> tuple[BundleFile, ...]:
    """The same of a bundle that is not saved yet."""
    found = (blob.descriptor for blob in blobs)
    return tuple(BundleFile(layout.blob_path(one.digest), one.size) for one in found)


def volumes(files: Sequence[BundleFile], medium: Medium, form: Form) -> int:
    """Whole volumes, packed as an export packs them; 0 where a volume would be too small.

    About: how long the lists are that every volume repeats is known once they are written. Of very
    many files the largest are packed; the others fill what these leave."""
    lists = (BundleFile(layout.INVENTORY, _LISTS + _PER_FILE * len(files)),)
    packed = sorted(files, key=lambda file: -file.size)[:_MOST_PACKED]
    try:
        number = len(pack(lists, (), packed, medium, form))
    except UsageError:
        return 0
    of_a_file = None if form is Form.DIRECTORY else medium.largest_file
    capacity = medium.capacity or of_a_file
    if len(packed) == len(files) or capacity is None:
        return number
    return max(number, -(-sum(file.size for file in files) // capacity))


def counts(files: Sequence[BundleFile], form: Form) -> Mapping[str, int]:
    """For each medium with a name the number of volumes, where there can be so many; without a
    size under the empty name."""
    every = {"": ANY_SIZE, **MEDIA}
    found = {name: volumes(files, medium, form) for name, medium in every.items()}
    return {name: number for name, number in found.items() if number}
