"""What every place that holds logins can tell, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from airgap_tui.engine.credentials.credential import Credential


class Software(str, Enum):
    """Whose format it is."""

    NGC = "ngc"
    DOCKER = "docker"
    PODMAN = "podman"
    APPTAINER = "apptainer"
    SINGULARITY = "singularity"
    ENROOT = "enroot"
    KUBERNETES = "kubernetes"
    DEEPOPS = "deepops"


@dataclass(frozen=True, slots=True)
class Unusable:
    """A login that is there and is not used here, and why: its password is a command, say.

    `registry` is empty where the place names none.
    """

    registry: str
    origin: str
    reason: str
    username: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a place itself, so that a login may be missing, and what to do about it.

    `origin` is what people are told the place is.
    """

    origin: str
    text: str
    remedy: str = ""


class Source(Protocol):
    """One place with logins. `origin` is what people are told it is."""

    @property
    def origin(self) -> str: ...

    @property
    def software(self) -> Software: ...

    @property
    def kept(self) -> tuple[tuple[str, str], ...]:
        """Each registry (or repository) that it has a login for, and where that is; no helper is
        asked for it."""
        ...

    @property
    def unusable(self) -> tuple[Unusable, ...]: ...

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is wrong with the place: a line that its own software does not understand."""
        ...

    def find(self, registry: str, repository: str = "") -> Credential | None:
        """The login for a repository, None where there is none. Raises `EnvironmentFailure`."""
        ...
