"""Logins of Apptainer and SingularityCE: a file of docker's format, and variables.

The variables name no registry: Apptainer sends them to whichever one an image is pulled from. Here
they are used for nvcr.io, where their user name says so, and for nothing else.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from airgap_tui.engine.credentials import docker_config, private_file
from airgap_tui.engine.credentials.change import Change
from airgap_tui.engine.credentials.credential import (
    NGC_REGISTRY,
    NGC_USERNAME,
    Credential,
    without_line_breaks,
)
from airgap_tui.engine.credentials.source import Software, Unusable
from airgap_tui.engine.errors import EnvironmentFailure
from airgap_tui.engine.quantities import count

_PREFIXES = ("APPTAINER_", "SINGULARITY_", "")
_WRITTEN_PREFIXES = ("APPTAINER_", "SINGULARITY_")
_USERNAME, _PASSWORD = "DOCKER_USERNAME", "DOCKER_PASSWORD"
_EXPORT = re.compile(r"\s*(?:export\s+)?(?:APPTAINER|SINGULARITY)_DOCKER_(?:USERNAME|PASSWORD)=")
_FILE = "docker-config.json"


@dataclass(frozen=True, slots=True)
class Variables:
    """`APPTAINER_DOCKER_USERNAME` and its like. `origin` names the variable of the password."""

    username: str = ""
    secret: str = field(default="", repr=False)
    origin: str = ""
    remarks: tuple[str, ...] = ()
    software: Software = Software.APPTAINER

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Variables:
        """The two that win: Apptainer's own, Singularity's, then those without a prefix."""
        user = _first(environment, _USERNAME)
        password = _first(environment, _PASSWORD)
        if password is None or not environment[password]:
            return cls()
        remarks = []
        if user is not None and not environment[user].strip():
            remarks.append(
                f"{user} is empty: the shell has replaced $oauthtoken by nothing. Set it in single"
                f" quotes: export {user}='{NGC_USERNAME}'"
            )
        elif user is None:
            remarks.append(f"{password} is set, and no variable with its user name")
        name = environment[user].strip() if user is not None else ""
        secret = without_line_breaks(environment[password])
        return cls(name, secret, password, tuple(remarks))

    def find(self, registry: str, repository: str = "") -> Credential | None:
        if registry != NGC_REGISTRY or self.username != NGC_USERNAME or not self.secret:
            return None
        return Credential(self.username, self.secret, self.origin)

    @property
    def kept(self) -> tuple[tuple[str, str], ...]:
        return ((NGC_REGISTRY, self.origin),) if self.find(NGC_REGISTRY) else ()

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        if not self.secret or self.username == NGC_USERNAME:
            return ()
        reason = "it names no registry: Apptainer sends it to every one, and nothing here to any"
        remedy = "Log in to the registry that is meant: airgap-tui login REGISTRY"
        return (Unusable("", self.origin, reason, self.username, remedy),)


def default_path(environment: Mapping[str, str]) -> Path:
    """Apptainer's file; `APPTAINER_CONFIGDIR` moves it, and Singularity's variable too."""
    folder = environment.get("APPTAINER_CONFIGDIR") or environment.get("SINGULARITY_CONFIGDIR")
    return Path(folder or _home(environment) / ".apptainer") / _FILE


def singularity_path(environment: Mapping[str, str]) -> Path:
    """SingularityCE's file, which an old Singularity reads too."""
    folder = environment.get("SINGULARITY_CONFIGDIR")
    return Path(folder or _home(environment) / ".singularity") / _FILE


def change(
    path: Path, registry: str, username: str, secret: str, environment: Mapping[str, str]
) -> Change:
    """How a login comes into the file. Where it begins to exist, docker's own is no longer read:
    that is told. Raises `EnvironmentFailure`."""
    planned = docker_config.change(path, registry, username, secret)
    if planned.was is not None:
        return planned
    docker = docker_config.default_path(environment)
    try:
        others = {name for name, _where in docker_config.DockerConfig.read(docker).kept}
    except EnvironmentFailure:
        others = set()
    others.discard(registry)
    if not others:
        return planned
    names = ", ".join(sorted(others)[:5]) + (", .." if len(others) > 5 else "")
    note = (
        f"once this file exists, {private_file.short(docker)} is no longer read beside it:"
        f" {count(len(others), 'login')} there ({names}) must be added here too"
    )
    return replace(planned, notes=(*planned.notes, note))


def exports(path: Path | None, username: str, secret: str) -> Change:
    """The variables, for a shell to read: with the password only in a file with mode 0600.

    Without a path nothing is written, and what is to be typed asks for the password.
    """
    if path is None:
        lines = [f"export {prefix}{_USERNAME}={_quoted(username)}" for prefix in _WRITTEN_PREFIXES]
        variables = [f"{prefix}{_PASSWORD}" for prefix in _WRITTEN_PREFIXES]
        asked = f"read -rs {variables[0]}  # type or paste the password, then Enter"
        both = f'export {variables[0]} {variables[1]}="${variables[0]}"'
        return Change(None, "", f"variables for {username}", then="\n".join([*lines, asked, both]))
    was = private_file.read(path)
    values = ((_USERNAME, username), (_PASSWORD, secret))
    text = (was or b"").decode("utf-8", errors="surrogateescape")
    lines = text.rstrip("\n").split("\n") if text else []
    kept = [line for line in lines if not _EXPORT.match(line)]
    made = [
        f"export {prefix}{name}={_quoted(value)}"
        for prefix in _WRITTEN_PREFIXES
        for name, value in values
    ]
    content = "\n".join([*kept, *made, ""])
    old = "the variables with other values" if len(kept) < len(lines) else "none of the variables"
    where = shlex.quote(str(path))
    return Change(
        path,
        "no such file" if was is None else old,
        f"variables for {username}, and the password",
        content.encode("utf-8", errors="surrogateescape"),
        was,
        notes=("the variables name no registry: they are sent to every one",),
        then=f". {where if '/' in where else f'./{where}'}",
    )


def _quoted(text: str) -> str:
    """In single quotes always, so that `$oauthtoken` survives."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _first(environment: Mapping[str, str], name: str) -> str | None:
    return next((p + name for p in _PREFIXES if p + name in environment), None)


def _home(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("HOME") or Path.home())
