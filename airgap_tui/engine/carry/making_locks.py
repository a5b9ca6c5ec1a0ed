"""Makes the locks from what the package index has today; for whoever releases airgap-tui.

`python -m airgap_tui.engine.carry.making_locks` in a source tree, with uv and pip. Each lock names
exactly the wheels that pip takes for its target, so that making it also shows that all are there.
A wheel that an older Python on the same machine has already, and that is for newer ones too, is
taken again: it is carried once.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from airgap_tui.engine.cancel import CancelToken
from airgap_tui.engine.carry import pip
from airgap_tui.engine.carry.locks import Pinned, file_name
from airgap_tui.engine.carry.target import EVERY, Target

_ROOT = Path(__file__).resolve().parents[3]
_LOCKS = Path(__file__).parent / "locks"
_ENTRY = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)((?: \\\n +--hash=sha256:[0-9a-f]{64})+)", re.M)
_FOR_NEWER = "-abi3-"
_HEAD = "# Made by python -m airgap_tui.engine.carry.making_locks; not for changing by hand.\n"


def make_lock(target: Target, known: dict[str, str]) -> str:
    """The content of one lock. `known` are the wheels of older Pythons on the same machine that
    newer ones take too: their SHA-256 in hex, and their file names; this target's are added."""
    listed = _compile(target)
    choice = {name: _again(hashes, known) or hashes for name, _version, hashes in listed}
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        lines = (f"{name}=={version} {choice[name]}" for name, version, _hashes in listed)
        pip.download(pip.find_pip(), lines, target, directory, CancelToken())
        taken = {
            hashlib.sha256(path.read_bytes()).hexdigest(): path.name for path in directory.iterdir()
        }
    known.update({sha256: name for sha256, name in taken.items() if _FOR_NEWER in name})
    pinned = []
    for name, version, hashes in listed:
        (sha256,) = (text for text in taken if f"sha256:{text}" in hashes)
        pinned.append(Pinned(name, version, sha256))
    return _HEAD + "".join(f"{wheel}\n" for wheel in sorted(pinned))


def _compile(target: Target) -> list[tuple[str, str, str]]:
    """The name and version of each package, and the hashes of all its wheels."""
    compiled = subprocess.run(
        [
            *(shutil.which("uv") or "uv", "pip", "compile", "--quiet", "--generate-hashes"),
            *("--no-header", "--no-annotate", "--no-build", "--python-version", target.python),
            *("--python-platform", f"{target.machine}-manylinux_2_28", "pyproject.toml"),
        ],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [
        (name, version, " ".join(hashes.replace("\\\n", "").split()))
        for name, version, hashes in _ENTRY.findall(compiled)
    ]


def _again(hashes: str, known: dict[str, str]) -> str:
    return next((f"--hash=sha256:{text}" for text in known if f"sha256:{text}" in hashes), "")


def main() -> int:
    known: dict[str, dict[str, str]] = {}
    for target in EVERY:
        lock = make_lock(target, known.setdefault(target.machine, {}))
        (_LOCKS / file_name(target)).write_text(lock, "ascii")
        sys.stderr.write(f"{target}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
