"""Docker's `config.json` and the `auth.json` of podman and skopeo: one format, several places.

Docker's old `~/.dockercfg`, which podman and skopeo still read, holds the entries alone.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap_tui.engine.credentials import private_file
from airgap_tui.engine.credentials.change import Change, HelperEntry
from airgap_tui.engine.credentials.credential import Credential, basic
from airgap_tui.engine.credentials.helper import Answers, Helper
from airgap_tui.engine.credentials.source import Software, Unusable
from airgap_tui.engine.errors import EnvironmentFailure
from airgap_tui.engine.oci.reference import DOCKER_HUB

DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_DOCKER_HUB_HOSTS = ("index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """The logins of one file (or variable). `origin` is what people are told it is."""

    origin: str
    auths: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    helpers: Mapping[str, Helper] = field(default_factory=dict)
    default_helper: Helper | None = None
    software: Software = Software.DOCKER
    _answers: Answers = field(default_factory=Answers, init=False, repr=False, compare=False)

    @classmethod
    def parse(
        cls, text: str, origin: str, software: Software = Software.DOCKER, *, helpers: bool = True
    ) -> DockerConfig:
        """Read the JSON text; raises `EnvironmentFailure` where it is none.

        Without `helpers` the programs that it names are left alone: a file that came from
        elsewhere must not choose what runs here.
        """
        try:
            value = json.loads(text.strip("\x00 \t\r\n") or "{}")
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise EnvironmentFailure(
                f"{origin} is not JSON, so no login can be read from it",
                hint="Fix it, or log in again.",
            )
        auths, named = value.get("auths"), value.get("credHelpers") if helpers else None
        store = value.get("credsStore") if helpers else None
        return cls(
            origin,
            {
                registry_of(str(key)): entry
                for key, entry in (auths.items() if isinstance(auths, dict) else ())
                if isinstance(entry, dict)
            },
            {
                registry_of(str(key)): Helper(str(name))
                for key, name in (named.items() if isinstance(named, dict) else ())
            },
            Helper(store) if isinstance(store, str) and store else None,
            software,
        )

    @classmethod
    def read(cls, path: Path, software: Software = Software.DOCKER) -> DockerConfig:
        """Read a file; one that is not there holds no logins. Raises `EnvironmentFailure`."""
        origin = private_file.short(path)
        data = private_file.read(path)
        if data is None:
            return cls(origin, software=software)
        return cls.parse(data.decode("utf-8", errors="replace"), origin, software)

    @classmethod
    def parse_entries(cls, text: str, origin: str, software: Software) -> DockerConfig:
        """Read what stands under `auths` elsewhere; raises `EnvironmentFailure` as `parse`."""
        entries = text.strip("\x00 \t\r\n") or "{}"
        return cls.parse(f'{{"auths": {entries}}}', origin, software, helpers=False)

    @classmethod
    def read_entries(cls, path: Path, software: Software) -> DockerConfig:
        """Read a file of that kind, as `read`."""
        text = (private_file.read(path) or b"").decode("utf-8", errors="replace")
        return cls.parse_entries(text, private_file.short(path), software)

    def find(self, registry: str, repository: str = "") -> Credential | None:
        """The login for a repository: its own, one of its parents', or the registry's.

        Raises `EnvironmentFailure` where a credential helper fails.
        """
        for key in _keys(registry, repository):
            helper = self.helpers.get(key)
            if helper is not None:
                found = self._answers.get(helper, _server(key))
                if found is not None:
                    return found
            entry = self.auths.get(key)
            if entry:
                found = self.decoded(entry)
                if found is not None:
                    return found
        if self.default_helper is not None:
            return self._answers.get(self.default_helper, _server(registry))
        return None

    def helper_for(self, registry: str) -> Helper | None:
        """The helper that keeps this registry's login, if any."""
        return self.helpers.get(registry_of(registry), self.default_helper)

    @property
    def kept(self) -> tuple[tuple[str, str], ...]:
        """Registries (or repositories) that this file speaks of, and where their logins are."""
        found = []
        for name in sorted({*self.auths, *self.helpers}):
            helper = self.helper_for(name)
            if helper is not None:
                found.append((name, f"{self.origin}, {helper.program}"))
            elif self.auths.get(name) and name not in self._tokens:
                found.append((name, self.origin))
        return tuple(found)

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        reason = "it is a token that was given out for the registry, which nothing here can renew"
        return tuple(
            Unusable(name, self.origin, reason, remedy=f"Log in again: airgap-tui login {name}")
            for name in self._tokens
        )

    @property
    def _tokens(self) -> tuple[str, ...]:
        """Registries of which there is a `registrytoken` and nothing to get another one with."""
        return tuple(
            name
            for name, entry in sorted(self.auths.items())
            if entry.get("registrytoken")
            and not any(entry.get(key) for key in ("auth", "username", "identitytoken"))
            and self.helper_for(name) is None
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        return ()

    def decoded(self, entry: Mapping[str, Any]) -> Credential | None:
        """The login of one entry under `auths`; raises `EnvironmentFailure` where it is broken."""
        username, secret = str(entry.get("username") or ""), str(entry.get("password") or "")
        encoded = entry.get("auth")
        if isinstance(encoded, str) and encoded:
            try:
                compact = "".join(encoded.split()).rstrip("=")
                padding = "=" * (-len(compact) % 4)
                raw = base64.b64decode(compact + padding, validate=True)
            except (binascii.Error, ValueError):
                raise EnvironmentFailure(
                    f"{self.origin}: a login there is not base64", hint="Log in again."
                ) from None
            name, colon, password = raw.decode("utf-8", "surrogateescape").partition(":")
            if colon:
                # Old docker versions padded the text with NUL bytes.
                username, secret = name, password.rstrip("\x00")
        identity = str(entry.get("identitytoken") or "")
        if username == "<token>":
            identity, username, secret = identity or secret, "", ""
        if identity:
            return Credential(username, secret, self.origin, identity_token=identity)
        return Credential(username, secret, self.origin) if username or secret else None


def default_path(environment: Mapping[str, str]) -> Path:
    """Where docker keeps its configuration: `$DOCKER_CONFIG/config.json`, else in the home."""
    folder = environment.get("DOCKER_CONFIG", "")
    if folder:
        return Path(folder) / "config.json"
    return Path(environment.get("HOME") or Path.home()) / ".docker" / "config.json"


def change(
    path: Path, registry: str, username: str, secret: str, hub: str = DOCKER_HUB_KEY
) -> Change:
    """How a login comes into a file as `docker login` would put it there.

    With a helper set for the registry the secret goes there; otherwise into the file, which keeps
    everything else that it held. `hub` is what the file's software calls Docker Hub. Raises
    `EnvironmentFailure` where the file is not of docker's kind.
    """
    key = hub if registry_of(registry) == DOCKER_HUB else registry_of(registry)
    was = private_file.read(path)
    text = (was or b"").decode("utf-8", errors="surrogateescape").strip("\x00 \t\r\n") or "{}"
    config = DockerConfig.parse(text, private_file.short(path))
    helper = config.helper_for(registry)
    entry = {} if helper is not None else entry_of(username, secret)
    content = with_entry(text, key, entry, private_file.short(path))
    return Change(
        path,
        _before(config, was, key, helper),
        f"{key}: login of {username}" + (f", secret in {helper.program}" if helper else ""),
        content.encode(),
        was,
        helper=HelperEntry(helper, key, username, secret) if helper is not None else None,
    )


def with_entry(text: str, key: str, entry: Mapping[str, str], origin: str) -> str:
    """The JSON text with this entry for the registry, in the place of any other for it; everything
    else stays. Raises `EnvironmentFailure` where it is not of docker's kind."""
    try:
        value = json.loads(text)
        auths = value.setdefault("auths", {})
        for other in [name for name in auths if registry_of(name) == registry_of(key)]:
            del auths[other]
        auths[key] = dict(entry)
        result = f"{json.dumps(value, indent=chr(9), ensure_ascii=False)}\n"
        result.encode()
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise EnvironmentFailure(
            f"{origin} is not JSON of docker's kind, so the login was not added",
            hint="Fix it or move it away.",
        ) from None
    return result


def entry_of(username: str, secret: str) -> dict[str, str]:
    """A login as it stands under `auths`."""
    return {"auth": basic(username, secret).removeprefix("Basic ")}


def _before(config: DockerConfig, was: bytes | None, key: str, helper: Helper | None) -> str:
    if was is None:
        return "no such file"
    if helper is not None and registry_of(key) in config.auths:
        return f"{key}: what {helper.program} has, if anything"
    try:
        entry = config.auths.get(registry_of(key))
        there = config.decoded(entry) if entry else None
    except EnvironmentFailure:
        return f"{key}: a login that cannot be read"
    if there is None:
        return f"no login for {key}"
    return f"{key}: login of {there.username}" if there.username else f"{key}: a token"


def registry_of(key: str) -> str:
    """`https://index.docker.io/v1/`, `https://reg:5000/v2`, `reg:5000` as `docker.io`, `reg…`."""
    rest = key.strip().rstrip("\x00")
    for scheme in ("https://", "http://"):
        rest = rest.removeprefix(scheme)
    rest = rest.rstrip("/")
    for version in ("/v1", "/v2"):
        rest = rest.removesuffix(version)
    host, slash, path = rest.partition("/")
    if host in _DOCKER_HUB_HOSTS:
        host = DOCKER_HUB
    return f"{host}{slash}{path}".rstrip("/")


def _server(key: str) -> str:
    """How docker itself calls the registry in files and towards helpers."""
    return DOCKER_HUB_KEY if key == DOCKER_HUB else key


def _keys(registry: str, repository: str) -> list[str]:
    """Longest first: `reg/a/b`, `reg/a`, `reg`."""
    parts = repository.split("/") if repository else []
    name = registry_of(registry)
    return ["/".join([name, *parts[:count]]) for count in range(len(parts), -1, -1)]
