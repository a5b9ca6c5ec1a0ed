"""Keeping a login where other software looks for it: which places are offered, and what changes.

What needs no more than the login is offered at once; a Kubernetes secret has a name and DeepOps'
variables a vault, so those are asked for. The rest of `login --for` (variables for a shell,
kubectl, a playbook) is left to the command.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airgap_tui.engine.credentials import docker_config, private_file
from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.places import Kind, Login, Place, usual_path
from airgap_tui.engine.errors import EnvironmentFailure, UsageError
from airgap_tui.engine.guide import logins
from airgap_tui.engine.guide.choices import Choice
from airgap_tui.engine.guide.crossing import Crossing
from airgap_tui.engine.jobs import login_places
from airgap_tui.engine.jobs.login_places import Planned
from airgap_tui.engine.redaction import remember

RUN = "run"
_NAMES = {
    Kind.DOCKER: "Docker",
    Kind.PODMAN: "Podman, Skopeo",
    Kind.ENROOT: "Enroot",
    Kind.APPTAINER: "Apptainer",
    Kind.SINGULARITY: "SingularityCE",
    Kind.KUBERNETES: "Kubernetes",
    Kind.DEEPOPS: "DeepOps",
}
_ABOUT = {
    Kind.DOCKER: "Read by docker, skopeo, crane and this program",
    Kind.PODMAN: "Read by podman, skopeo and this program",
    Kind.ENROOT: "Read by enroot, so by Pyxis in Slurm jobs",
    Kind.APPTAINER: "Read by apptainer, instead of docker's file",
    Kind.SINGULARITY: "Read by SingularityCE and old Singularity",
    Kind.KUBERNETES: "A manifest with a pull secret, to be applied",
    Kind.DEEPOPS: "Variables for its playbooks, in an Ansible Vault",
}
COMMAND_ONLY = "For a shell, kubectl or a playbook: --for exports, kubectl or playbook."
_ROOM = 59
"""Cells for a place in words, at 80 columns."""
MEMORY = Choice(RUN, "For this run only, in memory")


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where a login is to be kept. `path` None is the usual file; `name` and `namespace` are of a
    Kubernetes secret, the vault's password of DeepOps' variables."""

    kind: Kind
    path: Path | None = None
    name: str = ""
    namespace: str = ""
    vault_password: str = field(default="", repr=False)

    @property
    def wants_name(self) -> bool:
        return self.kind is Kind.KUBERNETES

    @property
    def wants_vault(self) -> bool:
        return self.kind is Kind.DEEPOPS

    @property
    def wants_more(self) -> bool:
        """Whether there is something to be asked for besides the login."""
        return self.wants_name or self.wants_vault


def offered(registry: str) -> tuple[Choice, ...]:
    """Every place that a login can be kept in from here, with its file."""
    return tuple(Choice(kind.value, name, place(kind, registry)) for kind, name in _NAMES.items())


def about(kind: Kind) -> str:
    """Who reads it there."""
    return _ABOUT[kind]


def place(kind: Kind, registry: str) -> str:
    """The usual file, as people write it."""
    path = usual_path(kind, registry, os.environ)
    return private_file.short(path) if path is not None else ""


def in_words(kind: Kind, registry: str) -> str:
    """`In ~/.docker/config.json: readable by you, not encrypted`."""
    where = place(kind, registry)
    if kind is Kind.DEEPOPS:
        return f"In {where}: in an Ansible Vault"
    helper = _helper(kind, registry)
    if helper:
        return f"In {helper}, as {where} says"
    said = f"In {where}: readable by you, not encrypted"
    return said if len(said) <= _ROOM else f"In {where}: not encrypted"


def makes_vault(keeping: Keeping, registry: str) -> bool:
    """Whether the vault's password is a new one, to be typed twice: nobody could open the vault
    after a slip. Raises `EnvironmentFailure` for a file that cannot be read."""
    from airgap_tui.engine.credentials import deepops

    path = keeping.path or usual_path(keeping.kind, registry, os.environ)
    data = private_file.read(path) if path is not None and os.path.isfile(path) else None
    return data is None or not deepops.needs_password(data)


def plan(keeping: Keeping, registry: str, credential: Credential) -> Planned:
    """What it will change; nothing is written. Raises as `login_places.plan`."""
    remember(keeping.vault_password)
    (planned,) = login_places.plan(
        (Place(keeping.kind, keeping.path),), _login(keeping, registry, credential)
    )
    return planned


def write(
    crossing: Crossing,
    planned: Planned,
    registry: str,
    credential: Credential,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Write it, and say from now on that the login is from there; answers which other one wins
    over it at the next start, if any. Raises `EnvironmentFailure`."""
    environment = os.environ if environment is None else environment
    kept = login_places.keep((planned,))
    error = kept[0].error
    if error is not None:
        raise error
    logins.call_it(crossing, registry, planned.change.place)
    keeping = Keeping(planned.place.kind, planned.place.path)
    return login_places.winner(kept, _login(keeping, registry, credential), environment)


def credential_of(crossing: Crossing, registry: str) -> Credential:
    """The login in use for a registry, to be kept elsewhere. Raises `UsageError` where there is
    none that other software could use."""
    found = crossing.credentials().find(registry)
    if found is None or not found.secret or not found.username:
        raise UsageError(
            f"there is no user name and password for {registry} to be kept",
            hint="Type a login for it, or log in where it is to be kept.",
        )
    return found


def command_options(keeping: Keeping) -> tuple[str, ...]:
    """The options of `login` that do the same."""
    file = f"={keeping.path}" if keeping.path is not None else ""
    options = ["--for", f"{keeping.kind.value}{file}"]
    for option, value in (("--name", keeping.name), ("--namespace", keeping.namespace)):
        options += [option, value] if value and keeping.wants_name else []
    return tuple(options)


def _login(keeping: Keeping, registry: str, credential: Credential) -> Login:
    return Login(
        registry,
        credential.username,
        credential.secret,
        keeping.vault_password,
        keeping.name,
        keeping.namespace,
    )


def _helper(kind: Kind, registry: str) -> str:
    """The program that keeps the login in the place of the file; empty without one."""
    path = usual_path(kind, registry, os.environ)
    if kind is Kind.KUBERNETES or kind is Kind.ENROOT or path is None:
        return ""
    try:
        helper = docker_config.DockerConfig.read(path).helper_for(registry)
    except EnvironmentFailure:
        return ""
    return helper.program if helper is not None else ""
