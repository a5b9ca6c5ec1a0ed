"""The part of `doctor` that looks at the machine itself: Python, programs, terminal, session."""

from __future__ import annotations

import importlib
import locale
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Mapping

from airgap_tui.engine import own_program
from airgap_tui.engine.jobs.check import Check, Standing
from airgap_tui.engine.jobs.survival import Survival, survival

OLDEST_PYTHON = (3, 10)
_BUILT_AFTER = 1_750_000_000  # 2025-06-15: no clock that is right shows an earlier time

_PROGRAMS = (
    ("pixz", "reads and writes .tar.xz archives on all cores", "apt install pixz"),
    ("xz", "writes .tar.xz archives where pixz is not there", "apt install xz-utils"),
    ("pigz", "nothing here needs it; old scripts do", "apt install pigz"),
    ("skopeo", "copies images out of a bundle without airgap-tui", "apt install skopeo"),
    ("xorriso", "writes ISO images for discs", "apt install xorriso"),
)


def python() -> Check:
    """The interpreter."""
    finding = f"{platform.python_version()} at {own_program.executable_file() or sys.executable}"
    if sys.version_info < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return Check(
            "Python", Standing.FAILED, finding, "runs airgap-tui", f"Install {oldest} or newer."
        )
    return Check("Python", Standing.GOOD, finding, "runs airgap-tui")


def codecs() -> Check:
    """The libraries that compress and decode layers."""
    zstd = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    purpose = "compress and decode layers on all cores"
    missing = []
    for name, library in ((zstd, "zstd"), ("zlib_ng", "zlib-ng")):
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(library)
    if missing:
        remedy = "Install airgap-tui again: pip install --force-reinstall airgap-tui"
        finding = f"{' and '.join(missing)} cannot be imported"
        return Check("Compression", Standing.FAILED, finding, purpose, remedy)
    return Check("Compression", Standing.GOOD, "zstd and zlib-ng are there", purpose)


def programs() -> Iterator[Check]:
    """Helper programs; none is needed for the usual way."""
    for name, purpose, remedy in _PROGRAMS:
        path = shutil.which(name)
        if path:
            yield Check(name, Standing.GOOD, path, purpose)
        else:
            yield Check(name, Standing.ABSENT, "not installed", purpose, remedy)


def terminal(environment: Mapping[str, str]) -> Check:
    """Whether bars and UTF-8 can be drawn."""
    purpose = "progress bars"
    name = environment.get("TERM", "")
    encoding = locale.getpreferredencoding(False)
    finding = f"TERM is {name or 'not set'}, the locale's encoding {encoding}"
    if name in ("", "dumb"):
        remedy = "Nothing to do for scripts: progress comes in plain lines then."
        return Check("Terminal", Standing.ABSENT, finding, purpose, remedy)
    if encoding.lower().replace("-", "") != "utf8":
        remedy = "ASCII is drawn instead; export LC_ALL=C.UTF-8 brings UTF-8."
        return Check("Terminal", Standing.GOOD, finding, purpose, remedy)
    return Check("Terminal", Standing.GOOD, finding, purpose)


def sessions(found: Survival | None = None) -> Check:
    """Whether jobs outlive the logout (logind.conf(5), KillUserProcesses)."""
    purpose = "long saves go on when an SSH connection drops"
    found = found or survival()
    if found.warning:
        finding = f"{found.warning[0].upper()}{found.warning[1:]}"
        return Check("Session", Standing.WARNING, finding, purpose, found.remedy)
    finding = "processes may outlive their login"
    if found.prefix:
        finding = "jobs that are detached outlive their login, in a scope of their own"
    return Check("Session", Standing.GOOD, finding, purpose)


def clock(now: float | None = None) -> Check:
    """A clock that is years off makes every TLS certificate look invalid."""
    now = time.time() if now is None else now
    finding = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    purpose = "TLS certificates are valid from one day to another"
    if now < _BUILT_AFTER:
        remedy = "Set the clock: sudo timedatectl set-time, or start chrony."
        return Check("Clock", Standing.FAILED, f"{finding} is in the past", purpose, remedy)
    return Check("Clock", Standing.GOOD, finding, purpose)
