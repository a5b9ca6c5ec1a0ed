"""The socket on which a running worker receives a login: from memory to memory, never through a
disk.

Its name is in Linux' abstract namespace (unix(7)), drawn by lot and told in the job's directory: a
file in the runtime directory would go at the logout that the job outlives. Each end looks who the
other one is. One question and one answer, each a line of JSON.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from airgap_tui.engine.credentials.credential import Credential
from airgap_tui.engine.errors import EnvironmentFailure
from airgap_tui.engine.jobs.job_list import JobInfo
from airgap_tui.engine.jobs.logins import Logins

_MOST_BYTES = 64 * 1024
_TIMEOUT = 10.0
_PEER = struct.Struct("3i")
_ORIGIN = "what was given for this run"


class Control:
    """While entered, takes logins for a job; `name` is how `give_login` finds it."""

    def __init__(self, logins: Logins) -> None:
        self.name = f"airgap-tui-{secrets.token_hex(16)}"
        self._logins = logins
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def __enter__(self) -> Control:
        self._socket.bind(f"\0{self.name}")
        self._socket.listen(4)
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=_TIMEOUT)
        self._socket.close()

    def _run(self) -> None:
        while True:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(_TIMEOUT)
                if _peer(connection).user in (os.geteuid(), 0):
                    connection.sendall(_encoded(self._answer(_received(connection))))

    def _answer(self, question: Any) -> dict[str, Any]:
        try:
            registry = question["registry"]
            if question.get("leave_out"):
                return {"waited": self._logins.leave_out(str(registry))}
            credential = read_credential(question["login"])
            return {"waited": self._logins.give(str(registry), credential)}
        except (KeyError, TypeError, ValueError, AttributeError):
            return {"error": "that is no login"}


def give_login(job: JobInfo, registry: str, credential: Credential) -> bool:
    """Let the job use this login from now on; False where it was not waiting for one.

    Raises `EnvironmentFailure` where the job cannot be reached.
    """
    return _ask(job, {"registry": registry, "login": credential_as_json(credential)})


def leave_out(job: JobInfo, registry: str) -> bool:
    """Let fail what the registry refuses. Answers and raises as `give_login`."""
    return _ask(job, {"registry": registry, "leave_out": True})


def credential_as_json(credential: Credential) -> dict[str, str]:
    """For a pipe or a socket only: it holds the secret."""
    return {
        "username": credential.username,
        "secret": credential.secret,
        "identity_token": credential.identity_token,
    }


def read_credential(value: Mapping[str, Any]) -> Credential:
    """Raises `KeyError`, `TypeError` or `ValueError` for anything else than a login."""
    username, secret, token = (value[key] for key in ("username", "secret", "identity_token"))
    if not all(isinstance(text, str) for text in (username, secret, token)):
        raise TypeError("a login is made of texts")
    return Credential(username, secret, _ORIGIN, token)


def _ask(job: JobInfo, question: dict[str, Any]) -> bool:
    if not job.here:
        raise EnvironmentFailure(
            f"{job.name} runs on {job.host}",
            hint=f"Give the login there: airgap-tui attach {job.id}",
        )
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_TIMEOUT)
            connection.connect(f"\0{job.occupant.control}" if job.occupant else "\0")
            if job.occupant is None or _peer(connection).process != job.occupant.identity.process:
                raise ConnectionRefusedError(errno.ECONNREFUSED, "it is another program")
            connection.sendall(_encoded(question))
            answer = _received(connection)
    except OSError as error:
        raise EnvironmentFailure(
            f"{job.name} takes no login: {(error.strerror or str(error)).lower()}",
            hint=f"Stop it and continue it: airgap-tui stop {job.id}",
        ) from None
    if not isinstance(answer, dict) or "waited" not in answer:
        raise EnvironmentFailure(f"{job.name} did not take the login")
    return bool(answer["waited"])


def _encoded(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _received(connection: socket.socket) -> Any:
    """One line of JSON; None for anything else."""
    data = bytearray()
    while not data.endswith(b"\n") and len(data) <= _MOST_BYTES:
        part = connection.recv(_MOST_BYTES)
        if not part:
            break
        data += part
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class _Peer:
    """The process at the other end of a socket, and its user."""

    process: int
    user: int


def _peer(connection: socket.socket) -> _Peer:
    """Who is at the other end (unix(7), SO_PEERCRED)."""
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    process, user, _group = _PEER.unpack(data)
    return _Peer(process, user)
