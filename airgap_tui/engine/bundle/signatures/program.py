"""Runs the programs that make and check signatures, with files in memory and in a fixed locale.

They get none of our environment but what they need: it may hold keys of registries.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
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


def run(
    command: Sequence[str],
    stdin: bytes,
    token: CancelToken,
    *,
    files: Sequence[Memory] = (),
    seconds: float = 60.0,
    say: Callable[[str], None] = lambda _line: None,
) -> Ran:
    """Run a program to its end; `say` hears each line of its stderr as it comes.

    Raises `NotFound` where it is not installed, `EnvironmentFailure` where it takes longer, and
    `Stopped`.
    """
    with ExitStack() as stack:
        given, taken = Memory(stdin, stack), Memory(b"", stack)
        environment = {k: v for k, v in os.environ.items() if k in _NEEDED}
        try:
            process = subprocess.Popen(
                list(command),
                stdin=given.descriptor,
                stdout=taken.descriptor,
                stderr=subprocess.PIPE,
                pass_fds=[file.descriptor for file in files],
                env={**environment, "LC_ALL": "C"},
            )
        except FileNotFoundError:
            raise NotFound(f"{command[0]} is not installed") from None
        except OSError as error:
            raise EnvironmentFailure(f"{command[0]} cannot be run: {error.strerror}") from None
        lines: list[str] = []
        listener = threading.Thread(
            target=_listen, args=(process, lines, say), name=command[0], daemon=True
        )
        listener.start()
        try:
            _wait(process, command[0], seconds, token)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            listener.join(timeout=5)
        output = os.pread(taken.descriptor, _MOST_OUTPUT, 0)
        return Ran(process.returncode, output, "\n".join(lines))


def _wait(process: subprocess.Popen[bytes], name: str, seconds: float, token: CancelToken) -> None:
    waited = 0.0
    while True:
        try:
            process.wait(_POLL)
            return
        except subprocess.TimeoutExpired:
            token.check()
            waited += _POLL
        if waited >= seconds:
            raise EnvironmentFailure(f"{name} did not end within {seconds:.0f} s")


def _listen(process: subprocess.Popen[bytes], lines: list[str], say: Callable[[str], None]) -> None:
    assert process.stderr is not None  # noqa: S101 - it was asked for
    size = 0
    with process.stderr as stderr:
        for raw in iter(lambda: stderr.readline(4096), b""):
            line = raw.decode("utf-8", "replace").strip()
            size += len(raw)
            if line and size <= _MOST_OUTPUT:
                lines.append(line)
                say(line)
