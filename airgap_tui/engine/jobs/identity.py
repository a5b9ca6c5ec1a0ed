"""Which process a job is, so that a later process with the same number is not taken for it.

Home directories are shared between hosts, so host and boot belong to it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Identity:
    """`start` is the process's start in clock ticks since the boot (proc(5), stat, field 22)."""

    host: str
    boot: str
    process: int
    start: int

    @classmethod
    def own(cls) -> Identity:
        """This process."""
        process = os.getpid()
        return cls(socket.gethostname(), boot_id(), process, start_of(process) or 0)

    @property
    def here(self) -> bool:
        """Whether it ran on this host, so that it can be looked for."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether the process still runs; False for another host's, which cannot be seen."""
        return self.here and self.boot == boot_id() and start_of(self.process) == self.start

    def send(self, number: signal.Signals) -> bool:
        """Signal just this process; False where it is gone. Raises `PermissionError`."""
        with contextlib.suppress(ProcessLookupError):
            descriptor = _pidfd(self.process)
            try:
                if not self.alive:  # looked at after opening: the number is not another's by now
                    return False
                if descriptor is None:
                    os.kill(self.process, number)
                else:
                    signal.pidfd_send_signal(descriptor, number)
                return True
            finally:
                if descriptor is not None:
                    os.close(descriptor)
        return False


def _pidfd(process: int) -> int | None:
    """Linux before 5.3 has none."""
    try:
        return os.pidfd_open(process)
    except OSError as error:
        if error.errno == errno.ENOSYS:
            return None
        raise


def boot_id() -> str:
    """What the kernel drew at its start."""
    return _BOOT_ID.read_text("ascii").strip()


def start_of(process: int) -> int | None:
    """When a process started; None where there is none, or only its remains."""
    try:
        text = Path(f"/proc/{process}/stat").read_text("ascii", "replace")
    except OSError:
        return None
    # The command's name in brackets may hold anything, also brackets.
    fields = text.rpartition(")")[2].split()
    return None if not fields or fields[0] in "ZX" else int(fields[19])
