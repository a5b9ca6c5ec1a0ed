"""Explains an engine's failure to people: one sentence, and what to do about it."""

from __future__ import annotations

import errno
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from docker.errors import APIError, DockerException
from urllib3.exceptions import HTTPError as ConnectionBroken

from airgap_tui.engine.docker.hosts import Host, Kind
from airgap_tui.engine.errors import EngineFailure, NotFound
from airgap_tui.engine.redaction import redact

NAMES = {"docker": "Docker", "podman": "Podman"}
_CONNECT_TIMEOUT = 10.0
_PART_LACKING = re.compile(r"content digest \S+ not found")
"""What Docker says, with 404, of an image in containerd's store that it cannot export."""

_START = {
    "docker": "Start it: sudo systemctl start docker",
    "podman": "Start it: systemctl --user start podman.socket"
    " (as root: systemctl start podman.socket)",
}
_ALLOW = {
    "docker": "Add yourself to the group docker and log in again, or use sudo.",
    "podman": "Use the socket of your own user, or sudo.",
}


def check_socket(host: Host, kind: Kind) -> None:
    """Raise `EngineFailure` unless the host's socket accepts a connection."""
    path = host.socket
    if path is None:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_CONNECT_TIMEOUT)
        try:
            connection.connect(str(path))
        except OSError as error:
            raise _unreachable(error, host, kind) from None


def _unreachable(error: OSError, host: Host, kind: Kind) -> EngineFailure:
    name, where = NAMES[kind], f"{host.url} ({host.origin})"
    if error.errno in (errno.EACCES, errno.EPERM):
        return EngineFailure(f"{name} at {where}: permission denied", hint=_ALLOW[kind])
    if error.errno in (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR):
        programs = ("dockerd", "docker") if kind == "docker" else ("podman",)
        if not any(map(shutil.which, programs)) and error.errno == errno.ENOENT:
            return EngineFailure(
                f"{name} is not installed here: there is no {host.url}",
                hint=f"Install {name}, or name another host with --host or DOCKER_HOST.",
            )
        wrong = host.origin == "--host" and error.errno != errno.ECONNREFUSED
        hint = "There is no such socket: check the address." if wrong else _START[kind]
        return EngineFailure(f"{name} is not running at {where}", hint=hint)
    return EngineFailure(f"{name} at {where} cannot be reached: {error.strerror or error}")


@contextmanager
def speaking_to(host: Host, kind: Kind, what: str) -> Iterator[None]:
    """Turn the library's errors into ours; `what` is the image or the task."""
    name = NAMES[kind]
    try:
        yield
    except APIError as error:
        said = redact(str(error.explanation or error)).strip()
        if error.status_code == 404 and not _PART_LACKING.search(said):
            raise NotFound(
                f"{name} does not have {what}", hint=f"{kind} images  lists what it has."
            ) from None
        raise EngineFailure(f"{name} refused {what}: {said}", hint=_hint(said)) from None
    except requests.exceptions.SSLError as error:
        raise EngineFailure(
            f"{name} at {host.url}: TLS fails: {redact(str(error))}",
            hint="Check DOCKER_TLS_VERIFY and DOCKER_CERT_PATH.",
        ) from None
    except (DockerException, requests.RequestException, ConnectionBroken, OSError) as error:
        check_socket(host, kind)
        raise EngineFailure(
            f"{name} at {host.url} failed at {what}: {redact(_reason(error))}",
            hint=f"Is {host.url} right ({host.origin}), and does the engine run?",
        ) from None


def _reason(error: BaseException) -> str:
    """The innermost reason; the libraries wrap it several times."""
    seen: set[int] = set()
    found: BaseException = error
    while id(found) not in seen:
        seen.add(id(found))
        inner = [arg for arg in found.args if isinstance(arg, BaseException)]
        found = inner[0] if inner else found.__cause__ or found
    if isinstance(found, OSError) and found.strerror:
        return found.strerror.lower()
    return str(found)


def _hint(said: str) -> str:
    if "no space left" in said.lower():
        return "The engine's disk is full: docker system df  shows what takes the room."
    if _PART_LACKING.search(said):
        return "The engine lacks a part of it: pull it anew there, or save it from its registry."
    return ""


def stream_failure(kind: Kind, what: str, said: str) -> EngineFailure:
    """An error event inside a stream that began well."""
    said = redact(said).strip()
    return EngineFailure(f"{NAMES[kind]} failed at {what}: {said}", hint=_hint(said))
