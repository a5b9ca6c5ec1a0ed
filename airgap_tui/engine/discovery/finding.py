"""What a source yields: an image that somebody named somewhere, or why a source told nothing.

A source is a function `read(stream, place, …) -> Iterator[Finding | Remark]`: a binary stream (of
bytes in hand: `io.BytesIO`), and the place it came from, whose line the source fills in. It asks no
network, starts no program and never raises for what it reads: what it cannot make out is a finding
that says so, or a remark, because silence would look like a cluster that uses nothing. It reads no
more than a bound of its own, and says so where there was more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from airgap_tui.engine.oci.reference import Reference


class Stream(Protocol):
    """What sources read: any binary file object."""

    def read(self, size: int, /) -> bytes: ...


class Kind(str, Enum):
    """The kind of source, as JSON and the command line call it."""

    DOCKER = "docker"
    PODMAN = "podman"
    CONTAINERD = "containerd"
    HISTORY = "history"
    DEFINITION = "definition"
    SIF = "sif"
    SLURMD_LOG = "slurmd-log"
    JOB_OUTPUT = "job-output"
    JOB_SCRIPT = "job-script"
    SUBMIT_LINE = "submit-line"
    JOB_ENVIRONMENT = "job-environment"
    ENROOT = "enroot"
    KUBERNETES = "kubernetes"
    DOCKERFILE = "dockerfile"
    COMPOSE = "compose"
    WORKFLOW = "workflow"


class State(str, Enum):
    """What was seen of the image there."""

    USED = "used"
    FAILED = "failed"
    """A pull or import that failed: no sign of use by itself."""
    UNRESOLVED = "unresolved"
    """Its name depends on something that the source does not tell, such as an unset variable."""
    OTHER = "other"
    """No image of a registry: a local file, `library://`, `oras://`, an engine's own image."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where it stands. `host` is empty for this machine; `path` a file or a command; `line` counts
    from 1 and is 0 where there are no lines."""

    path: str
    line: int = 0
    host: str = ""

    def __str__(self) -> str:
        path = f"{self.host}:{self.path}" if self.host else self.path
        return f"{path}, line {self.line}" if self.line else path


@dataclass(frozen=True, slots=True)
class Finding:
    """One image named in one place. `written` is the name as it stands there, without secrets;
    `reference` is there exactly where the state is used or failed. `time` (with its zone) is of
    the use, where the source knows it; `reason` says more of every state but used."""

    written: str
    reference: Reference | None
    kind: Kind
    place: Place
    state: State = State.USED
    time: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """A source that could not be read, or not whole, or that is blind; and what to do about it."""

    kind: Kind | None
    place: Place
    text: str
    remedy: str = ""
