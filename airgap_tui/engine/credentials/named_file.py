"""A file with logins that somebody named: what it is shows in its content."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from airgap_tui.engine.credentials import private_file
from airgap_tui.engine.credentials.docker_config import DockerConfig
from airgap_tui.engine.credentials.enroot import EnrootCredentials
from airgap_tui.engine.credentials.source import Source
from airgap_tui.engine.errors import EnvironmentFailure, NotFound

_MAX_BYTES = 64 * 1024 * 1024
"""`kubectl get secrets -A -o json` holds the releases of Helm, too."""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """The content, read once: it may come out of a pipe."""

    origin: str
    data: bytes = field(repr=False)

    @classmethod
    def load(cls, path: Path) -> NamedFile:
        """Raises `NotFound`, and `EnvironmentFailure` where it cannot be read."""
        data = private_file.read(path, _MAX_BYTES)
        if data is None:
            raise NotFound(f"there is no file {private_file.short(path)}")
        return cls(private_file.short(path), data)

    @property
    def needs_password(self) -> bool:
        """Whether there is an Ansible Vault in it."""
        from airgap_tui.engine.credentials import deepops

        return deepops.needs_password(self.data)

    def sources(self, vault_password: str = "") -> tuple[tuple[Source, ...], tuple[str, ...]]:
        """What holds logins in it, and what could not be read of it.

        A manifest has one source per secret. Raises `EnvironmentFailure` where the file is of no
        known kind, and for a vaulted one what opening it raises.
        """
        from airgap_tui.engine.credentials import deepops, kubernetes, registries_yaml

        origin, data = self.origin, self.data
        text = data.decode("utf-8", errors="replace")
        is_json = text.lstrip("\ufeff \t\r\n").startswith("{")
        if not is_json and len(data) > private_file.MAX_BYTES:
            raise EnvironmentFailure(
                f"{origin} is larger than 4 MiB, so it is not read",
                hint="Of large lists JSON is read: kubectl get secrets -o json.",
            )
        if deepops.needs_password(data) or deepops.VARIABLE in text:
            return (deepops.DeepOpsLogins.parse(data, origin, vault_password),), ()
        if kubernetes.is_manifest(text):
            found = kubernetes.PullSecrets.parse(data, origin)
            return found.secrets, found.problems
        if registries_yaml.is_registries_yaml(text):
            return (registries_yaml.parse(text, origin),), ()
        if is_json:
            return (DockerConfig.parse(text, origin, helpers=False),), ()
        enroot = EnrootCredentials.parse(text, origin)
        if not enroot.lines:
            raise EnvironmentFailure(
                f"{origin} is not a file with logins of a known format",
                hint="Known are docker's config.json, enroot's .credentials, pull secrets of"
                " Kubernetes, registries.yaml of RKE2 and k3s, and DeepOps'"
                " docker_login_registries.",
            )
        return (enroot,), ()
