"""Docker's `config.json` and the `auth.json` of podman and skopeo: one format, several places."""

from __future__ import annotations

import base64
import binascii
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.credentials.helper import Helper
from airgap_tui.engine.errors import EnvironmentFailure
from airgap_tui.engine.oci.reference import DOCKER_HUB

DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_DOCKER_HUB_HOSTS = ("index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")
_MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """The logins of one file (or variable). `origin` is what people are told it is."""

    origin: str
    auths: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    helpers: Mapping[str, Helper] = field(default_factory=dict)
    default_helper: Helper | None = None

    @classmethod
    def parse(cls, text: str, origin: str) -> DockerConfig:
        """Read the JSON text; raises `EnvironmentFailure` where it is none."""
        try:
            value = json.loads(text.strip("\x00 \t\r\n") or "{}")
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise EnvironmentFailure(
                f"{origin} is not JSON, so no login can be read from it",
                hint="Mend it, or log in again.",
            )
        auths, helpers = value.get("auths"), value.get("credHelpers")
        store = value.get("credsStore")
        return cls(
            origin,
            {
                _normal_key(str(key)): entry
                for key, entry in (auths.items() if isinstance(auths, dict) else ())
                if isinstance(entry, dict)
            },
            {
                _normal_key(str(key)): Helper(str(name))
                for key, name in (helpers.items() if isinstance(helpers, dict) else ())
            },
            Helper(store) if isinstance(store, str) and store else None,
        )

    @classmethod
    def read(cls, path: Path) -> DockerConfig:
        """Read a file; one that is not there holds no logins. Raises `EnvironmentFailure`."""
        origin = _short(path)
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return cls(origin)
        except OSError as error:
            raise EnvironmentFailure(f"{origin} cannot be read: {error.strerror}") from None
        if len(data) > _MAX_BYTES:
            raise EnvironmentFailure(f"{origin} is larger than 4 MiB, so it is not read")
        return cls.parse(data.decode("utf-8", errors="replace"), origin)

    def find(self, registry: str, repository: str = "") -> Credential | None:
        """The login for a repository: its own, one of its parents', or the registry's.

        Raises `EnvironmentFailure` where a credential helper fails.
        """
        for key in _keys(registry, repository):
            helper = self.helpers.get(key)
            if helper is not None:
                found = helper.get(_server(key))
                if found is not None:
                    return found
            entry = self.auths.get(key)
            if entry:
                found = self._entry(entry)
                if found is not None:
                    return found
        if self.default_helper is not None:
            return self.default_helper.get(_server(registry))
        return None

    def helper_for(self, registry: str) -> Helper | None:
        """The helper that keeps this registry's login, if any."""
        return self.helpers.get(_normal_key(registry), self.default_helper)

    @property
    def registries(self) -> tuple[str, ...]:
        """Registries (or repositories) that this file speaks of."""
        return tuple(sorted({*self.auths, *self.helpers}))

    def _entry(self, entry: Mapping[str, Any]) -> Credential | None:
        username, secret = str(entry.get("username") or ""), str(entry.get("password") or "")
        encoded = entry.get("auth")
        if isinstance(encoded, str) and encoded:
            try:
                compact = "".join(encoded.split()).rstrip("=")
                padding = "=" * (-len(compact) % 4)
                text = base64.b64decode(compact + padding, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError, ValueError):
                raise EnvironmentFailure(
                    f"{self.origin}: a login there is not base64", hint="Log in again."
                ) from None
            name, colon, password = text.partition(":")
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


def store(path: Path, registry: str, username: str, secret: str) -> str:
    """Keep a login as `docker login` does; returns where it is now, for people.

    With a helper set for the registry it goes there; otherwise into the file, which is replaced
    atomically with mode 0600 and keeps everything else that it held. Raises `EnvironmentFailure`.
    """
    config = DockerConfig.read(path)
    helper = config.helper_for(registry)
    entry: dict[str, str] = {}
    if helper is not None:
        helper.store(_server(_normal_key(registry)), username, secret)
    else:
        entry["auth"] = base64.b64encode(f"{username}:{secret}".encode()).decode()
    _write_entry(path, _server(_normal_key(registry)), entry)
    return helper.program if helper is not None else _short(path)


def _write_entry(path: Path, key: str, entry: Mapping[str, str]) -> None:
    target = Path(os.path.realpath(path))  # a link into a dotfiles folder stays a link
    try:
        text = target.read_text("utf-8") if target.exists() else "{}"
        value = json.loads(text.strip("\x00 \t\r\n") or "{}")
        auths = value.setdefault("auths", {})
        for other in [name for name in auths if _normal_key(name) == _normal_key(key)]:
            del auths[other]
        auths[key] = dict(entry)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".config-", dir=target.parent)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(value, file, indent="\t", ensure_ascii=False)
                file.write("\n")
                file.flush()
                if os.geteuid() == 0 and target.exists():  # sudo: the file stays its owner's
                    os.fchown(file.fileno(), target.stat().st_uid, target.stat().st_gid)
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EnvironmentFailure(f"{_short(path)} cannot be written: {error.strerror}") from None
    except (ValueError, AttributeError, TypeError):
        raise EnvironmentFailure(
            f"{_short(path)} is not JSON of docker's kind, so the login was not added",
            hint="Mend it or move it away.",
        ) from None


def _normal_key(key: str) -> str:
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
    name = _normal_key(registry)
    return ["/".join([name, *parts[:count]]) for count in range(len(parts), -1, -1)]


def _short(path: Path) -> str:
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)
