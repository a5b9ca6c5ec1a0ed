"""Where a login can be kept: for which software, and in which file of its."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from airgap_tui.engine.credentials import apptainer, docker_config, enroot, store
from airgap_tui.engine.credentials.change import Change
from airgap_tui.engine.errors import UsageError
from airgap_tui.engine.oci.reference import DOCKER_HUB
from airgap_tui.engine.typed_path import typed_path


class Kind(str, Enum):
    """Who is to find the login there."""

    DOCKER = "docker"
    PODMAN = "podman"
    ENROOT = "enroot"
    APPTAINER = "apptainer"
    SINGULARITY = "singularity"
    EXPORTS = "exports"
    """Apptainer's and Singularity's variables, for a shell."""
    KUBERNETES = "kubernetes"
    """A manifest with a pull secret."""
    KUBECTL = "kubectl"
    """A file and the command that makes a pull secret of it."""
    DEEPOPS = "deepops"
    PLAYBOOK = "playbook"
    """root on all nodes, with DeepOps' variables; of no registry alone and without a secret."""


@dataclass(frozen=True, slots=True)
class Place:
    """`path` None is the usual file of the software."""

    kind: Kind
    path: Path | None = None

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read `enroot` or `enroot=FILE`; raise `UsageError` otherwise."""
        name, equals, path = text.partition("=")
        try:
            kind = Kind(name.strip().lower())
        except ValueError:
            known = ", ".join(kind.value for kind in Kind)
            raise UsageError(
                f"no login can be kept for {name!r}",
                hint=f"Known are {known}; each takes =FILE.",
            ) from None
        if equals and not path:
            raise UsageError(f"{text!r} names no file after the =")
        return cls(kind, typed_path(path) if path else None)


@dataclass(frozen=True, slots=True)
class Login:
    """What is to be kept, and what some formats need besides: `name` and `namespace` are of a
    Kubernetes secret."""

    registry: str
    username: str
    secret: str = field(repr=False)
    vault_password: str = field(default="", repr=False)
    name: str = ""
    namespace: str = ""


def change(place: Place, login: Login, environment: Mapping[str, str]) -> Change:
    """What keeping the login there will change; nothing is written yet.

    Raises `UsageError` for a login that cannot stand there, and `EnvironmentFailure` and its kinds
    for a file that cannot be read or changed.
    """
    kind, path = place.kind, place.path or usual_path(place.kind, login.registry, environment)
    registry, username, secret = login.registry, login.username, login.secret
    if kind is Kind.EXPORTS:
        return apptainer.exports(path, username, secret)
    assert path is not None  # noqa: S101 - only the exports may be without a file
    if kind is Kind.DOCKER:
        return docker_config.change(path, registry, username, secret)
    if kind is Kind.PODMAN:
        return docker_config.change(path, registry, username, secret, hub=DOCKER_HUB)
    if kind is Kind.ENROOT:
        return enroot.change(path, registry, username, secret)
    if kind is Kind.APPTAINER:
        return apptainer.change(path, registry, username, secret, environment)
    if kind is Kind.SINGULARITY:
        return apptainer.change(path, registry, username, secret, environment)
    # These read YAML, which the others do not need.
    from airgap_tui.engine.credentials import deepops, kubernetes, playbook

    if kind is Kind.PLAYBOOK:
        return playbook.change(path)
    if kind is Kind.DEEPOPS:
        return deepops.change(path, registry, username, secret, login.vault_password)
    name = kubernetes.SecretName.of(registry, login.name, login.namespace)
    write = kubernetes.change if kind is Kind.KUBERNETES else kubernetes.file_for_kubectl
    return write(path, registry, username, secret, name)


def usual_path(kind: Kind, registry: str, environment: Mapping[str, str]) -> Path | None:
    """The file that the software reads, or one in the working directory; None for the exports."""
    if kind is Kind.DOCKER:
        return docker_config.default_path(environment)
    if kind is Kind.PODMAN:
        return store.podman_path(environment)
    if kind is Kind.ENROOT:
        return enroot.default_path(environment)
    if kind is Kind.APPTAINER:
        return apptainer.default_path(environment)
    if kind is Kind.SINGULARITY:
        return apptainer.singularity_path(environment)
    here = registry.replace(":", "-")
    return {
        Kind.KUBERNETES: Path(f"pull-{here}.yaml"),
        Kind.KUBECTL: Path(f"pull-{here}.dockerconfigjson"),
        Kind.DEEPOPS: Path("docker-login.yml"),
        Kind.PLAYBOOK: Path("docker-login-playbook.yml"),
    }.get(kind)
