"""What this machine has and lacks for each step of the crossing, with the remedy.

Local only: no name is looked up and nothing but local sockets is connected to, unless `online` asks
whether registries answer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap_tui.engine.bundle.room import Room
from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.docker.engine import Engine
from airgap_tui.engine.docker.hosts import Kind, find_host
from airgap_tui.engine.errors import AirgapError, EnvironmentFailure
from airgap_tui.engine.events import JobFinished, JobStarted, Sink
from airgap_tui.engine.jobs import machine_checks, network_checks
from airgap_tui.engine.jobs.check import Check, Standing
from airgap_tui.engine.quantities import size
from airgap_tui.engine.settings import Settings

_LITTLE_ROOM = 20_000_000_000
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_ENGINES: tuple[tuple[Kind, str, str], ...] = (
    ("docker", "Docker", "save --from docker and load"),
    ("podman", "Podman", "save --from podman and load --into podman"),
)


@dataclass(frozen=True, slots=True)
class DoctorSpec:
    """`path` is the bundle, or the directory that one is to be put in. With `online`, the
    `registries` are asked whether they answer; empty means the usual ones."""

    path: Path
    settings: Settings = field(default_factory=Settings)
    online: bool = False
    registries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DoctorResult:
    """What the machine has and lacks."""

    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """4 where something is broken; what is merely not installed is not a failure."""
        failed = any(check.standing is Standing.FAILED for check in self.checks)
        return EnvironmentFailure.exit_code if failed else 0

    def to_json(self) -> dict[str, Any]:
        return {"ok": self.exit_code == 0, "checks": [check.to_json() for check in self.checks]}


def run(spec: DoctorSpec, sink: Sink, token: CancelToken) -> DoctorResult:
    """Look at everything; a check that fails does not stop the others."""
    sink(JobStarted("doctor", str(spec.path), ()))
    checks = []
    for check in _checks(spec, token):
        token.check()
        checks.append(check)
    result = DoctorResult(tuple(checks))
    sink(JobFinished("doctor", result.exit_code))
    return result


def _checks(spec: DoctorSpec, token: CancelToken) -> Iterator[Check]:
    yield machine_checks.python()
    yield machine_checks.codecs()
    yield from disk(spec.path)
    for kind, name, purpose in _ENGINES:
        yield engine(kind, name, purpose)
    yield from machine_checks.programs()
    yield network_checks.proxy(os.environ)
    yield from network_checks.trusted_cas(spec.settings.network, os.environ)
    yield network_checks.logins(os.environ)
    yield machine_checks.terminal(os.environ)
    yield machine_checks.sessions()
    yield machine_checks.clock()
    if spec.online:
        yield from network_checks.registries(spec.registries, spec.settings.network, token)


def disk(path: Path) -> Iterator[Check]:
    """Room, and what the file system cannot hold."""
    purpose = "save: the images' layers as the registries send them"
    try:
        room = Room.at(path)
    except AirgapError as error:
        yield Check("Disk", Standing.FAILED, error.message, purpose, error.hint)
        return
    kind = f" ({room.file_system})" if room.file_system else ""
    free = f"{path} has {size(room.free, down=True)} free{kind}"
    existing = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
    if not os.access(existing, os.W_OK):
        yield Check(
            "Disk",
            Standing.WARNING,
            f"{free}; you may not write to {existing}",
            purpose,
            "Choose another directory for save; reading a bundle there works.",
        )
    elif room.free < _LITTLE_ROOM:
        remedy = "One large image needs 10 to 25 GB; airgap-tui plan tells exactly."
        yield Check("Disk", Standing.WARNING, free, purpose, remedy)
    else:
        yield Check("Disk", Standing.GOOD, free, purpose)
    if room.largest_file is not None:
        yield Check(
            "File system",
            Standing.WARNING,
            f"{room.file_system} takes no file over {size(room.largest_file, down=True)}",
            "some images have layers larger than that",
            "Format the disk with exFAT, ext4 or XFS.",
        )
    if room.file_system in _IN_MEMORY:
        yield Check(
            "File system",
            Standing.WARNING,
            f"{path} is in memory ({room.file_system}) and is lost when the machine stops",
            purpose,
            "Choose a directory on a disk.",
        )


def engine(kind: Kind, name: str, purpose: str) -> Check:
    """Whether an engine is here, may be used, and what it can read."""
    try:
        host = find_host(None, kind)
        if host.socket is None:
            finding = f"{host.origin} names {host.url}; not asked, as it is not on this machine"
            return Check(name, Standing.GOOD, finding, purpose)
        with Engine.connect(None, kind) as connected:
            info, room = connected.info, connected.room()
    except AirgapError as error:
        absent = "not installed" in error.message
        standing = Standing.ABSENT if absent else Standing.WARNING
        return Check(name, standing, error.message, purpose, error.hint)
    store = "image store of containerd" if info.containerd_store else "classic image store"
    parts = [f"{info.name} is running, and you may use it", store]
    if room is not None:
        parts.append(f"{size(room, down=True)} free in {info.root}")
    if not info.can_read_zstd:
        parts.append("cannot read zstd layers, so load turns them into plain tar on the way")
    return Check(name, Standing.GOOD, "; ".join(parts), purpose)
