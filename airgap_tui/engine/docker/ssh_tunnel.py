"""`ssh://` hosts: a private local socket, each of whose connections is an `ssh` process.

As the docker command does, `docker system dial-stdio` is run on the far host; the accepted socket
is that program's input and output, so no byte passes through this process twice. The `ssh` program
brings its own configuration, agent and jump hosts.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from airgap_tui.engine.errors import EngineFailure, UsageError

_CONNECT_TIMEOUT = 15
_TAIL = 2000


class SshTunnel:
    """Listens at `url` until it is closed."""

    def __init__(self, host: str, kind: str = "docker") -> None:
        self._command = _command(host, kind)
        self._host = host
        self._directory = Path(tempfile.mkdtemp(prefix="airgap-tui-"))
        self._errors = (self._directory / "errors").open("w+b")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path = self._directory / "engine.sock"
        self._socket.bind(str(path))
        os.chmod(path, 0o600)
        self._socket.listen(16)
        self._children: list[subprocess.Popen[bytes]] = []
        self.url = f"unix://{path}"
        self._thread = threading.Thread(target=self._accept, name="ssh-tunnel", daemon=True)
        self._thread.start()

    def said(self) -> str:
        """The end of what `ssh` complained about."""
        with suppress(OSError, ValueError):
            self._errors.seek(0)
            return self._errors.read()[-_TAIL:].decode("utf-8", "replace").strip()
        return ""

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)
        for child in self._children:
            child.terminate()
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(5)
        self._errors.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                self._children = [child for child in self._children if child.poll() is None]
                self._children.append(
                    subprocess.Popen(
                        self._command,
                        stdin=connection.fileno(),
                        stdout=connection.fileno(),
                        stderr=self._errors,
                        start_new_session=True,
                    )
                )


def _command(host: str, kind: str) -> list[str]:
    parts = urlsplit(host)
    if not parts.hostname or parts.hostname.startswith("-") or parts.password:
        raise UsageError(
            f"not an ssh address: {host!r}", hint="Write it like ssh://user@host:22, no password."
        )
    ssh = shutil.which("ssh")
    if ssh is None:
        raise EngineFailure(f"{host}: the ssh program is not installed")
    command = [ssh, "-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_TIMEOUT}"]
    command += ["-l", parts.username] if parts.username else []
    try:
        command += ["-p", str(parts.port)] if parts.port else []
    except ValueError:
        raise UsageError(f"not an ssh address: {host!r}: the port is not a number") from None
    path = parts.path.rstrip("/")
    remote = ["docker", *(["--host", f"unix://{path}"] if path else []), "system", "dial-stdio"]
    if kind == "podman":
        remote = ["podman", "system", "dial-stdio"]
    return [*command, "--", parts.hostname, *remote]
