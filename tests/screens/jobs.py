"""Jobs as their workers write them down, at any moment that a test wants to see."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle.signatures.signature import Signature
from airgap_tui.engine.bundle.volumes.medium import Form
from airgap_tui.engine.events import ItemState, Note
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs.chain import Chain, Ended, Step
from airgap_tui.engine.jobs.directory import JobDirectory, Occupant
from airgap_tui.engine.jobs.export import ExportResult
from airgap_tui.engine.jobs.export_spec import ExportSpec
from airgap_tui.engine.jobs.identity import Identity
from airgap_tui.engine.jobs.job_list import JobInfo, describe
from airgap_tui.engine.jobs.journal import line_of
from airgap_tui.engine.jobs.load import LoadResult, LoadSpec
from airgap_tui.engine.jobs.push import PushResult, PushSpec
from airgap_tui.engine.jobs.result import ItemResult
from airgap_tui.engine.jobs.save import SaveResult
from airgap_tui.engine.jobs.save_spec import SaveSpec
from airgap_tui.engine.jobs.seal import SealResult, SealSpec
from airgap_tui.engine.jobs.verify import VerifyResult, VerifySpec
from airgap_tui.engine.oci.naming import Naming
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.settings import Settings
from airgap_tui.engine.snapshot import ItemProgress, LoginWanted, Pause, Snapshot, Transfer

GB, MB = 10**9, 10**6
BUNDLE = Path("/data/pod-2025-07")
DISCS = Path("/data/discs")
FAILURE = "nvcr.io answered 503 (Service Unavailable) five times"
NAMES = (
    "nvcr.io/nvidia/cuda:12.9.1-base-ubuntu24.04",
    "nvcr.io/nvidia/cuda:12.9.1-devel-ubuntu24.04",
    "nvcr.io/nvidia/hpc-benchmarks:25.04",
    "nvcr.io/nvidia/nemo:25.04",
    "nvcr.io/nvidia/physicsnemo:25.06",
    "nvcr.io/nvidia/pytorch:25.06-py3",
    "nvcr.io/nvidia/rapidsai/base:25.06-cuda12.8-py3.12",
    "nvcr.io/nvidia/tensorflow:25.02-tf2-py3",
    "nvcr.io/nvidia/tensorrt:25.06-py3",
    "nvcr.io/nvidia/tritonserver:25.06-py3",
    "nvcr.io/nim/meta/llama3-8b-instruct:1.0.3",
    "docker.io/library/registry:2",
    "nvcr.io/nvidia/cuda:11.8.0-devel-ubuntu22.04",
)
_SIZES = (98 * MB, 3_500 * MB, 4_300 * MB, 21_400 * MB, 1_700 * MB, 11_200 * MB, 4_400 * MB)
SIZES = (*_SIZES, 7_600 * MB, 1_500 * MB, 6_200 * MB, 5_200 * MB, 10 * MB, 3_400 * MB)
LAYER = "sha256:" + "7c1d0f93a6b2" * 5 + "7c1d"
OTHER = "sha256:" + "b07e41d5c82a" * 5 + "b07e"


def digest(number: int) -> str:
    """Some digest."""
    return f"sha256:{number:064x}"


def saving(**changes: Any) -> Snapshot:
    """A save at 70%: one image failed, three are under way, five wait, four are there."""
    states = dict.fromkeys(NAMES, ItemState.WAITING)
    states[NAMES[2]] = ItemState.FAILED
    for name in (NAMES[6], NAMES[9], NAMES[10]):
        states[name] = ItemState.SAVING
    states[NAMES[3]] = states[NAMES[5]] = states[NAMES[7]] = ItemState.DONE
    states[NAMES[11]] = ItemState.HELD
    done = {NAMES[9]: 2_100 * MB, NAMES[10]: 900 * MB, NAMES[6]: 700 * MB}
    items = []
    for number, (name, size) in enumerate(zip(NAMES, SIZES, strict=True)):
        state = states[name]
        items.append(
            ItemProgress(
                name,
                state,
                f"{name}: {FAILURE}" if state is ItemState.FAILED else "",
                digest(number) if state in (ItemState.DONE, ItemState.HELD) else "",
                size,
                0 if state is ItemState.HELD else size,
                size if state is ItemState.DONE else done.get(name, 0),
            )
        )
    transfers = (
        Transfer(LAYER, 3 * GB, 1_500 * MB, (NAMES[9],)),
        Transfer(OTHER, 2 * GB, 900 * MB, (NAMES[10], NAMES[9])),
        Transfer(digest(77), 2 * GB, 700 * MB, (NAMES[6],), 7.6, "the connection was reset"),
    )
    snapshot = Snapshot(
        "save",
        str(BUNDLE),
        tuple(items),
        transfers,
        done=44_300 * MB,
        total=63_200 * MB,
        rate=118e6,
        time_left=160.0,
        elapsed=375.0,
        blobs_done=301,
        blobs_total=486,
        notes=(Note("looked up 13 images"),),
    )
    return replace(snapshot, **changes)


def paused() -> Snapshot:
    """The same, while nvcr.io refuses the login that it took before."""
    reason = "nvcr.io refused this key (401): it is wrong, revoked or expired"
    before = saving()
    items = tuple(
        replace(item, state=ItemState.RETRYING, reason=reason)
        if item.state is ItemState.SAVING
        else item
        for item in before.items
    )
    return replace(before, items=items, transfers=(), logins=(LoginWanted("nvcr.io", reason),))


def refused_at_the_look_up() -> Snapshot:
    """At the very beginning: three images wait for a login, the others are looked up."""
    reason = "nvcr.io refused this key (401): it is wrong, revoked or expired"
    items = tuple(
        ItemProgress(name, ItemState.RETRYING, reason)
        if number < 3
        else ItemProgress(name, ItemState.RESOLVING)
        for number, name in enumerate(NAMES)
    )
    return Snapshot("save", "/b", items, logins=(LoginWanted("nvcr.io", reason),), elapsed=4.0)


def waiting_for_host() -> Snapshot:
    """The same, while a registry asks to be left alone."""
    return saving(pauses=(Pause("nvcr.io", 100.0, "too many requests"),))


def over(failed: Sequence[str] = (), *, state: ItemState = ItemState.DONE) -> Snapshot:
    """The save at its end."""
    before = saving()
    items = tuple(
        replace(item, state=ItemState.FAILED, reason=f"{item.item}: {FAILURE}", done=0)
        if item.item in failed
        else replace(
            item,
            state=ItemState.HELD if item.state is ItemState.HELD else state,
            reason="",
            digest=digest(number),
            done=item.to_do,
        )
        for number, item in enumerate(before.items)
    )
    return replace(
        before,
        items=items,
        transfers=(),
        done=58_900 * MB,
        total=58_900 * MB,
        time_left=None,
        elapsed=541.0,
        blobs_done=486,
        exit_code=1 if failed else 0,
    )


def save_result(failed: Sequence[str] = ()) -> SaveResult:
    """How that save ended."""
    items = tuple(
        ItemResult(
            name,
            ItemState.FAILED,
            error=f"{name}: {FAILURE}",
            hint="Try again later; what is finished is kept.",
            exit_code=5,
        )
        if name in failed
        else ItemResult(name, ItemState.DONE, digest(number), size)
        for number, (name, size) in enumerate(zip(NAMES, SIZES, strict=True))
    )
    return SaveResult(items, 67_500 * MB, 58_900 * MB, 541.0)


def save_ended(failed: Sequence[str] = ()) -> Ended:
    result = save_result(failed)
    return Ended("save", result.exit_code, result)


def verify_result(**changes: Any) -> VerifyResult:
    """All 13 images whole."""
    items = tuple(
        ItemResult(name, ItemState.DONE, digest(number), size)
        for number, (name, size) in enumerate(zip(NAMES, SIZES, strict=True))
    )
    return replace(VerifyResult(items, 486, 67_500 * MB, (), (), (), 250.0), **changes)


def verify_ended(result: VerifyResult | None = None) -> Ended:
    result = result or verify_result()
    return Ended("verify", result.exit_code, result)


def chain(*verbs: str) -> Chain:
    """A chain of these verbs on the bundle."""
    references = tuple(Reference.parse(name) for name in NAMES)
    specs = {
        "save": SaveSpec(references, BUNDLE),
        "verify": VerifySpec(BUNDLE),
        "seal": SealSpec(BUNDLE),
        "export": ExportSpec(BUNDLE, DISCS, Form.ISO, "dvd", sheets=(DISCS / "sheet.html",)),
        "push": PushSpec(BUNDLE, Naming.parse("harbor.pod.lan/ngc")),
        "load": LoadSpec((BUNDLE,)),
    }
    return Chain(tuple(Step(verb, specs[verb]) for verb in verbs))


def push_ended(failed: Sequence[str] = ()) -> Ended:
    """A push of all images; one was in the registry before."""
    items = []
    for number, (name, size) in enumerate(zip(NAMES, SIZES, strict=True)):
        target = f"harbor.pod.lan/ngc/{name.partition('/')[2]}"
        if name in failed:
            error = f"{name}: harbor.pod.lan: no access to ngc, or there is none (403)"
            hint = "Ask for the right to push into the project ngc."
            items.append(
                ItemResult(
                    name, ItemState.FAILED, error=error, hint=hint, exit_code=4, target=target
                )
            )
            continue
        state = ItemState.HELD if number == 11 else ItemState.DONE
        one = digest(number + 0x7C1D << 240)
        items.append(ItemResult(name, state, one, size, target=target, target_digest=one))
    result = PushResult(tuple(items), 58_900 * MB, 300.0)
    return Ended("push", result.exit_code, result)


def load_ended() -> Ended:
    """A load of all images into Docker."""
    items = tuple(
        ItemResult(name, ItemState.DONE, digest(number + 0x7C1D << 240), size)
        for number, (name, size) in enumerate(zip(NAMES, SIZES, strict=True))
    )
    return Ended("load", 0, LoadResult(items, "Docker 20.10.24", 58_900 * MB, 300.0))


def seal_ended() -> Ended:
    """The bundle sealed where it lies."""
    items = verify_result().items
    mounted = Path("/media/usb1")
    return Ended("seal", 0, SealResult(items, Signature(), mounted, (), 67_500 * MB, 3.0))


def export_ended(failed: int = 0, *, following: bool = False) -> Ended:
    """Fifteen DVD images; the volume `failed` could not be written, and none after it. With
    `following` the first alone, the others wait for further disks."""
    numbers = (1,) if following else tuple(range(1, 16))
    items = tuple(_volume(number, failed) for number in numbers)
    rest = tuple(range(2, 16)) if following else ()
    done = sum(item.bytes for item in items if item.succeeded)
    result = ExportResult(items, "0" * 32, 15, numbers, done, 421.0, following=rest)
    return Ended("export", result.exit_code, result)


def _volume(number: int, failed: int) -> ItemResult:
    name = f"pod-2025-07-{number:02}-of-15.iso"
    if failed and number > failed:
        return ItemResult(name, ItemState.LEFT_OUT, error="a volume before it failed")
    if number == failed:
        error, hint = "/data/discs has no room left", "Choose a disk with more room."
        return ItemResult(name, ItemState.FAILED, error=error, hint=hint, exit_code=4)
    size = 4_699_000_000 if number < 15 else 1_714_000_000
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    return ItemResult(name, ItemState.DONE, f"sha256:{sha256}", size)


class WrittenJob:
    """A job's directory; this process is its worker, so that it counts as running."""

    def __init__(
        self, state_dir: Path, what: Chain, *, command: str = "", logins: Sequence[str] = ()
    ) -> None:
        command = command or f"airgap-tui {' --then '.join(what.verbs)} -b {BUNDLE}"
        self.directory = JobDirectory.create(state_dir, what, command=command, logins=logins)
        self.occupy(Identity.own())
        self.step = 0

    @property
    def info(self) -> JobInfo:
        return describe(self.directory)

    def occupy(self, identity: Identity) -> None:
        self.directory.occupy(Occupant(identity, "ops"))

    def die(self) -> None:
        """Its process is gone."""
        self.occupy(replace(Identity.own(), process=2**22 + os.getpid(), start=1))

    def restart_machine(self) -> None:
        """Its process is gone, and the machine it ran on was started anew."""
        self.occupy(replace(Identity.own(), boot="another"))

    def now(self, snapshot: Snapshot, exit_code: int | None = None) -> None:
        """This is how far it is."""
        value: dict[str, Any] = {
            "at": 0.0,
            "step": self.step,
            "exit_code": exit_code,
            "snapshot": {},
        }
        value["snapshot"] = snapshot.to_json()
        self.directory.keep_moment(json.dumps(value).encode(), last=False)

    def end_step(self, ended: Ended, snapshot: Snapshot, exit_code: int | None = None) -> None:
        """A step of its chain has ended; with an exit code the whole job has."""
        with open(self.directory.path / "journal.jsonl", "ab") as journal:
            journal.write(line_of(ended, 0.0))
        self.step += 1
        self.now(snapshot, exit_code)


def crossing(state_dir: Path, job: WrittenJob | None = None) -> Crossing:
    """A crossing that watches the job."""
    made = Crossing(Settings(state_dir=state_dir))
    made.job = job.info if job is not None else None
    return made
