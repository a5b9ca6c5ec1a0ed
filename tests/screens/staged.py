"""A whole crossing, played: the real wizard, with example answers from what is around it.

Registries, engines, disks, jobs and this machine answer with examples, so that it looks the same
everywhere and at any time; everything that is drawn is drawn by the wizard itself.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

from textual.pilot import Pilot

from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.bundle.signatures.signature import Signature
from airgap_tui.engine.bundle.volumes.packing import BundleFile
from airgap_tui.engine.bundle.volumes.transfer_sheet import SheetVolume
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide.departure import Lying
from airgap_tui.engine.guide.tool_choice import ToolAtHand
from airgap_tui.engine.jobs.access import (
    AccessResult,
    AccessSpec,
    ImageAccess,
    LoginStanding,
    RegistryAccess,
)
from airgap_tui.engine.jobs.chain import Chain, Ended
from airgap_tui.engine.jobs.check import Check, Standing
from airgap_tui.engine.jobs.destination import Answer, DestinationAnswers
from airgap_tui.engine.jobs.doctor import DoctorResult
from airgap_tui.engine.jobs.engine_standing import EngineStanding
from airgap_tui.engine.jobs.export import ExportResult
from airgap_tui.engine.jobs.export_plan import ExportPlan, PlannedVolume
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.media import Carried, Contents, FoundBundle
from airgap_tui.engine.jobs.plan import PlannedImage, PlanResult
from airgap_tui.engine.jobs.push import PushResult
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.save import SaveResult
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.jobs.survival import Survival
from airgap_tui.engine.jobs.verify import VerifyResult
from airgap_tui.engine.jobs.written import Written, WrittenVolume
from airgap_tui.engine.jobs.zstd_gain import LEVELS, Gain
from airgap_tui.engine.oci.digest import Digest
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.snapshot import ItemProgress, Snapshot
from tests.screens import arrivals, cluster
from tests.screens.jobs import (
    GB,
    MB,
    NAMES,
    SIZES,
    WrittenJob,
    digest,
    export_ended,
    saving,
)

PRIVATE = "nvcr.io/nim/meta/llama3-8b-instruct:1.0.3"
KEY = "nvapi-example"
LIST = "\n".join(["# what the pods run", *NAMES[:11], NAMES[12]]) + "\n"
_SHARED = {NAMES[9]: 2_900 * MB, NAMES[1]: 3_000 * MB, NAMES[12]: 2_700 * MB}
UNIQUE = sum(SIZES) - sum(_SHARED.values())
FILES = 486
_ACTIVE = (0.83, 0.46, 0.31, 0.08)
_RATES = {"save": 118e6, "verify": 940e6, "push": 236e6}
_CHECKS = (
    Check("Disk", Standing.GOOD, "/data has 1.8 TB free"),
    Check("Docker", Standing.GOOD, "27.3 is running, and you may use it"),
    Check("Podman", Standing.ABSENT, "Podman is not installed here"),
    Check("pixz", Standing.ABSENT, "not found", "writing .xz archives faster"),
)
_REFUSED = AccessDenied(
    "nvcr.io refused this key (401): it is wrong, revoked or expired", registry="nvcr.io"
)
_DOCKER = EngineStanding(
    "Docker 27.3.1", "unix:///var/run/docker.sock", "/var/lib/docker", 190 * GB, 1_100 * GB
)
_PODMAN = EngineStanding(problem="Podman is not installed here", remedy="Install Podman.")
_HARBOR = DestinationAnswers(
    Answer(True, "Answers"), Answer(True, "Accepted"), Answer(True, "You may write to it")
)


_GAIN = Gain(LEVELS[1], 8_100 * MB, UNIQUE, 24 * MB, 6)


class Stage:
    """What the wizard meets. `job` is the one that was started last; the play moves it on."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.job: WrittenJob | None = None
        self.found: tuple[FoundBundle, ...] = ()

    @contextlib.contextmanager
    def set(self, home: Path) -> Iterator[None]:
        """Everything answers with examples until the end of the block."""
        (home / "images_list.txt").write_text(LIST)
        jobs, guide = "airgap_tui.engine.jobs", "airgap_tui.engine.guide"
        answers: dict[str, Callable[..., Any]] = {
            f"{jobs}.doctor.run": lambda *_rest: DoctorResult(_CHECKS),
            f"{jobs}.access.run": self._access,
            f"{jobs}.discovery.discover.run": cluster.at_once,
            f"{jobs}.plan.run": self._plan,
            f"{jobs}.export_plan.run": self._export_plan,
            f"{jobs}.media_needed.files_of_bundle": lambda *_rest: _files(),
            f"{jobs}.zstd_gain.of_bundle": lambda *_rest: (_GAIN,),
            f"{jobs}.written.look": _written,
            "airgap_tui.engine.bundle.signatures.signing_keys.keys_in_agent": lambda *_rest: (),
            f"{guide}.departure.Lying.of": lambda *_rest: Lying(Path("/data"), "xfs"),
            f"{guide}.tool_choice.ToolAtHand.of": lambda *_rest: ToolAtHand(106 * MB),
            f"{jobs}.worker.start": self._start,
            f"{jobs}.media.find_bundles": lambda *_rest: self.found,
            f"{jobs}.media.mount_points": lambda *_rest: (),
            f"{jobs}.media.look_inside": lambda *_rest: _contents(),
            f"{jobs}.destination.ask": lambda *_rest: _HARBOR,
            f"{jobs}.engine_standing.ask": self._engine,
            f"{guide}.welcome.list_jobs": lambda *_rest: (),
            "airgap_tui.engine.bundle.room.Room.at": lambda *_rest: Room(1_800 * GB, "xfs"),
        }
        before = Path.cwd()
        with contextlib.ExitStack() as stack:
            for name, answer in answers.items():
                stack.enter_context(patch(name, answer))
            # What is said for four seconds would make a picture depend on the moment.
            unsaid = patch("screens.base.WizardScreen.say", lambda *_text, **_options: None)
            stack.enter_context(unsaid)
            surviving = ("screens.review_delivery", "screens.export", f"{jobs}.survival")
            for name in (f"{module}.survival" for module in surviving):
                stack.enter_context(patch(name, lambda *_rest: Survival()))
            stack.enter_context(patch.dict(os.environ, {"HOME": str(home)}, clear=False))
            os.chdir(home)
            try:
                yield
            finally:
                os.chdir(before)

    def _access(
        self, spec: AccessSpec, _sink: object, _token: object, credentials: CredentialStore
    ) -> AccessResult:
        login = credentials.find("nvcr.io")
        right = login is not None and login.secret == KEY
        registries = []
        for registry in sorted({reference.registry for reference in spec.references}):
            images = tuple(
                ImageAccess(one, _REFUSED if str(one) == PRIVATE and not right else None)
                for one in spec.references
                if one.registry == registry
            )
            ngc = registry == "nvcr.io"
            standing = LoginStanding.ACCEPTED if right else LoginStanding.REFUSED
            registries.append(
                RegistryAccess(
                    registry,
                    standing if ngc else LoginStanding.NOT_NEEDED,
                    images,
                    "$oauthtoken" if ngc else "",
                    ("this run only" if right else "~/.docker/config.json") if ngc else "",
                    _REFUSED if ngc and not right else None,
                )
            )
        return AccessResult(tuple(registries))

    def _plan(self, spec: SaveSpec, *_rest: object) -> PlanResult:
        sizes = dict(zip(NAMES, SIZES, strict=True))
        images = []
        for reference in spec.references:
            name, size = str(reference), sizes[str(reference)]
            shared = min(size, _SHARED.get(name, 0))
            result = ItemResult(name, ItemState.WAITING, "sha256:" + "0" * 64, size)
            images.append(
                PlannedImage(
                    name, ("linux/amd64",), result.digest, size, shared, 0, size - shared, result
                )
            )
        needed = sum(image.to_fetch for image in images)
        return PlanResult(tuple(images), Room(1_800 * GB, "xfs"), needed, (), ())

    def _export_plan(self, spec: ExportSpec, _sink: object, _token: object) -> ExportPlan:
        items = export_ended().result
        assert items is not None
        volumes = tuple(
            PlannedVolume(number, item.reference, item.bytes, 35)
            for number, item in enumerate(items.items, start=1)
        )
        volumes = volumes if spec.volume_size else volumes[:1]
        needed = sum(one.bytes for one in volumes)
        return ExportPlan(volumes, Room(1_800 * GB, "xfs"), needed, Signature())

    def _engine(self, kind: str, *_rest: object) -> EngineStanding:
        return _DOCKER if kind == "docker" else _PODMAN

    def _start(self, chain: Chain, _state_dir: Path, *, command: str = "", **_rest: Any) -> JobInfo:
        self.job = WrittenJob(self.state_dir, chain, command=command)
        self.job.now(Snapshot(chain.verbs[0], str(chain.place)))
        return self.job.info


def carried() -> FoundBundle:
    """The bundle as it is found on the other side."""
    return FoundBundle(arrivals.PLACE, arrivals.PLACE.name, len(NAMES), 0, UNIQUE, "2025-07-02")


def _contents() -> Contents:
    """What is inside, each shared file counted with one of its images."""
    images = tuple(
        Carried(
            Reference.parse(name),
            size,
            "linux/amd64",
            files=frozenset(_inside(n, size - _SHARED.get(name, 0))),
        )
        for n, (name, size) in enumerate(sorted(zip(NAMES, SIZES, strict=True)))
    )
    return Contents(arrivals.PLACE, arrivals.PLACE.name, images, "2025-07-02")


def _inside(image: int, total: int) -> Iterator[tuple[Digest, int]]:
    """The image's share of the bundle's files, by digest, with sizes that add up."""
    mine = range(image, FILES, len(NAMES))
    for n in mine:
        yield Digest.parse(digest(n)), total // len(mine) + (total % len(mine) if n == image else 0)


def _files() -> tuple[BundleFile, ...]:
    return tuple(BundleFile(f"blobs/sha256/{n:064x}", size) for n, size in enumerate(SIZES))


def _written(spec: ExportSpec, result: ExportResult) -> Written:
    """The ISO images, each with the commands that burn it."""
    volumes = []
    for number, item in zip(result.numbers, result.items, strict=True):
        path, sha256 = spec.medium / item.reference, item.digest.removeprefix("sha256:")
        sheet = SheetVolume(number, spec.form.value, item.bytes, str(path), sha256)
        volumes.append(WrittenVolume(number, path, item, item.bytes, sha256, sheet.burning))
    return Written(tuple(volumes), spec.medium / "SHA256SUMS")


def exporting(done: int) -> Snapshot:
    """An export at work: so many volumes are written."""
    result = export_ended().result
    assert result is not None
    items = []
    for number, item in enumerate(result.items):
        state = ItemState.EXPORTING if number == done else ItemState.WAITING
        moved = item.bytes if number < done else item.bytes // 3 * (number == done)
        state = ItemState.DONE if number < done else state
        items.append(ItemProgress(item.reference, state, "", "", item.bytes, item.bytes, moved))
    total, moved = sum(item.to_do for item in items), sum(item.done for item in items)
    return replace(
        saving(),
        verb="export",
        items=tuple(items),
        transfers=(),
        done=moved,
        total=total,
        rate=160e6,
        time_left=(total - moved) / 160e6,
        elapsed=moved / 160e6,
    )


def under_way(verb: str, done: int, state: ItemState) -> Snapshot:
    """A job of this verb: so many images are done, four are under way, the others wait."""
    items = []
    for number, (name, size) in enumerate(zip(NAMES, SIZES, strict=True)):
        size -= _SHARED.get(name, 0)
        share = 1.0 if number < done else dict(enumerate(_ACTIVE, start=done)).get(number, 0.0)
        now = ItemState.DONE if share == 1 else state if share else ItemState.WAITING
        items.append(ItemProgress(name, now, "", "", size, size, round(share * size)))
    total, moved = sum(item.to_do for item in items), sum(item.done for item in items)
    left = (total - moved) / _RATES[verb]
    return replace(
        saving(),
        verb=verb,
        items=tuple(items),
        transfers=(),
        done=moved,
        total=total,
        rate=_RATES[verb],
        time_left=left,
        elapsed=moved / _RATES[verb],
    )


def ended(verb: str) -> Ended:
    """The same job at its end: all images are well, and the numbers are those of the plan."""
    sizes = zip(NAMES, SIZES, strict=True)
    items = tuple(_delivered(name, size) for name, size in sizes)
    seconds = UNIQUE / _RATES[verb]
    if verb == "save":
        return Ended(verb, 0, SaveResult(items, UNIQUE, UNIQUE, seconds))
    if verb == "verify":
        return Ended(verb, 0, VerifyResult(items, FILES, UNIQUE, (), (), (), seconds))
    return Ended(verb, 0, PushResult(items, UNIQUE, seconds))


def _delivered(name: str, size: int) -> ItemResult:
    """The image there, under its new name."""
    found = f"sha256:{sha256(name.encode()).hexdigest()}"
    there = f"harbor.pod.lan/ngc/{name.partition('/')[2]}"
    return ItemResult(name, ItemState.DONE, found, size, target=there, target_digest=found)


async def until(pilot: Pilot[None], text: str) -> None:
    """Wait until a text is on the screen and nothing is being asked."""
    await arrivals.until(pilot, text)
    await arrivals.settled(pilot)
