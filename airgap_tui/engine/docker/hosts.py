"""Where an engine listens: what a flag, the environment and Docker's contexts say.

The order is that of the `docker` command: a host by name, DOCKER_HOST, DOCKER_CONTEXT, the current
context of `config.json`, the usual socket.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from docker.context import ContextAPI
from docker.errors import DockerException
from docker.tls import TLSConfig

from airgap_tui.engine.errors import EngineFailure, UsageError

Kind = Literal["docker", "podman"]

_SCHEMES = ("unix://", "tcp://", "http://", "https://", "ssh://")
_DOCKER_SOCKET = "/var/run/docker.sock"
_PODMAN_SOCKET = "/run/podman/podman.sock"


@dataclass(frozen=True, slots=True)
class Host:
    """An address `unix://…`, `tcp://…`, `https://…` or `ssh://…`; `origin` says who named it."""

    url: str
    origin: str
    tls: TLSConfig | None = None

    @property
    def socket(self) -> Path | None:
        """The path of a Unix socket; None for other addresses."""
        return Path(self.url.removeprefix("unix://")) if self.url.startswith("unix://") else None


def find_host(host: str | None, kind: Kind, environment: Mapping[str, str] | None = None) -> Host:
    """The host to speak to. Raises `UsageError` for what is not an address, and
    `EngineFailure` for a context that cannot be read."""
    environment = os.environ if environment is None else environment
    if host:
        return Host(_checked(host, "--host"), "--host", _tls(host, environment))
    if kind == "podman":
        return _podman(environment)
    if said := environment.get("DOCKER_HOST"):
        return Host(_checked(said, "DOCKER_HOST"), "DOCKER_HOST", _tls(said, environment))
    return _context(environment)


def _checked(host: str, where: str) -> str:
    if host.startswith("/"):
        return f"unix://{host}"
    if not host.startswith(_SCHEMES) or host in _SCHEMES:
        raise UsageError(
            f"{where}: not an engine's address: {host!r}",
            hint="Write it like unix:///run/docker.sock, tcp://host:2376 or ssh://user@host.",
        )
    # unix://var/run/docker.sock is what people write, and what the docker command takes.
    if host.startswith("unix://") and not host.startswith("unix:///"):
        return f"unix:///{host.removeprefix('unix://')}"
    return host


def _tls(host: str, environment: Mapping[str, str]) -> TLSConfig | None:
    directory = environment.get("DOCKER_CERT_PATH") or ""
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    if host.startswith(("unix://", "ssh://", "/")) or not (directory or verify):
        return None
    folder = Path(directory) if directory else Path.home() / ".docker"
    try:
        return TLSConfig(
            client_cert=(str(folder / "cert.pem"), str(folder / "key.pem")),
            ca_cert=str(folder / "ca.pem"),
            verify=verify,
        )
    except DockerException as error:
        raise UsageError(
            f"the certificates in {folder} cannot be used: {error}",
            hint="DOCKER_CERT_PATH names a directory with ca.pem, cert.pem and key.pem.",
        ) from None


def _podman(environment: Mapping[str, str]) -> Host:
    if said := environment.get("CONTAINER_HOST"):
        return Host(_checked(said, "CONTAINER_HOST"), "CONTAINER_HOST")
    sockets = [_PODMAN_SOCKET]
    if os.geteuid() != 0:
        runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
        sockets.insert(0, f"{runtime}/podman/podman.sock")
    there = [path for path in sockets if Path(path).exists()]
    return Host(f"unix://{(there or sockets)[0]}", "Podman's usual socket")


def _context(environment: Mapping[str, str]) -> Host:
    name = environment.get("DOCKER_CONTEXT") or None
    try:
        context = ContextAPI.get_context(name)
    except Exception as error:  # the library raises bare Exceptions for files that it cannot read
        raise EngineFailure(
            f"Docker's context {name or ''} cannot be read: {error}",
            hint="docker context ls  shows them; --host bypasses them.",
        ) from None
    if context is None:
        raise EngineFailure(
            f"Docker has no context {name or 'of the name that its config.json gives'}",
            hint="docker context ls  shows them; --host bypasses them.",
        )
    url = context.Host or ""
    if context.name != "default" and url:
        return Host(_checked(url, context.name), f"the context {context.name}", context.TLSConfig)
    runtime = environment.get("XDG_RUNTIME_DIR")
    if not Path(_DOCKER_SOCKET).exists() and runtime and Path(f"{runtime}/docker.sock").exists():
        return Host(f"unix://{runtime}/docker.sock", "the socket of rootless Docker")
    return Host(f"unix://{_DOCKER_SOCKET}", "Docker's usual socket")
