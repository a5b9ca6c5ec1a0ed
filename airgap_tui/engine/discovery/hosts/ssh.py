"""A script run by a shell here or, through the system's `ssh`, on another host.

`ssh` brings its own configuration, keys, agent and jump hosts, and is never let to ask: a host that
wants a password is one that cannot be read, and is told so.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.discovery.hosts.collecting import last_line
from airgap_tui.engine.discovery.hosts.ssh_host import SshHost
from airgap_tui.engine.errors import EnvironmentFailure

MOST_OF_ALL = 1024 * 1024 * 1024
"""A host that sends more than this is broken off."""

_CONNECT_TIMEOUT = 15
_TICK = 0.1
_GRACE = 2.0
_CHUNK = 256 * 1024
_OPTIONS = (
    "BatchMode=yes",
    f"ConnectTimeout={_CONNECT_TIMEOUT}",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "ControlMaster=no",
    "RemoteCommand=none",
    "RequestTTY=no",
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: with `code`, or because its time or the bound of its output was over."""

    code: int
    said: str = ""
    timed_out: bool = False
    too_much: bool = False


def command(host: SshHost | None) -> list[str]:
    """The command line whose shell reads its script from stdin; None is this machine.

    Raises `EnvironmentFailure` where there is no `ssh`, `UsageError` for what is not a host.
    """
    if host is None:
        return [shutil.which("sh") or "/bin/sh", "-s"]
    ssh = shutil.which("ssh")
    if ssh is None:
        raise EnvironmentFailure(
            "the ssh program is not installed", hint="Install it: apt install openssh-client"
        )
    host = host.checked()
    options = [part for option in _OPTIONS for part in ("-o", option)]
    options += ["-l", host.user] if host.user else []
    options += ["-p", str(host.port)] if host.port else []
    options += ["-i", host.identity] if host.identity else []
    return [ssh, "-T", *options, "--", host.destination, "sh -s"]


def run(
    arguments: list[str],
    given: bytes,
    take: Callable[[bytes], None],
    *,
    seconds: float,
    token: CancelToken,
    most: int = MOST_OF_ALL,
) -> Ended:
    """Run a program with `given` on its stdin, and hand on its output as it comes.

    It is ended when its time is over, its output too much or the token cancelled; the last raises
    `Stopped`.
    """
    try:
        child = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for us; the child is ended below
        )
    except OSError as error:
        raise EnvironmentFailure(f"{arguments[0]} cannot be started: {error.strerror}") from None
    conversation = _Conversation(child, given, take, most)
    try:
        return conversation.hold(time.monotonic() + seconds, token)
    finally:
        _end(child)
        conversation.close()


class _Conversation:
    """Writes, reads and waits, all in one thread."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        given: bytes,
        take: Callable[[bytes], None],
        most: int,
    ) -> None:
        assert child.stdin and child.stdout and child.stderr  # noqa: S101 - all are pipes
        self._child = child
        self._given = memoryview(given)
        self._take = take
        self._left = most
        self._errors: deque[bytes] = deque(maxlen=16)
        self._selector = selectors.DefaultSelector()
        self._input, self._output, self._error = child.stdin, child.stdout, child.stderr
        for pipe, events in (
            (self._input, selectors.EVENT_WRITE),
            (self._output, selectors.EVENT_READ),
            (self._error, selectors.EVENT_READ),
        ):
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, events)

    def hold(self, end: float, token: CancelToken) -> Ended:
        while not self._finished():
            token.check()
            if time.monotonic() > end:
                return Ended(-1, self._said(), timed_out=True)
            if self._left < 0:
                return Ended(-1, self._said(), too_much=True)
            for key, _events in self._selector.select(_TICK):
                if key.fileobj is self._input:
                    self._write()
                elif key.fileobj is self._output:
                    self._read()
                else:
                    self._complain()
        while True:
            token.check()
            with suppress(subprocess.TimeoutExpired):
                return Ended(self._child.wait(_TICK), self._said())
            if time.monotonic() > end:
                return Ended(-1, self._said(), timed_out=True)

    def close(self) -> None:
        self._selector.close()
        for pipe in (self._input, self._output, self._error):
            with suppress(OSError):
                pipe.close()

    def _finished(self) -> bool:
        """Nothing more will come. A connection that `ssh` leaves in the background for later keeps
        stderr open, so only stdout counts."""
        return self._output not in self._selector.get_map()

    def _said(self) -> str:
        with suppress(OSError, KeyError, ValueError):
            while self._error in self._selector.get_map() and self._complain():
                pass
        return last_line(b"".join(self._errors).decode("utf-8", "replace").splitlines())

    def _write(self) -> None:
        try:
            sent = os.write(self._input.fileno(), self._given[:_CHUNK])
        except BlockingIOError:
            return
        except OSError:
            sent = len(self._given)  # it does not listen; why, its exit code tells
        self._given = self._given[sent:]
        if not self._given:
            self._selector.unregister(self._input)
            with suppress(OSError):
                self._input.close()

    def _read(self) -> None:
        try:
            chunk = os.read(self._output.fileno(), _CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            self._selector.unregister(self._output)
            return
        self._left -= len(chunk)
        self._take(chunk)

    def _complain(self) -> bool:
        try:
            chunk = os.read(self._error.fileno(), 4096)
        except BlockingIOError:
            return False
        if not chunk:
            self._selector.unregister(self._error)
            return False
        self._errors.append(chunk)
        return True


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and its process group. What `timeout` started there ends by itself soon."""
    if child.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE)
            return
