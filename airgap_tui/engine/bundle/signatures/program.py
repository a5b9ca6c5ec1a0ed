"""Runs the programs that make and check signatures, with files in memory and in a fixed locale.

They get none of our environment but what they need: it may hold keys of registries.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.errors import EnvironmentFailure, NotFound

_NEEDED = frozenset(
    {
        *("PATH", "HOME", "USER", "TERM", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"),
        *("SSH_AUTH_SOCK", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "SSH_SK_PROVIDER"),
        *("GNUPGHOME", "GPG_TTY"),
    }
)
_MOST_OUTPUT = 1024 * 1024
_POLL = 0.1


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended; its two outputs, cut at a megabyte."""

    code: int
    stdout: bytes
    stderr: str


class Memory:
    """Bytes as a file that a child can open by `path`; it lies in memory and leaves nothing."""

    def __init__(self, content: bytes, stack: ExitStack) -> None:
        self.descriptor = os.memfd_create("airgap-tui", os.MFD_CLOEXEC)
        stack.callback(os.close, self.descriptor)
        view = memoryview(content)
        while view:
            view = view[os.write(self.descriptor, view) :]
        os.lseek(self.descriptor, 0, os.SEEK_SET)

    @property
    def path(self) -> str:
        return f"/proc/self/fd/{self.descriptor}"


class Running:
    """A program under way, killed with `close`; `lines` are those of its stderr until now."""

    def __init__(
        self, command: Sequence[str], stdin: bytes, *, descriptors: Sequence[int] = ()
    ) -> None:
        """Raises `NotFound` where it is not installed, and `EnvironmentFailure`."""
        self._name = command[0]
        self.lines: list[str] = []
        with ExitStack() as stack:
            given, self._taken = Memory(stdin, stack), Memory(b"", stack)
            environment = {k: v for k, v in os.environ.items() if k in _NEEDED}
            try:
                self._process = subprocess.Popen(
                    list(command),
                    stdin=given.descriptor,
                    stdout=self._taken.descriptor,
                    stderr=subprocess.PIPE,
                    pass_fds=descriptors,
                    env={**environment, "LC_ALL": "C"},
                )
            except FileNotFoundError:
                raise NotFound(f"{self._name} is not installed") from None
            except OSError as error:
                raise EnvironmentFailure(f"{self._name} cannot be run: {error.strerror}") from None
            self._stack = stack.pop_all()
        self._listener = threading.Thread(
            target=_listen, args=(self._process, self.lines), name=self._name, daemon=True
        )
        self._listener.start()

    def wait(self, met: Callable[[], bool], seconds: float, token: CancelToken) -> bool:
        """Return when something is so, or the program has ended; whether it is so.

        Raises `EnvironmentFailure` where that takes longer, and `Stopped`."""
        end = time.monotonic() + seconds
        while not met():
            try:
                self._process.wait(_POLL)
                self._listener.join(timeout=5)
                if not met():
                    token.check()  # a Ctrl-C reaches it as well
                    return False
            except subprocess.TimeoutExpired:
                token.check()
            if time.monotonic() >= end:
                raise EnvironmentFailure(f"{self._name} did not end within {seconds:.0f} s")
        return True

    def ended(self, seconds: float, token: CancelToken) -> Ran:
        """How it ended. Raises as `wait`."""
        self.wait(lambda: False, seconds, token)
        output = os.pread(self._taken.descriptor, _MOST_OUTPUT, 0)
        return Ran(self._process.returncode, output, "\n".join(self.lines))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._listener.join(timeout=5)
        self._stack.close()


def run(
    command: Sequence[str],
    stdin: bytes,
    token: CancelToken,
    *,
    files: Sequence[Memory] = (),
    seconds: float = 60.0,
) -> Ran:
    """Run a program to its end.

    Raises `NotFound` where it is not installed, `EnvironmentFailure` where it takes longer, and
    `Stopped`.
    """
    descriptors = [file.descriptor for file in files]
    with closing(Running(command, stdin, descriptors=descriptors)) as running:
        return running.ended(seconds, token)


def _listen(process: subprocess.Popen[bytes], lines: list[str]) -> None:
    assert process.stderr is not None  # noqa: S101 - it was asked for
    size = 0
    with process.stderr as stderr:
        for raw in iter(lambda: stderr.readline(4096), b""):
            line = raw.decode("utf-8", "replace").strip()
            size += len(raw)
            if line and size <= _MOST_OUTPUT:
                lines.append(line)
