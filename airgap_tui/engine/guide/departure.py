"""The words of step Export: what can be made of a bundle, what it takes, what came of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from airgap_tui.engine.bundle.encoding.codec import Codec, Compression
from airgap_tui.engine.bundle.room import Room, mount_point
from airgap_tui.engine.bundle.volumes.medium import MEDIA
from airgap_tui.engine.errors import AirgapError, NotFound
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide.carrying import Carrying, Way
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.grammar import are
from airgap_tui.engine.jobs.export import ExportResult
from airgap_tui.engine.jobs.export_plan import ExportPlan
from airgap_tui.engine.jobs.media import mount_points
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.seal import SealResult
from airgap_tui.engine.jobs.zstd_gain import Gain
from airgap_tui.engine.quantities import count, size

WAYS = (
    Choice(Way.SEAL.value, "This disk is carried", "Sealed where it lies; nothing is copied"),
    Choice(Way.DIRECTORY.value, "Another disk", "A directory for each volume"),
    Choice(Way.TAR.value, "Tar files", "A file for each volume, or one for all"),
    Choice(Way.ISO.value, "ISO images", "To burn onto discs; as many as are needed"),
)
NO_KEY, KEY_FILE = "none", "file"
OTHER_SIZE = "other"
_MOST_NAMED = 2
_NAMES = {
    "": "One volume",
    "fat32": "FAT32, no file over 4 GiB",
    "cd": "CD",
    "dvd": "DVD",
    "dvd-dl": "DVD, two layers",
    "bd25": "Blu-ray, 25 GB",
    "bd50": "Blu-ray, 50 GB",
    "bd100": "Blu-ray, 100 GB",
}
_DISCS = ("cd", "dvd", "dvd-dl", "bd25", "bd50", "bd100")
_USUAL = {Way.SEAL: "", Way.DIRECTORY: "", Way.TAR: "", Way.ISO: "dvd"}


@dataclass(frozen=True, slots=True)
class Lying:
    """Where a bundle lies: `mounted` is its disk's mount point, `removable` says that it looks like
    one that is carried."""

    mounted: Path
    file_system: str = ""
    removable: bool = False

    @classmethod
    def of(cls, bundle: Path) -> Lying:
        """Asks the system's list of mounts."""
        mounted = mount_point(bundle)
        return cls(mounted, Room.at(bundle).file_system, mounted in mount_points())


def proposed(lying: Lying, before: Carrying | None) -> Carrying:
    """What is chosen at first: as it was carried before; sealed, where the disk can be carried."""
    if before is not None:
        return before
    if lying.removable:
        return Carrying()
    return Carrying(Way.DIRECTORY)


def with_way(answers: Carrying, way: Way) -> Carrying:
    """Another way, with the size of volume that is usual for it."""
    size_ = answers.volume_size
    fits = way is Way.DIRECTORY or size_ != "fat32"
    return Carrying(
        way,
        answers.medium,
        size_ if size_ and fits and way is not Way.SEAL else _USUAL[way],
        one_per_disk=answers.one_per_disk and way in (Way.DIRECTORY, Way.TAR),
        key=answers.key,
        sheet=answers.sheet,
        tool=answers.tool,
    )


def sizes(way: Way, numbers: Mapping[str, int]) -> tuple[Choice, ...]:
    """The sizes of volumes for a way, each with how many there would be."""
    names = ("", *_DISCS) if way is not Way.DIRECTORY else ("", "fat32", *_DISCS)
    found = [Choice(name, _NAMES[name], _how_many(name, numbers)) for name in names]
    return (*found, Choice(OTHER_SIZE, "Another size", "As in 60GB"))


def size_key(answers: Carrying) -> str:
    """The key among `sizes` of the answers."""
    return answers.volume_size if answers.volume_size in _NAMES else OTHER_SIZE


def _how_many(name: str, numbers: Mapping[str, int]) -> str:
    medium = MEDIA.get(name)
    capacity = size(medium.capacity, down=True) if medium and medium.capacity else ""
    number = count(numbers[name], "volume") if name in numbers else ""
    return ", ".join(part for part in (capacity, number) if part)


# Before it begins


def lies(lying: Lying) -> str:
    """`/media/usb1 (ext4), which looks like a disk to carry`."""
    kind = f" ({lying.file_system})" if lying.file_system else ""
    if lying.removable:
        return f"{lying.mounted}{kind}, which looks like a disk to carry"
    return f"{lying.mounted}{kind}: seal only what lies on a disk that is carried"


def excerpt(answers: Carrying, name: str, plan: ExportPlan | None, *, ahead: bool = False) -> str:
    """The top of the page; `ahead` before the bundle is saved."""
    if ahead and answers.way is Way.SEAL:
        return f"Once it is saved, {name} is sealed where it lies. Nothing is copied."
    if ahead:
        return f"Once it is saved, {name} is written anew, ready to carry."
    if answers.way is Way.SEAL:
        return f"{name} is sealed where it lies. Nothing is copied."
    if plan is None:
        return f"{name} is written anew, ready to carry. Nothing is written yet."
    if not plan.to_write:
        return f"{name}: what is asked for is there already. Writing again only checks that."
    total = sum(volume.bytes for volume in plan.to_write)
    volumes = count(len(plan.to_write), "volume")
    return f"{name} becomes {volumes}, {size(total, up=True)}. Nothing is written yet."


def begin(answers: Carrying, plan: ExportPlan | None) -> str:
    """The button that begins it: `Write 15 volumes`."""
    if answers.way is Way.SEAL:
        return "Seal it"
    if answers.only:
        return f"Write volume {answers.only} again"
    there = len(plan.to_write) if plan is not None else 0
    if answers.one_per_disk and there > 1:
        return "Write the first volume"
    return f"Write {count(there, 'volume')}" if there else "Write"


def volumes(plan: ExportPlan) -> str:
    """`15 volumes, 2 of them there`."""
    held = sum(volume.held for volume in plan.volumes)
    there = f", {held} there already" if held else ""
    return f"{count(len(plan.volumes), 'volume')}{there}"


def room(plan: ExportPlan) -> str:
    """`1.8 TB free, 67.5 GB needed`."""
    return f"{plan.room.in_words}, {size(plan.needed, up=True)} needed"


def missing(answers: Carrying, plan: ExportPlan | bool | None) -> str:
    """Why it cannot begin; empty when it can. `plan` True: all is known that can be before."""
    if answers.way is Way.SEAL:
        return ""
    if answers.medium is None:
        return "Not yet: no place to write to."
    if not plan:
        return "Not yet: the volumes are being counted."
    if plan is True or plan.problem is None:
        return ""
    lacking = plan.needed - plan.room.free
    if lacking > 0:
        return f"Not yet: {size(lacking, up=True)} of room is missing."
    return "Not yet: a file is too large for this disk."


def refusal(error: AirgapError) -> str:
    """Why the answers cannot be, with what to do about it."""
    return f"{error.message[:1].upper()}{error.message[1:]}. {error.hint}".strip()


def each(plan: ExportPlan) -> list[str]:
    """A line for each volume."""
    lines = []
    for volume in plan.volumes:
        parts = [size(volume.bytes, up=True), count(volume.files, "file")]
        if volume.pieces:
            parts.append(f"{count(volume.pieces, 'piece')} of layers that are cut")
        if volume.held:
            parts.append("there already")
        elif not volume.wanted:
            parts.append("not written now")
        lines.append(f"{volume.name}: {', '.join(parts)}")
    return lines


def gain(gains: Iterable[Gain], *, saved: bool) -> str:
    """What zstd would gain, and who could not read it then; empty where nothing was found out.
    `saved` says that the bundle is there already, and would have to be saved again."""
    found = max(gains, key=lambda one: one.saved, default=None)
    if found is None:
        return ""
    if found.percent < 1:
        return "A sample of the layers says that zstd would not make them smaller."
    doing = "Saved again with" if saved else "With"
    return (
        f"{doing} --compress {found.compression} it would be about {found.percent}% smaller"
        f" ({size(found.saved)}), by a sample of {count(found.layers, 'layer')};"
        f" {found.compression.unreadable_by} cannot read that."
    )


def gain_in_short(gains: Iterable[Gain]) -> str:
    """`zstd: about 12% smaller`."""
    default = Compression(Codec.ZSTD)
    found = next((one for one in gains if one.compression == default), None)
    if found is None:
        return ""
    return f"zstd: about {found.percent}% smaller" if found.percent else "zstd gains nothing"


def then_in_words(answers: Carrying | None) -> str:
    """What stands beside the box of Review."""
    if answers is None:
        return "Export to a disk, DVDs or ISO files"
    if answers.way is Way.SEAL:
        return "Seal it where it lies"
    kind = {Way.DIRECTORY: "Directories", Way.TAR: "Tar files", Way.ISO: "ISO images"}[answers.way]
    of = f", {answers.volume_size}" if answers.volume_size else ""
    return f"{kind}{of} in {answers.medium}"


# Afterwards


def carried(result: ExportResult | SealResult, name: str) -> str:
    """The top of the result."""
    if isinstance(result, SealResult):
        wrong = sum(not item.succeeded for item in result.items)
        whole = len(result.items) - wrong
        if wrong:
            left = f"{wrong} {are(wrong)} not carried"
            return f"{name} is sealed with {count(whole, 'image')}; {left}."
        return f"{name} is ready to carry: {count(whole, 'image')}, {size(result.bytes)}."
    wrong = len(unwritten(result))
    there = len(result.items) - wrong
    if wrong:
        volumes_ = count(len(result.items), "volume")
        return f"{there} of {volumes_} {are(there)} written; the others can be tried again."
    if there == 1 and result.count > 1:
        of = f"{result.numbers[0]} of {result.count}"
        to_go = f" {count(len(result.following), 'volume')} to go." if result.following else ""
        return f"Volume {of} is written.{to_go}"
    volumes_, bytes_ = count(there, "volume"), sum(item.bytes for item in result.items)
    if lost := len(result.not_carried):
        left = f"{count(lost, 'image')} {are(lost)} not carried"
        return f"{name} is in {volumes_}, {size(bytes_)}; {left}."
    return f"{name} is ready to carry: {volumes_}, {size(bytes_)}."


def not_carried(result: ExportResult | SealResult) -> str:
    """Which images are not, because their save did not finish; empty where all are."""
    if isinstance(result, SealResult):
        lost = [item for item in result.items if not item.succeeded]
    else:
        lost = list(result.not_carried)
    names = ", ".join(item.reference for item in lost[:_MOST_NAMED])
    return f"{names} and {len(lost) - _MOST_NAMED} more" if len(lost) > _MOST_NAMED else names


def unwritten(result: ExportResult) -> tuple[ItemResult, ...]:
    """The volumes that failed, and those that were not begun then."""
    there = (ItemState.DONE, ItemState.HELD)
    return tuple(item for item in result.items if item.state not in there)


def next_disk(number: int, total: int, place: Path, in_the_way: str = "") -> str:
    """The question between two disks."""
    asked = f"Volume {number} of {total}: insert the next disk at {place}."
    return f"{in_the_way[:1].upper()}{in_the_way[1:]}. {asked}" if in_the_way else asked


def unplugging(mounted: Path) -> str:
    """What to type before the disk is taken out; empty where it is this machine's own."""
    return "" if mounted == Path("/") else f"umount {shlex.quote(str(mounted))}"


def on_the_disk(unplug: str) -> str:
    """That nothing is on its way any more."""
    return f"You may unplug it now: {unplug}" if unplug else "Everything is on the disk"


def failed(error: AirgapError) -> str:
    """What stands beside the choice where it cannot be planned."""
    return "Not installed" if isinstance(error, NotFound) else "Cannot be written so"
