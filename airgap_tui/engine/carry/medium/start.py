"""Runs airgap-tui from the directory of this file, for the Python that runs it.

Libraries cannot be loaded from where nothing may be executed: then what this Python needs is copied
to the user's cache first.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
AIRGAP_TUI_START = str(HERE / "start.py")
SUMS = "SHA256SUMS"


def folders() -> list[str]:
    """The directories that this Python needs. Ends the program where there are none."""
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for line in (HERE / "targets.txt").read_text("ascii").splitlines():
        version, machine, *names = line.split()
        if (version, machine) == (python, platform.machine()):
            return names
    sys.exit(
        f"airgap-tui: this medium has no airgap-tui for Python {python} on {platform.machine()}"
    )


def may_run_here() -> bool:
    return not os.statvfs(HERE).f_flag & os.ST_NOEXEC


def copied(names: list[str]) -> Path:
    """The directory in the cache that holds what is listed here of these directories, whole."""
    raw = (HERE / SUMS).read_bytes()
    base = os.environ.get("XDG_CACHE_HOME", "")
    cache = (Path(base) if base.startswith("/") else Path.home() / ".cache") / "airgap-tui"
    place = cache / f"tool-{hashlib.sha256(raw).hexdigest()[:16]}-{'-'.join(names)}"
    if place.is_dir():
        return place
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".tool-", dir=cache))
    try:
        for line in raw.decode("ascii").splitlines():
            expected, name = line[:64], line[66:]
            if name.partition("/")[0] not in (*names, "start.py", "targets.txt"):
                continue
            content = (HERE / name).read_bytes()
            if hashlib.sha256(content).hexdigest() != expected:
                sys.exit(f"airgap-tui: {HERE / name} is damaged; copy the medium again")
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_bytes(content)
        try:
            os.replace(work, place)
        except OSError:
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return place


def run() -> None:
    global AIRGAP_TUI_START
    names = folders()
    root = HERE if may_run_here() else copied(names)
    AIRGAP_TUI_START = str(root / "start.py")
    # After Python's own modules, so that none of these can stand in for one of them.
    sys.path.extend(str(root / name) for name in names)

    from airgap_tui.__main__ import main

    sys.argv[0] = "airgap-tui"
    main()


if __name__ == "__main__":
    run()
