"""Which Python on which machine the carried tool is for."""

from __future__ import annotations

from dataclasses import dataclass

from airgap_tui.engine.errors import UsageError

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
MACHINES = ("aarch64", "x86_64")
ALL = "all"

_OTHER_NAMES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """`python` is a minor version, `machine` what `uname -m` says."""

    python: str
    machine: str

    def __str__(self) -> str:
        return f"{self.python}/{self.machine}"


EVERY = tuple(Target(python, machine) for python in PYTHONS for machine in MACHINES)


def parse_targets(text: str) -> tuple[Target, ...]:
    """Read `3.11/x86_64,3.12`: a part left out stands for all of its kind, `all` for everything.

    Raises `UsageError`, which names what there is."""
    found: set[Target] = set()
    for word in text.split(","):
        python, _, machine = word.strip().partition("/")
        if not machine and not python.startswith("3."):
            python, machine = "", python
        machine = _OTHER_NAMES.get(machine, machine)
        every = word.strip() == ALL
        chosen = {
            target
            for target in EVERY
            if every or (python in ("", target.python) and machine in ("", target.machine))
        }
        if not (python or machine):
            chosen = set()
        if not chosen:
            raise UsageError(
                f"the tool cannot be carried for {word.strip()!r}",
                hint=f"Choose from Python {', '.join(PYTHONS)} on {' and '.join(MACHINES)},"
                " as 3.11/x86_64,3.12; or all.",
            )
        found |= chosen
    return tuple(sorted(found, key=EVERY.index))
