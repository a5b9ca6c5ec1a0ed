"""`login`: try a login against its registry, and an image where one is named, then keep it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.credentials import docker_config
from airgap_tui.engine.credentials.credential import (
    NGC_REGISTRY,
    NGC_USERNAME,
    Credential,
    check_ngc_key,
    without_line_breaks,
)
from airgap_tui.engine.credentials.store import CredentialStore
from airgap_tui.engine.errors import AccessDenied, UsageError
from airgap_tui.engine.events import JobFinished, JobStarted, Level, Note, Sink
from airgap_tui.engine.oci.reference import Reference
from airgap_tui.engine.registry.request import Request
from airgap_tui.engine.registry.session import Session
from airgap_tui.engine.registry.source import RegistrySource
from airgap_tui.engine.settings import Settings

_ORIGIN = "what was typed"
_TRY_AGAIN = "Nothing was kept. Copy it once more, or make a new one, and give the same command."


@dataclass(frozen=True, slots=True)
class LoginSpec:
    """`store` is the config.json to keep the login in: docker's own where None, and nothing is
    kept with `keep` False. `image` is looked up with the login before it is kept: nvcr.io shows
    public images to everybody, so only a private one proves that a key is right for it."""

    registry: str
    username: str = ""
    store: Path | None = None
    settings: Settings = field(default_factory=Settings)
    image: Reference | None = None
    keep: bool = True


@dataclass(frozen=True, slots=True)
class LoginResult:
    """`kept_in` is where the login is now, for people; empty where it was not kept."""

    registry: str
    username: str
    kept_in: str
    wins: str = ""

    @property
    def exit_code(self) -> int:
        return 0

    def to_json(self) -> dict[str, Any]:
        """`wins` names another login for the registry that is used instead of this one."""
        return {
            "registry": self.registry,
            "username": self.username,
            "keptIn": self.kept_in or None,
            **({"wins": self.wins} if self.wins else {}),
        }


def run(
    spec: LoginSpec,
    sink: Sink,
    token: CancelToken,
    *,
    secret: str,
    environment: Mapping[str, str] | None = None,
) -> LoginResult:
    """Raises `AccessDenied` where the registry refuses, `ConnectionFailure` where it does not
    answer, `EnvironmentFailure` where the login cannot be kept; a refused one never is."""
    environment = os.environ if environment is None else environment
    credential = credential_of(spec, secret, sink)
    sink(JobStarted("login", spec.registry, ()))
    store = CredentialStore({spec.registry: credential})
    try:
        _try(spec, store, sink, token)
    except AccessDenied as denied:
        if denied.login_refused:
            denied.hint = _TRY_AGAIN  # its own names the command that was just given
        raise
    kept_in = wins = ""
    if spec.keep:
        path = spec.store or docker_config.default_path(environment)
        username, key = credential.username, credential.secret
        change = docker_config.change(path, spec.registry, username, key)
        change.apply()
        kept_in = change.place
        found = CredentialStore.load(environment).find(spec.registry)
        if found is not None and found.secret != credential.secret:
            wins = found.origin
            sink(Note(f"{wins} wins over {kept_in} for {spec.registry}", Level.WARNING))
    sink(JobFinished("login", 0))
    return LoginResult(spec.registry, credential.username, kept_in, wins)


def credential_of(spec: LoginSpec, secret: str, sink: Sink) -> Credential:
    """What was typed as a login: blanks and line breaks taken out, NGC's user name filled in.

    Raises `UsageError` for what cannot be one, `AccessDenied` for an NGC key of the retired kind.
    """
    key = without_line_breaks(secret)
    if key != secret.strip() and key:
        sink(Note("this looks like a key with a line break; it was taken out", Level.WARNING))
    username = spec.username.strip()
    if spec.registry == NGC_REGISTRY:
        username = username or NGC_USERNAME
        check_ngc_key(key, _ORIGIN)
    if not username or not key:
        what = "password" if username else "user name"
        raise UsageError(f"a {what} is missing for {spec.registry}")
    if ":" in username:
        raise UsageError(f"a user name cannot hold a colon: {username!r}")
    return Credential(username, key, _ORIGIN)


def _try(spec: LoginSpec, store: CredentialStore, sink: Sink, token: CancelToken) -> None:
    network = spec.settings.network
    session = Session(spec.registry, network, store, sink)
    try:
        # An open registry answers 200; any other has the login tested on the way.
        session.fetch(Request("GET", "", "", spec.registry), 1024 * 1024, token)
    finally:
        session.close()
    if spec.image is not None:
        source = RegistrySource(network, store, sink)
        try:
            source.head(spec.image, token)
        finally:
            source.close()
