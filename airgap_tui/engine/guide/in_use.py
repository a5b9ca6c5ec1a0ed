"""What looking for images in use found, as both guided front ends tell it; and the images taken.

Only images that somebody used are chosen at first. Names that failed to be pulled, that depend on
something, or that are of no registry are told apart and never dropped silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from airgap_tui.engine.discovery.finding import Kind, Remark
from airgap_tui.engine.discovery.merging import DiscoveredImage, ImageSource, Unlisted
from airgap_tui.engine.events import ItemState
from airgap_tui.engine.guide.answers import Collection, Origination, Wish, found_in_words
from airgap_tui.engine.guide.looking import HostSeen, SourceSeen
from airgap_tui.engine.guide.where import Asked
from airgap_tui.engine.jobs.discovery.discover import DiscoverResult
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.quantities import count

_MOST_TOLD = 1000
"""So many names are told of each sort; the command line tells more."""
_FILES = (Kind.DEFINITION, Kind.SIF, Kind.DOCKERFILE, Kind.COMPOSE, Kind.WORKFLOW)
_ORIGINS = {
    Kind.DOCKER: Origination.DOCKER,
    Kind.PODMAN: Origination.PODMAN,
    Kind.CONTAINERD: Origination.CRI,
    Kind.HISTORY: Origination.HISTORY,
    Kind.ENROOT: Origination.ENROOT,
    Kind.KUBERNETES: Origination.PODS,
    **dict.fromkeys(_FILES, Origination.FILES),
}
_NAMES = {
    "docker": "Docker",
    "podman": "Podman",
    "history": "shell histories",
    "definition": "definition files",
    "sif": "SIF files",
    "slurmd-log": "slurmd logs",
    "job-output": "job output",
    "job-script": "job scripts",
    "submit-line": "Slurm accounting",
    "job-environment": "job environments",
    "enroot": "Enroot",
    "kubernetes": "Kubernetes",
    "dockerfile": "Dockerfiles",
    "compose": "Compose files",
    "workflow": "workflow files",
    "directory": "directories",
}
_PHRASES = {
    Kind.DOCKER: "Docker",
    Kind.PODMAN: "Podman",
    Kind.CONTAINERD: "containerd",
    Kind.HISTORY: "a shell history",
    Kind.DEFINITION: "a definition file",
    Kind.SIF: "a SIF file",
    Kind.SLURMD_LOG: "the slurmd log",
    Kind.JOB_OUTPUT: "the output of a job",
    Kind.JOB_SCRIPT: "a job script",
    Kind.SUBMIT_LINE: "the Slurm accounting",
    Kind.JOB_ENVIRONMENT: "the environment of a job",
    Kind.ENROOT: "the Enroot files",
    Kind.KUBERNETES: "Kubernetes",
    Kind.DOCKERFILE: "a Dockerfile",
    Kind.COMPOSE: "a Compose file",
    Kind.WORKFLOW: "a workflow file",
}


@dataclass(frozen=True, slots=True)
class Searched:
    """One search that is over. `asked` is where it looked, `remarks` are those on inventories, and
    `left_out` the images in use that the user does not want."""

    result: DiscoverResult
    asked: Asked = field(default_factory=Asked)
    hosts: tuple[HostSeen, ...] = ()
    remarks: tuple[str, ...] = ()
    left_out: frozenset[Reference] = field(default_factory=frozenset)

    @property
    def images(self) -> tuple[DiscoveredImage, ...]:
        return self.result.discovery.images

    @property
    def chosen(self) -> tuple[DiscoveredImage, ...]:
        return tuple(one for one in self.images if one.reference not in self.left_out)

    def choosing(self, chosen: bool, references: Iterable[Reference]) -> Searched:
        """These images chosen, or no longer chosen."""
        these = frozenset(references)
        out = self.left_out - these if chosen else self.left_out | these
        return replace(self, left_out=out)

    @property
    def others(self) -> int:
        """How many names are not among the images in use."""
        found = self.result.discovery
        return len(found.failed) + len(found.unresolved) + len(found.other)

    @property
    def unread(self) -> int:
        """How many sources and hosts could not be read, or not wholly."""
        failed = sum(source.failed for source in self.result.sources)
        return failed + sum(host.state is ItemState.FAILED for host in self.result.hosts)


def searched(
    result: DiscoverResult,
    asked: Asked,
    hosts: tuple[HostSeen, ...],
    remarks: tuple[str, ...],
    answers: Collection,
) -> Searched:
    """All images in use are chosen, but for those that were left out of the list before."""
    left_out = {wish.reference for wish in answers.wishes if not wish.chosen}
    left_out -= {wish.reference for wish in answers.wishes if wish.found_in is Origination.OFFERED}
    found = {image.reference for image in result.discovery.images}
    return Searched(result, asked, hosts, remarks, frozenset(left_out & found))


# --- images --------------------------------------------------------------------------------------


def origins(image: DiscoveredImage) -> tuple[Origination, ...]:
    """Where it was seen, each once."""
    found = (_ORIGINS.get(source.kind, Origination.SLURM) for source in image.sources)
    return tuple(dict.fromkeys(found))


def found_in(image: DiscoveredImage) -> str:
    """`Docker`, `Slurm`, `3 places`."""
    return found_in_words(origins(image))


def wishes(images: Iterable[DiscoveredImage]) -> tuple[Wish, ...]:
    """The images for the list, with where they were seen."""
    made = []
    for image in images:
        first, *further = origins(image) or (Origination.FILES,)
        made.append(Wish(image.reference, first, note=used(image), further=tuple(further)))
    return tuple(made)


def used(image: DiscoveredImage) -> str:
    """`Used 41 times, last on 2025-06-27; 29 times in the slurmd log of dgx03`."""
    text = f"Used {count(image.count, 'time')}"
    if image.last_used is not None:
        text += f", last on {last_use(image)}"
    if not image.sources:
        return text
    most = max(image.sources, key=lambda source: source.count)
    if len(image.sources) == 1:
        return f"{text}, in {_phrase(most)}"
    return f"{text}; {count(most.count, 'time')} in {_phrase(most)}"


def last_use(image: DiscoveredImage) -> str:
    """The day of the last use here, `-` where no source tells times."""
    return f"{image.last_used.astimezone():%Y-%m-%d}" if image.last_used else "-"


def places(image: DiscoveredImage) -> str:
    """Where it is named, the place that does it most first."""
    most = sorted(image.sources, key=lambda source: -source.count)
    return "; ".join(str(source.place) for source in most)


def details(image: DiscoveredImage) -> str:
    """Everything that is known of an image."""
    lines = [f"Image      {image.reference}", f"Used       {count(image.count, 'time')}"]
    if image.last_used is not None:
        lines.append(f"Last use   {image.last_used.astimezone():%Y-%m-%d %H:%M:%S}")
    lines += ["", "Where it is named"]
    for source in image.sources:
        lines.append(f"  {source.place}: {count(source.count, 'time')}, {kind_name(source.kind)}")
    if image.sources_left_out:
        lines.append("  and in many more files")
    return "\n".join(lines)


def seen_at(image: DiscoveredImage, host: str, kind: str = "") -> bool:
    """Whether a host, or one kind of source there, names the image."""
    return any(
        source.place.host == host and kind in ("", source.kind.value) for source in image.sources
    )


def _phrase(source: ImageSource) -> str:
    phrase = _PHRASES[source.kind]
    return f"{phrase} of {source.place.host}" if source.place.host else phrase


# --- hosts and sources ----------------------------------------------------------------------------


def kind_name(kind: str) -> str:
    """A kind of source as people call it."""
    value = kind.value if isinstance(kind, Kind) else kind
    return _NAMES.get(value, value)


def host_name(host: HostSeen) -> str:
    """A host as it stands at the beginning of a line."""
    return host.host or "This machine"


def host_state(host: HostSeen) -> str:
    """`Reading`, `No answer: Connection refused`, `2 kinds of sources not readable`."""
    if host.state is ItemState.WAITING:
        return "Waiting"
    if host.state is ItemState.RESOLVING:
        return "Reading"
    if host.state is ItemState.LEFT_OUT:
        return "Stopped before all of it was read"
    if host.state is ItemState.FAILED:
        reason = host.reason.removeprefix("it cannot be reached: ")
        if reason != host.reason:
            last = reason.rpartition(": ")[2]
            return f"No answer: {last[:1].lower()}{last[1:]}"
        return f"Not readable: {reason}" if not host.found else f"Read in part: {reason}"
    troubled = sum(source.troubled for source in host.sources)
    if troubled:
        return f"Read, but for {count(troubled, 'kind')} of source"
    return "Read" if host.sources else "No source is there"


def source_state(source: SourceSeen) -> str:
    """`Read`, `Not readable: it may not be read`, `Read, but for 2 of 5: …`."""
    seen = source.count
    if not seen.failed:
        return "Read"
    if not (seen.read or seen.found):
        return f"Not readable: {source.reason}"
    return f"Read, but for {seen.failed} of {seen.failed + seen.read}: {source.reason}"


def absent(host: HostSeen) -> str:
    """The sources that a host does not have; empty where it has all."""
    names = ", ".join(kind_name(kind) for kind in host.absent)
    return f"Not there, so not asked: {names}." if names else ""


def remarks_on(found: Searched, host: HostSeen, kind: str = "") -> tuple[Remark, ...]:
    """What is to be said of a host, or of one kind of source there."""
    return tuple(
        remark
        for remark in found.result.discovery.remarks
        if remark.place.host == host.host and (remark.kind.value if remark.kind else "") == kind
    )


def on_host(found: Searched, host: HostSeen) -> str:
    """All of a host: how it fared, each source, what is not there, each remark with its remedy."""
    lines = [f"{host_name(host)}: {host_state(host)}"]
    lines += [f"  {kind_name(one.kind)}: {source_state(one)}" for one in host.sources]
    if told := absent(host):
        lines += ["", told]
    remarks = [one for one in found.result.discovery.remarks if one.place.host == host.host]
    if remarks:
        lines += ["", "What is to be said of it", *_remarks(remarks)]
    return "\n".join(lines)


def left_aside(found: Searched) -> str:
    """All names that are not among the images in use with the reason for each, and all sources that
    could not be read."""
    discovery = found.result.discovery
    lines: list[str] = []
    lines += _section(
        "Only ever failed to be pulled; type it if it is needed",
        ((str(one.reference), one) for one in discovery.failed),
        len(discovery.failed),
    )
    lines += _section(
        "Cannot be told for sure; type what is needed",
        ((one.written, one) for one in discovery.unresolved),
        len(discovery.unresolved),
    )
    lines += _section(
        "Of no registry; nothing to fetch",
        ((one.written, one) for one in discovery.other),
        len(discovery.other),
    )
    if discovery.remarks or found.remarks:
        lines += ["Not read, or not wholly"]
        lines += [f"  {text}" for text in found.remarks]
        lines += _remarks(discovery.remarks)
        lines.append("")
    lines += [f"{host_name(host)}: {absent(host)}" for host in found.hosts if host.absent]
    return "\n".join(lines).rstrip("\n")


def _section(
    title: str, named: Iterator[tuple[str, DiscoveredImage | Unlisted]], number: int
) -> list[str]:
    if not number:
        return []
    lines = [f"{title} ({number})"]
    for name, one in (pair for pair, _ in zip(named, range(_MOST_TOLD), strict=False)):
        lines.append(f"  {name}")
        place = str(one.sources[0].place) if one.sources else ""
        lines.append(f"    {'; '.join(part for part in (one.reason, place) if part)}")
    if number > _MOST_TOLD:
        lines.append(f"  and {number - _MOST_TOLD} more: airgap-tui discover -v tells all")
    return [*lines, ""]


def _remarks(remarks: Iterable[Remark]) -> list[str]:
    """Each text once with the places that share it, and its remedy."""
    alike: dict[tuple[str, str], list[str]] = {}
    for remark in remarks:
        alike.setdefault((remark.text, remark.remedy), []).append(str(remark.place))
    lines = []
    for (text, remedy), where in alike.items():
        more = f" and {len(where) - 1} more" if len(where) > 1 else ""
        lines.append(f"  {where[0]}{more}: {text}")
        lines += [f"    {remedy}"] if remedy else []
    return lines
