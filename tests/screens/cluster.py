"""A small cluster in which images are in use, as the job that looks for them would tell of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.discovery.finding import Finding, Kind, Place, Remark, State
from airgap_tui.engine.discovery.merging import Merging
from airgap_tui.engine.events import (
    Event,
    ItemChanged,
    ItemState,
    JobStarted,
    Sink,
    SourceRead,
    SourceState,
)
from airgap_tui.engine.jobs.discovery.discover import DiscoverResult, DiscoverSpec, HostResult
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.snapshot import SourceCount

HOSTS = ("this machine", "dgx01", "dgx02", "dgx03")
LOG, HISTORY = "/var/log/slurm/slurmd.log", "/home/ada/.bash_history"
REFUSED = "it cannot be reached: ssh: connect to host dgx02 port 22: Connection refused"
DENIED = "it may not be read"
OTHERS = (
    Finding("lab/$MODEL:1", None, Kind.HISTORY, Place(HISTORY, 7, "dgx01"), State.UNRESOLVED,
            reason="it depends on $MODEL"),
    Finding("library://lab/tool", None, Kind.HISTORY, Place(HISTORY, 9, "dgx01"), State.OTHER,
            reason="library:// is no registry"),
    Finding("nvcr.io/nvidia/pytroch:25.06-py3", Reference.parse("nvcr.io/nvidia/pytroch:25.06-py3"),
            Kind.SLURMD_LOG, Place(LOG, 80, "dgx03"), State.FAILED, reason="manifest unknown"),
)  # fmt: skip
REMARKS = (
    Remark(None, Place("ssh", 0, "dgx02"), REFUSED,
           "Is it up, and does ssh get there from here? Try  ssh dgx02"),
    Remark(Kind.SLURMD_LOG, Place(LOG, 0, "dgx01"), DENIED,
           "Run this as root, or copy the log here and name it with --slurmd-log."),
    Remark(Kind.HISTORY, Place("other users' histories", 0, "dgx01"),
           "only those of the user that reads were looked for",
           "Run this as root to read the histories of all users."),
)  # fmt: skip
_SEEN = (
    ("nvcr.io/nvidia/pytorch:25.06-py3", Kind.SLURMD_LOG, "dgx03", 29, 27),
    ("nvcr.io/nvidia/pytorch:25.06-py3", Kind.HISTORY, "dgx01", 11, 20),
    ("nvcr.io/nvidia/pytorch:25.06-py3", Kind.DOCKER, "", 1, None),
    ("nvcr.io/nvidia/cuda:12.9.1-devel-ubuntu24.04", Kind.SLURMD_LOG, "dgx03", 4, 24),
    ("nvcr.io/nvidia/k8s/dcgm-exporter:4.2.3-4.1.3-ubuntu22.04", Kind.KUBERNETES, "dgx01", 4, None),
    ("nvcr.io/nvidia/nemo:25.04", Kind.SLURMD_LOG, "dgx03", 7, 12),
    ("nvcr.io/nvidia/tritonserver:25.06-py3", Kind.HISTORY, "dgx01", 2, 26),
    ("docker.io/library/registry:2", Kind.DOCKER, "", 1, None),
    ("docker.io/library/ubuntu:24.04", Kind.DOCKER, "", 1, None),
)
_PATHS = {
    Kind.SLURMD_LOG: LOG,
    Kind.HISTORY: HISTORY,
    Kind.DOCKER: "unix:///var/run/docker.sock",
    Kind.KUBERNETES: "kubectl get pods",
}


def findings() -> Iterator[Finding | Remark]:
    for name, kind, host, times, day in _SEEN:
        when = datetime(2025, 6, day, 12, tzinfo=timezone.utc) if day else None
        for line in range(1, times + 1):
            place = Place(
                _PATHS[kind], line if kind in (Kind.SLURMD_LOG, Kind.HISTORY) else 0, host
            )
            yield Finding(name, Reference.parse(name), kind, place, time=when)
    yield from OTHERS
    yield from REMARKS


def events() -> tuple[Event, ...]:
    """All that the job reports, in the order in which it comes."""
    return (
        JobStarted("discover", "", HOSTS),
        *(ItemChanged(host, ItemState.RESOLVING) for host in HOSTS),
        SourceRead("", "docker", _PATHS[Kind.DOCKER], 3),
        SourceRead("", "podman", "podman", 0, SourceState.ABSENT, "podman is not there"),
        SourceRead("dgx01", "history", HISTORY, 15),
        SourceRead("dgx01", "kubernetes", "kubectl get pods", 4),
        SourceRead("dgx01", "slurmd-log", LOG, 0, SourceState.FAILED, DENIED),
        ItemChanged("dgx02", ItemState.FAILED, REFUSED),
        SourceRead("dgx03", "slurmd-log", LOG, 41),
        ItemChanged("this machine", ItemState.DONE),
        ItemChanged("dgx01", ItemState.DONE),
        ItemChanged("dgx03", ItemState.DONE),
    )


def result(*, stopped: bool = False) -> DiscoverResult:
    merging = Merging()
    for one in findings():
        merging.add(one)
    sources = (
        SourceCount("", "docker", read=1, found=3),
        SourceCount("", "podman", absent=1),
        SourceCount("dgx01", "history", read=1, found=15),
        SourceCount("dgx01", "kubernetes", read=1, found=4),
        SourceCount("dgx01", "slurmd-log", failed=1),
        SourceCount("dgx03", "slurmd-log", read=1, found=41),
    )
    hosts = tuple(
        HostResult(name, ItemState.FAILED, 1.0, REFUSED, REMARKS[0].remedy)
        if name == "dgx02"
        else HostResult(name, ItemState.DONE, 1.0)
        for name in HOSTS
    )
    return DiscoverResult(merging.result(), sources, hosts, stopped=stopped)


Run = Callable[[DiscoverSpec, Sink, CancelToken], DiscoverResult]


def at_once(_spec: DiscoverSpec, sink: Sink, _token: CancelToken) -> DiscoverResult:
    """The job, over in no time."""
    for event in events():
        sink(event)
    return result()


def until_stopped(_spec: DiscoverSpec, sink: Sink, token: CancelToken) -> DiscoverResult:
    """The job, of which two hosts take for ever."""
    for event in events()[:-2]:
        sink(event)
    while not token.cancelled:
        token._event.wait(1)
    sink(ItemChanged("dgx01", ItemState.LEFT_OUT, "stopped before all of it was read"))
    sink(ItemChanged("dgx03", ItemState.LEFT_OUT, "stopped before all of it was read"))
    return result(stopped=True)
