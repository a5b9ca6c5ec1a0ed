"""All logins that this machine holds, in the order in which they win.

1.  Given for this run.
2.  Files that were named for this run: config.json, `.credentials`, pull secrets, registries.yaml,
    DeepOps' logins.
3.  `NGC_API_KEY`, `NGC_CLI_API_KEY`: nvcr.io only.
4.  `DOCKER_AUTH_CONFIG`.
5.  `REGISTRY_AUTH_FILE`.
6.  docker's `config.json`.
7.  The `auth.json` files of podman and skopeo, then docker's old `.dockercfg`, which they read too.
8.  `APPTAINER_DOCKER_USERNAME` and its like: nvcr.io only, because they name no registry.
9.  `docker-config.json` of Apptainer, then of SingularityCE.
10. enroot's `.credentials`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from airgap_tui.engine.credentials import apptainer, enroot, helper, private_file
from airgap_tui.engine.credentials.credential import Credential, check_ngc_key
from airgap_tui.engine.credentials.docker_config import DockerConfig, default_path
from airgap_tui.engine.credentials.ngc_key import NgcKey
from airgap_tui.engine.credentials.source import Problem, Software, Source, Unusable
from airgap_tui.engine.errors import EnvironmentFailure


class CredentialStore:
    """Finds logins; asks each credential helper once in a while. Safe to use from several threads.

    An override of None means that a registry is used without a login, whatever is kept."""

    def __init__(
        self,
        overrides: Mapping[str, Credential | None] | None = None,
        sources: Sequence[Source] = (),
        problems: Sequence[Problem] = (),
    ) -> None:
        self._overrides = dict(overrides or {})
        self._sources = tuple(sources)
        self._problems = list(problems)
        self._found: dict[tuple[str, str], tuple[float, Credential | None]] = {}
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        environment: Mapping[str, str] | None = None,
        overrides: Mapping[str, Credential | None] | None = None,
        named: Sequence[Source] = (),
    ) -> CredentialStore:
        """Read the files. One that cannot be read is told in `problems`, not raised: most pulls
        need no login. `named` are sources that win over all that is found."""
        environment = os.environ if environment is None else environment
        sources: list[Source] = list(named)
        problems: list[Problem] = []
        for origin, read in _sources(environment):
            try:
                sources.append(read())
            except EnvironmentFailure as error:
                problems.append(Problem(origin, error.message, error.hint))
        return cls(overrides, sources, problems)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Files and helpers that could not be asked, so that a login may be missing."""
        with self._lock:
            return tuple(self._problems)

    @property
    def remarks(self) -> tuple[Problem, ...]:
        """What is wrong with places that could be read."""
        return tuple(
            Problem(source.origin, remark) for source in self._sources for remark in source.remarks
        )

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """Logins that are there and are not used here, with the reason."""
        return tuple(one for source in self._sources for one in source.unusable)

    def find(self, registry: str, repository: str = "") -> Credential | None:
        """The login to use, or None. Raises `AccessDenied` for an NGC key of the retired kind."""
        with self._lock:
            if registry in self._overrides:
                return self._overrides[registry]
            key = (registry, repository)
            asked, login = self._found.get(key, (0.0, None))
            if not asked or time.monotonic() - asked >= helper.GOOD_FOR:
                software, login = next(self._search(registry, repository), (None, None))
                if login is not None and software is Software.NGC:
                    check_ngc_key(login.secret, login.origin)
                self._found[key] = time.monotonic(), login
            return login

    def give(self, registry: str, credential: Credential) -> None:
        """Use this login for the registry from now on, before any other; nothing is kept."""
        with self._lock:
            self._overrides[registry] = credential

    def without(self, registry: str) -> CredentialStore:
        """The same logins, but none for this registry: it refuses the one that there is."""
        with self._lock:
            overrides = {**self._overrides, registry: None}
            problems = tuple(self._problems)
        return CredentialStore(overrides, self._sources, problems)

    @property
    def kept(self) -> tuple[tuple[str, str], ...]:
        """Each registry that a login is kept for, and where; no helper is asked for a secret."""
        given = [(registry, login.origin) for registry, login in self._overrides.items() if login]
        return (*given, *(one for source in self._sources for one in source.kept))

    def held(
        self, registry: str, repository: str = ""
    ) -> tuple[tuple[Software | None, Credential], ...]:
        """Every login for a repository, the one that wins first; each with whose format it is in,
        None for one that was given. Helpers are asked."""
        with self._lock:
            given = self._overrides.get(registry)
            found = list(self._search(registry, repository))
        return ((None, given), *found) if given is not None else tuple(found)

    def _search(self, registry: str, repository: str) -> Iterator[tuple[Software, Credential]]:
        for source in self._sources:
            try:
                found = source.find(registry, repository)
            except EnvironmentFailure as error:
                problem = Problem(source.origin, error.message, error.hint)
                if problem not in self._problems:
                    self._problems.append(problem)
                continue
            if found is not None:
                yield source.software, found


def _sources(environment: Mapping[str, str]) -> Iterator[tuple[str, Callable[[], Source]]]:
    """What is to be read and how, in the order in which it wins."""
    yield "NGC_API_KEY", partial(NgcKey.of, environment)
    inline = environment.get("DOCKER_AUTH_CONFIG", "")
    if inline:
        yield "DOCKER_AUTH_CONFIG", partial(DockerConfig.parse, inline, "DOCKER_AUTH_CONFIG")
    for path, software in _configs(environment):
        yield private_file.short(path), partial(DockerConfig.read, path, software)
    old = Path(environment.get("HOME") or Path.home()) / ".dockercfg"
    yield private_file.short(old), partial(DockerConfig.read_entries, old, Software.PODMAN)
    yield "APPTAINER_DOCKER_PASSWORD", partial(apptainer.Variables.of, environment)
    own, other = apptainer.default_path(environment), apptainer.singularity_path(environment)
    yield private_file.short(own), partial(DockerConfig.read, own, Software.APPTAINER)
    if other != own:
        yield private_file.short(other), partial(DockerConfig.read, other, Software.SINGULARITY)
    path = enroot.default_path(environment)
    yield private_file.short(path), partial(enroot.EnrootCredentials.read, path)


def _configs(environment: Mapping[str, str]) -> list[tuple[Path, Software]]:
    paths = [(default_path(environment), Software.DOCKER)]
    if environment.get("REGISTRY_AUTH_FILE"):
        paths.insert(0, (Path(environment["REGISTRY_AUTH_FILE"]), Software.PODMAN))
    runtime = environment.get("XDG_RUNTIME_DIR")
    if runtime:
        paths.append((Path(runtime) / "containers" / "auth.json", Software.PODMAN))
    paths.append((podman_path(environment), Software.PODMAN))
    return paths


def podman_path(environment: Mapping[str, str]) -> Path:
    """The `auth.json` that outlives a logout."""
    home = Path(environment.get("HOME") or Path.home())
    config = environment.get("XDG_CONFIG_HOME") or home / ".config"
    return Path(config) / "containers" / "auth.json"
