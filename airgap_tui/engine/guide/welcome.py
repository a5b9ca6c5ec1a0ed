"""What there is to go on with, and what this machine has: told alike by both guided front ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from airgap_tui.engine.bundle import layout
from airgap_tui.engine.errors import AirgapError
from airgap_tui.engine.guide import sentences
from airgap_tui.engine.jobs.check import Check, Standing
from airgap_tui.engine.jobs.job_list import JobInfo, JobState, list_jobs
from airgap_tui.engine.quantities import count, size

if TYPE_CHECKING:
    from airgap_tui.engine.jobs.media import FoundBundle

MOST_CONTINUED = 4
_CHECKED = ("Disk", "Docker", "Podman")
_MOST_CHECKS = 3
_MOST_EXPORTED = 2
_START = "Start it: "


def jobs_to_go_on_with(state_dir: Path) -> tuple[JobInfo, ...]:
    """The jobs that run or were cut short, the latest first."""
    return tuple(
        job for job in list_jobs(state_dir) if job.state is JobState.RUNNING or job.continuable
    )[:MOST_CONTINUED]


def jobs_to_carry(state_dir: Path) -> tuple[JobInfo, ...]:
    """What came to its end and is not wholly on what is carried, the latest first: saves whose
    bundles were not made ready to carry since, and exports that wait for the next disk. Looks into
    bundles and journals."""
    found: list[JobInfo] = []
    exported: set[Path] = set()
    for job in list_jobs(state_dir):
        finished = job.state is JobState.FINISHED and not job.superseded
        if finished and len(found) < MOST_CONTINUED and job.order.place not in exported:
            waits = _waits_for_disk(job) if carries(job) else _is_to_be_carried(job, state_dir)
            found += [job] if waits else []
        if carries(job):
            exported.add(job.order.place)
    return tuple(found)


def jobs_exported(state_dir: Path) -> tuple[JobInfo, ...]:
    """The latest jobs that made a bundle ready to carry, one for each bundle that is still there:
    media get lost. Offered last, and never proposed."""
    found: dict[Path, JobInfo] = {}
    for job in list_jobs(state_dir):
        place = job.order.place
        if carries(job) and place not in found and len(found) < _MOST_EXPORTED:
            fine = job.state is JobState.FINISHED and job.exit_code == 0
            if fine and not _waits_for_disk(job) and (place / layout.INVENTORY).is_file():
                found[place] = job
    return tuple(found.values())


def carries(job: JobInfo) -> bool:
    """Whether the job makes a bundle ready to carry."""
    return "export" in job.order.verbs or "seal" in job.order.verbs


def _waits_for_disk(job: JobInfo) -> bool:
    ended = job.directory.ended
    result = ended[-1].result if ended else None
    return bool(getattr(result, "following", ()))


def _is_to_be_carried(job: JobInfo, state_dir: Path) -> bool:
    if job.order.verbs[0] != "save" or job.exit_code != 0:
        return False
    from airgap_tui.engine.jobs.carried import was_carried  # receipts: not for a first screen

    try:
        return not was_carried(job.order.place, job.started, state_dir)
    except AirgapError:  # it is gone, or on a disk that is not here
        return False


def opening(job: JobInfo) -> str:
    """What choosing the job does: `Show the running save`."""
    if job.state is JobState.RUNNING:
        return f"Show the running {job.verb}"
    if job.state is JobState.FINISHED and carries(job):
        return "Continue the export" if _waits_for_disk(job) else "Show the export"
    if job.state is JobState.FINISHED:
        return "Export it"
    return f"Continue the {job.verb}"


def job_in_words(job: JobInfo) -> str:
    """`Save is running now: 70%, about 3 min left`."""
    snapshot, verb = job.snapshot, job.verb.capitalize()
    percent = f"{int(snapshot.fraction * 100)}%"
    if job.state is JobState.RUNNING:
        owner = "" if job.may_control else f" on {job.host or 'another login'}, to watch only"
        if snapshot.served is not None:
            return f"Serving at {snapshot.subject}{owner}: {size(snapshot.served.sent)} sent"
        left = sentences.amounts(snapshot)[2]
        return f"{verb} is running now{owner}: {percent}, {left}"
    if job.state is JobState.FINISHED and carries(job):
        if _waits_for_disk(job):
            return "Written in part; the next disk is wanted"
        day = datetime.fromtimestamp(job.ended or job.started, timezone.utc).astimezone()
        return f"Exported {day:%Y-%m-%d}; any volume can be made again"
    if job.state is JobState.FINISHED:
        verified = "verify" in job.order.verbs
        return "Saved and verified, not yet exported" if verified else "Saved, not yet exported"
    if job.verb == "serve":
        return "Serving was ended from outside"
    to_go = size(max(0, snapshot.total - snapshot.done))
    if job.rebooted:
        return f"The machine restarted during {job.verb}; nothing finished is lost"
    if job.state is JobState.DIED:
        return f"{verb} was ended at {percent}, {to_go} to go"
    return f"{verb} stopped at {percent}, {to_go} to go"


def bundle_in_words(bundle: FoundBundle) -> str:
    """`Found at /media/usb1: 13 images, 67.5 GB`."""
    if bundle.problem:
        return f"Found at {bundle.path.parent}, but cannot be read"
    volumes = bundle.volumes
    if volumes is not None and volumes.count > 1:
        here = f"{len(volumes.numbers)} of {count(volumes.count, 'volume')}"
        return f"Found at {bundle.path.parent}: {here}, {size(bundle.bytes)}"
    images = count(bundle.images, "image")
    return f"Found at {bundle.path.parent}: {images}, {size(bundle.bytes)}"


def checks_of_note(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Disk and engines, then what is lacking; of two engines one is enough."""
    main = [check for check in checks if check.name in _CHECKED]
    others = [check for check in checks if check.name not in _CHECKED]
    lacking = [c for c in others if c.standing in (Standing.FAILED, Standing.WARNING)]
    lacking += [c for c in others if c.standing is Standing.ABSENT]
    absent_engines = [check for check in main if check.standing is Standing.ABSENT]
    if len(absent_engines) == 1:
        main.remove(absent_engines[0])
    return tuple((main + lacking)[:_MOST_CHECKS])


def check_in_words(check: Check) -> str:
    """The finding in short, and the remedy where that is what matters."""
    said = check.finding
    if check.standing is Standing.ABSENT and "not" in said:
        said = f"Not installed; {check.purpose}"
    elif check.standing is not Standing.GOOD and check.remedy:
        short = said.removeprefix(f"{check.name} ").removeprefix("is ").partition(" at ")[0]
        start = check.remedy.partition(" (")[0]
        if start.startswith(_START):
            said = f"{short}: {start.removeprefix(_START)}"
        else:
            said = f"{short}; {check.remedy[:1].lower()}{check.remedy[1:]}"
    return said[:1].upper() + said[1:]
