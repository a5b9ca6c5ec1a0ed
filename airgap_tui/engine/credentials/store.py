"""All logins that this machine holds, in the order in which they win.

Given for this run; NGC's key from the environment (nvcr.io only); `DOCKER_AUTH_CONFIG`;
`REGISTRY_AUTH_FILE`; docker's `config.json`; the `auth.json` files of podman and skopeo.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path

from airgap_tui.engine.credentials.credential import (
    NGC_REGISTRY,
    NGC_USERNAME,
    Credential,
    check_ngc_key,
    without_line_breaks,
)
from airgap_tui.engine.credentials.docker_config import DockerConfig, default_path
from airgap_tui.engine.errors import EnvironmentFailure

_NGC_VARIABLES = ("NGC_API_KEY", "NGC_CLI_API_KEY")


class CredentialStore:
    """Finds logins; asks each credential helper once. Safe to use from several threads.

    An override of None says that a registry is spoken to without a login, whatever is kept."""

    def __init__(
        self,
        overrides: Mapping[str, Credential | None] | None = None,
        ngc: Credential | None = None,
        configs: tuple[DockerConfig, ...] = (),
        problems: tuple[str, ...] = (),
        remarks: tuple[str, ...] = (),
    ) -> None:
        self._overrides = dict(overrides or {})
        self._ngc = ngc
        self._configs = configs
        self._problems = list(problems)
        self.remarks = remarks
        self._found: dict[tuple[str, str], Credential | None] = {}
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        environment: Mapping[str, str] | None = None,
        overrides: Mapping[str, Credential | None] | None = None,
    ) -> CredentialStore:
        """Read the files. One that cannot be read is told in `problems`, not raised: most pulls
        need no login."""
        environment = os.environ if environment is None else environment
        ngc, remarks = _ngc(environment)
        configs: list[DockerConfig] = []
        problems: list[str] = []
        inline = environment.get("DOCKER_AUTH_CONFIG", "")
        if inline:
            try:
                configs.append(DockerConfig.parse(inline, "DOCKER_AUTH_CONFIG"))
            except EnvironmentFailure as error:
                problems.append(error.message)
        for path in _paths(environment):
            try:
                configs.append(DockerConfig.read(path))
            except EnvironmentFailure as error:
                problems.append(error.message)
        return cls(overrides, ngc, tuple(configs), tuple(problems), remarks)

    @property
    def problems(self) -> tuple[str, ...]:
        """Files and helpers that could not be asked, so that a login may be missing."""
        with self._lock:
            return tuple(self._problems)

    def find(self, registry: str, repository: str = "") -> Credential | None:
        """The login to use, or None. Raises `AccessDenied` for an NGC key of the retired kind."""
        with self._lock:
            if registry in self._overrides:
                return self._overrides[registry]
        if registry == NGC_REGISTRY and self._ngc is not None:
            check_ngc_key(self._ngc.secret, self._ngc.origin)
            return self._ngc
        with self._lock:
            key = (registry, repository)
            if key not in self._found:
                self._found[key] = self._search(registry, repository)
            return self._found[key]

    def give(self, registry: str, credential: Credential) -> None:
        """Use this login for the registry from now on, before any other; nothing is kept."""
        with self._lock:
            self._overrides[registry] = credential

    def without(self, registry: str) -> CredentialStore:
        """The same logins, but none for this registry: it refuses the one that there is."""
        with self._lock:
            overrides = {**self._overrides, registry: None}
            problems = tuple(self._problems)
        return CredentialStore(overrides, self._ngc, self._configs, problems, self.remarks)

    @property
    def kept(self) -> tuple[tuple[str, str], ...]:
        """Each registry that a login is kept for, and where; no helper is asked for a secret."""
        found = [(registry, login.origin) for registry, login in self._overrides.items() if login]
        if self._ngc is not None:
            found.append((NGC_REGISTRY, self._ngc.origin))
        for config in self._configs:
            for name in config.registries:
                helper = config.helper_for(name)
                if helper is not None:
                    found.append((name, f"{config.origin}, {helper.program}"))
                elif config.auths.get(name):
                    found.append((name, config.origin))
        return tuple(found)

    def _search(self, registry: str, repository: str) -> Credential | None:
        for config in self._configs:
            try:
                found = config.find(registry, repository)
            except EnvironmentFailure as error:
                if error.message not in self._problems:
                    self._problems.append(error.message)
                continue
            if found is not None:
                return found
        return None


def _ngc(environment: Mapping[str, str]) -> tuple[Credential | None, tuple[str, ...]]:
    for variable in _NGC_VARIABLES:
        text = environment.get(variable, "")
        key = without_line_breaks(text)
        if key:
            broken = "\n" in text or "\r" in text
            remark = f"{variable} looks like a key with a line break; it was taken out"
            return Credential(NGC_USERNAME, key, variable), (remark,) if broken else ()
    return None, ()


def _paths(environment: Mapping[str, str]) -> list[Path]:
    home = Path(environment.get("HOME") or Path.home())
    paths = [default_path(environment)]
    if environment.get("REGISTRY_AUTH_FILE"):
        paths.insert(0, Path(environment["REGISTRY_AUTH_FILE"]))
    runtime = environment.get("XDG_RUNTIME_DIR")
    if runtime:
        paths.append(Path(runtime) / "containers" / "auth.json")
    config = environment.get("XDG_CONFIG_HOME") or home / ".config"
    paths.append(Path(config) / "containers" / "auth.json")
    return paths
