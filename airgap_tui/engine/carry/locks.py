"""The exact wheels that the tool needs, by target: made beforehand, shipped inside the package.

One file for each Python and machine, because pip looks up what a package needs for the Python that
it runs on itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files

from airgap_tui.engine.carry.target import Target
from airgap_tui.engine.errors import EnvironmentFailure

_LINE = re.compile(r"([a-z0-9.-]+)==([A-Za-z0-9.+!-]+) --hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, order=True)
class Pinned:
    """One wheel, by the SHA-256 of its file in hex."""

    name: str
    version: str
    sha256: str

    def __str__(self) -> str:
        """The line of a requirements file that asks for this wheel and no other."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


def lock_of(target: Target) -> tuple[Pinned, ...]:
    """The wheels for a target, sorted by name."""
    text = (files(__package__) / "locks" / file_name(target)).read_text("ascii")
    return parse_lock(text, str(target))


def file_name(target: Target) -> str:
    return f"{target.python}-{target.machine}.txt"


def parse_lock(text: str, where: str) -> tuple[Pinned, ...]:
    """Read the lines of a lock, as `str(Pinned)` writes them; `#` begins a comment."""
    found = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise EnvironmentFailure(
                f"the list of wheels for {where} is damaged", hint="Install airgap-tui again."
            )
        found.append(Pinned(match[1], match[2], match[3]))
    return tuple(sorted(found))
