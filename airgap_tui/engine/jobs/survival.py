"""Does this system kill a user's processes at logout, and how does a worker survive that?

systemd-logind does so with KillUserProcesses=yes (logind.conf(5)). A scope of the user's own
service manager is spared, but only while that manager stays, which takes lingering (loginctl(1)).
"""

from __future__ import annotations

import getpass
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SCOPE = ("systemd-run", "--user", "--scope", "--quiet", "--collect", "--")
_YES = ("yes", "y", "true", "t", "on", "1")
_SESSION = re.compile(r"/session-[^/]+\.scope\b")
_CONFIGS = ("usr/lib/systemd", "usr/local/lib/systemd", "run/systemd", "etc/systemd")
_PROBE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Survival:
    """What goes before a worker's command so that it outlives the logout; or, where nothing helps,
    what will end it and the remedy, in words."""

    prefix: tuple[str, ...] = ()
    warning: str = ""
    remedy: str = ""


def runs(command: Sequence[str]) -> bool:
    """Whether a command works here."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def survival(
    root: Path = Path("/"), user: str = "", works: Callable[[Sequence[str]], bool] = runs
) -> Survival:
    """How it is for this user in this session; `root` is where the system's files are."""
    user = user or _user()
    if not (root / "run/systemd/system").is_dir() or not _in_a_session(root):
        return Survival()
    settings = _logind(root)
    if not _ends_programs(settings, user):
        return Survival()
    warning = "this system ends your programs when you log out, this job among them"
    if not (root / "var/lib/systemd/linger" / user).exists():
        return Survival((), warning, "Run once, and start the job then: loginctl enable-linger")
    if not works((*SCOPE, "true")):
        return Survival((), warning, "Stay logged in, or have KillUserProcesses switched off.")
    return Survival(SCOPE)


def _in_a_session(root: Path) -> bool:
    try:
        return _SESSION.search((root / "proc/self/cgroup").read_text("utf-8")) is not None
    except OSError:
        return False


def _ends_programs(settings: dict[str, str], user: str) -> bool:
    if settings.get("killuserprocesses", "no").lower() not in _YES:
        return False
    only = settings.get("killonlyusers", "").split()
    if only:
        return user in only
    return user not in settings.get("killexcludeusers", "root").split()


def _logind(root: Path) -> dict[str, str]:
    """The settings of logind.conf and its drop-ins, the last one of each name winning."""
    main = [root / place / "logind.conf" for place in _CONFIGS]
    dropped: dict[str, Path] = {}
    for place in _CONFIGS:
        for path in sorted((root / place / "logind.conf.d").glob("*.conf")):
            dropped[path.name] = path
    found: dict[str, str] = {}
    for path in [*main, *(dropped[name] for name in sorted(dropped))]:
        try:
            lines = path.read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        section = ""
        for line in map(str.strip, lines):
            key, equals, value = line.partition("=")
            if line.startswith("["):
                section = line
            elif equals and section == "[Login]" and not line.startswith(("#", ";")):
                found[key.strip().lower()] = value.strip()
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
